"""kill -9 while versions are added: each is there whole or not at all, and none is lost."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import DatasetVersion
from athanor.kernel import OWNER, Database
from athanor.kernel.schema import create_all
from athanor.lineage.logic.digests import table_digest
from athanor.testing.data import open_data_room
from tests.data.conftest import HereWorkers, churn, customers
from tests.data.killed import ROLES

ROOT = Path(__file__).resolve().parents[2]
_FILES = 6
_ROWS = 60


def added_until_killed(command: list[str], seconds: float) -> list[int]:
    """The numbers that were acknowledged before the process was killed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    said = [process.stdout.readline()]
    assert said == ["ready\n"]
    os.set_blocking(process.stdout.fileno(), False)
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.wait()
    rest = process.stdout.read() or ""
    process.stdout.close()
    return [int(line.split()[1]) for line in rest.splitlines() if line.startswith("added ")]


def content(version: DatasetVersion) -> pa.Table:
    paths = [f"{version.table_uri}/{file}" for file in version.files]
    return pa.concat_tables(pq.read_table(path) for path in paths)


def kill_and_see(seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    url, storage = f"sqlite:///{folder}/athanor.db", folder / "storage"
    create_all(Database.open(url))
    files = []
    for number in range(_FILES):
        path = folder / f"{number}.csv"
        path.write_text(customers(number * _ROWS, _ROWS))
        files.append(path)
    acknowledged = added_until_killed(
        [sys.executable, "-m", "tests.data.killed", "add", url, str(storage), *map(str, files)],
        rng.uniform(0.0, 3.0),
    )
    database = Database.open(url)
    room = open_data_room(database, storage, HereWorkers())
    room.datasets.recover()
    there = room.datasets.versions(OWNER, "churn") if room.datasets.datasets(OWNER) else []
    assert sorted(version.number for version in there) == list(range(1, len(there) + 1))
    assert set(acknowledged) <= {version.number for version in there}
    for path in files[len(there) :]:
        room.datasets.add(OWNER, "churn", churn(path, "append"))
    for version in room.datasets.versions(OWNER, "churn"):
        rows = content(version)
        assert rows.num_rows == version.rows == version.number * _ROWS
        assert table_digest(rows) == version.digest
        assert rows["customer"].to_pylist() == list(range(1000, 1000 + version.rows))
        assert room.lineage.artifact(OWNER, version.artifact_id).digest == version.digest
    assert len(room.told("data.version.created")) == _FILES
    database.close()


def kill_watcher_and_see(seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    url, storage, incoming = f"sqlite:///{folder}/athanor.db", folder / "storage", folder / "in"
    incoming.mkdir()
    database = Database.open(url)
    create_all(database)
    room = open_data_room(database, storage, HereWorkers())
    room.watches.watch(OWNER, "churn", str(incoming), roles=ROLES)
    for number in range(_FILES):
        path = incoming / f"{number}.csv"
        path.write_text(customers(number * _ROWS, _ROWS))
        os.utime(path, (time.time() - 60 + number, time.time() - 60 + number))
    for _ in range(3):
        added_until_killed(
            [sys.executable, "-m", "tests.data.killed", "watch", url, str(storage)],
            rng.uniform(0.0, 1.5),
        )
    room.datasets.recover()
    while room.watches.look() or len(room.watches.files(OWNER, "churn")) < _FILES:
        pass
    versions = room.datasets.versions(OWNER, "churn")
    assert [version.number for version in versions] == list(range(_FILES, 0, -1))
    rows = content(versions[0])
    assert rows["customer"].to_pylist() == list(range(1000, 1000 + _FILES * _ROWS))
    assert table_digest(rows) == versions[0].digest
    assert len({version.source.digest for version in versions}) == _FILES
    database.close()


@pytest.mark.parametrize("seed", [1])
def test_a_killed_watcher_takes_each_file_once(seed: int, tmp_path: Path) -> None:
    kill_watcher_and_see(seed, tmp_path)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_version_is_half_visible(seed: int, tmp_path: Path) -> None:
    kill_and_see(seed, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_no_version_is_half_visible_often(tmp_path: Path) -> None:
    for seed in range(50):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_and_see(seed, folder)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_a_killed_watcher_takes_each_file_once_often(tmp_path: Path) -> None:
    for seed in range(30):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kill_watcher_and_see(seed, folder)
