"""Where models, versions and aliases are kept."""

from dataclasses import asdict
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from athanor.kernel import Database, Instant, Json, Verdict, metadata
from athanor.registry.types import AliasMove, Model, ModelVersion, Signature


class ModelStore(Protocol):
    """Models, their versions and aliases."""

    def add_model(self, model: Model) -> None:
        """Add a model; one with the same name stays as it is."""
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
        """Keep other transactions from numbering this model's versions or moving its aliases."""
        ...

    def add_version(self, version: ModelVersion, key: str | None) -> ModelVersion:
        """Add a version under the model's next number; its own `number` is passed over."""
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

    def move_alias(self, move: AliasMove) -> None:
        """Point an alias elsewhere, or remove it, and note it in its history."""
        ...

    def moves(self, model: str, alias: str | None) -> list[AliasMove]:
        """The history of a model's aliases, oldest first."""
        ...


model_table = Table(
    "registry_model",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("project", String(255), nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
)

version_table = Table(
    "registry_version",
    metadata,
    Column("model", String(100), ForeignKey("registry_model.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", String(255)),
    Column("artifact_id", String(32), ForeignKey("lineage_artifact.id"), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("run_id", String(32), ForeignKey("lineage_run.id")),
    Column("flavor", String(64), nullable=False),
    Column("signature", Json, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("verdict", Json),
    Column("created_by", String(255), nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("model", "key", name="uq_registry_version_key"),
)

alias_table = Table(
    "registry_alias",
    metadata,
    Column("model", String(100), ForeignKey("registry_model.name"), primary_key=True),
    Column("alias", String(100), primary_key=True),
    Column("number", Integer, nullable=False),
)

move_table = Table(
    "registry_alias_move",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("model", String(100), ForeignKey("registry_model.name"), nullable=False, index=True),
    Column("alias", String(100), nullable=False),
    Column("number", Integer),
    Column("previous", Integer),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("moved_by", String(255), nullable=False),
    Column("moved_at", Instant, nullable=False),
)

_MOVE = tuple(move_table.c[name] for name in AliasMove.__dataclass_fields__)


class SqlModelStore:
    """The registry in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dialect: Any = postgresql if database.dialect == "postgresql" else sqlite

    def add_model(self, model: Model) -> None:
        """Add a model; one with the same name stays as it is."""
        row = {name: getattr(model, name) for name in model_table.c.keys()}  # noqa: SIM118
        with self._database.connection() as connection:
            connection.execute(
                self._dialect.insert(model_table).values(row).on_conflict_do_nothing()
            )

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
        """Keep other transactions from numbering this model's versions or moving its aliases."""
        query = select(model_table.c.name).where(model_table.c.name == name).with_for_update()
        with self._database.connection() as connection:
            connection.execute(query)

    def add_version(self, version: ModelVersion, key: str | None) -> ModelVersion:
        """Add a version under the model's next number; its own `number` is passed over."""
        latest = select(func.coalesce(func.max(version_table.c.number), 0)).where(
            version_table.c.model == version.model
        )
        row = {
            name: getattr(version, name)
            for name in version_table.c.keys()  # noqa: SIM118 - columns, not a mapping
            if name not in {"number", "key", "signature", "verdict"}
        }
        with self._database.connection() as connection:
            number = int(connection.execute(latest).scalar_one()) + 1
            connection.execute(
                version_table.insert().values(
                    **row,
                    number=number,
                    key=key,
                    signature=asdict(version.signature),
                    verdict=asdict(version.verdict) if version.verdict else None,
                )
            )
            kept = self._versions(version.model, number)
        return kept[0]

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
        newest = (
            select(func.coalesce(func.max(version_table.c.number), 0))
            .where(version_table.c.model == model_table.c.name)
            .scalar_subquery()
        )
        query = select(*model_table.c, newest.label("latest")).order_by(model_table.c.name)
        if name is not None:
            query = query.where(model_table.c.name == name)
        aliases = self._aliases(name)
        with self._database.connection() as connection:
            return [
                Model(**row, aliases=aliases.get(row["name"], {}))
                for row in connection.execute(query).mappings()
            ]

    def _versions(self, model: str | None, number: int | None) -> list[ModelVersion]:
        query = select(version_table).order_by(version_table.c.model, version_table.c.number.desc())
        if model is not None:
            query = query.where(version_table.c.model == model)
        if number is not None:
            query = query.where(version_table.c.number == number)
        aliases = self._aliases(model)
        with self._database.connection() as connection:
            rows = connection.execute(query).mappings().all()
        return [_version(row, aliases.get(row["model"], {})) for row in rows]

    def _aliases(self, model: str | None) -> dict[str, dict[str, int]]:
        query = select(alias_table).order_by(alias_table.c.alias)
        if model is not None:
            query = query.where(alias_table.c.model == model)
        found: dict[str, dict[str, int]] = {}
        with self._database.connection() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["model"], {})[row["alias"]] = row["number"]
        return found


def _version(row: RowMapping, aliases: dict[str, int]) -> ModelVersion:
    verdict = row["verdict"]
    return ModelVersion(
        **{
            name: row[name]
            for name in ModelVersion.__dataclass_fields__
            if name not in {"signature", "verdict", "aliases"}
        },
        signature=msgspec.convert(row["signature"], Signature),
        verdict=None if verdict is None else Verdict(**verdict),
        aliases=sorted(alias for alias, number in aliases.items() if number == row["number"]),
    )
