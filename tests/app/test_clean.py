"""What a clean-up finds, what it leaves alone, and that it takes nothing from under anybody."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from athanor.app.house import House
from athanor.app.keeping import unused
from athanor.app.keeping.clean import clean
from athanor.app.keeping.errors import KeepingBusy
from athanor.app.keeping.orders import Cleaned, CleanOrder
from athanor.app.keeping.places import Tree, keeping
from athanor.kernel import OWNER
from athanor.kernel.database import metadata
from athanor.kernel.settings import load_settings
from athanor.kernel.storage import KEEP_SECONDS, BlobNotFound
from athanor.lineage import ArtifactNotFound, Lineage, NewArtifact, NewRun, RunNotFound
from athanor.testing.server import running_server
from athanor.tracking import (
    Batch,
    ExperimentNotFound,
    Experiments,
    NewExperiment,
    NewMetric,
    NewTrackedRun,
    RunFiles,
    Tracking,
)

OLD = time.time() - 3 * KEEP_SECONDS
GUARD = 0.5
"""Seconds that a blob is kept without a name, where a test can't wait for a day."""
LONG_AGO = timedelta(days=60)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A workspace's services; nothing of it runs."""
    settings, _ = load_settings({"workspace": tmp_path / "workspace"})
    opened = House.open(settings, serving=False)
    yield opened
    opened.close()


def age(house: House) -> None:
    """Let every file of the workspace be old."""
    for folder, _, names in os.walk(house.settings.workspace):
        for name in names:
            os.utime(Path(folder, name), (OLD, OLD))
        os.utime(folder, (OLD, OLD))


def swept(house: House, *, grace_days: float = 30.0) -> Cleaned:
    """Clean up; the dry run before it has told the same and has changed nothing."""
    order = CleanOrder(dry_run=True, grace_days=grace_days)
    first, second = clean(house, OWNER, order), clean(house, OWNER, order)
    assert first == second
    done = clean(house, OWNER, CleanOrder(dry_run=False, grace_days=grace_days))
    told = {(item.kind, item.what) for item in first.findings}
    assert told <= {(item.kind, item.what) for item in done.findings}
    return done


def named(house: House, content: bytes) -> str:
    """Store a blob that an artifact names; its digest."""
    blob = house.storage.put_bytes(content)
    house.services[Lineage].record(
        OWNER, NewArtifact(type="file", name="f", uri=blob.uri, digest=blob.digest)
    )
    return blob.digest


def test_an_empty_workspace_has_nothing_to_clean(house: House) -> None:
    assert swept(house).findings == []


def test_blobs_without_a_name_go_and_others_stay(house: House, tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "a.txt").write_text("in a folder")
    folder = house.storage.put_folder(tmp_path / "folder")
    inside = house.storage.entries(folder.digest)[0].digest
    house.services[Lineage].record(
        OWNER,
        NewArtifact(
            type="model",
            name="m",
            uri=folder.uri,
            digest="sha256:" + "0" * 64,
            metadata={"blob": folder.digest},
        ),
    )
    kept = [named(house, b"kept"), folder.digest, inside]
    loose = house.storage.put_bytes(b"loose" * 100)
    young = house.storage.put_bytes(b"young")
    age(house)
    house.storage.put_bytes(b"young")
    done = swept(house)
    assert [item.what for item in done.findings] == [loose.digest]
    assert done.size == 500
    assert not house.storage.exists(loose.digest)
    assert all(house.storage.exists(digest) for digest in [*kept, young.digest])


def test_storing_a_blob_again_makes_it_new(house: House) -> None:
    first = house.storage.put_bytes(b"again")
    age(house)
    assert house.storage.put_bytes(b"again") == first
    assert swept(house).findings == []


def test_what_killed_processes_left_goes(house: House) -> None:
    root = house.storage.root
    assert root is not None
    (root / "blobs" / "ab").mkdir(parents=True)
    half = root / "blobs" / "ab" / ".abc.123"
    half.write_bytes(b"half")
    (root / "staging" / "x").mkdir(parents=True)
    (root / "staging" / "x" / "rows.parquet").write_bytes(b"rows")
    assert swept(house).findings == []
    age(house)
    assert {item.kind for item in swept(house).findings} == {"upload"}
    assert not half.exists()
    assert not (root / "staging" / "x").exists()


def test_folders_of_ended_runs_keep_their_logs(house: House) -> None:
    lineage = house.services[Lineage]
    ended, going = (lineage.start_run(OWNER, NewRun(kind="pipeline", name="p")) for _ in range(2))
    lineage.finish_run(OWNER, ended.id)
    work = house.folder("work")
    for run in (ended.id, going.id, "f" * 32):
        attempt = work / run / "task" / "1"
        (attempt / "inputs").mkdir(parents=True)
        (attempt / "inputs" / "data.parquet").write_bytes(b"data")
        (attempt / "log.txt").write_text("it said")
    age(house)
    swept(house)
    assert sorted(path.name for path in work.iterdir()) == sorted([ended.id, going.id])
    assert (work / ended.id / "task" / "1" / "log.txt").exists()
    assert not (work / ended.id / "task" / "1" / "inputs").exists()
    assert (work / going.id / "task" / "1" / "inputs").exists()


def test_caches_and_copies_go_when_they_are_old(house: House) -> None:
    home = house.settings.workspace
    (home / "cache" / "models" / ("a" * 64)).mkdir(parents=True)
    (home / "cache" / "models" / ("a" * 64) / "MLmodel").write_text("x")
    (home / "athanor.db.0001-20200101T000000.backup").write_text("x")
    age(house)
    assert [item.kind for item in swept(house).findings] == ["cache"]
    assert [item.kind for item in swept(house, grace_days=1).findings] == ["copy"]


def tracked(house: House, experiment: str = "0", *, ago: timedelta | None = LONG_AGO) -> str:
    """A run with a point, a param and a tag, deleted `ago`; its id."""
    tracking = house.services[Tracking]
    run: str = tracking.start(OWNER, NewTrackedRun(experiment=experiment)).info.id
    points = [NewMetric(key="loss", value=0.5, step=step) for step in range(3)]
    tracking.log(OWNER, run, Batch(metrics=points, params={"a": "1"}, tags={"t": "x"}))
    if ago is not None:
        tracking.delete(OWNER, run)
        table = metadata.tables["tracking_run"]
        with house.database.transaction() as connection:
            connection.execute(
                update(table).where(table.c.run == run).values(deleted_at=house.clock.now() - ago)
            )
    return run


def rows(house: House, *tables: str) -> dict[str, int]:
    """How many rows tables have."""
    with house.database.connection() as connection:
        return {
            name: connection.execute(
                select(func.count()).select_from(metadata.tables[name])
            ).scalar_one()
            for name in tables
        }


def test_deleted_runs_go_with_all_that_is_theirs(house: House) -> None:
    lineage = house.services[Lineage]
    living, young = tracked(house, ago=None), tracked(house, ago=timedelta(days=1))
    names = [name for name in metadata.tables if name.startswith(("tracking_", "lineage_"))]
    before = rows(house, *names)
    gone = tracked(house)
    child = lineage.start_run(OWNER, NewRun(kind="task", name="child", parent=gone)).id
    house.services[RunFiles].put(
        OWNER, f"0/{gone}/artifacts/plots/roc.png", [b"a plot"], project="default"
    )
    blob = house.storage.put_bytes(b"its model")
    mine, used = (
        lineage.record(OWNER, NewArtifact(type="file", name="f", uri=blob.uri, digest=digest)).id
        for digest in (blob.digest, "sha256:" + "1" * 64)
    )
    for artifact in (mine, used):
        lineage.produced(OWNER, gone, artifact, artifact)
    lineage.consumed(OWNER, living, used, "data")
    age(house)
    done = swept(house)
    assert sorted(item.kind for item in done.findings) == ["blob", "run"], "the plot's"
    with pytest.raises(RunNotFound):
        lineage.run(OWNER, gone)
    with pytest.raises(ArtifactNotFound):
        lineage.artifact(OWNER, mine)
    assert lineage.run(OWNER, child).parent is None
    assert lineage.artifact(OWNER, used).id == used
    house.services[Tracking].restore(OWNER, young)
    # Of the tree, the experiment's folder stays.
    left = {"lineage_run": 1, "lineage_artifact": 1, "lineage_edge": 1, "tracking_file": 1}
    assert rows(house, *names) == {name: n + left.get(name, 0) for name, n in before.items()}


def test_a_deleted_run_that_a_model_came_from_stays(house: House) -> None:
    run = tracked(house)
    with house.database.transaction() as connection:
        now = house.clock.now()
        dataset = metadata.tables["data_dataset"]
        connection.execute(
            insert(dataset).values(
                id="d" * 32, project="default", name="d", roles={}, created_at=now, created_by="me"
            )
        )
        version = metadata.tables["data_version"]
        values: dict[str, Any] = {
            column.name: now
            if column.name == "created_at"
            else None
            if column.nullable
            else {}
            if "Json" in repr(column.type)
            else 0
            if "Integer" in repr(column.type)
            else "x"
            for column in version.columns
        }
        connection.execute(
            insert(version).values(values | {"dataset_id": "d" * 32, "number": 1, "run_id": run})
        )
    done = swept(house)
    assert done.findings == []
    assert done.kept == {run: "a data version names it"}
    assert house.services[Lineage].run(OWNER, run).id == run


def test_a_deleted_experiment_goes_with_its_last_run(house: House) -> None:
    experiments = house.services[Experiments]
    made = experiments.create(OWNER, NewExperiment(name="old", tags={"a": "b"}))
    experiments.create(OWNER, NewExperiment(name="newer"))
    tracked(house, made.id)
    experiments.delete(OWNER, made.id)
    table = metadata.tables["tracking_experiment"]
    with house.database.transaction() as connection:
        connection.execute(
            update(table)
            .where(table.c.id == made.id)
            .values(updated_at=house.clock.now() - LONG_AGO)
        )
    runs = metadata.tables["tracking_run"]
    with house.database.transaction() as connection:
        connection.execute(update(runs).values(deleted_at=house.clock.now() - LONG_AGO))
    assert {item.kind for item in swept(house).findings} == {"run", "experiment"}
    with pytest.raises(ExperimentNotFound):
        experiments.get(OWNER, made.id)
    assert experiments.create(OWNER, NewExperiment(name="old")).id != made.id


def test_a_backup_keeps_a_clean_up_out(house: House) -> None:
    with keeping(house.settings.workspace, alone=False), pytest.raises(KeepingBusy):
        clean(house, OWNER, CleanOrder())


def test_a_clean_up_that_was_killed_loses_nothing(house: House) -> None:
    digest = named(house, b"needed")
    path = house.storage.path_of(digest)
    assert path is not None
    assert house.storage.root is not None
    trash = house.storage.root / unused.TRASH
    trash.mkdir()
    path.rename(trash / path.name)
    with pytest.raises(BlobNotFound):
        house.storage.read(digest)
    assert unused.take_back_all(house.storage.url) == 1
    assert house.storage.read(digest) == b"needed"


def test_a_clean_up_takes_nothing_from_under_a_writer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers store old, nameless blobs again and name them, while clean-ups run without a pause.

    With a guard of half a second instead of a day; each blob is made old before it is stored again.
    Now and then one is left without a name, so that the clean-ups have something to remove.
    """
    monkeypatch.setattr("athanor.app.keeping.clean.KEEP_SECONDS", GUARD)
    lost: list[str] = []
    late: set[str] = set()
    removed: list[int] = []
    stop = threading.Event()

    def write(number: int) -> None:
        for count in range(120):
            if count % 20 == 0:
                left = house.storage.path_of(
                    house.storage.put_bytes(b"%d %d" % (number, count)).digest
                )
                assert left is not None
                os.utime(left, (OLD, OLD))
            content = f"{number}-{count}".encode() * 50
            blob = house.storage.put_bytes(content)
            path = house.storage.path_of(blob.digest)
            if path is not None:
                os.utime(path, (OLD, OLD))
            time.sleep(0.001 * (count % 7))
            began = time.monotonic()
            kept = named(house, content)
            if time.monotonic() - began > GUARD / 2:
                late.add(kept)  # the machine held this writer up for longer than the guard lasts
                continue
            # One that is set aside at this moment comes back.
            end = time.monotonic() + 60
            while not house.storage.exists(kept) and time.monotonic() < end:
                time.sleep(0.05)
            if not house.storage.exists(kept):
                lost.append(kept)

    def sweep() -> None:
        while not stop.is_set():
            done = clean(house, OWNER, CleanOrder(dry_run=False))
            removed.append(len(done.findings))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    sweeper = threading.Thread(target=sweep)
    for thread in [*threads, sweeper]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    sweeper.join()
    assert lost == []
    assert sum(removed) > 0, "no clean-up met a nameless blob: the test tests nothing"
    tree = Tree(house.storage.url)
    everything = {f"sha256:{digest}" for digest in unused.named_blobs(house.database, tree)}
    assert all(house.storage.exists(digest) for digest in everything - late)
    assert list((Path(house.storage.url) / unused.TRASH).iterdir()) == []


def test_over_the_command_line(tmp_path: Path) -> None:
    with running_server(tmp_path / "workspace") as server:
        blob = tmp_path / "workspace" / "storage" / "blobs" / "aa" / ("a" * 64)
        blob.parent.mkdir(parents=True)
        blob.write_bytes(b"x" * 1234)
        os.utime(blob, (OLD, OLD))

        def ask(*flags: str) -> subprocess.CompletedProcess[str]:
            program = [sys.executable, "-m", "athanor.app.cli", "--workspace"]
            return subprocess.run(
                [*program, str(server.workspace), "clean", *flags],
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )

        told = ask("--dry-run")
        assert "1.2 kB" in told.stdout
        assert ask().returncode == 1
        assert blob.exists()
        assert ask("--yes").returncode == 0
        assert not blob.exists()
        assert "Nothing to clean" in ask("--dry-run").stdout
