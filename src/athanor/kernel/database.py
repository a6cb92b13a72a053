"""The metadata database: SQLite in a folder, or Postgres, behind the same three verbs.

`transaction()` is ambient: whoever opens one inside another joins it (as a savepoint), so that the
stores of several rooms and the event that tells of their change commit together.

On SQLite there is one writer, whose transactions are committed in groups (`groups`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Condition
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, Engine, MetaData, Text, TypeDecorator, create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from athanor.kernel.groups import GroupWriter, News, Transaction
from athanor.kernel.outages import DatabaseFull, DatabaseUnavailable, is_full

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
_BUSY_MILLISECONDS = 30_000


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


def _is_broken(connection: Connection) -> bool:
    """Whether the server has gone from a connection."""
    driver = None if connection.invalidated else connection.connection.dbapi_connection
    return driver is None or bool(getattr(driver, "closed", False))


class Database:
    """One metadata database. Safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._current: ContextVar[Transaction | None] = ContextVar("transaction", default=None)
        self._reading: ContextVar[Connection | None] = ContextVar("reading", default=None)
        self._writer = GroupWriter(engine, None if self.in_memory else _file_of(engine))
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
        self._writer.close()
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
    def transaction(self, *, flat: bool = False, durable: bool = True) -> Iterator[Connection]:
        """All or nothing; what it returned from survives `kill -9` and a power cut.

        In a flat one, transactions inside cost nothing, and the failure of one, caught or not,
        undoes the whole. One that is not durable survives `kill -9` alone: a power cut may undo it
        together with all that were committed later; those inside of it are as it is. On Postgres
        all are durable: its server may be killed, and lose them, while this process goes on.
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
        if self.dialect == "postgresql":
            opened = self._written_to_server()
        else:
            opened = self._writer.transaction(durable=durable)
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

    def make_durable(self) -> None:
        """Have the transaction under way survive a power cut, whatever it was opened as."""
        current = self._current.get()
        if current is not None:
            current.durable = True

    def sync(self) -> None:
        """Have all that is committed survive a power cut: for who tells it to the outside.

        On SQLite that costs a sync where the last transaction was not durable, and nothing
        where it was.
        """
        self._writer.sync()

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
    def _savepoint(self, current: Transaction) -> Iterator[None]:
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
                current.lost = DatabaseFull() if is_full(error) else error
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
    def _written_to_server(self) -> Iterator[Transaction]:
        try:
            connection = self._engine.connect()
        except OperationalError as error:
            raise DatabaseUnavailable(error) from error
        with connection:
            try:
                with connection.begin():
                    yield Transaction(connection, connection.connection.driver_connection)
            except Exception as error:
                if _is_broken(connection):
                    raise DatabaseUnavailable(error) from error
                raise


def _file_of(engine: Engine) -> Path | None:
    """Where SQLite keeps it; None for what is no file."""
    name = engine.url.database
    return Path(name) if engine.dialect.name == "sqlite" and name else None


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
