"""What may be unpacked, and that nothing is written of what may not."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.registry.errors import BadModelFolder, UploadTooLarge
from athanor.registry.logic.archives import MOST_FILES, pack, unpack, write_member


def archive(tmp_path: Path, fill: Callable[[zipfile.ZipFile], None]) -> Path:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        fill(packed)
    return path


def named(name: str) -> Callable[[zipfile.ZipFile], None]:
    return lambda packed: packed.writestr(name, "x")


def link(packed: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed.writestr(info, "/etc/passwd")


def pipe(packed: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("pipe")
    info.external_attr = stat.S_IFIFO << 16
    packed.writestr(info, "")


def below_a_file(packed: zipfile.ZipFile) -> None:
    packed.writestr("a", "x")
    packed.writestr("a/b", "x")


def bomb(packed: zipfile.ZipFile) -> None:
    packed.writestr("zeros", bytes(30_000_000))


def many(packed: zipfile.ZipFile) -> None:
    for number in range(MOST_FILES + 1):
        packed.writestr(f"{number}", "")


@pytest.mark.parametrize(
    ("fill", "error", "words"),
    [
        (named("../MLmodel"), BadModelFolder, "leads out"),
        (named("a/../../MLmodel"), BadModelFolder, "leads out"),
        (named("/etc/MLmodel"), BadModelFolder, "leads out"),
        (named("a\\..\\b"), BadModelFolder, "leads out"),
        (named("C:/Windows/x"), BadModelFolder, "leads out"),
        (link, BadModelFolder, "link"),
        (pipe, BadModelFolder, "link"),
        (below_a_file, BadModelFolder, "below a file"),
        (named("n" * 300), BadModelFolder, "readable"),
        (bomb, UploadTooLarge, "swells"),
        (many, UploadTooLarge, "files"),
    ],
)
def test_what_is_refused_writes_nothing(
    tmp_path: Path,
    fill: Callable[[zipfile.ZipFile], None],
    error: type[Exception],
    words: str,
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    before = set(tmp_path.rglob("*"))
    path = archive(tmp_path, fill)
    with pytest.raises(error, match=words):
        unpack(path, into)
    assert set(tmp_path.rglob("*")) - before == {path}


def test_a_lying_index_is_found_out(tmp_path: Path) -> None:
    path = archive(tmp_path, lambda packed: packed.writestr("a", "x" * 5000))
    content = path.read_bytes().replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    (tmp_path / "into").mkdir()
    with pytest.raises(BadModelFolder):
        unpack(path, tmp_path / "into")


def test_two_of_one_name_and_overlaps_are_refused(tmp_path: Path) -> None:
    def twice(packed: zipfile.ZipFile) -> None:
        packed.writestr("a", "x")
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a", "y")

    (tmp_path / "into").mkdir()
    with pytest.raises(BadModelFolder, match="twice"):
        unpack(archive(tmp_path, twice), tmp_path / "into")


def test_noise_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    path.write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(BadModelFolder):
        unpack(path, tmp_path)


@given(
    files=st.dictionaries(
        st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.binary(max_size=50)
    ),
    level=st.none() | st.integers(1, 9),
)
def test_equal_files_give_equal_bytes(files: dict[str, bytes], level: int | None) -> None:
    def made() -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as packed:
            for name, content in files.items():
                write_member(packed, name, content, level=level)
        return stream.getvalue()

    def streamed() -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as packed:
            pack(((name, io.BytesIO(content)) for name, content in files.items()), packed)
        return stream.getvalue()

    assert made() == made()
    assert streamed() == streamed()
    with zipfile.ZipFile(io.BytesIO(streamed())) as read:
        assert {name: read.read(name) for name in read.namelist()} == files
