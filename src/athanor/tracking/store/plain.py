"""SQL as text, for the room's hot paths: values are always bound, never written into it."""

from collections.abc import Sequence
from typing import Any

from athanor.kernel import Database

Row = tuple[Any, ...]


class Plain:
    """Runs texts with `?` where values go, on either database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.postgres = database.dialect == "postgresql"

    def fetch(self, text: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""
        with self._database.connection() as connection:
            found = connection.exec_driver_sql(self._own(text), tuple(values))
            return [tuple(row) for row in found.fetchall()]

    def first(self, text: str, values: Sequence[Any] = ()) -> Row | None:
        """The first row of a query."""
        with self._database.connection() as connection:
            row = connection.exec_driver_sql(self._own(text), tuple(values)).first()
        return None if row is None else tuple(row)

    def run(self, text: str, values: Sequence[Any] = ()) -> int:
        """Change something; how many rows that were."""
        with self._database.connection() as connection:
            return connection.exec_driver_sql(self._own(text), tuple(values)).rowcount

    def many(self, text: str, rows: Sequence[Row]) -> None:
        """Change something once for each row of values."""
        if not rows:
            return
        with self._database.connection() as connection:
            connection.exec_driver_sql(self._own(text), list(rows))

    def _own(self, text: str) -> str:
        """With the database's own marks for values."""
        return text.replace("?", "%s") if self.postgres else text


def marks(count: int) -> str:
    """`?, ?, ?` for a list of values."""
    return ", ".join("?" * count)


def likes(column: str, *, insensitive: bool, postgres: bool) -> str:
    """A LIKE whose only wildcards are `%` and `_` on either database."""
    text = f"LOWER({column}) LIKE LOWER(?)" if insensitive else f"{column} LIKE ?"
    return f"{text} ESCAPE ''" if postgres else text
