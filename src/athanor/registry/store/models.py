"""Where models, versions and aliases are kept."""

from dataclasses import asdict
from typing import Any, Protocol

from sqlalchemy import delete, select, update

from athanor.kernel import Database
from athanor.kernel.upserts import dialect_of
from athanor.registry.errors import ModelNotFound
from athanor.registry.store.rows import (
    models_query,
    read_models,
    read_versions,
    versions_query,
)
from athanor.registry.store.tables import (
    alias_table,
    model_table,
    model_tag_table,
    move_table,
    version_table,
    version_tag_table,
)
from athanor.registry.types import AliasMove, Model, ModelVersion


class ModelStore(Protocol):
    """Models, their versions and aliases."""

    def add_model(self, model: Model) -> bool:
        """Add a model; one with the same name stays as it is. Whether it is new."""
        ...

    def find_model(self, name: str) -> Model | None:
        """The model of this name, with its newest number and its aliases."""
        ...

    def list_models(self) -> list[Model]:
        """All models, by name."""
        ...

    def protect(self, name: str, *, protected: bool) -> None:
        """Say whether "champion" takes only what passed a gate."""
        ...

    def lock(self, name: str) -> None:
        """Keep other transactions from numbering this model's versions or moving its aliases.

        Raises: ModelNotFound where it was deleted meanwhile.
        """
        ...

    def add_version(self, version: ModelVersion, key: str | None) -> ModelVersion:
        """Add a version under the model's next number; its own `number` is passed over.

        A number that was given is not given again, also when its version is deleted.
        """
        ...

    def last_number(self, model: str) -> int:
        """The greatest number that was given."""
        ...

    def number_after(self, model: str, number: int) -> None:
        """Give no number up to this one; the last number never falls."""
        ...

    def find_version(self, model: str, number: int) -> ModelVersion | None:
        """The version of this number."""
        ...

    def find_by_key(self, model: str, key: str) -> ModelVersion | None:
        """The version that was registered with this key."""
        ...

    def list_versions(self, model: str | None) -> list[ModelVersion]:
        """A model's versions, or everybody's; newest first."""
        ...

    def find_by_artifact(self, artifact_id: str) -> list[ModelVersion]:
        """The versions, of whatever model, whose files are this artifact."""
        ...

    def move_alias(self, move: AliasMove) -> None:
        """Point an alias elsewhere, or remove it, and note it in its history."""
        ...

    def moves(self, model: str, alias: str | None) -> list[AliasMove]:
        """The history of a model's aliases, oldest first."""
        ...


_MOVE = tuple(move_table.c[name] for name in AliasMove.__dataclass_fields__)


class SqlModelStore:
    """The registry in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = dialect_of(database)

    def add_model(self, model: Model) -> bool:
        """Add a model; one with the same name stays as it is. Whether it is new."""
        row = {
            name: getattr(model, name)
            for name in model_table.c.keys()  # noqa: SIM118 - columns, not a mapping
            if name != "last_number"
        }
        add = self._dialect.insert(model_table).values(**row, last_number=0)
        with self._database.transaction() as connection:
            added = connection.execute(
                add.on_conflict_do_nothing().returning(model_table.c.name)
            ).first()
            if added and model.tags:
                tags = [
                    {"model": model.name, "key": key, "value": value}
                    for key, value in model.tags.items()
                ]
                connection.execute(model_tag_table.insert(), tags)
        return added is not None

    def find_model(self, name: str) -> Model | None:
        """The model of this name, with its newest number and its aliases."""
        return next(iter(self._models(name)), None)

    def list_models(self) -> list[Model]:
        """All models, by name."""
        return self._models(None)

    def protect(self, name: str, *, protected: bool) -> None:
        """Say whether "champion" takes only what passed a gate."""
        with self._database.connection() as connection:
            connection.execute(
                update(model_table).where(model_table.c.name == name).values(protected=protected)
            )

    def lock(self, name: str) -> None:
        """Keep other transactions from numbering this model's versions or moving its aliases.

        Raises: ModelNotFound where it was deleted meanwhile.
        """
        query = select(model_table.c.name).where(model_table.c.name == name).with_for_update()
        with self._database.connection() as connection:
            if connection.execute(query).first() is None:
                raise ModelNotFound(name)

    def add_version(self, version: ModelVersion, key: str | None) -> ModelVersion:
        """Add a version under the model's next number; its own `number` is passed over."""
        counted = (
            update(model_table)
            .where(model_table.c.name == version.model)
            .values(last_number=model_table.c.last_number + 1, updated_at=version.updated_at)
            .returning(model_table.c.last_number)
        )
        row = {
            name: getattr(version, name)
            for name in version_table.c.keys()  # noqa: SIM118 - columns, not a mapping
            if name not in {"number", "key", "signature", "verdict"}
        }
        with self._database.transaction() as connection:
            number = int(connection.execute(counted).scalar_one())
            connection.execute(
                version_table.insert().values(
                    **row,
                    number=number,
                    key=key,
                    signature=asdict(version.signature),
                    verdict=asdict(version.verdict) if version.verdict else None,
                )
            )
            if version.tags:
                tags = [
                    {"model": version.model, "number": number, "key": name, "value": value}
                    for name, value in version.tags.items()
                ]
                connection.execute(version_tag_table.insert(), tags)
            kept = self._versions(version.model, number)
        return kept[0]

    def last_number(self, model: str) -> int:
        """The greatest number that was given."""
        query = select(model_table.c.last_number).where(model_table.c.name == model)
        with self._database.connection() as connection:
            return int(connection.execute(query).scalar() or 0)

    def number_after(self, model: str, number: int) -> None:
        """Give no number up to this one; the last number never falls."""
        with self._database.connection() as connection:
            connection.execute(
                update(model_table)
                .where(model_table.c.name == model, model_table.c.last_number < number)
                .values(last_number=number)
            )

    def find_version(self, model: str, number: int) -> ModelVersion | None:
        """The version of this number."""
        return next(iter(self._versions(model, number)), None)

    def find_by_key(self, model: str, key: str) -> ModelVersion | None:
        """The version that was registered with this key."""
        query = select(version_table.c.number).where(
            version_table.c.model == model, version_table.c.key == key
        )
        with self._database.connection() as connection:
            number = connection.execute(query).scalar()
        return None if number is None else self.find_version(model, number)

    def list_versions(self, model: str | None) -> list[ModelVersion]:
        """A model's versions, or everybody's; newest first."""
        return self._versions(model, None)

    def find_by_artifact(self, artifact_id: str) -> list[ModelVersion]:
        """The versions, of whatever model, whose files are this artifact."""
        query = versions_query().where(version_table.c.artifact_id == artifact_id)
        query = query.order_by(version_table.c.model, version_table.c.number.desc())
        with self._database.connection() as connection:
            return read_versions(connection, query)

    def move_alias(self, move: AliasMove) -> None:
        """Point an alias elsewhere, or remove it, and note it in its history."""
        here = (alias_table.c.model == move.model) & (alias_table.c.alias == move.alias)
        row = {name: getattr(move, name) for name in AliasMove.__dataclass_fields__}
        with self._database.transaction() as connection:
            connection.execute(move_table.insert().values(row))
            if move.number is None:
                connection.execute(delete(alias_table).where(here))
                return
            pointed = {"model": move.model, "alias": move.alias, "number": move.number}
            connection.execute(
                self._dialect.insert(alias_table)
                .values(pointed)
                .on_conflict_do_update(
                    index_elements=["model", "alias"], set_={"number": move.number}
                )
            )

    def moves(self, model: str, alias: str | None) -> list[AliasMove]:
        """The history of a model's aliases, oldest first."""
        query = select(*_MOVE).where(move_table.c.model == model).order_by(move_table.c.seq)
        if alias is not None:
            query = query.where(move_table.c.alias == alias)
        with self._database.connection() as connection:
            return [AliasMove(**row) for row in connection.execute(query).mappings()]

    def _models(self, name: str | None) -> list[Model]:
        query = models_query().order_by(model_table.c.name)
        if name is not None:
            query = query.where(model_table.c.name == name)
        with self._database.connection() as connection:
            return read_models(connection, query)

    def _versions(self, model: str | None, number: int | None) -> list[ModelVersion]:
        query = versions_query().order_by(version_table.c.model, version_table.c.number.desc())
        if model is not None:
            query = query.where(version_table.c.model == model)
        if number is not None:
            query = query.where(version_table.c.number == number)
        with self._database.connection() as connection:
            return read_versions(connection, query)
