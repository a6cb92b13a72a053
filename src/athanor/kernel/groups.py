"""SQLite's one writer: transactions that wait for it while another one runs commit as one group.

A group has one fsync, and none of its members returns before that (WAL, synchronous=FULL). A group
of which no member has to survive a power cut goes without: after one, SQLite has all up to some
commit and nothing behind it, and the next group that is synced takes with it what came before.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any, Literal

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from athanor.kernel.durable import sync_path
from athanor.kernel.outages import DatabaseFull, is_full

News = Literal["events", "jobs"]
"""What a commit may bring that others wait for."""

_GROUP_LIMIT = 256
"""Transactions that share one commit, at most."""


@dataclass(slots=True)
class Transaction:
    """One that is under way, on either database."""

    connection: Connection
    raw: Any
    """The driver's own."""
    depth: int = 0
    news: set[News] = field(default_factory=set)
    """What those who wait for it are to look at."""
    lost: BaseException | None = None
    """Why the database undid all of it, in its midst."""
    flat: bool = False
    """Whether those inside have no savepoints: what fails in one of them fails all."""
    durable: bool = True
    """Whether it survives a power cut, and not only the end of the process."""
    after_commit: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """Transactions that are committed together."""

    size: int = 0
    durable: bool = False
    done: Event = field(default_factory=Event)
    failure: BaseException | None = None


class GroupWriter:
    """The connection that writes. Safe to share between threads."""

    def __init__(self, engine: Engine, file: Path | None) -> None:
        self._engine = engine
        self._log = None if file is None else file.with_name(f"{file.name}-wal")
        self._writer: Connection | None = None
        self._lock = Lock()
        self._waiting = 0
        self._waiting_lock = Lock()
        self._group = _Group()
        self._synced = True
        """Whether SQLite itself syncs what is committed now."""
        self._named = False
        """Whether the log's name was synced, which SQLite does with its own first sync."""
        self._unsynced = False
        """Whether something was committed that a power cut may undo."""
        self._syncing = Lock()

    def close(self) -> None:
        """Let go of the connection; a group that waits for one more member is committed."""
        with self._lock:
            self._settle()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def sync(self) -> None:
        """Have all that is committed survive a power cut."""
        with self._syncing:
            if not self._unsynced:
                return
            if self._lock.acquire(blocking=False):  # nobody commits just now
                self._unsynced = False
                self._lock.release()
            self._sync_log()

    @contextmanager
    def transaction(self, *, durable: bool) -> Iterator[Transaction]:
        """All or nothing; returns when its group is committed.

        Raises: DatabaseFull.
        """
        self._enter()
        try:
            writer = self._begin(synced=durable)
        except BaseException:
            self._settle()
            self._lock.release()
            raise
        group = self._group
        # What fails in the first member undoes all there is: it needs no savepoint.
        inside = group.size > 1
        found = Transaction(writer, writer.connection.driver_connection, durable=durable)
        try:
            yield found
            if inside:
                _say(writer, "RELEASE SAVEPOINT member")
        except BaseException as error:
            self._leave(group, undone=error, inside=inside)
            if is_full(error):
                raise DatabaseFull from error
            raise
        group.durable |= found.durable
        self._leave(group, undone=None, inside=inside)
        group.done.wait()
        if group.failure is not None:
            if is_full(group.failure):
                raise DatabaseFull from group.failure
            raise group.failure

    def _enter(self) -> None:
        """Wait for the writer."""
        with self._waiting_lock:
            self._waiting += 1
        try:
            self._lock.acquire()
        except BaseException:  # Ctrl-C: who left a commit to the next one would wait for ever
            with self._waiting_lock:
                self._waiting -= 1
            with self._lock:
                self._settle()
            raise
        with self._waiting_lock:
            self._waiting -= 1

    def _begin(self, *, synced: bool) -> Connection:
        if self._writer is None:
            self._writer = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._writer.begin()  # SQLAlchemy is to know that there is one, and to begin none
            self._synced = True
        if self._group.size:
            _say(self._writer, "SAVEPOINT member")
        else:
            if synced != self._synced:
                _say(self._writer, f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
                self._synced = synced
            _say(self._writer, "BEGIN IMMEDIATE")
        self._group.size += 1
        return self._writer

    def _leave(self, group: _Group, *, undone: BaseException | None, inside: bool) -> None:
        """Commit the group, or leave that to the next one who waits. Lets the writer go."""
        writer = self._writer
        try:
            if writer is None:
                return
            if undone is not None:
                if _ended_by_sqlite(writer):
                    # SQLite itself undid the whole transaction (disk full): so did its members.
                    self._finish(group, undone)
                    return
                if not inside:
                    _say(writer, "ROLLBACK")
                    self._finish(group, undone)
                    return
                _say(writer, "ROLLBACK TO SAVEPOINT member")
                _say(writer, "RELEASE SAVEPOINT member")
            with self._waiting_lock:
                others = self._waiting
            if not others or group.size >= _GROUP_LIMIT:
                self._settle()
        finally:
            self._lock.release()

    def _settle(self) -> None:
        """Commit the group, if there is one, and tell its members. With the lock held."""
        group, writer = self._group, self._writer
        if not group.size or writer is None:
            return
        try:
            self._commit(writer, group)
        except BaseException as error:  # noqa: BLE001 - told to every member
            if not _ended_by_sqlite(writer):
                _say(writer, "ROLLBACK")
            self._finish(group, error)
            return
        self._finish(group, None)

    def _commit(self, writer: Connection, group: _Group) -> None:
        self._unsynced = True  # before: others can read it as soon as it is committed
        _say(writer, "COMMIT")
        if group.durable and not self._synced:
            self._sync_log()  # one joined that needs it, where the first did not
        self._unsynced = not (group.durable or self._synced)

    def _sync_log(self) -> None:
        if self._log is None:
            return
        sync_path(self._log)
        if not self._named:
            sync_path(self._log.parent)
            self._named = True

    def _finish(self, group: _Group, failure: BaseException | None) -> None:
        group.failure = failure
        self._group = _Group()
        group.done.set()


def _ended_by_sqlite(connection: Connection) -> bool:
    raw = connection.connection.driver_connection
    return raw is not None and not raw.in_transaction


def _say(writer: Connection, text: str) -> None:
    """Straight to SQLite: there are many of them, and SQLAlchemy costs ten times as much.

    Raises: DBAPIError: SQLite's failures as SQLAlchemy's, which the house knows by name.
    """
    raw: Any = writer.connection.driver_connection
    try:
        raw.execute(text)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            text, None, error, sqlite3.Error, hide_parameters=True, dialect=writer.dialect
        ) from error
