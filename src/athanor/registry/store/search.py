"""Searches of models and versions, from comparisons to SQL."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Select, Table, collate, exists

from athanor.kernel import Database
from athanor.registry.store.rows import (
    models_query,
    read_models,
    read_versions,
    versions_query,
)
from athanor.registry.store.tables import (
    model_table,
    model_tag_table,
    version_table,
    version_tag_table,
)
from athanor.registry.types import IS_PROMPT, Model, ModelVersion
from athanor.tracking import Comparison, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A search whose text was read."""

    project: str
    comparisons: tuple[Comparison, ...] = ()
    orders: tuple[Order, ...] = ()
    limit: int
    offset: int = 0


class SearchStore(Protocol):
    """Models and versions by what is said of them."""

    def search_models(self, wanted: Wanted) -> list[Model]:
        """Models that fulfil all comparisons; prompts only where they are asked for."""
        ...

    def search_versions(self, wanted: Wanted) -> list[ModelVersion]:
        """Versions that fulfil all comparisons; those of prompts only where they are asked for."""
        ...


_MODEL_COLUMNS = {
    "name": model_table.c.name,
    "last_updated_timestamp": model_table.c.updated_at,
    "creation_timestamp": model_table.c.created_at,
}
_VERSION_COLUMNS = {
    "name": version_table.c.model,
    "version_number": version_table.c.number,
    "run_id": version_table.c.run_id,
    "source_path": version_table.c.source,
    "creation_timestamp": version_table.c.created_at,
    "last_updated_timestamp": version_table.c.updated_at,
}
_COMPARED: dict[str, str] = {
    "=": "__eq__",
    "!=": "__ne__",
    "<": "__lt__",
    "<=": "__le__",
    ">": "__gt__",
    ">=": "__ge__",
    "LIKE": "like",
    "ILIKE": "ilike",
    "IN": "in_",
    "NOT IN": "not_in",
}


class SqlSearchStore:
    """The same in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def search_models(self, wanted: Wanted) -> list[Model]:
        """Models that fulfil all comparisons."""
        query = models_query().where(model_table.c.project == wanted.project)
        here = model_tag_table.c.model == model_table.c.name
        query = _narrowed(query, wanted, _MODEL_COLUMNS, (model_tag_table, here, here))
        with self._database.connection() as connection:
            return read_models(connection, self._ordered(query, wanted, _MODEL_COLUMNS))

    def search_versions(self, wanted: Wanted) -> list[ModelVersion]:
        """Versions that fulfil all comparisons."""
        of_project = exists().where(
            model_table.c.name == version_table.c.model, model_table.c.project == wanted.project
        )
        named = version_tag_table.c.model == version_table.c.model
        here = named & (version_tag_table.c.number == version_table.c.number)
        query = versions_query().where(of_project)
        query = _narrowed(query, wanted, _VERSION_COLUMNS, (version_tag_table, here, named))
        with self._database.connection() as connection:
            return read_versions(connection, self._ordered(query, wanted, _VERSION_COLUMNS))

    def _ordered(
        self, query: Select[Any], wanted: Wanted, columns: dict[str, "Column[Any]"]
    ) -> Select[Any]:
        for order in wanted.orders:
            by: ColumnElement[Any] = columns[order.key]
            if order.key == "name" and self._database.dialect == "postgresql":
                # By code points, as SQLite has it, whatever the server's language is.
                by = collate(by, "C")
            query = query.order_by(by.asc() if order.ascending else by.desc())
        return query.limit(wanted.limit).offset(wanted.offset)


def _narrowed(
    query: Select[Any],
    wanted: Wanted,
    columns: dict[str, "Column[Any]"],
    tags: tuple[Table, ColumnElement[bool], ColumnElement[bool]],
) -> Select[Any]:
    """`tags`: their table, what joins it to the row, and what joins it to the row's model."""
    table, here, of_model = tags
    by_key: dict[str, list[Comparison]] = defaultdict(list)
    for comparison in wanted.comparisons:
        if comparison.entity == "tag":
            by_key[comparison.key].append(comparison)
        else:
            query = query.where(_holds(columns[comparison.key], comparison))
    if not _asks_for_prompts(wanted.comparisons):
        by_key.pop(IS_PROMPT, None)
        is_prompt = (table.c.key == IS_PROMPT) & (table.c.value == "true")
        query = query.where(~exists().where(of_model, is_prompt))
    for key, comparisons in by_key.items():
        values = [_holds(table.c.value, comparison) for comparison in comparisons]
        query = query.where(exists().where(here, table.c.key == key, *values))
    return query


def _holds(column: "Column[Any]", comparison: Comparison) -> ColumnElement[bool]:
    found: ColumnElement[bool] = getattr(column, _COMPARED[comparison.operator])(comparison.value)
    return found


def _asks_for_prompts(comparisons: Iterable[Comparison]) -> bool:
    """Whether the first condition on MLflow's prompt tag wants prompts."""
    for comparison in comparisons:
        if comparison.entity == "tag" and comparison.key == IS_PROMPT:
            said = (comparison.operator, str(comparison.value).lower())
            return said in {("=", "true"), ("!=", "false")}
    return False
