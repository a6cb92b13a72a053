"""Expectations beyond single values: patterns, lengths, figures, other tables, time, SQL."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np

from athanor.data.errors import BadQuery, NotReadOnly, QueryTooLarge, UnknownRelation
from athanor.data.logic.expectations import allowed_count
from athanor.data.logic.profiling import unused
from athanor.data.logic.queries import read_query
from athanor.data.logic.recipes.patterns import Unfit, checked_pattern, for_sql
from athanor.data.types import Expectation
from athanor.data.work import sql as user_sql
from athanor.data.work import stability
from athanor.data.work.findings import (
    Finding,
    Subject,
    as_text,
    broken,
    judgeable,
    more,
    shown_number,
)
from athanor.kernel.sqltext import identifier, literal, parquet
from athanor.kernel.wording import counted

_SQL_ROWS = 1_000
_SQL_MEMORY_MB = 1_024


def time_range(subject: Subject, item: Expectation) -> Finding:
    """Times between two bounds, both included; `now` is the time of the check."""
    bounds = [_moment(item.parameters.get(name), item) for name in ("minimum", "maximum")]
    cell = f"CAST({identifier(item.column)} AS TIMESTAMP)"
    parts = [
        f"{cell} {sign} TIMESTAMP '{bound}'"
        for sign, bound in zip("<>", bounds, strict=True)
        if bound
    ]
    if not parts:
        return Finding(passed=True, message=f"{item.column!r} has no bounds.")
    count, rows, values = broken(subject, " OR ".join(parts), item.column)
    words = f"{item.column!r} should lie between {bounds[0] or 'any'} and {bounds[1] or 'any'}"
    if count:
        words = f"{words}; row {rows[0]} holds {values[0]}"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    return Finding(passed=True, message=f"{words}, and does.")


def _moment(value: Any, item: Expectation) -> str:
    if value in {None, ""}:
        return ""
    told = _now(item) if value == "now" else datetime.fromisoformat(str(value))
    plain = told.astimezone(UTC).replace(tzinfo=None) if told.tzinfo else told
    return plain.isoformat(sep=" ")


def _now(item: Expectation) -> datetime:
    given = item.parameters.get("now")
    return datetime.fromisoformat(given) if given else datetime.now(UTC)


def _pattern(subject: Subject, item: Expectation) -> Finding:
    try:
        pattern = for_sql(checked_pattern(str(item.parameters.get("pattern", ""))))
    except Unfit as error:
        return Finding(passed=False, message=f"The pattern can't be used: {error}.")
    # Whole values are meant, as pandera's and Great Expectations' patterns mean their beginnings.
    condition = f"NOT regexp_matches({as_text(item.column)}, {literal(pattern)})"
    return _shared(subject, item, condition, f"should match {item.parameters['pattern']!r}")


def _length(subject: Subject, item: Expectation) -> Finding:
    low, high = item.parameters.get("minimum"), item.parameters.get("maximum")
    size = f"length({as_text(item.column)})"
    parts = [f"{size} < {int(low)}"] if low is not None else []
    parts += [f"{size} > {int(high)}"] if high is not None else []
    words = f"should have {shown_number(low)} to {shown_number(high)} characters"
    return _shared(subject, item, " OR ".join(parts) or "false", words)


def _compare(subject: Subject, item: Expectation) -> Finding:
    other, sign = str(item.parameters.get("other", "")), str(item.parameters.get("operator", "<="))
    if not judgeable(subject, other):
        return Finding(passed=False, message=f"There is no column {other!r} to compare with.")
    condition = f"NOT ({identifier(item.column)} {_SIGNS[sign]} {identifier(other)})"
    return _shared(subject, item, condition, f"should be {sign} {other!r}")


_SIGNS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "=", "==": "=", "!=": "<>", "<>": "<>"}


def _shared(subject: Subject, item: Expectation, condition: str, words: str) -> Finding:
    """Whether at most a share of the rows breaks a condition."""
    share, total = float(item.parameters.get("other_share", 0.0)), subject.profile.rows
    count, rows, values = broken(subject, condition, item.column)
    if count > (allowed_count(share, total) if share else 0):
        words = f"{item.column!r} {words}; row {rows[0]} holds {values[0][:60]!r}"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    words = f"{item.column!r} {words}; not so in {counted(count, 'row')}."
    return Finding(passed=True, message=words, count=count)


def _together(subject: Subject, item: Expectation) -> Finding:
    columns = [str(name) for name in item.parameters.get("columns", [])]
    gone = [name for name in columns if not judgeable(subject, name)]
    if gone or not columns:
        return Finding(passed=False, message=f"There is no column {gone[0] if gone else ''!r}.")
    keys = ", ".join(map(identifier, columns))
    named = " and ".join(map(repr, columns))
    repeated = (
        f"({keys}) IN (SELECT ({keys}) FROM source GROUP BY {keys} "  # noqa: S608 - quoted names
        "HAVING count(*) > 1)"
    )
    count, rows, _ = broken(subject, repeated, columns[0])
    if not count and subject.appended:
        before = f"({keys}) IN (SELECT ({keys}) FROM earlier)"  # noqa: S608 - quoted names
        count, rows, _ = broken(subject, before, columns[0])
    if count:
        words = f"{named} should be unique together; row {rows[0]} repeats another"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    return Finding(passed=True, message=f"{named} are unique together.")


def _distinct(subject: Subject, item: Expectation) -> Finding:
    column = subject.whole.column(item.column)
    return _between(item, column.distinct if column else 0, "different values")


_STATISTICS = {
    "mean": "avg({cell})",
    "median": "quantile_cont({cell}, 0.5)",
    "sd": "stddev_samp({cell})",
    "sum": "sum({cell})",
    "minimum": "min({cell})",
    "maximum": "max({cell})",
}


def _statistic(subject: Subject, item: Expectation) -> Finding:
    name = str(item.parameters.get("statistic", "mean"))
    cell = f"CAST({identifier(item.column)} AS DOUBLE)"
    sql = _STATISTICS[name].format(cell=cell)
    [(found,)] = subject.connection.execute(f"SELECT {sql} FROM source").fetchall()  # noqa: S608
    if found is None:
        return Finding(passed=True, message=f"{item.column!r} holds nothing.")
    return _between(item, float(found), f"as its {name}")


def _between(item: Expectation, found: float, words: str) -> Finding:
    low, high = item.parameters.get("minimum"), item.parameters.get("maximum")
    passed = (low is None or found >= low) and (high is None or found <= high)
    bounds = f"{shown_number(low)} to {shown_number(high)} is expected"
    return Finding(passed=passed, message=f"{item.column!r} has {found:g} {words}; {bounds}.")


def _foreign_key(subject: Subject, item: Expectation) -> Finding:
    there = str(item.parameters.get("column") or item.column)
    reference = str(item.parameters.get("dataset", ""))
    if (table := _other(subject, item)) is None:
        return Finding(passed=False, message=f"There is no dataset {reference!r} to look into.")
    try:
        cell = f"{table}.{identifier(there)}"
        known = f"SELECT CAST({cell} AS VARCHAR) FROM {table} WHERE {cell} IS NOT NULL"  # noqa: S608
        condition = (
            f"{identifier(item.column)} IS NOT NULL AND {as_text(item.column)} NOT IN ({known})"
        )
        return _shared(subject, item, condition, f"should stand in {reference}.{there}")
    except duckdb.BinderException:
        return Finding(passed=False, message=f"{reference!r} has no column {there!r}.")


def _other(subject: Subject, item: Expectation) -> str | None:
    """The view of another dataset's rows; None where there is none."""
    files = item.parameters.get("files")
    if not files:
        return None
    subject.connection.execute(
        f"CREATE OR REPLACE TEMP VIEW other_table AS SELECT * FROM {parquet(files)}"  # noqa: S608
    )
    return "other_table"


def _freshness(subject: Subject, item: Expectation) -> Finding:
    hours = float(item.parameters.get("hours", 24.0))
    cell = f"max(CAST({identifier(item.column)} AS TIMESTAMP))"
    [(newest,)] = subject.connection.execute(f"SELECT {cell} FROM source").fetchall()  # noqa: S608
    if newest is None:
        return Finding(passed=False, message=f"{item.column!r} holds no time at all.")
    now = _now(item).astimezone(UTC).replace(tzinfo=None)
    age = (now - newest).total_seconds() / 3600
    words = f"The newest {item.column!r} is {newest} (UTC), {age:.1f} hours old"
    return Finding(passed=age <= hours, message=f"{words}; at most {hours:g} are expected.")


def _distribution(subject: Subject, item: Expectation) -> Finding:
    """The population stability index or the Kolmogorov-Smirnov distance to a reference."""
    reference = str(item.parameters.get("reference", ""))
    limit = float(item.parameters.get("maximum", 0.25))
    measure = str(item.parameters.get("measure", "psi"))
    if (table := _other(subject, item)) is None:
        return Finding(passed=False, message=f"There is no dataset {reference!r} to compare with.")
    column = subject.profile.column(item.column)
    numeric = column is not None and column.type in {"integer", "number", "decimal"}
    try:
        sides = [_shares(subject, name, item.column, numeric=numeric)
                 for name in (table, "source")]  # fmt: skip
    except duckdb.BinderException:
        return Finding(passed=False, message=f"{reference!r} has no column {item.column!r}.")
    if not sum(sides[0].values()) or not sum(sides[1].values()):
        return Finding(passed=False, message=f"{item.column!r} holds nothing to compare.")
    if measure == "psi":
        known = [sum(side.values()) for side in sides]
        missing = _rows(subject, table) - known[0], _rows(subject, "source") - known[1]
        found = _stability(sides[0], sides[1], missing)
    else:
        found = _ks(*sides)
    words = f"{item.column!r} differs from {reference} by {measure} {found:.3f}"
    return Finding(passed=found <= limit, message=f"{words}; at most {limit:g} is expected.")


def _rows(subject: Subject, table: str) -> int:
    [(count,)] = subject.connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608
    return int(count)


def _shares(subject: Subject, table: str, column: str, *, numeric: bool) -> dict[Any, int]:
    """Values in their order, and how often each stands."""
    cell = f"CAST({identifier(column)} AS {'DOUBLE' if numeric else 'VARCHAR'})"
    known = f"isfinite({cell})" if numeric else f"{cell} IS NOT NULL"
    sql = f"SELECT {cell}, count(*) FROM {table} WHERE {known} GROUP BY 1 ORDER BY 1"  # noqa: S608
    return dict(subject.connection.execute(sql).fetchall())


def _stability(
    before: Mapping[Any, int], after: Mapping[Any, int], missing: tuple[int, int]
) -> float:
    if not isinstance(next(iter(before)), float):
        words = stability.frequent(before)
        sides = [stability.worded(words, side, sum(side.values())) for side in (before, after)]
        return stability.index(sides[0], sides[1], missing)
    values = [np.array(list(side)) for side in (before, after)]
    counts = [np.array(list(side.values())) for side in (before, after)]
    edges = stability.deciles(values[0], counts[0])
    sides = [stability.tallied(edges, *side) for side in zip(values, counts, strict=True)]
    return stability.index(sides[0], sides[1], missing)


def _ks(before: Mapping[Any, int], after: Mapping[Any, int]) -> float:
    """The greatest distance of the two distribution functions; of words, of any set of them."""
    values = sorted({*before, *after})
    sides = [np.array([side.get(value, 0) for value in values], dtype=float)
             for side in (before, after)]  # fmt: skip
    first, second = (side / side.sum() for side in sides)
    if isinstance(values[0], float):
        return float(np.abs(np.cumsum(first) - np.cumsum(second)).max())
    return float(np.abs(first - second).sum() / 2)


def _sql(subject: Subject, item: Expectation) -> Finding:
    """SQL of the user's, which reads the table `data` and nothing else."""
    condition, query = item.parameters.get("condition"), item.parameters.get("query")
    row = unused("row_number", (column.name for column in subject.profile.columns))
    numbered = f"(SELECT row_number() OVER () AS {row}, * FROM data)"  # noqa: S608 - our name
    asked = str(query or f"SELECT {row} FROM {numbered} WHERE NOT ({condition})")  # noqa: S608
    try:
        reads = read_query(asked)
        if strange := [name for name in reads.names if name.casefold() != "data"
                       and name not in reads.local]:  # fmt: skip
            return Finding(passed=False, message=f"The SQL reads {strange[0]!r}: only `data` is "
                           "at hand.")  # fmt: skip
        tables = {"data": {"parquet": list(subject.files), "jsonl": [], "rows": [], "sql": "",
                           "columns": []}}  # fmt: skip
        found = user_sql.run(reads.sql, tables, _SQL_ROWS, _SQL_MEMORY_MB)
    except (BadQuery, NotReadOnly, QueryTooLarge, UnknownRelation) as error:
        return Finding(passed=False, message=f"The SQL can't be tried: {error.message}")
    count = len(found["rows"])
    more_than = "more than " if found["truncated"] else ""
    what = str(query or condition)[:120]
    if not count:
        return Finding(passed=True, message=f"Every row fulfils: {what}")
    rows: tuple[int, ...] = ()
    if found["columns"][:1] == [row if condition else "row_number"]:
        rows = tuple(int(row[0]) for row in found["rows"][:20])
    words = f"{more_than}{counted(count, 'row', 'break')}: {what}"
    return Finding(passed=False, message=words, count=count, rows=rows)


JUDGES: dict[str, Callable[[Subject, Expectation], Finding]] = {
    "pattern": _pattern,
    "length": _length,
    "compare": _compare,
    "unique_together": _together,
    "distinct": _distinct,
    "statistic": _statistic,
    "foreign_key": _foreign_key,
    "freshness": _freshness,
    "distribution": _distribution,
    "sql": _sql,
}
