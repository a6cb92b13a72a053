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

from athanor.data import DatasetVersion, VacuumOrder
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


def race_and_see(folder: Path, writers: int, appends: int) -> None:
    """Processes append to one dataset at once: each append is a version, and none is lost."""
    url, storage = f"sqlite:///{folder}/athanor.db", folder / "storage"
    create_all(Database.open(url))
    processes, first = [], 0
    for _ in range(writers):
        files = []
        for _ in range(appends):
            path = folder / f"{first}.csv"
            path.write_text(customers(first * _ROWS, _ROWS))
            files.append(str(path))
            first += 1
        command = [sys.executable, "-m", "tests.data.killed", "race", url, str(storage), *files]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT))
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * writers
    numbers = sorted(
        int(line.split()[1])
        for out in said
        for line in out.splitlines()
        if line.startswith("added")
    )
    assert numbers == list(range(1, writers * appends + 1))
    database = Database.open(url)
    room = open_data_room(database, storage, HereWorkers())
    versions = room.datasets.versions(OWNER, "churn")
    assert [version.rows for version in reversed(versions)] == [n * _ROWS for n in numbers]
    rows = content(versions[0])
    wanted = [1000 + number for number in range(writers * appends * _ROWS)]
    assert sorted(rows["customer"].to_pylist()) == wanted
    for version in versions:
        assert table_digest(content(version)) == version.digest
    database.close()


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    race_and_see(tmp_path, writers=2, appends=2)


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_two_processes_append_at_once_100_times(tmp_path: Path) -> None:
    race_and_see(tmp_path, writers=2, appends=50)


def test_a_killed_vacuum_is_taken_up_by_the_next(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/athanor.db")
    create_all(database)
    room = open_data_room(database, tmp_path / "storage", HereWorkers())
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.csv"
        path.write_text(customers(number * _ROWS, _ROWS))
        version = room.datasets.add(OWNER, "churn", churn(path))
        paths.append(Path(version.table_uri, version.files[0]))
    room.versions.delete(OWNER, "churn@1")
    aside = tmp_path / "aside.parquet"
    aside.write_bytes(paths[0].read_bytes())
    room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    # As a process leaves it that is killed between its transaction and its last file.
    aside.replace(paths[0])
    assert room.versions.vacuum(OWNER, "churn", VacuumOrder()).files == 1
    room.versions.vacuum(OWNER, "churn", VacuumOrder(dry_run=False))
    assert [path.exists() for path in paths] == [False, True, True]
    database.close()


def test_what_a_killed_process_was_about_to_add_is_gone_with_the_next_look(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/athanor.db")
    create_all(database)
    room = open_data_room(database, tmp_path / "storage", HereWorkers())
    ground = room.datasets.ground
    program = (
        "import os; from pathlib import Path; from athanor.kernel import Database\n"
        "from athanor.testing.data import open_data_room\n"
        "from tests.data.conftest import HereWorkers\n"
        f"room = open_data_room(Database.open('sqlite:///{tmp_path}/athanor.db'),"
        f" Path('{tmp_path}/storage'), HereWorkers())\n"
        "with room.datasets.ground.scratch() as folder:\n"
        "    (folder / 'rows.csv').write_text('customer')\n"
        "    print(folder, flush=True)\n"
        "    input()\n"
    )
    with ground.scratch() as own:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        others = Path(process.stdout.readline().strip())
        ground.sweep()
        assert (own.is_dir(), [item.name for item in others.iterdir()]) == (True, ["rows.csv"])
        process.kill()
        process.communicate()
        assert others.is_dir()
        ground.sweep()
        assert (own.is_dir(), others.exists()) == (True, False)
    assert not own.exists()
    database.close()
