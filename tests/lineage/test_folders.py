"""Digests of folders at constant memory, and of MLmodel files that mean no good."""

import zipfile
from pathlib import Path

import pytest

from athanor.lineage.logic.folders import folder_digest, model_digest

_LAUGHS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)


def _model(folder: Path, said: str, *, year: int = 2026, content: bytes = b"weights") -> Path:
    folder.mkdir()
    (folder / "MLmodel").write_text(said)
    with zipfile.ZipFile(folder / "model.pt", "w") as archive:
        archive.writestr(zipfile.ZipInfo("data", (year, 1, 1, 0, 0, 0)), content)
    return folder


def test_two_savings_of_one_model_are_equal(tmp_path: Path) -> None:
    one = _model(tmp_path / "one", "run_id: a\nflavors: {sklearn: {}}\n")
    two = _model(tmp_path / "two", "flavors: {sklearn: {}}\nrun_id: b\n", year=2027)
    other = _model(tmp_path / "other", "flavors: {sklearn: {}}\n", content=b"others")
    assert model_digest(one) == model_digest(two) != model_digest(other)
    assert folder_digest(one) != folder_digest(two)


@pytest.mark.parametrize(
    "said", [_LAUGHS, "&a [*a]", "[" * 5_000, "%", "\x00", "1: {2: three}", "- a list", ""]
)
def test_no_description_is_too_strange_for_a_digest(tmp_path: Path, said: str) -> None:
    assert model_digest(_model(tmp_path / "model", said)).startswith("sha256:")


def test_a_broken_archive_is_a_file_like_others(tmp_path: Path) -> None:
    folder = _model(tmp_path / "model", "flavors: {}\n", content=b"x" * 1000)
    whole = (folder / "model.pt").read_bytes()
    (folder / "model.pt").write_bytes(whole.replace(b"x" * 10, b"y" * 10, 1))
    assert model_digest(folder).startswith("sha256:")
