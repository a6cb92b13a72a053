"""What expectations may say: the parameters of each kind, checked before they are kept."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from athanor.data.errors import UnknownExpectation
from athanor.data.errors.checks import BadExpectation
from athanor.data.logic.recipes.patterns import Unfit, checked_pattern
from athanor.data.types import EXPECTATION_KINDS, ColumnType, Expectation
from athanor.kernel.errors import nearest

_SHARE = {"other_share": "share"}
_BOUNDS = {"minimum": "number", "maximum": "number"}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "columns": {"columns": "types"},
    "type": {"type": "type"},
    "range": {"minimum": "bound", "maximum": "bound"},
    "values": {"values": "list", "other_share": "share"},
    "missing": {"share": "share"},
    "unique": {"within": "names"},
    "duplicates": {"share": "share"},
    "rows": {"minimum": "count", "maximum": "count"},
    "label": {"share": "share", "values": "list"},
    "leakage": {"score": "share"},
    "pattern": {"pattern": "pattern", **_SHARE},
    "length": {"minimum": "count", "maximum": "count", **_SHARE},
    "compare": {"operator": "operator", "other": "text", **_SHARE},
    "unique_together": {"columns": "names"},
    "distinct": {"minimum": "count", "maximum": "count"},
    "statistic": {"statistic": "statistic", **_BOUNDS},
    "foreign_key": {"dataset": "text", "column": "text", **_SHARE},
    "freshness": {"hours": "hours"},
    "distribution": {"reference": "text", "measure": "measure", "maximum": "distance"},
    "sql": {"condition": "text", "query": "text"},
}
_NEEDED: Mapping[str, Sequence[str]] = {
    "columns": ("columns",),
    "type": ("type",),
    "values": ("values",),
    "pattern": ("pattern",),
    "compare": ("other",),
    "unique_together": ("columns",),
    "foreign_key": ("dataset",),
    "distribution": ("reference",),
}
_OPEN = frozenset({"bound", "count", "number", "hours", "distance"})
"""What may be given as null: no bound."""
_WHOLE_TABLE = frozenset({"columns", "duplicates", "rows", "unique_together", "sql", "leakage"})
_CHOICES: Mapping[str, Sequence[str]] = {
    "operator": ("<", "<=", ">", ">=", "=", "==", "!=", "<>"),
    "statistic": ("mean", "median", "sd", "sum", "minimum", "maximum"),
    "measure": ("psi", "ks"),
    "type": get_args(ColumnType),
}
_WHOLE = (-(1 << 63), (1 << 63) - 1)
"""What 64 bits hold: nothing greater can be kept, or stand in a table."""


def check_expectation(item: Expectation) -> None:
    """See that an expectation makes sense by itself.

    Raises: UnknownExpectation, BadExpectation.
    """
    if item.kind not in EXPECTATION_KINDS:
        raise UnknownExpectation(item.kind, EXPECTATION_KINDS)
    known = PARAMETERS[item.kind]
    if not item.column and item.kind not in {*_WHOLE_TABLE, "label"}:
        raise BadExpectation(item.kind, "it needs a column.")
    for name, value in item.parameters.items():
        if name not in known:
            hint = nearest(name, known) or f"It knows: {', '.join(known) or 'nothing'}."
            raise BadExpectation(item.kind, f"it has no parameter {name!r}.", hint)
        if value is None and known[name] in _OPEN:
            continue
        wrong = _wrong(known[name], value)
        if wrong:
            raise BadExpectation(item.kind, f"{name!r} {wrong}; {value!r} was given.")
    for name in _NEEDED.get(item.kind, ()):
        if not item.parameters.get(name):
            raise BadExpectation(item.kind, f"it needs {name!r}.")
    if item.kind == "sql":
        given = [name for name in ("condition", "query") if item.parameters.get(name)]
        if len(given) != 1:
            raise BadExpectation("sql", "it needs either 'condition' or 'query'.")
    low, high = item.parameters.get("minimum"), item.parameters.get("maximum")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        raise BadExpectation(item.kind, f"the minimum {low} is greater than the maximum {high}.")


def named_columns(item: Expectation) -> list[str]:
    """The dataset's columns that an expectation is about."""
    told = [item.column] if item.kind not in {"columns", "sql"} else []
    if item.kind == "compare":
        told.append(item.parameters["other"])
    told += item.parameters.get("within", ())
    if item.kind == "unique_together":
        told += item.parameters["columns"]
    return [name for name in told if name]


def check_columns(items: Sequence[Expectation], columns: Sequence[str]) -> None:
    """See that the columns that expectations name are among these.

    Raises: BadExpectation.
    """
    for item in items:
        for name in named_columns(item):
            if name not in columns:
                hint = nearest(name, columns) or f"There are {', '.join(columns[:40])}."
                raise BadExpectation(item.kind, f"there is no column {name!r}.", hint)


def _wrong(kind: str, value: Any) -> str:
    """What is wrong with a parameter, or ""."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and isinstance(value, int) and not _WHOLE[0] <= value <= _WHOLE[1]:
        return "is beyond 64 bits"
    number = number and math.isfinite(value)
    if kind == "share":
        return "" if number and 0 <= value <= 1 else "is a share, 0 to 1"
    if kind == "count":
        return "" if isinstance(value, int) and number and value >= 0 else "is a whole number"
    if kind in {"number", "distance", "hours"}:
        below = kind != "number" and number and value < 0
        return "" if number and not below else "is a number"
    if kind == "bound":
        return "" if number or (isinstance(value, str) and _is_time(value)) else (
            "is a number, or a time such as 2026-01-31")  # fmt: skip
    if kind in _CHOICES:
        return "" if value in _CHOICES[kind] else f"is one of {', '.join(_CHOICES[kind])}"
    if kind == "pattern":
        return _wrong_pattern(value)
    return _wrong_list(kind, value)


def _wrong_pattern(value: Any) -> str:
    if not isinstance(value, str):
        return "is a regular expression"
    try:
        checked_pattern(value)
    except Unfit as error:
        return f"can't be used ({error})"
    return ""


def _wrong_list(kind: str, value: Any) -> str:
    if kind == "text":
        return "" if isinstance(value, str) else "is a text"
    if kind == "types":
        kinds = _CHOICES["type"]
        fits = isinstance(value, dict) and all(item in kinds for item in value.values())
        return "" if fits else f"names columns with their types ({', '.join(kinds)})"
    plain = isinstance(value, (list, tuple))
    if kind == "names":
        fits = plain and all(isinstance(item, str) for item in value)
        return "" if fits else "is a list of columns"
    fits = plain and not any(_wrong_value(item) for item in value)
    return "" if fits else "is a list of texts, numbers (of 64 bits) or true and false"


def _wrong_value(value: Any) -> bool:
    if isinstance(value, bool | str):
        return False
    return not isinstance(value, (int, float)) or bool(_wrong("number", value))


def _is_time(text: str) -> bool:
    if text == "now":
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
