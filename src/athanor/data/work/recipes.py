"""Recipes carried out by DuckDB: fit, preview, apply, compile, and the three forms compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors.recipes import RecipeFailed
from athanor.data.logic.recipes import query
from athanor.data.logic.recipes.frames import script_of
from athanor.data.logic.recipes.kinds import Kind, Schema
from athanor.data.logic.recipes.operations.joins import table_name
from athanor.data.logic.recipes.plans import Planned, Surroundings, planned, words_of
from athanor.data.logic.recipes.rows import all_rows, given_out, taken_in
from athanor.data.logic.recipes.table import ROW, Projection
from athanor.data.types import Roles
from athanor.data.types.recipes import ColumnEffect, RecipeColumn, Step, StepEffect
from athanor.data.work.plain import plain_value
from athanor.data.work.profile import profile_of
from athanor.kernel.sqltext import identifier, literal, parquet
from athanor.lineage.logic.digests import table_digest

INPUT = "input"
_PLACE = "__athanor_place"
_ARROW: Mapping[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Where a dataset's version lies."""

    name: str
    """NAME@N."""
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A recipe and what it is to be tried on."""

    steps: tuple[Step, ...]
    table: Table
    others: dict[str, Table]
    """By the reference that the steps name."""
    learned: dict[str, dict[str, Any]]
    memory_mb: int = 2_048


class Kitchen:
    """A DuckDB with a dataset and the others that a recipe names."""

    def __init__(self, work: Work, sample: int | None = None) -> None:
        self.work = work
        self.connection = duckdb.connect(":memory:", config={"threads": 2})
        self.connection.execute("SET preserve_insertion_order = true")
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"SET memory_limit = '{int(work.memory_mb)}MB'")
        self.rows = self._view(INPUT, work.table, sample)
        self.schema = self._schema(INPUT)
        self.others: dict[str, tuple[str, Schema]] = {}
        for place, (reference, table) in enumerate(work.others.items()):
            name = f"input_{place + 2}"
            self._view(name, table, None)
            self.others[reference] = (name, self._schema(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def steps(self) -> list[Planned]:
        """The recipe's steps, those that learn having learnt."""
        return planned(self.work.steps, self.surroundings(), self._learn)

    def surroundings(self, *, rows: bool = False) -> Surroundings:
        """What the recipe meets; with the rows of the other datasets if asked for."""
        tables = {reference: schema for reference, (_, schema) in self.others.items()}
        others = {
            reference: self.cells(name, schema) if rows else []
            for reference, (name, schema) in self.others.items()
        }
        return Surroundings(
            schema=self.schema, tables=tables, learned=self.work.learned, others=others
        )

    def query(self, steps: Sequence[Planned]) -> str:
        """The whole recipe as one query."""
        return query.query_of(steps, self.schema, INPUT, self.others)

    def cells(self, table: str, schema: Schema) -> list[dict[str, Any]]:
        """The rows of a view as the row-by-row form takes them."""
        found = self.connection.sql(f"SELECT * FROM {table}").to_arrow_table()  # noqa: S608
        rows = found.to_pylist()
        return [
            {name: taken_in(_scalar(row[name]), kind, place, name) for name, kind in schema.items()}
            for place, row in enumerate(rows, 1)
        ]

    def _view(self, name: str, table: Table, sample: int | None) -> int:
        reading = f"SELECT * FROM {parquet(table.files)}"  # noqa: S608 - our files
        self.connection.execute(f"CREATE VIEW {name} AS {reading}")
        [(rows,)] = self.connection.execute(f"SELECT count(*) FROM {name}").fetchall()  # noqa: S608
        if sample is not None and rows > sample:
            # As many rows as are asked for, spread evenly over the table, the first among them.
            self.connection.execute(
                f"CREATE OR REPLACE VIEW {name} AS SELECT * EXCLUDE ({_PLACE}) FROM "  # noqa: S608
                f"(SELECT *, row_number() OVER () AS {_PLACE} FROM ({reading})) "
                f"WHERE (({_PLACE} - 1) * {sample}) % {rows} < {sample}"
            )
            rows = sample
        return int(rows)

    def _schema(self, name: str) -> dict[str, Kind]:
        found = self.connection.execute(f"DESCRIBE {name}").fetchall()
        return {row[0]: query.kind_of(row[1]) for row in found}

    def _learn(
        self, number: int, wanted: Mapping[str, str], before: Sequence[Planned]
    ) -> Mapping[str, Any]:
        del number
        if not wanted:
            return {}
        table = f"step_{before[-1].number}" if before else "source"
        clause = query.with_clause(before, self.schema, INPUT, self.others)
        cells = ", ".join(
            f"{sql.replace('{table}', table)} AS {identifier(key)}" for key, sql in wanted.items()
        )
        cursor = self.connection.execute(f"{clause}\nSELECT count(*) AS n, {cells} FROM {table}")
        names = [item[0] for item in cursor.description or ()]
        [row] = cursor.fetchall()
        return {name: learnt(v) for name, v in zip(names[1:], row[1:], strict=True)}


def learnt(value: Any) -> Any:
    """What DuckDB learnt as JSON knows it: numbers that are not finite are None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [learnt(item) for item in value]
    if isinstance(value, dict):
        return {key: learnt(item) for key, item in value.items()}
    return value


def fit(work: dict[str, Any]) -> dict[str, Any]:
    """What the recipe learns from the table, and the columns before and after it.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work) as kitchen:
        steps = _tried(kitchen.steps)
        # The query is bound, so that what DuckDB refuses is told now.
        _tried(lambda: kitchen.connection.execute(f"EXPLAIN {kitchen.query(steps)}"))
        return _about(kitchen, steps)


def apply(work: dict[str, Any], into: str) -> dict[str, Any]:
    """Write what the recipe makes of the table as a Parquet file.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work) as kitchen:
        steps = _tried(kitchen.steps)
        sql = kitchen.query(steps)
        target = literal(into)
        _tried(lambda: kitchen.connection.execute(f"COPY ({sql}) TO {target} (FORMAT parquet)"))
        about = _about(kitchen, steps)
    with pq.ParquetFile(into) as made:
        rows, schema = made.metadata.num_rows, made.schema_arrow
        reader = pa.RecordBatchReader.from_batches(schema, made.iter_batches())
        digest = table_digest(reader)
    return about | {"rows": rows, "digest": digest, "size": Path(into).stat().st_size}


def preview(work: dict[str, Any], sample: int, shown: int) -> dict[str, Any]:
    """The recipe on a sample, step by step.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work, sample) as kitchen:
        found: dict[str, Any] = _tried(lambda: _previewed(kitchen, shown))
        return found


def _previewed(kitchen: Kitchen, shown: int) -> dict[str, Any]:
    run = kitchen.connection.execute
    run(f"CREATE TEMP TABLE source AS {query.source_of(INPUT, kitchen.schema)}")
    for reference, (name, schema) in kitchen.others.items():
        table = table_name(reference)
        run(f"CREATE TEMP TABLE {table} AS {query.source_of(name, schema)}")
    steps = kitchen.steps()
    table, before, effects = "source", _stats(kitchen, "source", kitchen.schema), []
    for step, asked in zip(steps, kitchen.work.steps, strict=True):
        run(f"CREATE TEMP TABLE step_{step.number} AS {query.step_sql(step, table)}")
        table = f"step_{step.number}"
        after = _stats(kitchen, table, step.after)
        effects.append(
            StepEffect(
                number=step.number,
                operation=step.operation.name,
                words=words_of(asked),
                rows_before=before[""]["rows"],
                rows_after=after[""]["rows"],
                columns=_effects(step, before, after),
                learned=dict(step.learned),
            )
        )
        before = after
    last: Schema = steps[-1].after if steps else kitchen.schema
    cells = ", ".join(query.written_cell(name, kind) for name, kind in last.items())
    run(f"CREATE TEMP TABLE made AS SELECT {cells} FROM {table} ORDER BY {ROW}")  # noqa: S608
    if table != "source":
        run("DROP TABLE source")
    found = kitchen.connection.sql("SELECT * FROM made").limit(shown).to_arrow_table()
    profile = _profile(kitchen)
    return {
        "sampled": kitchen.rows,
        "columns": [asdict(RecipeColumn(name=n, kind=k)) for n, k in last.items()],
        "rows": [
            {name: plain_value(_scalar(value)) for name, value in row.items()}
            for row in found.to_pylist()
        ],
        "steps": [asdict(effect) for effect in effects],
        "profile": profile,
    }


def _profile(kitchen: Kitchen) -> Any:
    """The profile of the table `made`."""
    made = kitchen.connection.sql("SELECT * FROM made").to_arrow_table()
    with duckdb.connect(":memory:", config={"threads": 2}) as other:
        other.execute("SET TimeZone = 'UTC'")
        other.register("made_rows", made)
        other.execute("CREATE VIEW source AS SELECT * FROM made_rows")
        found = profile_of(other, made.schema, made.num_rows, Roles())
    return msgspec.to_builtins(found)


def _stats(kitchen: Kitchen, table: str, schema: Schema) -> dict[str, dict[str, Any]]:
    """Of each column, and of the table under ""."""
    parts = ["count(*)"]
    for name, kind in schema.items():
        cell = identifier(name)
        ordered = kind not in {"boolean", "other"}
        parts += [
            f"count({cell})",
            f"count(DISTINCT {cell})" if kind != "other" else "NULL",
            f"avg(CAST({cell} AS DOUBLE))" if kind in {"integer", "number"} else "NULL",
            f"min({cell})" if ordered else "NULL",
            f"max({cell})" if ordered else "NULL",
        ]
    [row] = kitchen.connection.execute(f"SELECT {', '.join(parts)} FROM {table}").fetchall()  # noqa: S608
    rows = int(row[0])
    found: dict[str, dict[str, Any]] = {"": {"rows": rows}}
    for place, (name, kind) in enumerate(schema.items()):
        known, distinct, mean, low, high = row[1 + 5 * place : 6 + 5 * place]
        found[name] = {
            "kind": kind,
            "missing": rows - known,
            "distinct": distinct,
            "mean": learnt(mean),
            "minimum": _bound(low),
            "maximum": _bound(high),
        }
    return found


def _bound(value: Any) -> float | str | None:
    plain = plain_value(value)
    if plain is None or isinstance(plain, str):
        return plain if plain is None else plain[:100]
    return float(plain)


def _effects(
    step: Planned, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[ColumnEffect, ...]:
    found = []
    written = set(step.after)
    if isinstance(step.plan, Projection):
        written = {
            name
            for name, item in step.plan.columns
            if not (item.what == "column" and item.value == name)
        }
    figures = ("kind", "missing", "distinct", "mean", "minimum", "maximum")
    for name in dict.fromkeys((*step.before, *step.after)):
        old, new = before.get(name, {}), after.get(name, {})
        if old and new and (name not in written or _alike(old, new)):
            continue
        change = "changed" if old and new else "added" if new else "removed"
        sides = {f"{key}_before": old.get(key) for key in figures}
        sides |= {f"{key}_after": new.get(key) for key in figures}
        for side in ("kind_before", "kind_after"):
            sides[side] = sides[side] or ""
        found.append(msgspec.convert({"column": name, "change": change} | sides, ColumnEffect))
    return tuple(found)


def _alike(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a column is as it was: two sums in another order differ in their last digits."""
    means = old["mean"], new["mean"]
    if means[0] != means[1] and (None in means or not math.isclose(*means, rel_tol=1e-9)):
        return False
    return dict(old, mean=None) == dict(new, mean=None)


def compiled(work: dict[str, Any], form: str, title: str) -> str:
    """The recipe as SQL over `"NAME@N"`, or as a pandas script.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work) as kitchen:
        steps = _tried(kitchen.steps)
        if form == "pandas":
            tables = {reference: schema for reference, (_, schema) in kitchen.others.items()}
            return script_of(title, steps, kitchen.work.steps, kitchen.schema, tables)
        named = {
            reference: (identifier(kitchen.work.others[reference].name), schema)
            for reference, (_, schema) in kitchen.others.items()
        }
        table = identifier(kitchen.work.table.name)
        return f"-- {title}\n{query.query_of(steps, kitchen.schema, table, named)}\n"


def verify(work: dict[str, Any], *, by_row: bool = True) -> dict[str, Any]:
    """The digests of what SQL, pandas and the row-by-row form make of the table.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work) as kitchen:
        steps = _tried(kitchen.steps)
        made = _tried(lambda: kitchen.connection.sql(kitchen.query(steps)).to_arrow_table())
        after = steps[-1].after if steps else kitchen.schema
        found = {"rows": made.num_rows, "sql": table_digest(normal(made, after)), "by_row": ""}
        found["pandas"] = table_digest(normal(by_pandas(kitchen, steps), after))
        if by_row:
            found["by_row"] = table_digest(normal(by_rows(kitchen, made), after))
        return found


def parity(work: dict[str, Any], sample: int) -> dict[str, int]:
    """Prepare a sample by the query and row by row; how many rows differ in a byte.

    Raises: UnknownOperation, BadStep, RecipeFailed.
    """
    with _kitchen(work, sample) as kitchen:
        steps = _tried(kitchen.steps)
        made = _tried(lambda: kitchen.connection.sql(kitchen.query(steps)).to_arrow_table())
        after = steps[-1].after if steps else kitchen.schema
        left, right = normal(made, after), normal(by_rows(kitchen, made), after)
        if table_digest(left) == table_digest(right):
            return {"rows": left.num_rows, "differing": 0}
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return {"rows": left.num_rows, "differing": max(1, sum(a != b for a, b in pairs))}


def by_pandas(kitchen: Kitchen, steps: Sequence[Planned]) -> pa.Table:
    """What the exported pandas script makes of the table."""
    tables = {reference: schema for reference, (_, schema) in kitchen.others.items()}
    code = script_of("verified", steps, kitchen.work.steps, kitchen.schema, tables)
    names: dict[str, Any] = {"__name__": "recipe"}
    # Our own code, written from checked steps: names and values stand in it as literals.
    exec(compile(code, "recipe.py", "exec"), names)  # noqa: S102
    frames = {
        reference: names["load"](_arrow(kitchen, name), dict(schema))
        for reference, (name, schema) in kitchen.others.items()
    }
    frame = names["load"](_arrow(kitchen, INPUT), dict(kitchen.schema))
    made: pa.Table = names["arrow"](names["recipe"](frame, frames))
    return made


def by_rows(kitchen: Kitchen, like: pa.Table) -> pa.Table:
    """What the row-by-row form makes of the table, in the types of `like`."""
    around = kitchen.surroundings(rows=True)
    steps = planned(kitchen.work.steps, around, kitchen._learn)  # noqa: SLF001 - one of its own
    rows = all_rows(steps, kitchen.cells(INPUT, kitchen.schema))
    after = steps[-1].after if steps else kitchen.schema
    columns = []
    for name, kind in after.items():
        cells = [given_out(row[name], kind) for row in rows]
        columns.append(pa.array(cells, _ARROW.get(kind) or like.schema.field(name).type))
    return pa.table(columns, names=list(after))


def normal(table: pa.Table, schema: Schema) -> pa.Table:
    """A result in the types that recipes write."""
    fields = [
        pa.field(name, _ARROW.get(kind) or table.schema.field(name).type)
        for name, kind in schema.items()
    ]
    return table.select(list(schema)).cast(pa.schema(fields))


def _arrow(kitchen: Kitchen, name: str) -> pa.Table:
    return kitchen.connection.sql(f"SELECT * FROM {name}").to_arrow_table()  # noqa: S608


def _scalar(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _kitchen(work: dict[str, Any], sample: int | None = None) -> Kitchen:
    return Kitchen(msgspec.convert(work, Work), sample)


def _about(kitchen: Kitchen, steps: Sequence[Planned]) -> dict[str, Any]:
    after = steps[-1].after if steps else kitchen.schema
    return {
        "source": [asdict(RecipeColumn(name=n, kind=k)) for n, k in kitchen.schema.items()],
        "columns": [asdict(RecipeColumn(name=n, kind=k)) for n, k in after.items()],
        "learned": {
            str(step.number): dict(step.learned)
            for step in steps
            if step.operation.learn is not None
        },
    }


def _tried(function: Any) -> Any:
    try:
        return function()
    except duckdb.Error as error:
        raise RecipeFailed(" ".join(str(error).split())[:400]) from error
