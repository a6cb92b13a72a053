"""What a process says of its code and environment, and what it keeps to itself."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from athanor.kernel import provenance
from athanor.kernel.redaction import MASK

SECRET = "hunter2hunter2"
TELL = (
    "import json, sys; sys.argv[0:0] = []\n"
    "from athanor.kernel import provenance\n"
    "print(provenance.as_json([provenance.code(), provenance.environment()]))\n"
)


def git(folder: Path, *arguments: str) -> str:
    environ = os.environ | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environ
    )
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit and a remote with a password in it."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "train.py").write_text(TELL)
    (folder / "settings.py").write_text("lr = 0.1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "remote", "add", "origin", f"https://me:{SECRET}@example.org/me/project.git")
    return folder


def told(folder: Path, *arguments: str, **environ: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a script there says of itself."""
    done = subprocess.run(
        [sys.executable, "train.py", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | environ,
    )
    code, environment = orjson.loads(done.stdout)
    return code, environment


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    code, environment = told(checkout, "--epochs", "3")
    assert code["commit"] == git(checkout, "rev-parse", "HEAD")
    assert code["branch"] == "trunk"
    assert code["remote"] == "https://example.org/me/project.git"
    assert code["dirty"] is False
    assert "diff" not in code
    assert code["entry_point"] == str(checkout / "train.py")
    assert code["arguments"] == ["--epochs", "3"]
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert any(line.startswith("sqlalchemy==") for line in environment["packages"])
    assert environment["cores"] >= 1
    assert environment["memory_bytes"] > 1 << 20


def test_uncommitted_changes_are_kept_without_their_secrets(checkout: Path) -> None:
    (checkout / "settings.py").write_text(
        f'lr = 0.2\nAPI_KEY = "{SECRET}"\nurl = "postgres://me:{SECRET}@db/x"\n'
    )
    (checkout / "new.py").write_text("print()\n")
    code, _ = told(checkout, "--db-password", SECRET, f"--token={SECRET}", "plain")
    assert code["dirty"] is True
    assert "+lr = 0.2" in code["diff"]
    assert code["untracked"] == ["new.py"]
    assert SECRET not in str(code)
    assert code["arguments"] == ["--db-password", MASK, f"--token={MASK}", "plain"]


def test_a_huge_diff_is_cut(checkout: Path) -> None:
    (checkout / "settings.py").write_text("x = 1\n" * 500_000)
    code, _ = told(checkout)
    assert code["diff_cut"] is True
    assert len(code["diff"]) == provenance.DIFF_CHARACTERS
    assert code["diff_digest"].startswith("sha256:")


def test_without_git_there_is_the_file(checkout: Path, tmp_path: Path) -> None:
    code, environment = told(checkout, PATH=str(tmp_path))
    assert "commit" not in code
    assert code["entry_point"] == str(checkout / "train.py")
    assert environment["packages_digest"].startswith("sha256:")


def test_outside_a_checkout_there_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TELL)
    code, _ = told(tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert "commit" not in code
    assert code["digest"].startswith("sha256:")


def test_a_git_that_hangs_is_not_waited_for(checkout: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 3600\n")
    fake.chmod(0o755)
    code, _ = told(checkout, PATH=f"{fake.parent}:{os.environ['PATH']}")
    assert "commit" not in code
    assert code["entry_point"] == str(checkout / "train.py")


def test_a_git_that_fails_in_the_middle_hurts_nobody(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".git" / "HEAD").write_text("nonsense")
    code, _ = told(checkout)
    assert code["entry_point"] == str(checkout / "train.py")


def test_it_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    known = provenance.code(), provenance.environment_in_brief()
    monkeypatch.setattr(provenance, "_entry", pytest.fail)
    monkeypatch.setattr(provenance, "_environment", pytest.fail)
    assert (provenance.code(), provenance.environment_in_brief()) == known
    assert "packages" not in known[1]


def test_what_is_returned_is_the_callers_own() -> None:
    provenance.environment().clear()
    assert provenance.environment()["python"]


def test_packages_are_read_from_the_names_of_their_folders(tmp_path: Path) -> None:
    for name in ("My_Lib-1.2.dist-info", "old-0.9-py3.11.egg-info", "notes-1.txt"):
        (tmp_path / name).mkdir()
    assert provenance.installed([str(tmp_path), str(tmp_path / "absent")]) == [
        "my-lib==1.2",
        "old==0.9",
    ]
