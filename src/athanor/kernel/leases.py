"""At most one at a time, in this process and in others: leases that end when their holder dies."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Column, String, Table, or_, select

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database, Instant, metadata
from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.kernel.upserts import dialect_of

_LOOK_SECONDS = 0.1


class Leases(Protocol):
    """Who is at work on which thing."""

    def take(self, key: str, holder: str, now: datetime, until: datetime) -> bool:
        """Become the only one at work on a thing, or go on being it; False while another is."""
        ...

    def holds(self, key: str, holder: str) -> bool:
        """Whether the lease is still the holder's; locked for the ambient transaction."""
        ...

    def end(self, key: str, holder: str) -> None:
        """Let the thing go, if it is still the holder's."""
        ...

    def end_all(self) -> int:
        """Free everything: what killed processes held. Only under the workspace's lock."""
        ...


def lease_table(name: str) -> Table:
    """A room's table of leases."""
    return Table(
        name,
        metadata,
        Column("key", String(400), primary_key=True),
        Column("holder", String(64), nullable=False),
        Column("until", Instant, nullable=False),
    )


class SqlLeases:
    """Leases in a table of the metadata database."""

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table
        self._dialect: Any = dialect_of(database)

    def take(self, key: str, holder: str, now: datetime, until: datetime) -> bool:
        """Become the only one at work on a thing, or go on being it."""
        table = self._table
        row = self._dialect.insert(table).values(key=key, holder=holder, until=until)
        taken = row.on_conflict_do_update(
            index_elements=["key"],
            set_={"holder": holder, "until": until},
            where=or_(table.c.until < now, table.c.holder == holder),
        ).returning(table.c.holder)
        with self._database.transaction() as connection:
            return connection.execute(taken).scalar() == holder

    def holds(self, key: str, holder: str) -> bool:
        """Whether the lease is still the holder's."""
        query = select(self._table.c.holder).where(self._table.c.key == key).with_for_update()
        with self._database.connection() as connection:
            return connection.execute(query).scalar() == holder

    def end(self, key: str, holder: str) -> None:
        """Let the thing go, if it is still the holder's."""
        gone = self._table.delete().where(self._table.c.key == key)
        with self._database.connection() as connection:
            connection.execute(gone.where(self._table.c.holder == holder))

    def end_all(self) -> int:
        """Free everything."""
        with self._database.connection() as connection:
            return connection.execute(self._table.delete()).rowcount


class OneAtATime:
    """Whoever works on a thing is alone with it; his lease is kept while he does."""

    def __init__(self, leases: Leases, clock: Clock, *, lease: timedelta, patience: float) -> None:
        """`lease`: how long one who was killed keeps others away; `patience`: seconds to wait."""
        self._leases = leases
        self._clock = clock
        self._lease = lease
        self._patience = patience

    @contextmanager
    def of(self, key: str, busy: Callable[[], AthanorError]) -> Iterator[str]:
        """Be alone with `key` meanwhile; gives the holder's mark, which `Leases.holds` asks for.

        Raises: what `busy` makes, when another did not end in time.
        """
        holder = new_id()
        deadline = time.monotonic() + self._patience
        while not self._take(key, holder):
            if time.monotonic() > deadline:
                raise busy()
            time.sleep(_LOOK_SECONDS)
        stop = threading.Event()
        beat = threading.Thread(
            target=self._keep, args=(key, holder, stop), name=f"lease-{key}", daemon=True
        )
        beat.start()
        try:
            yield holder
        finally:
            stop.set()
            beat.join()
            self._leases.end(key, holder)

    def _take(self, key: str, holder: str) -> bool:
        now = self._clock.now()
        return self._leases.take(key, holder, now, now + self._lease)

    def _keep(self, key: str, holder: str, stop: threading.Event) -> None:
        while not stop.wait(self._lease.total_seconds() / 3):
            if not self._take(key, holder):
                return
