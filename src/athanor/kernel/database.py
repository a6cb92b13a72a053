"""The metadata database: SQLite in a folder, or Postgres, behind the same three verbs.

`transaction()` is ambient: whoever opens one inside another joins it (as a savepoint), so that the
stores of several rooms and the event that tells of their change commit together.

On SQLite there is one writer. Transactions that wait for it while another one runs are committed
in one group, with one fsync, and none of them returns before that fsync (WAL, synchronous=FULL).
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Condition, Event, Lock
from typing import Any, Literal

import orjson
from sqlalchemy import BigInteger, Connection, Engine, MetaData, Text, TypeDecorator, create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from athanor.kernel.errors import StorageFull, Unavailable

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The tables of all rooms; each room declares its own in its `store.py`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GROUP_LIMIT = 256
"""Transactions that share one commit, at most."""
_BUSY_MILLISECONDS = 30_000

News = Literal["events", "jobs"]
"""What a commit may bring that others wait for."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's form
    ) -> int | None:
        """To microseconds."""
        return None if value is None else microseconds(value)

    def process_result_value(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's form
    ) -> datetime | None:
        """From microseconds."""
        return None if value is None else moment(int(value))


class Json(TypeDecorator[Any]):
    """Any JSON-able value, kept as text with sorted keys."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's form
    ) -> str | None:
        """To text."""
        return None if value is None else to_json(value)

    def process_result_value(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's form
    ) -> Any | None:
        """From text."""
        return None if value is None else orjson.loads(value)


_JSON_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY


def microseconds(at: datetime) -> int:
    """A moment as it is kept; one without a zone is in UTC."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """A moment that is kept; beyond the year 9999 it is the last one before."""
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return _LAST if at > 0 else _FIRST


def to_json(value: object) -> str:
    """A value as JSON is kept.

    Raises: OverflowError where a whole number has more than 64 bits, a text is no valid Unicode, or
    lists lie too deep in each other.
    """
    try:
        return orjson.dumps(value, option=_JSON_OPTIONS).decode()
    except orjson.JSONEncodeError as error:
        if "not JSON serializable" in str(error):
            raise
        raise OverflowError(str(error)) from error


class DatabaseUnavailable(Unavailable):
    """The metadata database does not answer."""

    def __init__(self, cause: Exception) -> None:
        reason = str(getattr(cause, "orig", cause)).strip().splitlines() or [type(cause).__name__]
        if is_damaged(cause):
            super().__init__(
                f"The metadata database is damaged: {reason[0]}.",
                hint="End the server, and bring a backup back into an empty folder: "
                "athanor --workspace FOLDER restore BACKUP. Keep the damaged athanor.db: "
                "SQLite's own `.recover` may save rows of it.",
            )
            return
        super().__init__(
            f"The metadata database can't be reached: {reason[0]}.",
            hint="See that ATHANOR_DATABASE_URL is right and that the database is running.",
        )


def is_damaged(error: Exception) -> bool:
    """Whether SQLite says that its file is none of its own, or broken."""
    text = str(getattr(error, "orig", error))
    return "file is not a database" in text or "disk image is malformed" in text


def _is_broken(connection: Connection) -> bool:
    """Whether the server has gone from a connection."""
    driver = None if connection.invalidated else connection.connection.dbapi_connection
    return driver is None or bool(getattr(driver, "closed", False))


class DatabaseFull(StorageFull):
    """The database's disk is full; the transaction was undone."""

    def __init__(self) -> None:
        super().__init__(
            "The disk of the metadata database is full; nothing of this request was kept.",
            hint="Free some space there and try again.",
        )


@dataclass(slots=True)
class _Transaction:
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
    after_commit: list[Callable[[], None]] = field(default_factory=list)


@dataclass(slots=True)
class _Group:
    """Transactions that are committed together."""

    size: int = 0
    done: Event = field(default_factory=Event)
    failure: BaseException | None = None


class Database:
    """One metadata database. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._current: ContextVar[_Transaction | None] = ContextVar("transaction", default=None)
        self._reading: ContextVar[Connection | None] = ContextVar("reading", default=None)
        self._writer: Connection | None = None
        self._writer_lock = Lock()
        self._waiting = 0
        self._waiting_lock = Lock()
        self._group = _Group()
        self._closed = False
        sqlalchemy_event.listen(engine, "checkin", self._came_back)
        self._heard: dict[News, int] = {"events": 0, "jobs": 0}
        # Apart, so that a thousand events a second wake nobody who waits for jobs.
        self._bells: dict[News, Condition] = {news: Condition() for news in self._heard}

    @classmethod
    def open(cls, url: str) -> "Database":
        """Open the database at a SQLAlchemy URL; `sqlite://` is one in memory.

        Raises: DatabaseUnavailable.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            engine = create_engine(parsed, pool_size=8, max_overflow=24, pool_pre_ping=True)
        elif parsed.database in {None, "", ":memory:"}:
            engine = create_engine(
                url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        else:
            engine = create_engine(
                url, pool_size=8, max_overflow=56, connect_args={"check_same_thread": False}
            )
        if engine.dialect.name == "sqlite":
            sqlalchemy_event.listen(engine, "connect", _prepare_sqlite)
        database = cls(engine)
        try:
            with database.connection() as connection:
                connection.exec_driver_sql("SELECT 1")
        except DBAPIError as error:
            engine.dispose()
            raise DatabaseUnavailable(error) from error
        return database

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine, for migrations and backups alone."""
        return self._engine

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when the process ends."""
        return isinstance(self._engine.pool, StaticPool)

    def close(self) -> None:
        """Let go of every connection; of one that a thread still uses, when it comes back."""
        self._closed = True
        with self._writer_lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._engine.dispose()

    def _came_back(self, connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        if self._closed and connection is not None:
            entry.invalidate()  # the pool, which a thread may ask again, makes a new one then

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """The connection of the transaction under way, or a fresh one that commits by itself."""
        current = self._current.get()
        if current is not None:
            yield current.connection
        elif (reading := self._reading.get()) is not None:
            yield reading
        elif self.in_memory:
            with self.transaction() as connection:
                yield connection
        else:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as fresh:
                yield fresh

    def driver(self) -> Any | None:
        """The driver's own connection of the transaction or the shared reading under way."""
        current = self._current.get()
        if current is not None:
            return current.raw
        reading = self._reading.get()
        return None if reading is None else reading.connection.driver_connection

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let the queries inside share one connection; joins the transaction under way."""
        if self._current.get() is not None or self.in_memory:
            yield
            return
        with self.connection() as connection:
            token = self._reading.set(connection)
            try:
                yield
            finally:
                self._reading.reset(token)

    @property
    def undone(self) -> bool:
        """Whether a part of the ambient flat transaction failed: nothing of it will stay."""
        current = self._current.get()
        return current is not None and current.lost is not None

    @contextmanager
    def transaction(self, *, flat: bool = False) -> Iterator[Connection]:
        """All or nothing; what it returned from survives `kill -9` and a power cut.

        In a flat one, transactions inside cost nothing, and the failure of one, caught or not,
        undoes the whole.
        Raises: DatabaseFull, DatabaseUnavailable.
        """
        current = self._current.get()
        if current is not None and current.flat:
            if current.lost is not None:
                raise current.lost
            try:
                yield current.connection
            except BaseException as error:
                current.lost = error
                raise
            return
        if current is not None:
            with self._savepoint(current):
                yield current.connection
            return
        opened = (
            self._written_to_sqlite() if self.dialect == "sqlite" else self._written_to_server()
        )
        with opened as transaction:
            transaction.flat = flat
            token = self._current.set(transaction)
            try:
                yield transaction.connection
                if transaction.lost is not None:
                    raise transaction.lost
            finally:
                self._current.reset(token)
        for act in transaction.after_commit:
            act()
        for news in transaction.news:
            self._ring(news)

    def tell(self, news: News) -> None:
        """Wake those who wait for such news once the transaction under way is committed."""
        current = self._current.get()
        if current is None:
            self._ring(news)
        else:
            current.news.add(news)

    def heard(self, news: News) -> int:
        """How many commits of this process brought such news."""
        return self._heard[news]

    def wait_for(self, news: News, seen: int, timeout: float) -> None:
        """Wait until what is `heard` is no longer `seen`, for `timeout` seconds at most."""
        with self._bells[news]:
            self._bells[news].wait_for(lambda: self._heard[news] != seen, timeout)

    def wake(self) -> None:
        """Have everybody who waits look again."""
        for news in self._bells:
            self._ring(news)

    def _ring(self, news: News) -> None:
        with self._bells[news]:
            self._heard[news] += 1
            self._bells[news].notify_all()

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something once the transaction under way is committed; at once if there is none."""
        current = self._current.get()
        if current is None:
            act()
        else:
            current.after_commit.append(act)

    @contextmanager
    def _savepoint(self, current: _Transaction) -> Iterator[None]:
        if current.lost is not None:
            raise current.lost
        current.depth += 1
        name = f"inner_{current.depth}"
        planned = len(current.after_commit)
        # Straight to the driver: there are many of them, and SQLAlchemy costs ten times as much.
        raw = current.raw
        raw.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException as error:
            if self.dialect == "sqlite" and not raw.in_transaction:
                # SQLite itself undid everything (disk full): nothing may be added to the ruins.
                current.lost = DatabaseFull() if _is_full(error) else error
                raise current.lost from error
            if _is_broken(current.connection):
                current.lost = error
                raise
            raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
            raw.execute(f"RELEASE SAVEPOINT {name}")
            del current.after_commit[planned:]
            raise
        else:
            raw.execute(f"RELEASE SAVEPOINT {name}")
        finally:
            current.depth -= 1

    @contextmanager
    def _written_to_server(self) -> Iterator[_Transaction]:
        try:
            connection = self._engine.connect()
        except OperationalError as error:
            raise DatabaseUnavailable(error) from error
        with connection:
            try:
                with connection.begin():
                    yield _Transaction(connection, connection.connection.driver_connection)
            except Exception as error:
                if _is_broken(connection):
                    raise DatabaseUnavailable(error) from error
                raise

    @contextmanager
    def _written_to_sqlite(self) -> Iterator[_Transaction]:
        with self._waiting_lock:
            self._waiting += 1
        self._writer_lock.acquire()
        with self._waiting_lock:
            self._waiting -= 1
        try:
            writer = self._begin_in_group()
        except BaseException:
            self._writer_lock.release()
            raise
        group = self._group
        # What fails in the first member undoes all there is: it needs no savepoint.
        inside = group.size > 1
        transaction = _Transaction(writer, writer.connection.driver_connection)
        try:
            yield transaction
            if inside:
                _say(writer, "RELEASE SAVEPOINT member")
        except BaseException as error:
            self._leave_group(group, undone=error, inside=inside)
            if _is_full(error):
                raise DatabaseFull from error
            raise
        self._leave_group(group, undone=None, inside=inside)
        group.done.wait()
        if group.failure is not None:
            if _is_full(group.failure):
                raise DatabaseFull from group.failure
            raise group.failure

    def _begin_in_group(self) -> Connection:
        if self._writer is None:
            self._writer = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._writer.begin()  # SQLAlchemy is to know that there is one, and to begin none
        _say(self._writer, "SAVEPOINT member" if self._group.size else "BEGIN IMMEDIATE")
        self._group.size += 1
        return self._writer

    def _leave_group(self, group: _Group, *, undone: BaseException | None, inside: bool) -> None:
        """Commit the group, or leave that to the next one who waits. Lets the writer's lock go."""
        writer = self._writer
        try:
            if writer is None:
                return
            if undone is not None:
                lost = _ended_by_sqlite(writer)
                if lost:
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
            if others and group.size < _GROUP_LIMIT:
                return
            try:
                _say(writer, "COMMIT")
            except BaseException as error:  # noqa: BLE001 - told to every member
                if not _ended_by_sqlite(writer):
                    _say(writer, "ROLLBACK")
                self._finish(group, error)
                return
            self._finish(group, None)
        finally:
            self._writer_lock.release()

    def _finish(self, group: _Group, failure: BaseException | None) -> None:
        group.failure = failure
        self._group = _Group()
        group.done.set()


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "case_sensitive_like = ON",
        "temp_store = MEMORY",
        # What is erased is not to be read from the file; some builds have it so by default.
        "secure_delete = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


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


def _is_full(error: BaseException) -> bool:
    text = str(error)
    return isinstance(error, OperationalError) and (
        "disk is full" in text or "disk I/O error" in text
    )


def _ended_by_sqlite(connection: Connection) -> bool:
    raw = connection.connection.driver_connection
    return raw is not None and not raw.in_transaction
