"""Expectations, tried on the rows of a new version by DuckDB.

The rows are the view `source`; where the version appends, the rows before it are the view
`earlier`. Rows are numbered from 1 in the new file.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

import duckdb

from athanor.data.logic.expectations import allowed_count, is_near
from athanor.data.logic.leakage import SCORE
from athanor.data.types import CheckResult, Expectation
from athanor.data.work.findings import (
    Finding,
    Subject,
    as_text,
    broken,
    first_rows,
    judgeable,
    more,
    shown_number,
)
from athanor.data.work.judges import JUDGES, time_range
from athanor.kernel.sqltext import identifier, literals
from athanor.kernel.wording import counted

_STRANGE = (TypeError, ValueError, LookupError, OverflowError, AttributeError,
            duckdb.ProgrammingError, duckdb.DataError)  # fmt: skip
_TYPE_WORDS = {
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true or false",
    "date": "dates",
    "timestamp": "times",
    "text": "text",
}


def verified(subject: Subject, expectations: Sequence[Expectation]) -> list[CheckResult]:
    """What came of each expectation; ones about absent columns are told by `columns` alone."""
    results = []
    for item in expectations:
        if item.kind != "columns" and item.column and not judgeable(subject, item.column):
            continue
        found = _tried(subject, item)
        results.append(
            CheckResult(
                kind=item.kind,
                column=item.column,
                passed=found.passed,
                severity=item.severity,
                message=found.message,
                count=found.count,
                rows=found.rows,
                left_out=found.left_out,
            )
        )
    return results


def _tried(subject: Subject, item: Expectation) -> Finding:
    """What its judge finds; one that no judge understands, kept long ago, is not fulfilled."""
    told = {name: value for name, value in item.parameters.items() if value is not None}
    try:
        return _JUDGES[item.kind](subject, replace(item, parameters=told))
    except _STRANGE as error:
        words = f"The expectation can't be tried: {' '.join(str(error).split())[:300]}"
        return Finding(passed=False, message=words)


def _columns(subject: Subject, item: Expectation) -> Finding:
    wanted: dict[str, str] = item.parameters.get("columns", {})
    here = {column.name for column in subject.profile.columns}
    parts, count, rows = [], 0, []
    if gone := [name for name in wanted if name not in here]:
        parts.append(f"missing columns: {', '.join(gone)}.")
        count = subject.profile.rows
    for name, (kind, against) in subject.mismatched.items():
        words = _TYPE_WORDS.get(kind, kind)
        count += against.count
        rows += [row for row, _ in against.cells]
        if against.cells:
            row, value = against.cells[0]
            others = f" ({against.count} such cells)" if against.count > 1 else ""
            holds = f"row {row} holds {value[:60]!r}{others}"
            parts.append(f"{name!r} should hold {words}, but {holds}.")
        else:
            parts.append(f"{name!r} should hold {words}, but holds another type throughout.")
    if parts:
        return Finding(passed=False, message=" ".join(parts), count=count, rows=first_rows(rows))
    new = [name for name in here if name not in wanted]
    extra = f" New ones: {', '.join(sorted(new))}." if wanted and new else ""
    return Finding(passed=True, message=f"All {len(wanted)} columns have their types.{extra}")


def _type(subject: Subject, item: Expectation) -> Finding:
    column = subject.profile.column(item.column)
    wanted, found = item.parameters.get("type", ""), column.type if column else ""
    passed = wanted == found or (wanted, found) == ("number", "integer")
    words = f"{item.column!r} holds {found}, {wanted} is expected."
    return Finding(passed=passed, message=words, count=0 if passed else subject.profile.rows)


def _range(subject: Subject, item: Expectation) -> Finding:
    low, high = item.parameters.get("minimum"), item.parameters.get("maximum")
    column = subject.profile.column(item.column)
    if column is not None and column.type in {"date", "timestamp"}:
        return time_range(subject, item)
    if column is not None and column.type == "integer":
        parts = _beyond_whole(identifier(item.column), low, high)
    elif column is not None and column.type == "decimal":
        parts = _beyond_decimal(subject, item.column, low, high)
    else:
        cell = f"CAST({identifier(item.column)} AS DOUBLE)"
        parts = [f"NOT isfinite({cell})"]
        if low is not None:
            parts.append(f"{cell} < CAST('{float(low)!r}' AS DOUBLE)")
        if high is not None:
            parts.append(f"{cell} > CAST('{float(high)!r}' AS DOUBLE)")
    count, rows, values = broken(subject, " OR ".join(parts), item.column)
    bounds = f"between {shown_number(low)} and {shown_number(high)}"
    if count:
        words = f"{item.column!r} should lie {bounds}; row {rows[0]} holds {values[0]}"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    return Finding(passed=True, message=f"{item.column!r} lies {bounds}.")


def _beyond_whole(cell: str, low: Any, high: Any) -> list[str]:
    """Conditions on whole numbers, which a DOUBLE does not tell apart beyond 2^53."""
    most, parts = 1 << 64, ["false"]
    if low is not None:
        parts.append(f"{cell} < CAST('{max(-most, min(most, math.ceil(low)))}' AS HUGEINT)")
    if high is not None:
        parts.append(f"{cell} > CAST('{max(-most, min(most, math.floor(high)))}' AS HUGEINT)")
    return parts


def _beyond_decimal(subject: Subject, name: str, low: Any, high: Any) -> list[str]:
    """Conditions on decimals, of which a DOUBLE loses digits: bounds are rounded to their scale."""
    cell, parts = identifier(name), ["false"]
    query = f"SELECT typeof({cell}) FROM source LIMIT 1"  # noqa: S608
    found = subject.connection.execute(query).fetchone()
    scale = int(str(found[0]).rstrip(")").rpartition(",")[2]) if found else 0
    most = Decimal(10) ** (38 - scale)
    with localcontext(prec=400):
        for bound, sign, rounded in ((low, "<", ROUND_CEILING), (high, ">", ROUND_FLOOR)):
            if bound is None:
                continue
            exact = Decimal(str(bound))
            if abs(exact) >= most:  # no decimal of this scale is so far from nought
                parts += ["true"] if (exact > 0) == (sign == "<") else []
                continue
            told = exact.quantize(Decimal(1).scaleb(-scale), rounding=rounded)
            parts.append(f"{cell} {sign} CAST('{told:f}' AS DECIMAL(38, {scale}))")
    return parts


def _values(subject: Subject, item: Expectation) -> Finding:
    allowed = [str(value) for value in item.parameters.get("values", [])]
    share, total = float(item.parameters.get("other_share", 0.0)), subject.profile.rows
    condition = f"{as_text(item.column)} NOT IN ({literals(allowed or [''])})"
    count, rows, values = broken(subject, condition, item.column)
    if not count:
        return Finding(passed=True, message=f"{item.column!r} has the known values.")
    limit = allowed_count(share, total) if share else 0
    garbled = _garbled(subject, condition, item.column, allowed)
    most = max(limit, total // 2 if share else 0)
    if garbled > limit or count > most:
        kind = "misspelt" if garbled > limit else "unknown"
        words = f"{item.column!r} has {kind} values: row {rows[0]} holds {values[0]!r}"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    words = (
        f"{item.column!r} has new values: {count:,} of {total:,} rows hold others than the known, "
        f"such as {values[0]!r} (row {rows[0]:,}); up to {most:,} may."
    )
    return Finding(passed=True, message=words, count=count)


def _garbled(subject: Subject, condition: str, column: str, allowed: Sequence[str]) -> int:
    """How many rows hold a value that is nearly a known one: another case, a typing error."""
    found = subject.connection.execute(
        f"SELECT {as_text(column)}, count(*) FROM source WHERE {condition} "  # noqa: S608
        "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200"
    ).fetchall()
    return sum(count for value, count in found if is_near(str(value), allowed))


def _missing(subject: Subject, item: Expectation) -> Finding:
    share = float(item.parameters.get("share", 0.0))
    column = subject.profile.column(item.column)
    count, total = (column.missing, column.rows) if column else (0, 0)
    if count > allowed_count(share, total):
        _, rows, _ = broken(subject, f"{identifier(item.column)} IS NULL", item.column)
        found = "in every row" if count == total else f"in {count} of {total} rows"
        words = f"{item.column!r} is missing {found}; at most {share:.0%} is expected."
        return Finding(passed=False, message=words, count=count, rows=rows)
    words = f"{item.column!r} is missing in {counted(count, 'row')}."
    return Finding(passed=True, message=words, count=count)


def _unique(subject: Subject, item: Expectation) -> Finding:
    within = [name for name in item.parameters.get("within", []) if judgeable(subject, name)]
    keys = [identifier(name) for name in (item.column, *within)]
    listed = ", ".join(keys)
    repeated = (
        f"({listed}) IN (SELECT ({listed}) FROM source WHERE {keys[0]} IS NOT NULL "  # noqa: S608
        f"GROUP BY {listed} HAVING count(*) > 1)"
    )
    count, rows, values = broken(subject, repeated, item.column)
    named = " and ".join(repr(name) for name in (item.column, *within))
    if count:
        words = f"{named} should be unique, but {values[0]!r} stands in more than one row"
        return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    if subject.appended:
        known = f"({listed}) IN (SELECT ({listed}) FROM earlier)"  # noqa: S608
        count, rows, values = broken(subject, known, item.column)
        if count:
            words = f"{named} should be unique, but {values[0]!r} (row {rows[0]}) was there before"
            return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    return Finding(passed=True, message=f"{named} is unique.")


def _duplicates(subject: Subject, item: Expectation) -> Finding:
    share, total = float(item.parameters.get("share", 0.0)), subject.profile.rows
    count = subject.profile.duplicates
    if count <= allowed_count(share, total):
        return Finding(
            passed=True, message=f"{counted(count, 'row', 'repeat')} another.", count=count
        )
    cells = ", ".join(identifier(column.name) for column in subject.profile.columns)
    found = subject.connection.execute(
        f"SELECT r FROM (SELECT row_number() OVER () AS r, hash({cells}) AS h FROM source) "  # noqa: S608
        "QUALIFY row_number() OVER (PARTITION BY h ORDER BY r) > 1 ORDER BY r LIMIT 20"
    ).fetchall()
    words = f"{count} of {total} rows repeat another row; at most {share:.0%} is expected."
    return Finding(
        passed=False, message=words, count=count, rows=tuple(int(row) for (row,) in found)
    )


def _rows(subject: Subject, item: Expectation) -> Finding:
    wanted = 1 if subject.appended else int(item.parameters.get("minimum", 1))
    found, most = subject.profile.rows, item.parameters.get("maximum")
    if most is not None and subject.whole.rows > int(most):
        words = f"{subject.whole.rows} rows; at most {int(most)} are expected."
        return Finding(passed=False, message=words)
    return Finding(passed=found >= wanted, message=f"{found} rows; at least {wanted} are expected.")


def _label(subject: Subject, item: Expectation) -> Finding:
    column = subject.profile.column(item.column)
    if column is None:
        return Finding(passed=True, message="No target.")
    share = float(item.parameters.get("share", 0.0))
    nothing = column.missing == column.rows and not subject.appended
    if nothing or column.missing > (allowed_count(share, column.rows) if share else 0):
        _, rows, _ = broken(subject, f"{identifier(item.column)} IS NULL", item.column)
        found = "every row" if column.missing == column.rows else counted(column.missing, "row")
        words = f"The target {item.column!r} is missing in {found} (first: row {rows[0]})."
        return Finding(passed=False, message=words, count=column.missing, rows=rows)
    if allowed := [str(value) for value in item.parameters.get("values", [])]:
        condition = f"{as_text(item.column)} NOT IN ({literals(allowed)})"
        count, rows, values = broken(subject, condition, item.column)
        if count:
            words = (
                f"The target {item.column!r} has an unknown label: row {rows[0]} holds "
                f"{values[0]!r}, known are {', '.join(map(repr, allowed[:10]))}"
            )
            return Finding(passed=False, message=more(words, count), count=count, rows=rows)
    if column.distinct < 2 and not subject.appended:
        value = column.top[0].value if column.top else column.minimum
        words = f"The target {item.column!r} has one value only ({value!r}): nothing to learn."
        return Finding(passed=False, message=words, count=column.rows, rows=(1,))
    return Finding(passed=True, message=f"The target {item.column!r} is known and well-formed.")


def _leakage(subject: Subject, item: Expectation) -> Finding:
    score = float(item.parameters.get("score", SCORE))
    leaks = [leak for leak in subject.whole.leaks if leak.score >= score]
    if not leaks:
        return Finding(passed=True, message=f"No column tells {item.column!r} by itself.")
    words = " ".join(leak.reason for leak in leaks) + " Training leaves it out."
    return Finding(passed=False, message=words, left_out=tuple(leak.column for leak in leaks))


_JUDGES: dict[str, Callable[[Subject, Expectation], Finding]] = {
    "columns": _columns,
    "type": _type,
    "range": _range,
    "values": _values,
    "missing": _missing,
    "unique": _unique,
    "duplicates": _duplicates,
    "rows": _rows,
    "label": _label,
    "leakage": _leakage,
    **JUDGES,
}
