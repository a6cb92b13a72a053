"""SQL as text, straight to the driver: for the queries that run thousands of times a second.

Values are always bound, never written into the text. Everything else a store asks goes through
SQLAlchemy, whose compiling costs ten times what SQLite takes for a small query.
"""

from collections.abc import Callable, Sequence
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
        connection = self._database.ambient()
        if connection is None:
            with self._database.connection() as fresh:
                return self._done(fresh, text, act)
        return self._done(connection, text, act)

    def _done(self, connection: Connection, text: str, act: Callable[[Any, str], Any]) -> Any:
        raw: Any = connection.connection.driver_connection
        try:
            return act(raw, self._own(text))
        except self._failure as error:
            raise DBAPIError.instance(
                text,
                None,
                error,
                self._failure,
                hide_parameters=True,
                dialect=connection.dialect,
            ) from error

    def _own(self, text: str) -> str:
        """With the database's own marks for values."""
        return text.replace("?", "%s") if self.postgres else text


def marks(count: int) -> str:
    """`?, ?, ?` for a list of values."""
    return ", ".join("?" * count)
