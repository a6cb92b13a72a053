"""SQL as text, straight to the driver: for the queries that run thousands of times a second.

Values are always bound, never written into the text. Everything else a store asks goes through
SQLAlchemy, whose compiling costs ten times what SQLite takes for a small query.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Boolean, Table
from sqlalchemy.exc import DBAPIError

from athanor.kernel.database import Database, Instant, Json, microseconds, moment, to_json

Row = tuple[Any, ...]


class Plain:
    """Runs texts with `?` where values go, on either database, in the ambient transaction.

    Moments are microseconds since 1970, JSON is text: nothing is converted. Failures are raised as
    SQLAlchemy would raise them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.postgres = database.dialect == "postgresql"
        loaded: Any = database.engine.dialect.loaded_dbapi
        self._failure: type[Exception] = loaded.Error

    def fetch(self, text: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        found: list[Row] = self._do(text, lambda raw, own: raw.execute(own, values).fetchall())
        return found

    def first(self, text: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query."""

        def read(raw: Any, own: str) -> Row | None:
            cursor = raw.execute(own, values)
            found: Row | None = cursor.fetchone()
            cursor.close()
            return found

        found: Row | None = self._do(text, read)
        return found

    def run(self, text: str, values: Sequence[Any] = ()) -> int:
        """Change something; how many rows that were."""
        return int(self._do(text, lambda raw, own: raw.execute(own, values).rowcount))

    def many(self, text: str, rows: Sequence[Row]) -> None:
        """Change something once for each row of values."""
        if len(rows) == 1:
            self._do(text, lambda raw, own: raw.execute(own, rows[0]))
        elif rows:
            self._do(text, lambda raw, own: raw.cursor().executemany(own, rows))

    def _do(self, text: str, act: Callable[[Any, str], Any]) -> Any:
        """Do something with the driver's own connection.

        Raises: DBAPIError: the driver's failures as SQLAlchemy's, which the house knows by name.
        """
        raw = self._database.driver()
        if raw is None:
            with self._database.connection() as fresh:
                return self._done(fresh.connection.driver_connection, text, act)
        return self._done(raw, text, act)

    def _done(self, raw: Any, text: str, act: Callable[[Any, str], Any]) -> Any:
        try:
            return act(raw, self._own(text))
        except self._failure as error:
            raise DBAPIError.instance(
                text,
                None,
                error,
                self._failure,
                hide_parameters=True,
                dialect=self._database.engine.dialect,
            ) from error

    def _own(self, text: str) -> str:
        """With the database's own marks for values."""
        return text.replace("?", "%s") if self.postgres else text


class Columns:
    """Some columns of a table: how their values are written into plain SQL, and read out of it."""

    def __init__(self, table: Table, names: Iterable[str]) -> None:
        self.table = table.name
        self.names = tuple(names)
        self.listed = ", ".join(f"{self.table}.{name}" for name in self.names)
        """For a SELECT."""
        kinds = {name: table.c[name].type for name in self.names}
        self._write = {name: _writer_of(kind) for name, kind in kinds.items()}
        self._read = [
            (place, name, reader)
            for place, (name, kind) in enumerate(kinds.items())
            if (reader := _reader_of(kind)) is not None
        ]

    @property
    def insert(self) -> str:
        """An INSERT of all of them, which leaves rows that exist as they are."""
        names = ", ".join(self.names)
        values = marks(len(self.names))
        return f"INSERT INTO {self.table} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608 - names are our own

    def values(self, record: object) -> Row:
        """What stands in a record's attributes of these names, as it is written."""
        write = self._write
        return tuple(write[name](getattr(record, name)) for name in self.names)

    def changes(self, changes: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """`SET` and what stands behind it, with its values."""
        text = ", ".join(f"{name} = ?" for name in changes)
        return f"SET {text}", [self._write[name](value) for name, value in changes.items()]

    def read(self, row: Row) -> dict[str, Any]:
        """A row of a SELECT of these columns."""
        found = dict(zip(self.names, row, strict=True))
        for place, name, reader in self._read:
            if (value := row[place]) is not None:
                found[name] = reader(value)
        return found


def _as_it_is(value: Any) -> Any:
    return value


def _writer_of(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, Json):
        return lambda value: None if value is None else to_json(value)
    if isinstance(kind, Instant):
        return lambda value: None if value is None else microseconds(value)
    return _as_it_is


def _reader_of(kind: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, Json):
        return orjson.loads
    if isinstance(kind, Instant):
        return moment
    return bool if isinstance(kind, Boolean) else None


def marks(count: int) -> str:
    """`?, ?, ?` for a list of values."""
    return ", ".join("?" * count)
