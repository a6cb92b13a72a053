"""DVC itself takes what is exported for it, and what it wrote is read."""

import os
import subprocess
from pathlib import Path

import pytest

from athanor.data import NewSource
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom
from tests.data.conftest import Written, churn, customers
from tests.data.test_sources import pictures

ROOT = Path(__file__).resolve().parents[2]
_DVC = Path(os.environ.get("ATHANOR_TEST_DVC", ROOT / ".venvs/dvc/bin/dvc"))

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not _DVC.exists(), reason="no DVC here: put it into .venvs/dvc"),
]


def dvc(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "1", "HOME": str(folder)}
    done = subprocess.run([_DVC, *arguments], cwd=folder, env=environment, check=False,
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_dvc_pulls_what_is_exported(room: DataRoom, written: Written, tmp_path: Path) -> None:
    project = tmp_path / "project"
    room.datasets.add(OWNER, "churn", churn(written("a.csv", customers())))
    room.datasets.add(OWNER, "churn", churn(written("b.csv", customers(200, 50)), "append"))
    for name in ("pets", "pets2"):
        room.sources.add_from(OWNER, name, NewSource(uri=str(pictures(tmp_path / "pets"))))
    for reference in ("churn", "pets"):
        room.sources.export_dvc(OWNER, reference, str(project))
    dvc(project, "pull")
    assert (project / "pets/cats/1.png").read_bytes() == (tmp_path / "pets/cats/1.png").read_bytes()
    assert sorted(path.name for path in (project / "churn").iterdir()) == [
        "part-0000.parquet", "part-0001.parquet",
    ]  # fmt: skip
    assert "up to date" in dvc(project, "status")


def test_what_dvc_wrote_is_read(room: DataRoom, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    dvc(project, "init", "--no-scm")
    dvc(project, "remote", "add", "-d", "far", str(tmp_path / "far"))
    (project / "churn.csv").write_text(customers())
    (pictures(project / "pets") / ".hidden").unlink()
    dvc(project, "add", "churn.csv", "pets")
    dvc(project, "push")
    (project / "churn.csv").unlink()
    table = room.sources.add_from(OWNER, "churn", NewSource(uri=str(project / "churn.csv.dvc")))
    folder = room.sources.add_from(OWNER, "pets", NewSource(uri=str(project / "pets.dvc")))
    assert (table.rows, table.source.file, folder.rows) == (200, "churn.csv", 6)
    theirs = (project / "pets.dvc").read_text()
    mine = room.sources.export_dvc(OWNER, "pets", str(tmp_path / "mine"))
    assert mine.md5 in theirs
