"""A profile of Parquet files, by DuckDB and numpy."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from athanor.data.logic import profiling
from athanor.data.logic.association import (
    correlation_of,
    correlation_ratio,
    correlations,
    cramers_v,
    decile_codes,
    numbers,
    quantiles,
    telling,
)
from athanor.data.logic.leakage import Codes, class_codes, find_leaks, word_codes
from athanor.data.logic.normalise import column_type
from athanor.data.types import ColumnProfile, Profile, Roles
from athanor.data.work.figures import figures
from athanor.kernel.sqltext import parquet

SAMPLE_ROWS = 100_000
_SEED = 42


def connected(files: Sequence[str], earlier: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the files as the view `source`, in the order of their rows.

    Those of the rows before them, if given, are the view `earlier`.
    """
    connection = duckdb.connect(":memory:", config={"threads": 2})
    connection.execute("SET preserve_insertion_order = true")
    connection.execute("SET TimeZone = 'UTC'")
    for name, paths in (("source", files), ("earlier", earlier)):
        if paths:
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * "  # noqa: S608 - our paths, as literals
                f"FROM {parquet(paths)}"
            )
    return connection


def profile_of(
    connection: duckdb.DuckDBPyConnection, schema: pa.Schema, rows: int, roles: Roles
) -> Profile:
    """The profile of the view `source`."""
    columns = [(field.name, column_type(field.type)) for field in schema]
    answers = _one(connection, profiling.first_pass(columns, rows))
    sample = _sample(connection, rows)
    if rows > profiling.EXACT_ROWS:
        answers |= _sampled_quantiles(columns, sample)
    keys, sql = profiling.figures_query(columns)
    if keys:
        answers |= figures(connection, keys, sql, answers)
    if second := profiling.second_pass(columns, answers):
        answers |= _one(connection, second)
    [(duplicates,)] = connection.execute(profiling.duplicates_query(columns)).fetchall()
    profiles = []
    for place, (name, kind) in enumerate(columns):
        key = f"c{place}"
        top: list[tuple[str, int]] = []
        if f"{key}_values" not in answers and kind == "text":
            top = connection.execute(profiling.top_query(name)).fetchall()
        profiles.append(
            profiling.column_profile(name, kind, key, answers | {f"{key}_top": top}, top)
        )
    leaks = find_leaks(sample, roles.target, ignore=(roles.id,)) if roles.target else []
    return profiling.finished(
        rows=rows,
        columns=_with_target(profiles, sample, roles.target),
        duplicates=int(duplicates),
        target=roles.target,
        leaks=leaks,
        relations=_relations(sample, profiles, roles.target),
    )


def _sampled_quantiles(columns: Sequence[tuple[str, str]], sample: pa.Table) -> dict[str, Any]:
    """Quantiles of each column of numbers, as the first pass gives them of fewer rows."""
    found = {}
    for place, (name, kind) in enumerate(columns):
        if kind in {"integer", "number", "decimal"}:
            values = numbers(sample[name])
            known = np.sort(values[~np.isnan(values)])
            points = quantiles(known, np.array(profiling.QUANTILES)).tolist() if len(known) else []
            found[f"c{place}_quantiles"] = points
    return found


_MOST_CATEGORIES = 30
_RELATED_ROWS = 20_000
_MOST_VALUES = 200
_MOST_PAIRED = 2_000
"""Categories of more values than `_MOST_VALUES` are held against those of few alone."""
_PLOTTED = 500


def _relations(
    sample: pa.Table, profiles: Sequence[ColumnProfile], target: str
) -> profiling.Relations:
    """How columns go together, and rows for scatter plots."""
    distinct = {item.name: item.distinct for item in profiles}
    wide = [item.name for item in profiles
            if item.type in {"text", "boolean"} and 2 <= item.distinct <= _MOST_PAIRED
            and item.semantic != "id"][:_MOST_CATEGORIES]  # fmt: skip
    words = [name for name in wide if distinct[name] <= _MOST_VALUES]
    figures = [item.name for item in profiles
               if item.type in {"integer", "number", "decimal"} and item.semantic != "id"
               and item.distinct > 1][:40]  # fmt: skip
    related = sample.take(_places(sample.num_rows, _RELATED_ROWS))
    codes = {name: word_codes(related[name]) for name in wide}
    pairs = [(first, second) for first, second in combinations(wide, 2)
             if distinct[first] * distinct[second] <= _MOST_VALUES**2]  # fmt: skip
    associations, tells = _associated(codes, pairs)
    values = {name: numbers(related[name]) for name in figures}
    ratios: dict[str, dict[str, float]] = {}
    for word in words:
        for figure in figures:
            eta = correlation_ratio(codes[word], values[figure])
            if eta is not None:
                ratios.setdefault(word, {})[figure] = round(eta, 6)
    shown = dict.fromkeys([*figures, *([target] if target in sample.column_names else [])])
    places = _places(sample.num_rows, _PLOTTED)
    return profiling.Relations(
        correlations=correlations(sample),
        associations=associations,
        telling=tells,
        ratios=ratios,
        sample={
            name: tuple(_plotted(cell) for cell in sample[name].take(places).to_pylist())
            for name in shown
        },
    )


def _associated(
    codes: dict[str, Codes], pairs: Sequence[tuple[str, str]]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Cramer's V of pairs of categories; of the closest, how well each tells the other."""
    associations: dict[str, dict[str, float]] = {}
    tells: dict[str, dict[str, float]] = {}
    for first, second in pairs:
        value = cramers_v(codes[first], codes[second])
        if value is None:
            continue
        associations.setdefault(first, {})[second] = round(value, 6)
        if value >= profiling.NEARLY_ONE:
            for one, other in ((first, second), (second, first)):
                told = telling(codes[one], codes[other])
                if told is not None:
                    tells.setdefault(one, {})[other] = round(told, 6)
    return associations, tells


def _places(rows: int, most: int) -> pa.Array:
    """At most so many places, evenly spread."""
    return pa.array(range(0, rows, max(1, -(-rows // most))), pa.int64())


def _plotted(cell: Any) -> float | str | None:
    if cell is None or isinstance(cell, (str, bool)):
        return None if cell is None else str(cell)
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return str(cell)
    return value if np.isfinite(value) else None


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    cursor = connection.execute(sql)
    names = [item[0] for item in cursor.description or ()]
    # All rows are fetched: an unfinished result would block the connection.
    [row] = cursor.fetchall()
    return dict(zip(names, row, strict=True))


def _sample(connection: duckdb.DuckDBPyConnection, rows: int) -> pa.Table:
    if rows <= SAMPLE_ROWS:
        return connection.sql("SELECT * FROM source").to_arrow_table()
    # Each row is drawn by itself: a reservoir takes four times as long.
    drawn = f"bernoulli({100 * SAMPLE_ROWS / rows:.6f}%) REPEATABLE ({_SEED})"
    sql = f"SELECT * FROM source TABLESAMPLE {drawn}"  # noqa: S608 - constants of ours
    return connection.sql(sql).to_arrow_table()


def _with_target(
    profiles: Sequence[ColumnProfile], sample: pa.Table, target: str
) -> list[ColumnProfile]:
    """The profiles with each column's correlation and association with the target."""
    if not target:
        return list(profiles)
    labels = sample[target]
    classes = class_codes(labels)
    if classes is None:
        try:
            goal = numbers(labels)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return list(profiles)  # words, times, lists: no numbers
    else:
        goal = np.where(labels.is_null().to_numpy(), np.nan, classes.astype(np.float64))
        if len(np.unique(goal[~np.isnan(goal)])) > 2:
            goal = np.full(len(classes), np.nan)
    found = []
    for item in profiles:
        correlation = association = None
        if item.name != target and item.type in {"integer", "number", "decimal"}:
            values = numbers(sample[item.name])
            correlation = correlation_of(values, goal)
            association = None if classes is None else cramers_v(decile_codes(values), classes)
        elif item.name != target and item.type in {"text", "boolean"}:
            codes = word_codes(sample[item.name])
            association = (
                correlation_ratio(codes, goal) if classes is None else cramers_v(codes, classes)
            )
        rounded = None if association is None else round(association, 6)
        found.append(replace(item, correlation=correlation, association=rounded))
    return found
