"""How models and versions are read from their tables, with their tags and aliases."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, Table, func, select

from athanor.kernel import Verdict
from athanor.registry.store.tables import (
    alias_table,
    model_table,
    model_tag_table,
    version_table,
    version_tag_table,
)
from athanor.registry.types import Model, ModelVersion, Signature

_MANY = 500
"""Names asked for at once: databases bound how many parameters a query may have."""

_NEWEST = (
    select(func.coalesce(func.max(version_table.c.number), 0))
    .where(version_table.c.model == model_table.c.name)
    .scalar_subquery()
)
_MODEL = tuple(column for column in model_table.c if column.name != "last_number")


def models_query() -> Select[Any]:
    """All models, to be narrowed and ordered."""
    return select(*_MODEL, _NEWEST.label("latest"))


def versions_query() -> Select[Any]:
    """All versions, to be narrowed and ordered."""
    return select(version_table)


def read_models(connection: Connection, query: Select[Any]) -> list[Model]:
    """The models that a query built on `models_query` finds, in its order."""
    rows = connection.execute(query).mappings().all()
    names = [row["name"] for row in rows]
    aliases = _by_model(connection, alias_table, names)
    tags = _by_model(connection, model_tag_table, names)
    return [
        Model(
            **row,
            aliases={found["alias"]: found["number"] for found in aliases[row["name"]]},
            tags={found["key"]: found["value"] for found in tags[row["name"]]},
        )
        for row in rows
    ]


def read_versions(connection: Connection, query: Select[Any]) -> list[ModelVersion]:
    """The versions that a query built on `versions_query` finds, in its order."""
    rows = connection.execute(query).mappings().all()
    names = list({row["model"] for row in rows})
    aliases: dict[tuple[str, int], list[str]] = defaultdict(list)
    for model, found in _by_model(connection, alias_table, names).items():
        for row in found:
            aliases[model, row["number"]].append(row["alias"])
    only = version_tag_table.c.number == rows[0]["number"] if len(rows) == 1 else None
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for model, found in _by_model(connection, version_tag_table, names, only).items():
        for row in found:
            tags[model, row["number"]][row["key"]] = row["value"]
    return [
        _version(row, aliases[row["model"], row["number"]], tags[row["model"], row["number"]])
        for row in rows
    ]


def _by_model(
    connection: Connection,
    table: Table,
    names: Iterable[str],
    only: ColumnElement[bool] | None = None,
) -> dict[str, list[RowMapping]]:
    found: dict[str, list[RowMapping]] = defaultdict(list)
    second = table.primary_key.columns.keys()[1:]
    for some in _chunks(names):
        query = select(table).where(table.c.model.in_(some))
        query = query.order_by(*(table.c[name] for name in second))
        if only is not None:
            query = query.where(only)
        for row in connection.execute(query).mappings():
            found[row["model"]].append(row)
    return found


def _chunks(names: Iterable[str]) -> Iterator[list[str]]:
    rest = list(names)
    for start in range(0, len(rest), _MANY):
        yield rest[start : start + _MANY]


def _version(row: RowMapping, aliases: list[str], tags: dict[str, str]) -> ModelVersion:
    verdict = row["verdict"]
    return ModelVersion(
        **{
            name: row[name]
            for name in ModelVersion.__dataclass_fields__
            if name not in {"signature", "verdict", "aliases", "tags"}
        },
        signature=msgspec.convert(row["signature"], Signature),
        verdict=None if verdict is None else Verdict(**verdict),
        aliases=sorted(aliases),
        tags=tags,
    )
