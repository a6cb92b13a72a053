"""Transactions: all or nothing, nested, grouped, and durable."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select
from sqlalchemy.exc import IntegrityError, OperationalError

from athanor.kernel import groups
from athanor.kernel.database import Database
from athanor.kernel.outages import DatabaseUnavailable

points = Table(
    "test_database_point",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
)


@pytest.fixture(autouse=True)
def _table(database: Database) -> None:
    with database.transaction() as connection:
        points.create(connection, checkfirst=True)


def put(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute(points.insert().values(name=name))


def count(database: Database) -> int:
    with database.connection() as connection:
        return connection.execute(select(func.count()).select_from(points)).scalar_one()


def fail_inside(act: Callable[[], None]) -> None:
    act()
    raise KeyError


def test_what_fails_leaves_nothing(database: Database) -> None:
    def outer() -> None:
        with database.transaction():
            put(database, "a")
            fail_inside(lambda: put(database, "b"))

    with pytest.raises(KeyError):
        outer()
    assert count(database) == 0


def test_an_inner_failure_that_is_caught_undoes_the_inner_alone(database: Database) -> None:
    def inner() -> None:
        with database.transaction():
            fail_inside(lambda: put(database, "b"))

    with database.transaction():
        put(database, "a")
        with pytest.raises(KeyError):
            inner()
        put(database, "c")
    assert count(database) == 2


def test_what_is_to_follow_a_commit_follows_only_a_commit(database: Database) -> None:
    told: list[str] = []

    def undone() -> None:
        with database.transaction():
            database.after_commit(lambda: told.append("undone"))
            fail_inside(lambda: None)

    with pytest.raises(KeyError):
        undone()
    with database.transaction():
        database.after_commit(lambda: told.append("kept"))
        assert told == []
    assert told == ["kept"]


def test_one_failing_member_of_a_group_harms_no_other(database: Database) -> None:
    put(database, "taken")
    failed: list[str] = []

    def write(name: str) -> None:
        for number in range(25):
            try:
                with database.transaction():
                    put(database, f"{name}-{number}")
                    if number % 5 == 0:
                        put(database, "taken")
            except Exception as error:  # noqa: BLE001 - whichever the driver raises
                failed.append(type(error).__name__)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == ["IntegrityError"] * 8 * 5
    assert count(database) == 1 + 8 * 20


def test_a_commit_wakes_those_alone_who_wait_for_what_it_brought(database: Database) -> None:
    def heard() -> tuple[int, int]:
        return database.heard("events"), database.heard("jobs")

    before = heard()
    put(database, "plain")
    assert heard() == before

    def undone() -> None:
        with database.transaction():
            database.tell("events")
            raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        undone()
    assert heard() == before
    with database.transaction():
        database.tell("events")
        database.tell("events")
        assert heard() == before
    assert heard() == (before[0] + 1, before[1])
    waiting = threading.Thread(target=database.wait_for, args=("jobs", before[1], 60))
    waiting.start()
    with database.transaction():
        database.tell("jobs")
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_connection_that_breaks_is_told_apart_from_a_statement_that_fails(
    database: Database,
) -> None:
    put(database, "a")
    with pytest.raises(IntegrityError):
        put(database, "a")
    if database.dialect == "postgresql":
        with pytest.raises(DatabaseUnavailable), database.transaction() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(DatabaseUnavailable, match="terminating connection"):
            _go_on_without_connection(database)
    put(database, "b")
    assert count(database) == 2


def _go_on_without_connection(database: Database) -> None:
    with database.transaction():
        with suppress(OperationalError), database.transaction() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        put(database, "never")


def synced(database: Database) -> bool:
    """Whether what is under way is synced when it is committed (Postgres: as its server says)."""
    with database.connection() as connection:
        if database.dialect == "postgresql":
            asked = "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'"
            return bool(connection.exec_driver_sql(asked).scalar_one() != "session")
        return bool(connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2)


def in_file(database: Database) -> bool:
    return database.dialect == "sqlite" and not database.in_memory


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The logs that are synced by our own hand."""
    found: list[Path] = []

    def note(path: Path) -> None:
        if path.name.endswith("-wal"):
            found.append(path)

    monkeypatch.setattr(groups, "sync_path", note)
    return found


def test_only_what_must_outlast_a_power_cut_waits_for_the_disk(database: Database) -> None:
    # Postgres may be killed while this process, which remembers what was committed, goes on.
    always = database.dialect == "postgresql"
    with database.transaction(durable=False):
        assert synced(database) is always
        with database.transaction():
            put(database, "a")
            assert synced(database) is always
    with database.transaction():
        assert synced(database)
    assert count(database) == 1


def test_one_that_must_outlast_a_power_cut_is_synced_beside_one_that_need_not(
    database: Database, logs: list[Path]
) -> None:
    with database.transaction(durable=False):
        put(database, "a")
        database.make_durable()
    joined = threading.Thread(target=put, args=(database, "b"))
    with database.transaction(durable=False):
        joined.start()
        time.sleep(0.1)
        put(database, "c")
    joined.join()
    assert count(database) == 3
    assert len(logs) == 2 * in_file(database)


def test_what_is_told_to_the_outside_is_synced_once(database: Database, logs: list[Path]) -> None:
    database.sync()
    assert logs == []
    with database.transaction(durable=False):
        put(database, "a")
    database.sync()
    database.sync()
    assert len(logs) == in_file(database)
    with database.transaction(durable=False):
        put(database, "b")
    put(database, "c")  # takes with it what came before
    database.sync()
    assert len(logs) == in_file(database)


def test_one_that_is_interrupted_as_it_waits_holds_up_no_other(tmp_path: Path) -> None:
    """Ctrl-C in a notebook whose other threads write."""
    script = f"""
import signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # what begins in the background has none
from athanor.kernel.database import Database

database = Database.open("sqlite:///{tmp_path}/d.db")
with database.transaction() as connection:
    connection.exec_driver_sql("CREATE TABLE point (name TEXT)")

def put(name, seconds=0.0):
    with database.transaction() as connection:
        connection.exec_driver_sql(f"INSERT INTO point VALUES ('{{name}}')")
        time.sleep(seconds)

def interrupt():
    time.sleep(0.2)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

first = threading.Thread(target=put, args=("first", 0.4))
first.start()
time.sleep(0.05)
threading.Thread(target=interrupt).start()
try:
    put("interrupted")
except KeyboardInterrupt:
    print("interrupted")
first.join()
put("last")
with database.connection() as connection:
    print(connection.exec_driver_sql("SELECT name FROM point").scalars().all())
database.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.split("\n", 1) == ["interrupted", "['first', 'last']\n"]
