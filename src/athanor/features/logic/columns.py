"""Columns of keys, instants and features, brought to the types in which they are compared."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.features.errors import BadInstant, KeyTypeMismatch, UnusableColumn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from athanor.features.types import ValueType

    Whole = NDArray[np.int64]

STORED: dict[str, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "vector": pa.list_(pa.float64()),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000
_PER_SECOND = {"s": 1_000_000, "ms": 1_000, "us": 1}


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece, without a dictionary."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column


def value_type(given: pa.DataType) -> ValueType | None:
    """The room's word for an Arrow type; None for what no feature can be."""
    if pa.types.is_dictionary(given):
        return value_type(given.value_type)
    if pa.types.is_boolean(given):
        return "boolean"
    if pa.types.is_integer(given):
        return "integer"
    if pa.types.is_floating(given) or pa.types.is_decimal(given):
        return "number"
    if pa.types.is_date(given):
        return "date"
    if pa.types.is_timestamp(given):
        return "timestamp"
    if pa.types.is_string(given) or pa.types.is_large_string(given) or _is_view(given):
        return "text"
    if _is_list(given):
        if pa.types.is_null(given.value_type):
            return "vector"  # nothing but empty ones
        inner = value_type(given.value_type)
        return "vector" if inner in {"integer", "number"} else None
    return "text" if pa.types.is_null(given) else None


def as_feature(name: str, column: pa.Array, wanted: str = "") -> tuple[pa.Array, ValueType]:
    """A feature's values in the type that they are stored in.

    Raises: UnusableColumn.
    """
    found = value_type(column.type)
    if found is None:
        raise UnusableColumn(name, f"it holds {column.type}, which no feature can be.")
    target: Any = wanted or found
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), STORED[target]), target
    if target == "timestamp" and found in {"timestamp", "date", "text"}:
        instants, missing = as_instants(name, column)
        mask = pa.array(missing) if missing.any() else None
        raw = pa.array(instants, pa.int64(), mask=None if mask is None else missing)
        return raw.cast(STORED["timestamp"]), "timestamp"
    if found == target and target == "number" and pa.types.is_float32(column.type):
        return column.cast(pa.float64()), "number"
    try:
        return pc.cast(column, STORED[target]), target
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UnusableColumn(name, f"its values are no {target}s: {error}") from error


def as_key(name: str, column: pa.Array, wanted: str = "") -> tuple[pa.Array, ValueType]:
    """A key's values as they are compared; `wanted` is the type that the entity's keys have.

    Whole numbers that pandas keeps as floats, as some are missing, are whole numbers still.

    Raises: KeyTypeMismatch (R10).
    """
    found = value_type(column.type)
    if pa.types.is_null(column.type):
        kind: Any = wanted or "text"
        return pa.nulls(len(column), STORED[kind]), kind
    target: Any = wanted or ("integer" if found == "number" else found)
    if found == "number" and target == "integer":
        if not pa.types.is_decimal(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        found = "integer"
    if found != target or target not in {"integer", "text", "boolean", "date", "timestamp"}:
        raise KeyTypeMismatch(name, target, str(column.type))
    try:
        if target == "timestamp":
            instants, missing = as_instants(name, column)
            return pa.array(instants, mask=missing).cast(STORED["timestamp"]), target
        return pc.cast(column, STORED[target]), target
    except pa.ArrowInvalid as error:
        raise KeyTypeMismatch(name, target, f"{column.type} ({error})") from error


def as_instants(name: str, column: pa.Array) -> tuple[Whole, NDArray[np.bool_]]:
    """Microseconds since 1970 in UTC, and where they are missing (R9).

    Naive times are UTC; a date is its midnight; text is ISO 8601; finer parts are cut off.

    Raises: BadInstant, where a value is no time.
    """
    kind = column.type
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.int64), missing
    if pa.types.is_timestamp(kind):
        raw = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        if kind.unit == "ns":
            return np.floor_divide(raw, 1_000), missing
        factor = _PER_SECOND[kind.unit]
        return _scaled(name, raw, factor), missing
    if pa.types.is_date(kind):
        days = pc.fill_null(column.cast(pa.date32()).cast(pa.int32()), 0)
        raw = days.to_numpy(zero_copy_only=False).astype(np.int64)
        return _scaled(name, raw, _DAY), missing
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind):
        return _parsed(name, column), missing
    raise BadInstant(name, f"it holds {kind}, not times.")


def _scaled(name: str, raw: Whole, factor: int) -> Whole:
    """Whole units as microseconds. Raises: BadInstant where those do not hold them."""
    if factor == 1 or not len(raw):
        return raw
    most = np.iinfo(np.int64).max // factor
    if raw.max() > most or raw.min() < -most:
        raise BadInstant(name, "a time lies beyond what microseconds hold.")
    scaled: Whole = raw * factor
    return scaled


def _parsed(name: str, column: pa.Array) -> Whole:
    coded = pc.dictionary_encode(pc.fill_null(column, ""))
    codes = coded.indices.to_numpy(zero_copy_only=False)
    known = np.zeros(len(coded.dictionary), np.int64)
    for place, text in enumerate(coded.dictionary.to_pylist()):
        if text == "":
            continue
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            row = int(np.flatnonzero(codes == place)[0])
            raise BadInstant(name, f"row {row + 1} holds {text[:60]!r}.") from None
        known[place] = microseconds(found)
    if "" in coded.dictionary.to_pylist() and pc.any(pc.equal(column, "")).as_py():
        raise BadInstant(name, "a text is empty.")
    found_all: Whole = known[codes] if len(known) else np.zeros(len(column), np.int64)
    return found_all


def microseconds(at: datetime) -> int:
    """An instant in microseconds since 1970; a naive one is UTC."""
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    gap = aware - _EPOCH
    return (gap.days * 86_400 + gap.seconds) * 1_000_000 + gap.microseconds


def _is_view(kind: pa.DataType) -> bool:
    return str(kind) == "string_view"


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
