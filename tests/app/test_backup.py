"""A backup taken under load is whole, and comes back somewhere else."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from athanor.app.cli import main
from athanor.app.inprocess import InProcessTransport
from athanor.app.keeping import rows
from athanor.app.keeping.backup import backup
from athanor.app.keeping.errors import (
    BackupDamaged,
    BackupExists,
    BackupTooNew,
    KeepingBusy,
    NoBackup,
    NothingToBackUp,
    WorkspaceNotEmpty,
)
from athanor.app.keeping.places import Places, keeping
from athanor.app.keeping.restore import restore
from athanor.app.lock import WorkspaceBusy, WorkspaceLock
from athanor.client import Client
from athanor.data import NewVersion
from athanor.kernel.settings import load_settings
from athanor.kernel.storage import Storage
from athanor.lineage import NewArtifact, NewRun
from athanor.testing.database import Databases, Postgres
from athanor.testing.server import RunningServer, running_server
from athanor.tracking import Batch, NewMetric

CSV = "id,age,churned\n" + "".join(f"{i},{20 + i % 50},{i % 2}\n" for i in range(200))


def places_of(workspace: Path, **flags: str) -> Places:
    settings, _ = load_settings({"workspace": workspace, **flags})
    return Places.of(settings)


def fill(client: Client, folder: Path) -> str:
    """Give a workspace a dataset and a run with points; the run's id."""
    file = folder / "customers.csv"
    file.write_text(CSV)
    client.data.add("customers", NewVersion(path=file))
    run = client.runs.start_run(NewRun(kind="script", name="first"))
    client.tracking.log(
        run.id,
        Batch(metrics=[NewMetric(key="loss", value=1 / 3, step=n) for n in range(5)]),
    )
    client.runs.finish_run(run.id, "done")
    return run.id


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace that nobody serves, with a dataset and a run."""
    folder = tmp_path_factory.mktemp("filled")
    workspace = folder / "workspace"
    settings, _ = load_settings({"workspace": workspace})
    transport = InProcessTransport(settings)
    try:
        run = fill(Client(transport), folder)
    finally:
        transport.close()
    return workspace, run


@pytest.fixture(params=["copy", "copy.tar", "copy.tar.gz"])
def taken(request: pytest.FixtureRequest, filled: tuple[Path, str], tmp_path: Path) -> Path:
    """A backup of it, in each form."""
    target = tmp_path / str(request.param)
    made = backup(places_of(filled[0]), target)
    assert made.blobs >= 2
    assert made.damaged == []
    return target


def opened(workspace: Path) -> InProcessTransport:
    settings, _ = load_settings({"workspace": workspace})
    return InProcessTransport(settings)


def check_whole(workspace: Path, run: str) -> None:
    """The workspace answers with what was put into the filled one."""
    transport = opened(workspace)
    client = Client(transport)
    try:
        points = client.tracking.history(run, "loss")
        assert [(point.step, point.value) for point in points] == [(n, 1 / 3) for n in range(5)]
        version = client.data.version("customers@1")
        assert version.table_uri.startswith(str(workspace))
        assert [row["id"] for row in client.data.rows("customers@1", limit=3)] == [0, 1, 2]
    finally:
        transport.close()


def test_a_backup_comes_back_elsewhere(
    taken: Path, filled: tuple[Path, str], tmp_path: Path
) -> None:
    new = tmp_path / "new" / "place"
    made = restore(places_of(new), taken)
    assert made.moved > 0
    check_whole(new, filled[1])
    assert (new.stat().st_mode & 0o777) == 0o700
    assert not list(new.glob(".restoring-*"))


def test_a_backup_overwrites_nothing(filled: tuple[Path, str], taken: Path) -> None:
    with pytest.raises(BackupExists):
        backup(places_of(filled[0]), taken)


def test_a_place_that_can_not_be_written_is_named(
    filled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["athanor", "--workspace", str(filled[0]), "backup", "/dev/null/copy"]
    )
    monkeypatch.setenv("ATHANOR_WORKSPACE", "")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "Can't use /dev/null" in capsys.readouterr().err


def test_only_a_workspace_is_backed_up(tmp_path: Path) -> None:
    with pytest.raises(NothingToBackUp):
        backup(places_of(tmp_path), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_holds_something_is_refused(
    taken: Path, filled: tuple[Path, str], tmp_path: Path
) -> None:
    workspace = tmp_path / "other"
    workspace.mkdir()
    (workspace / "notes.txt").write_text("mine")
    with pytest.raises(WorkspaceNotEmpty, match=r"notes\.txt"):
        restore(places_of(workspace), taken)
    with pytest.raises(WorkspaceNotEmpty):
        restore(places_of(filled[0]), taken)


def test_a_served_place_is_refused(taken: Path, tmp_path: Path) -> None:
    lock = WorkspaceLock(tmp_path / "served", "a server").take()
    with pytest.raises(WorkspaceBusy):
        restore(places_of(tmp_path / "served"), taken)
    lock.release()


def test_a_newer_schema_is_refused(filled: tuple[Path, str], tmp_path: Path) -> None:
    backup(places_of(filled[0]), tmp_path / "copy")
    about = tmp_path / "copy" / "about.json"
    said = json.loads(about.read_bytes())
    for change in ({"schema": "9999"}, {"format_version": 99}):
        about.write_text(json.dumps(said | change))
        with pytest.raises(BackupTooNew):
            restore(places_of(tmp_path / "new"), tmp_path / "copy")
        assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("what", ["blob", "table", "database", "removed", "added"])
def test_a_changed_backup_is_refused(filled: tuple[Path, str], tmp_path: Path, what: str) -> None:
    copy = tmp_path / "copy"
    backup(places_of(filled[0]), copy)
    blob = next((copy / "storage" / "blobs").glob("*/*"))
    if what == "blob":
        blob.write_bytes(b"\0" + blob.read_bytes()[1:])
    elif what == "table":
        next((copy / "storage" / "tables").rglob("*.parquet")).write_bytes(b"")
    elif what == "database":
        with closing(sqlite3.connect(copy / "athanor.db")) as database, database:
            database.execute("DELETE FROM kernel_event")
    elif what == "removed":
        blob.unlink()
    else:
        (copy / "storage" / "extra").write_text("x")
    with pytest.raises(BackupDamaged):
        restore(places_of(tmp_path / "new"), copy)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


def test_what_is_no_backup_is_named(filled: tuple[Path, str], tmp_path: Path) -> None:
    for content in (b"", b"hello", b"\x1f\x8bhello"):
        file = tmp_path / "file.tar"
        file.write_bytes(content)
        with pytest.raises(NoBackup):
            restore(places_of(tmp_path / "new"), file)
    with pytest.raises(NoBackup):
        restore(places_of(tmp_path / "new"), tmp_path / "absent")
    cut = tmp_path / "cut.tar"
    backup(places_of(filled[0]), cut)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(NoBackup):
        restore(places_of(tmp_path / "new"), cut)
    assert not (tmp_path / "new" / "athanor.db").exists()


def test_a_path_that_leads_outside_is_refused(filled: tuple[Path, str], tmp_path: Path) -> None:
    backup(places_of(filled[0]), tmp_path / "good.tar")
    with (
        tarfile.open(tmp_path / "good.tar") as good,
        tarfile.open(tmp_path / "bad.tar", "w") as bad,
    ):
        for member in good:
            bad.addfile(member, good.extractfile(member))
        bad.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(NoBackup, match="outside"):
        restore(places_of(tmp_path / "new"), tmp_path / "bad.tar")
    assert not (tmp_path / "outside").exists()


def test_a_damaged_blob_is_told_and_left_out(filled: tuple[Path, str], tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(filled[0], workspace)
    blob = next((workspace / "storage" / "blobs").glob("*/*"))
    blob.write_bytes(b"rotten")
    made = backup(places_of(workspace), tmp_path / "copy")
    assert blob.name in made.damaged[0]
    restore(places_of(tmp_path / "new"), tmp_path / "copy")


def test_a_backup_waits_for_no_clean_up(filled: tuple[Path, str], tmp_path: Path) -> None:
    with keeping(filled[0], alone=True), pytest.raises(KeepingBusy):
        backup(places_of(filled[0]), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_postgres_goes_into_a_backup_and_a_backup_into_postgres(
    postgres: Postgres, databases: Databases, tmp_path: Path
) -> None:
    with databases.postgres(postgres) as first, databases.postgres(postgres) as second:
        url, empty = (str(item.engine.url.render_as_string(False)) for item in (first, second))
        first.close()
        second.close()
        _drop_tables(url)
        _drop_tables(empty)
        flags = {"database_url": url}
        settings, _ = load_settings({"workspace": tmp_path / "here"} | flags)
        transport = InProcessTransport(settings)
        try:
            run = fill(Client(transport), tmp_path)
            child = Client(transport).runs.start_run(NewRun(kind="task", name="c", parent=run))
        finally:
            transport.close()
        backup(places_of(tmp_path / "here", **flags), tmp_path / "copy.tar")
        restore(places_of(tmp_path / "light"), tmp_path / "copy.tar")
        check_whole(tmp_path / "light", run)
        target = places_of(tmp_path / "there", database_url=empty)
        restore(target, tmp_path / "copy.tar")
        with pytest.raises(WorkspaceNotEmpty):
            restore(places_of(tmp_path / "again", database_url=empty), tmp_path / "copy.tar")
        settings, _ = load_settings({"workspace": tmp_path / "there", "database_url": empty})
        transport = InProcessTransport(settings)
        try:
            client = Client(transport)
            assert client.runs.run(child.id).parent == run
            before = transport.send("GET", "/events", query={"limit": 1000}).json()
            client.runs.start_run(NewRun(kind="script", name="after"))
            after = transport.send("GET", "/events", query={"limit": 1000}).json()
            # A new metric's series is another than those that came.
            client.tracking.log(run, Batch(metrics=[NewMetric(key="new", value=7.0)]))
            assert [point.value for point in client.tracking.history(run, "new")] == [7.0]
            assert len(client.tracking.history(run, "loss")) == 5
            assert [event["seq"] for event in after[: len(before)]] == [e["seq"] for e in before]
            assert len(after) == len(before) + 1
            assert after[-1]["seq"] > max(event["seq"] for event in before)
        finally:
            transport.close()


def _drop_tables(url: str) -> None:
    import psycopg  # noqa: PLC0415 - this test's alone

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


class _Load:
    """Clients that write to a server without a pause, and remember what was acknowledged."""

    def __init__(self, server: RunningServer, threads: int) -> None:
        self.server = server
        self.acknowledged: list[str] = []
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number: int) -> None:
        client = self.server.client()
        storage = Storage(str(self.server.workspace / "storage"))
        count = 0
        try:
            while not self._stop.is_set():
                count += 1
                blob = storage.put_bytes(f"{number}-{count}".encode() * 100)
                run = client.runs.start_run(NewRun(kind="script", name=f"w{number}"))
                made = client.runs.record(
                    NewArtifact(type="file", name="f", uri=blob.uri, digest=blob.digest)
                )
                client.runs.produced(run.id, made.id, "out")
                client.tracking.log(
                    run.id, Batch(metrics=[NewMetric(key="m", value=count, step=count)])
                )
                client.runs.finish_run(run.id, "done")
                self.acknowledged.append(run.id)
        except BaseException as error:  # noqa: BLE001 - told at the end
            self.failures.append(error)


def test_a_backup_under_load_is_whole(tmp_path: Path) -> None:
    with running_server(tmp_path / "workspace") as server:
        fill(server.client(), tmp_path)
        with _Load(server, 4) as load:
            while len(load.acknowledged) < 30 and not load.failures:
                threading.Event().wait(0.02)
            before = list(load.acknowledged)
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "athanor.app.cli"),
                    *("--workspace", str(server.workspace), "backup", str(tmp_path / "copy.tar")),
                    "--json",
                ],
                capture_output=True,
                check=False,
                env=os.environ,
            )
            assert done.returncode == 0, done.stderr.decode()
            under_way = len(load.acknowledged)
        assert load.failures == []
        assert under_way > len(before), "nothing was written meanwhile"
    new = tmp_path / "new"
    restore(places_of(new), tmp_path / "copy.tar")
    assert rows.check_sqlite(new / "athanor.db") == ""
    storage = Storage(str(new / "storage"))
    with closing(sqlite3.connect(new / "athanor.db")) as database:
        runs = {row[0] for row in database.execute("SELECT id FROM lineage_run")}
        digests = [
            row[0]
            for row in database.execute("SELECT digest FROM lineage_artifact WHERE type = 'file'")
        ]
        torn = database.execute(
            "SELECT count(*) FROM lineage_edge e WHERE NOT EXISTS "
            "(SELECT 1 FROM lineage_artifact a WHERE a.id = e.artifact)"
        ).fetchone()
    assert set(before) <= runs
    assert len(digests) >= len(before)
    assert all(storage.exists(digest) for digest in digests)
    assert torn == (0,)
    # And the copy can be served.
    with running_server(new) as again:
        assert again.client().runs.run(before[0]).state == "done"
