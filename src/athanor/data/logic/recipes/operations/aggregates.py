"""What groups of cells come to: functions, their kinds and their SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from athanor.data.logic.recipes.kinds import NUMERIC, PLAIN, RESERVED, WORDS, Kind
from athanor.data.logic.recipes.table import ROW, Context
from athanor.kernel.sqltext import identifier

_CELL, _PAIR = f"{RESERVED}cell", f"{RESERVED}pair"
FUNCTIONS: Mapping[str, str] = {
    "rows": "rows, whatever they hold",
    "count": "known cells",
    "distinct": "different known cells",
    "sum": "the sum",
    "mean": "the mean",
    "median": "the median",
    "sd": "the sample standard deviation",
    "minimum": "the least",
    "maximum": "the greatest",
    "first": "the first known one",
    "last": "the last known one",
    "any": "whether any is true",
    "all": "whether all are true",
}


def kind_of(step: Context, function: str, column: str) -> Kind:
    """The kind of what cells of a column come to.

    Raises: BadStep where the function does not take the column.
    """
    if function not in FUNCTIONS:
        raise step.wrong(f"there is no function {function!r}; there are {', '.join(FUNCTIONS)}.")
    if function == "rows":
        return "integer"
    if column not in step.schema:
        raise step.wrong(f"there is no column {column!r}.")
    kind = step.schema[column]
    numeric = function in {"sum", "mean", "median", "sd"}
    if numeric and kind not in NUMERIC:
        raise step.wrong(f"{function} takes numbers; {column!r} holds {WORDS[kind]}.")
    if function in {"any", "all"} and kind != "boolean":
        raise step.wrong(f"{function} takes true and false; {column!r} holds {WORDS[kind]}.")
    if kind not in PLAIN:
        raise step.wrong(f"{column!r} holds nested values, of which only rows are counted.")
    if function in {"count", "distinct"}:
        return "integer"
    return "number" if function in {"mean", "median", "sd"} else kind


def sql_of(function: str, kind: str, column: str, where: str = "") -> str:
    """SQL of an aggregate over a column, in the order of the rows; `where` is a filter."""
    cell = identifier(column) if column else "*"
    only = f" FILTER (WHERE {where})" if where else ""
    known = f" FILTER (WHERE {cell} IS NOT NULL{f' AND {where}' if where else ''})"
    number = f"CAST({cell} AS DOUBLE)"
    summed = f"sum({cell} ORDER BY {ROW}){only}"
    if kind == "integer":
        summed = f"TRY_CAST(sum(CAST({cell} AS HUGEINT)){only} AS BIGINT)"
    else:
        summed = _finite(summed)
    values = f"list({number} ORDER BY {ROW}){known}"
    sorted_values = f"list({number} ORDER BY {number}){known}"
    return {
        "rows": f"count(*){only}",
        "count": f"count({cell}){only}",
        "distinct": f"count(DISTINCT {cell}){only}",
        "sum": summed,
        "mean": f"(CAST({summed} AS DOUBLE) / CAST(count({cell}){only} AS DOUBLE) + 0.0)",
        "median": _median(sorted_values),
        "sd": _spread(values),
        "minimum": f"min({cell}){only}",
        "maximum": f"max({cell}){only}",
        "first": f"arg_min({cell}, {ROW}){known}",
        "last": f"arg_max({cell}, {ROW}){known}",
        "any": f"bool_or({cell}){only}",
        "all": f"bool_and({cell}){only}",
    }[function]


def _finite(number: str) -> str:
    return f"CASE WHEN isfinite({number}) THEN {number} + 0.0 END"


def of_list(function: str, kind: str, values: str) -> str:
    """SQL of what a list of cells in their order comes to; `values` may hold missing ones."""
    known = f"list_filter({values}, lambda {_CELL}: {_CELL} IS NOT NULL)"
    if function == "rows":
        return f"len({values})"
    if function == "count":
        return f"len({known})"
    if function == "distinct":
        return f"len(list_distinct({known}))"
    summed = f"list_sum({known})"
    if kind == "integer":
        wide = f"list_transform({known}, lambda {_CELL}: CAST({_CELL} AS HUGEINT))"
        summed = f"TRY_CAST(list_sum({wide}) AS BIGINT)"
    else:
        summed = _finite(summed)
    numbers = f"list_transform({known}, lambda {_CELL}: CAST({_CELL} AS DOUBLE))"
    return {
        "sum": summed,
        "mean": f"(CAST({summed} AS DOUBLE) / CAST(nullif(len({known}), 0) AS DOUBLE) + 0.0)",
        "median": _median(f"list_sort({numbers})"),
        "sd": _spread(numbers),
        "minimum": f"list_min({known})",
        "maximum": f"list_max({known})",
        "first": f"{known}[1]",
        "last": f"{known}[-1]",
        "any": f"CASE WHEN len({known}) > 0 THEN list_contains({known}, true) END",
        "all": f"CASE WHEN len({known}) > 0 THEN NOT list_contains({known}, false) END",
    }[function]


def _median(values: str) -> str:
    """The middle of a sorted list; the mean of two as the sum of their halves, which can't grow."""
    low, high = f"({values})[(len({values}) + 1) // 2]", f"({values})[len({values}) // 2 + 1]"
    return f"CASE WHEN {low} = {high} THEN {low} + 0.0 ELSE {low} / 2.0 + {high} / 2.0 + 0.0 END"


def _spread(values: str) -> str:
    mean = f"list_sum({values}) / CAST(len({values}) AS DOUBLE)"
    pairs = f"list_transform([struct_pack(l := {values}, m := {mean})], lambda {_PAIR}: "
    apart = f"({_CELL} - {_PAIR}.m)"
    squares = f"list_sum(list_transform({_PAIR}.l, lambda {_CELL}: {apart} * {apart}))"
    count = f"CAST(len({_PAIR}.l) - 1 AS DOUBLE)"
    return (
        f"({pairs}CASE WHEN len({_PAIR}.l) > 1 AND isfinite({squares}) "
        f"THEN sqrt({squares} / {count}) END))[1]"
    )


def checked_list(step: Context, items: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Aggregates as (name, function, column).

    Raises: BadStep.
    """
    found = []
    for item in items:
        function, column = item.get("function", ""), item.get("column") or ""
        if not isinstance(function, str) or not isinstance(column, str):
            raise step.wrong("an aggregate is {column, function, name}.")
        kind_of(step, function, column)
        name = item.get("name") or (f"{column}_{function}" if column else function)
        if not isinstance(name, str) or len(name) > 255:
            raise step.wrong(f"{name!r} can't name a column.")
        found.append((name, function, column))
    return found
