"""What a model takes, and the check of what came against it.

Types are MLflow's: double, float, long, integer, string, boolean, datetime. A null is let through
for every column (imputing is the model's), and so is a category that training never saw.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from athanor.serving.errors import BadPrediction, ColumnMissing, TooManyRecords, ValueRefused
from athanor.serving.types import InputColumn, Signature

Row: TypeAlias = list[Any]
"""One record's values in the order of the signature's columns; of a model that tells no columns,
the record itself as the only value."""

_TWO = 2
_INT64 = 1 << 63
_INT32 = 1 << 31
_DOUBLE = 2**1023
"""Whole numbers from here on may have no double."""
_EXACT: Mapping[str, frozenset[type]] = {
    "double": frozenset({float, int, type(None)}),
    "float": frozenset({float, int, type(None)}),
    "long": frozenset({type(None)}),
    "integer": frozenset({type(None)}),
    "string": frozenset({str, type(None)}),
    "boolean": frozenset({bool, type(None)}),
    "datetime": frozenset({type(None)}),
    "binary": frozenset({str, type(None)}),
}
"""Python types that need no second look (whole numbers are looked at for their size)."""

_EXPECTED = {
    "double": "a number",
    "float": "a number",
    "long": "a whole number of at most 64 bits",
    "integer": "a whole number of at most 32 bits",
    "string": "a text",
    "boolean": "true or false",
    "datetime": "a time such as 2024-05-01T12:00:00",
    "binary": "bytes as base64",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """Rows that fit the signature."""

    rows: list[Row]
    keys: list[str | None]
    """The value of the key column in each record; None where it is absent."""
    ignored: list[str]
    """Columns that came and that the model does not read, sorted."""


def scored(signature: Signature, classes: Sequence[Any]) -> int:
    """The place in `classes` of the class that `score` is the probability of; -1: the predicted.

    Where none of two was named, as in models of MLflow, it is 1 of 0 and 1, True of False and
    True, and else the second one, as in scikit-learn. Of more than two it is the predicted class.
    `classes` are those that the loaded model tells.
    """
    if signature.positive < 0 and len(classes) == _TWO:
        return classes.index(1) if list(classes) in ([0, 1], [1, 0]) else 1
    return signature.positive


def parse(signature: Signature, body: object, *, key: str = "", max_rows: int = 10_000) -> Parsed:
    """The rows of a request body: {"records": [{column: value}, ...]}.

    `instances` is read as `records` is, and so is {"dataframe_split": {"columns":, "data":}}.

    Raises: BadPrediction, TooManyRecords, ColumnMissing, ValueRefused, each naming row and column.
    """
    records = _records(body)
    if not records:
        raise BadPrediction('"records" is empty.', hint="Send at least one record.")
    if len(records) > max_rows:
        raise TooManyRecords(len(records), max_rows)
    rows: list[Row] = []
    keys: list[str | None] = []
    ignored: set[str] = set()
    known = {*signature.names, key}
    for number, record in enumerate(records):
        if type(record) is not dict:
            raise BadPrediction(
                f"Record {number} is {_kind(record)}, not an object of columns.",
            )
        if signature.columns:
            rows.append(_row(signature, record, number))
            ignored.update(record.keys() - known)
        else:
            rows.append([record])
        keys.append(_key(record.get(key)) if key else None)
    return Parsed(rows=rows, keys=keys, ignored=sorted(ignored))


def rows_of(signature: Signature, columns: Mapping[Any, Sequence[Any]], count: int) -> list[Row]:
    """Values by column as rows. A model that tells no columns gets all that came."""
    if signature.columns:
        empty = [None] * count
        by_column = [columns.get(name, empty) for name in signature.names]
        return list(map(list, zip(*by_column, strict=True)))
    return [
        [{str(name): values[place] for name, values in columns.items()}] for place in range(count)
    ]


def _records(body: object) -> list[Any]:
    if isinstance(body, dict):
        records = body.get("records", body.get("instances"))
        if isinstance(records, list):
            return records
        split = body.get("dataframe_split")
        if isinstance(split, dict):
            return _split(split)
    raise BadPrediction('The body has no "records".')


def _split(split: dict[str, Any]) -> list[Any]:
    columns, data = split.get("columns"), split.get("data")
    if type(columns) is not list or type(data) is not list:
        raise BadPrediction(
            '"dataframe_split" needs "columns" and "data".',
            hint='Send {"dataframe_split": {"columns": ["a"], "data": [[1]]}}.',
        )
    for number, values in enumerate(data):
        if type(values) is not list or len(values) != len(columns):
            raise BadPrediction(
                f'Row {number} of "data" does not have one value for each of the '
                f"{len(columns)} columns.",
                hint="Give each row as a list as long as the list of columns.",
            )
    return [dict(zip(map(str, columns), values, strict=True)) for values in data]


def _row(signature: Signature, record: dict[str, Any], number: int) -> Row:
    try:
        values = [record[name] for name in signature.names]
    except KeyError:
        absent = [item for item in signature.columns if item.name not in record]
        missing = [item.name for item in absent if item.required]
        if missing:
            raise ColumnMissing(missing, number, record) from None
        values = [record.get(name) for name in signature.names]
    for place, column in enumerate(signature.columns):
        value = values[place]
        kind = type(value)
        if kind is float or kind not in _EXACT[column.type] or kind is int:
            values[place] = checked(column, value, number)
    return values


def lacking(signature: Signature, came: Iterable[str]) -> list[str]:
    """The columns that a table with these names lacks for the model.

    An estimator that tells no more than its columns' names marks all of them optional: of a table
    it wants each.
    """
    known = set(came)
    required = [item.name for item in signature.columns if item.required]
    return [name for name in required or signature.names if name not in known]


def checked(column: InputColumn, value: object, row: int) -> object:
    """The value as the model's type, or the reason why it is not one."""
    found = _READERS[column.type](value)
    if found is None and value is not None:
        raise ValueRefused(column.name, row, _told(value), _EXPECTED[column.type])
    return found


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int):
        return float(value) if abs(value) < _DOUBLE else None
    return value


def _whole(value: object, bound: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if -bound <= value < bound and value == value // 1 else None


def _truth(value: object) -> bool | None:
    return bool(value) if isinstance(value, bool) or value in (0, 1) else None


def _time(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


_READERS: Mapping[str, Callable[[object], object]] = {
    "double": _number,
    "float": _number,
    "long": lambda value: _whole(value, _INT64),
    "integer": lambda value: _whole(value, _INT32),
    "string": _text,
    "boolean": _truth,
    "datetime": _time,
    "binary": _text,
}
"""By type: the value as that type, or None where it is not one."""


def _key(value: object) -> str | None:
    return None if value is None else str(value)


def _told(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool) else _kind(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", int: "a number", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")
