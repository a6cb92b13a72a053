"""Watched folders: each content once, broken files refused, nothing blocked."""

import os
import time
from pathlib import Path

import pytest

from athanor.data import Roles
from athanor.data.errors import DatasetNotFound, FolderNotFound, NotWatched
from athanor.data.service.watches import JOB
from athanor.kernel import OWNER
from athanor.kernel.database import Database
from athanor.testing.data import DataRoom, open_data_room
from tests.data.conftest import CHURN, HereWorkers, Written, churn, customers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "incoming"
    path.mkdir()
    return path


def put(folder: Path, name: str, text: str, *, age: float = 10.0) -> Path:
    """A file whose last change is some seconds past."""
    path = folder / name
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def look(room: DataRoom) -> int:
    """Two looks: a file must have stayed the same between them."""
    room.watches.look()
    return room.watches.look()


def test_each_new_file_becomes_the_next_version(
    room: DataRoom, written: Written, folder: Path
) -> None:
    room.datasets.add(OWNER, "churn", churn(written("base.csv", customers(0, 100))))
    room.watches.watch(OWNER, "churn", str(folder))
    put(folder, "b.csv", customers(200, 100), age=5)
    put(folder, "a.csv", customers(100, 100), age=9)
    assert look(room) == 2
    assert look(room) == 0
    versions = room.datasets.versions(OWNER, "churn")
    assert [(item.number, item.rows, item.source.file) for item in versions] == [
        (3, 300, "b.csv"), (2, 200, "a.csv"), (1, 100, "base.csv"),
    ]  # fmt: skip
    assert [(Path(item.file).name, item.outcome, item.version)
            for item in room.watches.files(OWNER, "churn")] == [
        ("b.csv", "taken", 3), ("a.csv", "taken", 2),
    ]  # fmt: skip


def test_a_dataset_may_begin_with_the_folders_first_file(room: DataRoom, folder: Path) -> None:
    room.watches.watch(OWNER, "churn", str(folder), roles=CHURN)
    put(folder, "a.csv", customers(0, 100))
    look(room)
    dataset = room.datasets.dataset(OWNER, "churn")
    assert (dataset.latest, dataset.roles) == (1, CHURN)


def test_a_broken_file_is_refused_and_blocks_nobody(
    room: DataRoom, written: Written, folder: Path
) -> None:
    room.datasets.add(OWNER, "churn", churn(written("base.csv", customers(0, 100))))
    room.watches.watch(OWNER, "churn", str(folder))
    put(folder, "a.csv", "customer,age\n1\n2,3\n", age=20)
    put(folder, "b.csv", customers(100, 100).replace(",no\n", ",never\n"), age=15)
    put(folder, "c.csv", customers(200, 100), age=10)
    assert look(room) == 3
    outcomes = {Path(item.file).name: item for item in room.watches.files(OWNER, "churn")}
    assert outcomes["a.csv"].outcome == "refused"
    assert "row 1 has 1 cells" in outcomes["a.csv"].message
    assert (outcomes["b.csv"].outcome, outcomes["b.csv"].version) == ("quarantined", 2)
    assert "unknown label" in outcomes["b.csv"].message
    assert (outcomes["c.csv"].outcome, outcomes["c.csv"].version) == ("taken", 3)
    [refused] = room.told("data.file.refused")
    assert refused.subject == "churn"
    assert refused.detail["error"] == "ragged_rows"
    assert len(room.told("data.version.quarantined")) == 1
    assert room.datasets.version(OWNER, "churn").rows == 200


def test_the_same_content_is_not_taken_twice(
    room: DataRoom, sqlite: Database, tmp_path: Path, folder: Path
) -> None:
    room.watches.watch(OWNER, "churn", str(folder), roles=CHURN)
    put(folder, "a.csv", customers(0, 100))
    look(room)
    put(folder, "copy of a.csv", customers(0, 100))
    look(room)
    # Another process, which has seen nothing yet.
    other = open_data_room(sqlite, tmp_path / "storage", HereWorkers())
    look(other)
    assert len(room.datasets.versions(OWNER, "churn")) == 1


def test_a_file_that_is_being_written_waits(room: DataRoom, folder: Path) -> None:
    room.watches.watch(OWNER, "churn", str(folder), roles=CHURN)
    put(folder, "young.csv", customers(0, 100), age=0)
    put(folder, "grows.csv", customers(0, 100), age=10)
    for name in (".hidden.csv", "half.csv.part", "half.tmp"):
        put(folder, name, customers(0, 100))
    (folder / "below").mkdir()
    room.watches.look()
    put(folder, "grows.csv", customers(0, 120), age=9)
    assert room.watches.look() == 0
    assert room.watches.look() == 1
    assert room.datasets.version(OWNER, "churn").rows == 120


def test_the_job_goes_on_by_itself_until_nothing_is_watched(room: DataRoom, folder: Path) -> None:
    room.watches.watch(OWNER, "churn", str(folder), roles=CHURN)
    room.watches.resume()
    put(folder, "a.csv", customers(0, 100))
    deadline = time.monotonic() + 30
    while not room.datasets.datasets(OWNER) and time.monotonic() < deadline:
        if not room.jobs.run_next("worker"):
            time.sleep(0.05)
    assert room.datasets.dataset(OWNER, "churn").latest == 1
    room.watches.unwatch(OWNER, "churn", str(folder))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and room.jobs.run_next("worker", only=(JOB,)):
        pass
    time.sleep(1.1)
    room.jobs.run_next("worker", only=(JOB,))
    assert not room.jobs.run_next("worker", only=(JOB,))


def test_a_folder_that_vanished_is_passed_by(room: DataRoom, folder: Path) -> None:
    room.watches.watch(OWNER, "churn", str(folder))
    folder.rmdir()
    assert look(room) == 0


def test_what_can_not_be_watched_is_said(room: DataRoom, folder: Path) -> None:
    with pytest.raises(FolderNotFound):
        room.watches.watch(OWNER, "churn", str(folder / "nowhere"))
    with pytest.raises(FolderNotFound):
        room.watches.unwatch(OWNER, "churn", "~nobody-has-this-home/files")
    with pytest.raises(NotWatched):
        room.watches.unwatch(OWNER, "churn", str(folder))
    with pytest.raises(DatasetNotFound):
        room.watches.files(OWNER, "churn")
    watch = room.watches.watch(OWNER, "churn", str(folder), mode="replace", roles=Roles())
    assert room.watches.watches(OWNER) == [watch]
    assert room.watches.files(OWNER, "churn") == []
