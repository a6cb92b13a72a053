"""Where triggers are kept."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import RowMapping, delete, func, select, update

from athanor.kernel import Database, Principal
from athanor.kernel.plain import Plain
from athanor.kernel.upserts import dialect_of
from athanor.pipelines.store.tables import run_table, trigger_table
from athanor.pipelines.types import ACTIVE, Trigger


class TriggerStore(Protocol):
    """Triggers."""

    def add(self, trigger: Trigger, who: Principal) -> bool:
        """Add a trigger; False if its project has one of this name."""
        ...

    def find(self, name: str, project: str | None = None) -> Trigger | None:
        """The trigger with this name or id."""
        ...

    def every(self, project: str | None = None) -> list[Trigger]:
        """All triggers, by name."""
        ...

    def on_action(self, action: str) -> list[Trigger]:
        """The triggers that an event of this action may fire."""
        ...

    def owner_of(self, trigger_id: str) -> Principal:
        """Who made it, in whose name it fires."""
        ...

    def remove(self, trigger_id: str) -> None:
        """Remove a trigger."""
        ...

    def busy(self, name: str, project: str) -> bool:
        """Whether a run that it started goes on."""
        ...

    def fired(self, trigger_id: str, run: str, at: datetime) -> None:
        """Note that it fired."""
        ...

    def move(self, trigger_id: str, expected: datetime | None, following: datetime | None) -> bool:
        """Set the next time, if it still is `expected`: of two that try, one succeeds."""
        ...

    def hold(self, trigger_id: str, event: Mapping[str, Any] | None) -> None:
        """Keep an event for later, or keep none."""
        ...

    def held(self, trigger_id: str) -> dict[str, Any] | None:
        """The event kept for later."""
        ...


_FIELDS = tuple(name for name in Trigger.__dataclass_fields__ if name in trigger_table.c)


class SqlTriggerStore:
    """Triggers in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def add(self, trigger: Trigger, who: Principal) -> bool:
        """Add a trigger."""
        row = {name: getattr(trigger, name) for name in _FIELDS}
        row["submission"] = asdict(trigger.submission)
        row["who"] = {"id": who.id, "name": who.name, "kind": who.kind}
        dialect = dialect_of(self._database)
        query = dialect.insert(trigger_table).values(row).on_conflict_do_nothing()
        with self._database.connection() as connection:
            return connection.execute(query.returning(trigger_table.c.id)).first() is not None

    def find(self, name: str, project: str | None = None) -> Trigger | None:
        """The trigger with this name or id."""
        query = select(trigger_table).where(
            (trigger_table.c.name == name) | (trigger_table.c.id == name)
        )
        if project is not None:
            query = query.where(trigger_table.c.project == project)
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return _trigger(row) if row else None

    def every(self, project: str | None = None) -> list[Trigger]:
        """All triggers."""
        query = select(trigger_table).order_by(trigger_table.c.name)
        if project is not None:
            query = query.where(trigger_table.c.project == project)
        return self._read(query)

    def on_action(self, action: str) -> list[Trigger]:
        """The triggers of this action."""
        # Asked of every event, and nearly always in vain.
        if self._plain.first("SELECT 1 FROM pipelines_trigger WHERE action = ?", (action,)) is None:
            return []
        query = select(trigger_table).where(trigger_table.c.action == action)
        return self._read(query.order_by(trigger_table.c.id))

    def owner_of(self, trigger_id: str) -> Principal:
        """Who made it."""
        query = select(trigger_table.c.who).where(trigger_table.c.id == trigger_id)
        with self._database.connection() as connection:
            return Principal(**connection.execute(query).scalar_one())

    def remove(self, trigger_id: str) -> None:
        """Remove a trigger."""
        with self._database.connection() as connection:
            connection.execute(delete(trigger_table).where(trigger_table.c.id == trigger_id))

    def busy(self, name: str, project: str) -> bool:
        """Whether a run that it started goes on."""
        query = select(func.count()).where(
            run_table.c.trigger == name,
            run_table.c.project == project,
            run_table.c.state.in_(ACTIVE),
        )
        with self._database.connection() as connection:
            return bool(connection.execute(query).scalar())

    def fired(self, trigger_id: str, run: str, at: datetime) -> None:
        """Note that it fired."""
        self._change(trigger_id, {"last_fired": at, "last_run": run})

    def move(self, trigger_id: str, expected: datetime | None, following: datetime | None) -> bool:
        """Set the next time if it still is `expected`."""
        query = (
            update(trigger_table)
            .where(trigger_table.c.id == trigger_id, trigger_table.c.next_fire == expected)
            .values(next_fire=following)
        )
        with self._database.connection() as connection:
            return bool(connection.execute(query).rowcount)

    def hold(self, trigger_id: str, event: Mapping[str, Any] | None) -> None:
        """Keep an event for later."""
        self._change(trigger_id, {"pending": None if event is None else dict(event)})

    def held(self, trigger_id: str) -> dict[str, Any] | None:
        """The event kept for later."""
        query = select(trigger_table.c.pending).where(trigger_table.c.id == trigger_id)
        with self._database.connection() as connection:
            return connection.execute(query).scalar()

    def _change(self, trigger_id: str, changes: Mapping[str, Any]) -> None:
        query = update(trigger_table).where(trigger_table.c.id == trigger_id)
        with self._database.connection() as connection:
            connection.execute(query.values(dict(changes)))

    def _read(self, query: Any) -> list[Trigger]:
        with self._database.connection() as connection:
            return [_trigger(row) for row in connection.execute(query).mappings()]


def _trigger(row: RowMapping) -> Trigger:
    fields = {name: row[name] for name in _FIELDS}
    fields["created_by"] = row["who"]["name"]
    return msgspec.convert(fields, Trigger)
