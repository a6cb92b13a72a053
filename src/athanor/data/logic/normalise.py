"""Arrow types that Delta changes or refuses, brought to types that it keeps, with a note on each.

Delta refuses unsigned 64-bit integers, times of day, half floats and durations, narrows
nanoseconds silently and turns other time zones to UTC. UUIDs, JSON and pandas' periods, which Arrow
knows as extensions, are kept as the texts that they are.
"""

import uuid
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.data.types import ColumnType

_OTHERS = {
    pa.uuid(): pa.string(),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}


PERIOD = "pandas.period"
"""What pandas calls its type in files."""

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds of the years 1 to 9999."""
_BOUNDS = {
    pa.timestamp("us"): (_FIRST, _LAST),
    pa.timestamp("us", "UTC"): (_FIRST, _LAST),
    pa.date32(): (-719_162, 2_932_896),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """The type that a column is stored as, and what that changes."""

    type: pa.DataType
    note: str = ""


def normal_type(given: pa.DataType) -> Normal:
    """The type in which Delta keeps a column of the given type."""
    found = _normal(given)
    if found == given or _is_the_same(given, found):
        return Normal(type=found)
    if is_period(given):
        return Normal(type=found, note=f"is stored as {found} (it was period[{given.freq}]).")
    return Normal(type=found, note=f"is stored as {found} (it was {given}).")


def normal_schema(given: pa.Schema) -> pa.Schema:
    """The columns in the types that they are kept in."""
    return pa.schema([pa.field(field.name, _normal(field.type)) for field in given])


def to_normal(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Values of any type as the normal one.

    Raises: pa.ArrowInvalid where a value does not fit.
    """
    given = values.type
    if given == target:
        return values
    if _is_extended(given):
        return to_normal(_plain(values), target)
    if pa.types.is_dictionary(given):
        return to_normal(pc.cast(values, given.value_type), target)
    if pa.types.is_run_end_encoded(given):
        return to_normal(pc.run_end_decode(values), target)
    if pa.types.is_duration(given):
        return pc.cast(pc.cast(values, pa.duration("us"), safe=False), pa.int64())
    if pa.types.is_timestamp(given) and given.unit == "ns":
        return pc.cast(values, target, safe=False)
    return pc.cast(values, target)


@cache
def unkept(stored: pa.DataType) -> bool:
    """Whether Parquet, and so Delta, has no such type; asked once, since tables may be wide."""
    try:
        pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([("column", stored)])).close()
    except (pa.ArrowException, OSError):
        return True
    return False


def misfit(values: pa.Array) -> tuple[int, str] | None:
    """The first value that readers would stumble on, counted from 0, and what is wrong with it.

    A time or date outside of the years 1 to 9999, which Python does not have; a text that is none.
    """
    kind = values.type
    if kind in _BOUNDS:
        whole = pc.cast(values, pa.int32() if pa.types.is_date(kind) else pa.int64())
        low, high = _BOUNDS[kind]
        outside = pc.or_(pc.less(whole, low), pc.greater(whole, high))
        place = pc.index(outside, pa.scalar(value=True)).as_py()
        return None if place < 0 else (place, "lies outside of the years 1 to 9999")
    if pa.types.is_string(kind):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid:
            broken = (place for place in range(len(values)) if _is_no_text(values, place))
            return next(broken, 0), "is no valid UTF-8"
    return None


def _is_no_text(values: pa.Array, place: int) -> bool:
    try:
        values.slice(place, 1).validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def is_period(given: pa.DataType) -> bool:
    """Whether values are pandas' spans of time, such as 2024 or 2024Q1; Arrow counts them."""
    return getattr(given, "extension_name", "") == PERIOD


def column_type(stored: pa.DataType) -> ColumnType:
    """The room's word for a stored type."""
    if pa.types.is_integer(stored):
        return "integer"
    if pa.types.is_floating(stored):
        return "number"
    if pa.types.is_boolean(stored):
        return "boolean"
    if pa.types.is_string(stored) or pa.types.is_large_string(stored):
        return "text"
    if pa.types.is_date(stored):
        return "date"
    if pa.types.is_timestamp(stored):
        return "timestamp"
    if pa.types.is_decimal(stored):
        return "decimal"
    if pa.types.is_binary(stored) or pa.types.is_large_binary(stored):
        return "binary"
    return "nested"


def _plain(values: pa.Array) -> pa.Array:
    """Values without Arrow's extensions, in lists and structs too."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind == pa.uuid():
            cells = values.storage.to_pylist()
            return pa.array([c and str(uuid.UUID(bytes=c)) for c in cells], pa.string())
        if is_period(kind):
            cells = zip(values.is_null().to_pylist(), values.to_pandas(), strict=True)
            return pa.array([None if null else str(cell) for null, cell in cells], pa.string())
        return _plain(values.storage)
    if not _is_extended(kind):
        return values
    if pa.types.is_struct(kind):
        parts = [_plain(values.field(place)) for place in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, kind.names, mask=values.is_null())
    if not pa.types.is_list(kind):
        values = pc.cast(values, pa.list_(kind.value_type))
    return pa.ListArray.from_arrays(values.offsets, _plain(values.values), mask=values.is_null())


@cache
def _is_extended(kind: pa.DataType) -> bool:
    """Whether an extension type stands in it, where it can be taken out."""
    if pa.types.is_struct(kind):
        return any(_is_extended(field.type) for field in kind)
    if _is_listed(kind):
        return _is_extended(kind.value_type)
    return isinstance(kind, pa.BaseExtensionType)


def _normal(given: pa.DataType) -> pa.DataType:
    if given in _OTHERS:
        return _OTHERS[given]
    if is_period(given):
        return pa.string()
    if isinstance(given, pa.BaseExtensionType):
        return _normal(given.storage_type)
    if pa.types.is_dictionary(given) or pa.types.is_run_end_encoded(given):
        return _normal(given.value_type)
    if pa.types.is_null(given) or pa.types.is_time(given) or _is_wordy(given):
        return pa.string()
    if pa.types.is_duration(given):
        return pa.int64()
    if pa.types.is_timestamp(given):
        return pa.timestamp("us", tz=None if given.tz is None else "UTC")
    if pa.types.is_large_binary(given) or pa.types.is_fixed_size_binary(given):
        return pa.binary()
    if pa.types.is_decimal256(given):
        return pa.decimal128(38, min(given.scale, 38))
    return _of_parts(given)


def _of_parts(given: pa.DataType) -> pa.DataType:
    """A type whose parts are the normal ones."""
    if pa.types.is_struct(given):
        return pa.struct([pa.field(item.name, _normal(item.type)) for item in given])
    if _is_listed(given):
        return pa.list_(_normal(given.value_type))
    if pa.types.is_map(given):
        return pa.map_(_normal(given.key_type), _normal(given.item_type))
    return given


def _is_the_same(given: pa.DataType, found: pa.DataType) -> bool:
    """Whether only the layout in memory is another: nothing that anybody could miss."""
    if pa.types.is_dictionary(given):
        return found == given.value_type or _is_the_same(given.value_type, found)
    return _is_wordy(given) or pa.types.is_large_binary(given) or str(given) == "binary_view"


def _is_wordy(given: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(given) or str(given) == "string_view")


def _is_listed(given: pa.DataType) -> bool:
    kinds = pa.types
    return bool(
        kinds.is_list(given) or kinds.is_large_list(given) or kinds.is_fixed_size_list(given)
    )
