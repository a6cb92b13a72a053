"""Models and versions that come with their own numbers and times."""

from dataclasses import asdict
from typing import Any, Protocol

from sqlalchemy import Table, update

from athanor.kernel import Database
from athanor.kernel.upserts import dialect_of
from athanor.registry.store.tables import (
    model_table,
    model_tag_table,
    version_table,
    version_tag_table,
)
from athanor.registry.types import Model, ModelVersion

_OWN = {"signature", "verdict", "aliases", "tags"}


class TransferStore(Protocol):
    """Writes what has a number already. Callers hold the model's lock."""

    def put_model(self, model: Model, last_number: int) -> None:
        """Set a model's fields and tags; the last number never falls."""
        ...

    def put_version(self, version: ModelVersion) -> None:
        """Add a version under its own number, or set what may change of it."""
        ...


class SqlTransferStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def put_model(self, model: Model, last_number: int) -> None:
        """Set a model's fields and tags; the last number never falls."""
        changes = {
            "description": model.description,
            "created_at": model.created_at,
            "updated_at": model.updated_at,
        }
        with self._database.transaction() as connection:
            connection.execute(
                update(model_table).where(model_table.c.name == model.name).values(changes)
            )
            connection.execute(
                update(model_table)
                .where(model_table.c.name == model.name, model_table.c.last_number < last_number)
                .values(last_number=last_number)
            )
            self._put_tags(model_tag_table, {"model": model.name}, model.tags)

    def put_version(self, version: ModelVersion) -> None:
        """Add a version under its own number, or set what may change of it."""
        row = {
            name: getattr(version, name)
            for name in ModelVersion.__dataclass_fields__
            if name not in _OWN
        }
        add = self._dialect.insert(version_table).values(
            **row, key=None, signature=asdict(version.signature), verdict=None
        )
        mutable = ("description", "stage", "status", "status_message", "updated_at")
        with self._database.transaction() as connection:
            connection.execute(
                add.on_conflict_do_update(
                    index_elements=["model", "number"],
                    set_={name: getattr(version, name) for name in mutable},
                )
            )
            place = {"model": version.model, "number": version.number}
            self._put_tags(version_tag_table, place, version.tags)

    def _put_tags(self, table: Table, place: dict[str, Any], tags: dict[str, str]) -> None:
        if not tags:
            return
        add = self._dialect.insert(table)
        rows = [place | {"key": key, "value": value} for key, value in tags.items()]
        with self._database.connection() as connection:
            connection.execute(
                add.on_conflict_do_update(
                    index_elements=[*place, "key"], set_={"value": add.excluded.value}
                ),
                rows,
            )
