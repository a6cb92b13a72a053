"""Single values as pandas and numpy cast them, for MLflow's `/invocations`."""

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from athanor.serving.types import InputColumn

Cast: TypeAlias = Callable[[InputColumn, Any], Any]
"""Casts a value to the column's type. Raises: ValueError, TypeError, OverflowError."""

NUMPY = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "datetime": "datetime64[ns]",
    "string": "str",
    "binary": "object",
}
BITS = {"long": 63, "integer": 31}
_MISSING_IN_CSV = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)
_TRUTHS = {"True": True, "TRUE": True, "true": True}
_FALSEHOODS = {"False": False, "FALSE": False, "false": False}

_NUMBERS = frozenset({"double", "float", "long", "integer"})
_BIT = re.compile(r" *[01] *")

MISSING = object()
"""A value that a record of a data frame lacks: NaN in pandas."""


def frame_cast(column: InputColumn, value: Any) -> Any:
    """The value as the column's type, as pandas' astype has it."""
    match column.type:
        case "double" | "float":
            return _float(column.type, value)
        case "long" | "integer":
            return _int(column.type, value)
        case "boolean":
            return True if value is MISSING else bool(value)
        case "datetime":
            return _time(value)
        case _:
            missing = value is MISSING or value is None or value != value  # noqa: PLR0124 - NaN
            return None if missing else value


def array_cast(column: InputColumn, value: Any) -> Any:
    """The value as the column's type, as numpy.array has it: texts of everything, too."""
    if isinstance(value, list):
        message = "a list stands where a single value is expected"
        raise TypeError(message)
    if value is MISSING:
        return None
    if column.type == "string":
        return str(value)
    return frame_cast(column, value)


def _float(kind: str, value: Any) -> float | None:
    if value is None or value is MISSING:
        return None
    if not isinstance(value, str | int | float):
        raise TypeError(f"a number is expected, not {type(value).__name__}")
    found = float(value)
    if kind == "float" and math.isfinite(found):
        try:
            (found,) = struct.unpack("<f", struct.pack("<f", found))
        except OverflowError:
            found = math.copysign(math.inf, found)
    return None if math.isnan(found) else found


def _int(kind: str, value: Any) -> int:
    if value is None or value is MISSING:
        raise ValueError("cannot convert a missing value to an integer")
    if not isinstance(value, str | int | float):
        raise TypeError(f"a whole number is expected, not {type(value).__name__}")
    found = int(value)
    if not -(1 << BITS[kind]) <= found < 1 << BITS[kind]:
        raise OverflowError(f"{found} is out of bounds for {NUMPY[kind]}")
    return found


def _time(value: Any) -> str | None:
    if value is None or value is MISSING:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"a time is expected, not {type(value).__name__}")
    if not isinstance(value, str):
        return datetime.fromtimestamp(value / 1e9).astimezone().replace(tzinfo=None).isoformat()
    found = _parsed_time(value)
    if found.tzinfo is not None:
        raise ValueError("only times without a zone are taken")
    return found.isoformat()


_TIME_FORMATS = ("%m/%d/%Y", "%m/%d/%Y %H:%M:%S", "%Y/%m/%d", "%d %B %Y", "%B %d, %Y")


def _parsed_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for form in _TIME_FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - MLflow's times have no zone
        except ValueError:
            continue
    raise ValueError(f"unable to parse the time {text!r}")


def csv_cast(column: InputColumn, cells: Sequence[str]) -> Cast:
    """How a column's cells are cast. What they are is seen of all together, as pandas sees it.

    Truths are numbers where nothing else stands, and 0 and 1 truths.
    """
    if column.type in _NUMBERS and cells and all(text in _TRUTHS | _FALSEHOODS for text in cells):
        return lambda column, text: frame_cast(column, text in _TRUTHS)
    if column.type == "boolean" and cells and all(_BIT.fullmatch(text) for text in cells):
        return lambda column, text: int(text) != 0  # noqa: ARG005 - Cast's form
    return _CSV_CASTS[column.type]


def _csv_double(column: InputColumn, text: str) -> float | None:
    if text != text.strip() and text.strip() in _MISSING_IN_CSV:
        raise ValueError(f"{text!r} is no number")
    if "_" in text:
        raise ValueError(f"could not convert string to float: {text!r}")
    return None if text in _MISSING_IN_CSV else _float(column.type, text)


def _csv_int(column: InputColumn, text: str) -> int:
    if text in _MISSING_IN_CSV:
        raise ValueError("an integer column has a missing value")
    if "_" in text:
        raise ValueError(f"{text!r} is no whole number")
    try:
        return _int(column.type, text)
    except ValueError:
        found = float(text)
        if not found.is_integer():
            raise ValueError(f"{text!r} is no whole number") from None
        return _int(column.type, found)


def _csv_truth(column: InputColumn, text: str) -> bool:  # noqa: ARG001 - Cast's form
    found = _TRUTHS.get(text, _FALSEHOODS.get(text))
    if found is None:
        raise ValueError(f"{text!r} is neither True nor False")
    return found


def _csv_text(column: InputColumn, text: str) -> str | None:  # noqa: ARG001 - Cast's form
    return None if text in _MISSING_IN_CSV else text


_CSV_CASTS: Mapping[str, Cast] = {
    "double": _csv_double,
    "float": _csv_double,
    "long": _csv_int,
    "integer": _csv_int,
    "boolean": _csv_truth,
    "string": _csv_text,
    "datetime": _csv_text,
    "binary": _csv_text,
}
