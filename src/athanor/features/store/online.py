"""The newest row of each key, for reading in microseconds."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import func, select

from athanor.features.records import OnlineRecord
from athanor.features.store.tables import online_table
from athanor.kernel import Database

_PUT = """
INSERT INTO features_online (space, key, view, event, created, ordinal, base, packed)
VALUES (:space, :key, :view, :event, :created, :ordinal, :base, :packed)
ON CONFLICT (space, key, view) DO UPDATE SET
    event = excluded.event, created = excluded.created, ordinal = excluded.ordinal,
    base = excluded.base, packed = excluded.packed
WHERE features_online.base < excluded.base
   OR (features_online.base = excluded.base
       AND (features_online.event, COALESCE(features_online.created, -9223372036854775807),
            features_online.ordinal)
         < (excluded.event, COALESCE(excluded.created, -9223372036854775807), excluded.ordinal))
"""
"""A row takes another's place where it comes later by (event, created, ingestion), or where the
view's history was replaced since: then what is kept may be of rows that are no more."""


class OnlineStore(Protocol):
    """The newest row of each key and view."""

    @property
    def url(self) -> str:
        """Where the data plane reads it, for `open_reader`; "" where only this process can."""
        ...

    def put(self, space: str, view: str, base: int, rows: Sequence[OnlineRecord]) -> int:
        """Put rows whose keys are older there, or absent; how many were."""
        ...

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """(view, event in microseconds, packed features) of every view of a key."""
        ...

    def remove_older(self, view: str, base: int) -> int:
        """Remove rows of a history that was replaced; how many."""
        ...

    def remove_view(self, view: str) -> int:
        """Remove all rows of a view; how many."""
        ...

    def erase(self, space: str, key: str) -> int:
        """Remove all rows of a key; how many."""
        ...

    def remove_row(self, space: str, key: str, view: str) -> int:
        """Remove one view's row of a key; how many."""
        ...

    def keys(self, space: str) -> list[str]:
        """Every key of a space, once."""
        ...

    def count(self, view: str) -> int:
        """How many keys of a view are online."""
        ...

    def holds(self, view: str) -> bool:
        """Whether any row of a view is online."""
        ...


class SqlOnlineStore:
    """Online rows in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = _PUT
        if database.dialect == "postgresql":
            for name in ("space", "key", "view", "event", "created", "ordinal", "base", "packed"):
                self._put = self._put.replace(f":{name}", f"%({name})s")

    @property
    def url(self) -> str:
        """The metadata database's."""
        if self._database.in_memory:
            return ""
        return self._database.engine.url.render_as_string(hide_password=False)

    def put(self, space: str, view: str, base: int, rows: Sequence[OnlineRecord]) -> int:
        """Put rows that come later than what is there."""
        given = [
            {"space": space, "key": row.key, "view": view, "event": row.event,
             "created": row.created, "ordinal": row.ordinal, "base": base, "packed": row.packed}
            for row in rows
        ]  # fmt: skip
        if not given:
            return 0
        with self._database.transaction() as connection:
            # Straight to the driver: there may be millions.
            cursor: Any = connection.connection.cursor()
            try:
                cursor.executemany(self._put, given)
                return max(0, int(cursor.rowcount))
            finally:
                cursor.close()

    def read(self, space: str, key: str) -> Iterable[tuple[str, int, bytes]]:
        """Every view of a key."""
        table = online_table.c
        query = select(table.view, table.event, table.packed).where(
            table.space == space, table.key == key
        )
        with self._database.connection() as connection:
            return [(row[0], int(row[1]), bytes(row[2])) for row in connection.execute(query)]

    def remove_older(self, view: str, base: int) -> int:
        """Remove rows of a history that was replaced."""
        table = online_table.c
        gone = online_table.delete().where(table.view == view, table.base < base)
        with self._database.transaction() as connection:
            return connection.execute(gone).rowcount

    def remove_view(self, view: str) -> int:
        """Remove all rows of a view."""
        with self._database.transaction() as connection:
            gone = online_table.delete().where(online_table.c.view == view)
            return connection.execute(gone).rowcount

    def erase(self, space: str, key: str) -> int:
        """Remove all rows of a key."""
        table = online_table.c
        gone = online_table.delete().where(table.space == space, table.key == key)
        with self._database.transaction() as connection:
            return connection.execute(gone).rowcount

    def remove_row(self, space: str, key: str, view: str) -> int:
        """Remove one view's row of a key."""
        table = online_table.c
        gone = online_table.delete().where(
            table.space == space, table.key == key, table.view == view
        )
        with self._database.transaction() as connection:
            return connection.execute(gone).rowcount

    def keys(self, space: str) -> list[str]:
        """Every key of a space, once."""
        query = select(online_table.c.key).where(online_table.c.space == space).distinct()
        with self._database.connection() as connection:
            return list(connection.execute(query).scalars())

    def count(self, view: str) -> int:
        """How many keys of a view are online."""
        query = select(func.count()).where(online_table.c.view == view)
        with self._database.connection() as connection:
            return int(connection.execute(query).scalar() or 0)

    def holds(self, view: str) -> bool:
        """Whether any row of a view is online."""
        query = select(online_table.c.view).where(online_table.c.view == view).limit(1)
        with self._database.connection() as connection:
            return connection.execute(query).first() is not None
