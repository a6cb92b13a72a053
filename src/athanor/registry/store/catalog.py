"""What people write on models and versions, and how both are found again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import delete, update

from athanor.kernel import Database
from athanor.kernel.upserts import dialect_of
from athanor.registry.store.rows import read_versions, versions_query
from athanor.registry.store.tables import (
    alias_table,
    model_table,
    model_tag_table,
    move_table,
    version_table,
    version_tag_table,
)
from athanor.registry.types import ModelVersion


class CatalogStore(Protocol):
    """Descriptions, tags and stages; renaming and deleting."""

    def change_model(self, name: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a model: `description`, `updated_at`."""
        ...

    def rename_model(self, name: str, new_name: str, at: datetime) -> None:
        """Give a model another name; its versions, tags, aliases and their history follow."""
        ...

    def remove_model(self, name: str) -> None:
        """Remove a model with its versions, tags, aliases and their history."""
        ...

    def tag_model(self, name: str, key: str, value: str) -> None:
        """Set a model's tag."""
        ...

    def untag_model(self, name: str, key: str) -> None:
        """Remove a model's tag, if it has it."""
        ...

    def change_version(self, model: str, number: int, changes: Mapping[str, Any]) -> None:
        """Set fields of a version: `description`, `stage`, `updated_at`."""
        ...

    def remove_version(self, model: str, number: int) -> None:
        """Remove a version with its tags. Aliases are the caller's."""
        ...

    def tag_version(self, model: str, number: int, key: str, value: str) -> None:
        """Set a version's tag."""
        ...

    def untag_version(self, model: str, number: int, key: str) -> None:
        """Remove a version's tag, if it has it."""
        ...

    def archive(self, model: str, stage: str, besides: int, at: datetime) -> None:
        """Move all versions in a stage to `Archived`, but one."""
        ...

    def latest_versions(self, models: Sequence[str]) -> list[ModelVersion]:
        """Each model's newest version in each stage."""
        ...


class SqlCatalogStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def change_model(self, name: str, changes: Mapping[str, Any]) -> None:
        """Set fields of a model."""
        self._run(update(model_table).where(model_table.c.name == name).values(changes))

    def rename_model(self, name: str, new_name: str, at: datetime) -> None:
        """Give a model another name; what refers to it follows by the foreign keys' cascades."""
        with self._database.transaction() as connection:
            connection.execute(
                update(model_table)
                .where(model_table.c.name == name)
                .values(name=new_name, updated_at=at)
            )
            connection.execute(
                update(version_table).where(version_table.c.model == new_name).values(updated_at=at)
            )

    def remove_model(self, name: str) -> None:
        """Remove a model with all that refers to it."""
        with self._database.transaction() as connection:
            for table in (
                version_tag_table,
                alias_table,
                move_table,
                version_table,
                model_tag_table,
            ):
                connection.execute(delete(table).where(table.c.model == name))
            connection.execute(delete(model_table).where(model_table.c.name == name))

    def tag_model(self, name: str, key: str, value: str) -> None:
        """Set a model's tag."""
        add = self._dialect.insert(model_tag_table).values(model=name, key=key, value=value)
        self._run(add.on_conflict_do_update(index_elements=["model", "key"], set_={"value": value}))

    def untag_model(self, name: str, key: str) -> None:
        """Remove a model's tag, if it has it."""
        self._run(
            delete(model_tag_table).where(
                model_tag_table.c.model == name, model_tag_table.c.key == key
            )
        )

    def change_version(self, model: str, number: int, changes: Mapping[str, Any]) -> None:
        """Set fields of a version."""
        here = (version_table.c.model == model) & (version_table.c.number == number)
        self._run(update(version_table).where(here).values(changes))

    def remove_version(self, model: str, number: int) -> None:
        """Remove a version with its tags."""
        with self._database.transaction() as connection:
            for table in (version_tag_table, version_table):
                connection.execute(
                    delete(table).where(table.c.model == model, table.c.number == number)
                )

    def tag_version(self, model: str, number: int, key: str, value: str) -> None:
        """Set a version's tag."""
        row = {"model": model, "number": number, "key": key, "value": value}
        add = self._dialect.insert(version_tag_table).values(row)
        self._run(
            add.on_conflict_do_update(
                index_elements=["model", "number", "key"], set_={"value": value}
            )
        )

    def untag_version(self, model: str, number: int, key: str) -> None:
        """Remove a version's tag, if it has it."""
        self._run(
            delete(version_tag_table).where(
                version_tag_table.c.model == model,
                version_tag_table.c.number == number,
                version_tag_table.c.key == key,
            )
        )

    def archive(self, model: str, stage: str, besides: int, at: datetime) -> None:
        """Move all versions in a stage to `Archived`, but one."""
        self._run(
            update(version_table)
            .where(version_table.c.model == model, version_table.c.stage == stage)
            .where(version_table.c.number != besides)
            .values(stage="Archived", updated_at=at)
        )

    def latest_versions(self, models: Sequence[str]) -> list[ModelVersion]:
        """Each model's newest version in each stage."""
        newer = version_table.alias()
        is_newer = (
            newer.select()
            .where(newer.c.model == version_table.c.model)
            .where(newer.c.stage == version_table.c.stage)
            .where(newer.c.number > version_table.c.number)
        )
        query = (
            versions_query()
            .where(version_table.c.model.in_(models), ~is_newer.exists())
            .order_by(version_table.c.model, version_table.c.number)
        )
        with self._database.connection() as connection:
            return read_versions(connection, query)

    def _run(self, statement: Any) -> None:
        with self._database.connection() as connection:
            connection.execute(statement)
