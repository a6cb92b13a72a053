"""SQL as text, straight to the driver: for the queries that run thousands of times a second.

Values are always bound, never written into the text. Everything else a store asks goes through
SQLAlchemy, whose compiling costs ten times what SQLite takes for a small query.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from athanor.kernel.database import Database

Row = tuple[Any, ...]


class Plain:
    """Runs texts with `?` where values go, on either database, in the ambient transaction.

    Moments are microseconds since 1970, JSON is text: nothing is converted. Failures are raised as
    SQLAlchemy would raise them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.postgres = database.dialect == "postgresql"

    def fetch(self, text: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._database.connection() as connection, _named(connection, text):
            raw: Any = connection.connection.driver_connection
            found: list[Row] = raw.execute(self._own(text), values).fetchall()
            return found

    def first(self, text: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query."""
        with self._database.connection() as connection, _named(connection, text):
            raw: Any = connection.connection.driver_connection
            cursor = raw.execute(self._own(text), values)
            found: Row | None = cursor.fetchone()
            cursor.close()
            return found

    def run(self, text: str, values: Sequence[Any] = ()) -> int:
        """Change something; how many rows that were."""
        with self._database.connection() as connection, _named(connection, text):
            raw: Any = connection.connection.driver_connection
            return int(raw.execute(self._own(text), values).rowcount)

    def many(self, text: str, rows: Sequence[Row]) -> None:
        """Change something once for each row of values."""
        if not rows:
            return
        with self._database.connection() as connection, _named(connection, text):
            raw: Any = connection.connection.driver_connection
            if len(rows) == 1:
                raw.execute(self._own(text), rows[0])
            else:
                raw.cursor().executemany(self._own(text), rows)

    def _own(self, text: str) -> str:
        """With the database's own marks for values."""
        return text.replace("?", "%s") if self.postgres else text


def marks(count: int) -> str:
    """`?, ?, ?` for a list of values."""
    return ", ".join("?" * count)


@contextmanager
def _named(connection: Connection, text: str) -> Iterator[None]:
    """Raise the driver's failures as SQLAlchemy's, which the house knows by name."""
    dbapi: Any = connection.dialect.loaded_dbapi
    try:
        yield
    except dbapi.Error as error:
        raise DBAPIError.instance(
            text, None, error, dbapi.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
