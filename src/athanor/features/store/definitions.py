"""Definitions by project, kind and name."""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import RowMapping, select

from athanor.features.store.tables import definition_table
from athanor.features.types import Entity, FeatureService, FeatureView, OnDemandView
from athanor.kernel import Database
from athanor.kernel.upserts import dialect_of

Definition = Entity | FeatureView | OnDemandView | FeatureService
KINDS: dict[str, type[Definition]] = {
    "entity": Entity,
    "view": FeatureView,
    "on_demand": OnDemandView,
    "service": FeatureService,
}


class DefinitionStore(Protocol):
    """Definitions as they are now."""

    def put(self, kind: str, definition: Definition) -> None:
        """Add a definition, or replace the one of this project, kind and name."""
        ...

    def find(self, kind: str, project: str, name: str, *, hold: bool = False) -> Definition | None:
        """The definition of this name; held, nobody else changes it before the transaction ends."""
        ...

    def listed(self, kind: str, project: str | None = None) -> list[Any]:
        """All definitions of a kind, by project and name."""
        ...

    def remove(self, kind: str, project: str, name: str) -> bool:
        """Remove a definition; whether there was one."""
        ...


class SqlDefinitionStore:
    """Definitions in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put(self, kind: str, definition: Definition) -> None:
        """Add or replace a definition."""
        at: datetime | None = definition.created_at
        row = {
            "project": definition.project,
            "kind": kind,
            "name": definition.name,
            "revision": getattr(definition, "revision", 0),
            "body": msgspec.to_builtins(definition),
            "created_at": at,
            "created_by": definition.created_by,
        }
        changes = {name: row[name] for name in ("revision", "body", "created_at", "created_by")}
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(definition_table)
                .values(row)
                .on_conflict_do_update(index_elements=["project", "kind", "name"], set_=changes)
            )

    def find(self, kind: str, project: str, name: str, *, hold: bool = False) -> Definition | None:
        """The definition of this name."""
        table = definition_table.c
        query = select(definition_table).where(
            table.project == project, table.kind == kind, table.name == name
        )
        if hold:
            query = query.with_for_update()
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else _definition(row)

    def listed(self, kind: str, project: str | None = None) -> list[Any]:
        """All definitions of a kind."""
        table = definition_table.c
        query = select(definition_table).where(table.kind == kind)
        if project is not None:
            query = query.where(table.project == project)
        with self._database.connection() as connection:
            rows = connection.execute(query.order_by(table.project, table.name)).mappings()
            return [_definition(row) for row in rows]

    def remove(self, kind: str, project: str, name: str) -> bool:
        """Remove a definition."""
        table = definition_table.c
        gone = definition_table.delete().where(
            table.project == project, table.kind == kind, table.name == name
        )
        with self._database.connection() as connection:
            return connection.execute(gone).rowcount > 0


def _definition(row: RowMapping) -> Definition:
    return msgspec.convert(row["body"], KINDS[row["kind"]])
