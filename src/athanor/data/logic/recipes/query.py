"""A planned recipe as one query of DuckDB."""

from collections.abc import Mapping, Sequence

from athanor.data.logic.recipes.forms import sql_of
from athanor.data.logic.recipes.kinds import Kind, Schema
from athanor.data.logic.recipes.operations.joins import table_name
from athanor.data.logic.recipes.plans import Planned
from athanor.data.logic.recipes.table import ROW, Projection, Selection
from athanor.kernel.sqltext import identifier

_NUMBERS = {"HUGEINT", "UBIGINT", "UHUGEINT"}


def kind_of(duckdb_type: str) -> Kind:
    """The kind of a column of a DuckDB type."""
    name = duckdb_type.upper()
    if name.startswith("DECIMAL") or name in _NUMBERS or name in {"DOUBLE", "FLOAT"}:
        return "number"
    if name in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}:
        return "integer"
    known: Mapping[str, Kind] = {
        "BOOLEAN": "boolean",
        "VARCHAR": "text",
        "DATE": "date",
        "TIMESTAMP": "timestamp",
        "TIMESTAMP_NS": "timestamp",
        "TIMESTAMP_MS": "timestamp",
        "TIMESTAMP_S": "timestamp",
        "TIMESTAMP WITH TIME ZONE": "instant",
    }
    return known.get(name, "other")


def read_cell(name: str, kind: Kind) -> str:
    """SQL that reads a stored column as a recipe's."""
    cell = identifier(name)
    if kind == "integer":
        return f"CAST({cell} AS BIGINT)"
    if kind == "number":
        number = f"CAST({cell} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} + 0.0 END"
    if kind in {"date", "timestamp", "instant"}:
        time = f"({cell} AT TIME ZONE 'UTC')" if kind == "instant" else f"CAST({cell} AS TIMESTAMP)"
        return (
            f"CASE WHEN {time} BETWEEN TIMESTAMP '0001-01-01' "
            f"AND TIMESTAMP '9999-12-31 23:59:59.999999' THEN {time} END"
        )
    return cell


def written_cell(name: str, kind: Kind) -> str:
    """SQL that gives a recipe's column in its stored type."""
    cell = identifier(name)
    if kind == "date":
        return f"CAST({cell} AS DATE) AS {cell}"
    if kind == "instant":
        return f"({cell} AT TIME ZONE 'UTC') AS {cell}"
    return cell


def source_of(table: str, schema: Schema) -> str:
    """The query that reads a stored table as a recipe's."""
    cells = ", ".join(f"{read_cell(name, kind)} AS {identifier(name)}"
                      for name, kind in schema.items())  # fmt: skip
    return f"SELECT row_number() OVER () AS {ROW}, {cells} FROM {table}"


def step_sql(step: Planned, table: str) -> str:
    """The query of one step over the table before it."""
    plan = step.plan
    if isinstance(plan, Projection):
        cells = ", ".join(
            identifier(name)
            if item.what == "column" and item.value == name
            else f"{sql_of(item)} AS {identifier(name)}"
            for name, item in plan.columns
        )
        return f"SELECT {ROW}, {cells} FROM {table}"
    if isinstance(plan, Selection):
        return f"SELECT * FROM {table} WHERE {sql_of(plan.condition)}"
    return plan.sql(table)


def with_clause(
    steps: Sequence[Planned], schema: Schema, table: str, others: Mapping[str, tuple[str, Schema]]
) -> str:
    """The recipe's steps as common table expressions: `source`, then `step_1`, `step_2` ..."""
    parts = [f"source AS (\n  {source_of(table, schema)}\n)"]
    parts += [
        f"{table_name(reference)} AS (\n  {source_of(where, columns)}\n)"
        for reference, (where, columns) in others.items()
    ]
    before = "source"
    for step in steps:
        parts.append(f"step_{step.number} AS (\n  {step_sql(step, before)}\n)")
        before = f"step_{step.number}"
    return "WITH " + ",\n".join(parts)


def query_of(
    steps: Sequence[Planned], schema: Schema, table: str, others: Mapping[str, tuple[str, Schema]]
) -> str:
    """The whole recipe as one SELECT, whose rows come in their order."""
    last = f"step_{steps[-1].number}" if steps else "source"
    after = steps[-1].after if steps else schema
    cells = ", ".join(written_cell(name, kind) for name, kind in after.items())
    clause = with_clause(steps, schema, table, others)
    return f"{clause}\nSELECT {cells}\nFROM {last}\nORDER BY {ROW}"
