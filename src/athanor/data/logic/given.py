"""Arrow types by the names that Arrow prints, and values as the types that they came with."""

import re
from datetime import time

import pyarrow as pa
import pyarrow.compute as pc

_SIMPLE = {
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    "uint64": pa.uint64(),
    "halffloat": pa.float16(),
    "float16": pa.float16(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "large_binary": pa.large_binary(),
    "date64[ms]": pa.date64(),
    "string": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_TIME = re.compile(r"time(32|64)\[(s|ms|us|ns)\]")
_DURATION = re.compile(r"duration\[(s|ms|us|ns)\]")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>")
_FIXED = re.compile(r"fixed_size_binary\[(\d+)\]")
_DECIMAL = re.compile(r"decimal256\((\d+), (-?\d+)\)")


def type_named(name: str) -> pa.DataType | None:
    """The type that Arrow prints so; None for one that is not restored."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    if found := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(found[1], found[2])
    if found := _TIME.fullmatch(name):
        return pa.time32(found[2]) if found[1] == "32" else pa.time64(found[2])
    if found := _DURATION.fullmatch(name):
        return pa.duration(found[1])
    if found := _FIXED.fullmatch(name):
        return pa.binary(int(found[1]))
    if found := _DECIMAL.fullmatch(name):
        return pa.decimal256(int(found[1]), int(found[2]))
    if found := _DICTIONARY.fullmatch(name):
        values, indices = type_named(found[1]), type_named(found[2])
        if values is not None and indices is not None:
            return pa.dictionary(indices, values, ordered=found[3] == "1")
    return None


def restored(values: pa.Array, given: str) -> pa.Array:
    """Values as the type that they came with; as they are where that can't be."""
    wanted = type_named(given) if given else None
    if wanted is None:
        return values
    try:
        if pa.types.is_time(wanted):
            times = (None if v is None else time.fromisoformat(v) for v in values.to_pylist())
            return pa.array(times, wanted)
        if pa.types.is_duration(wanted):
            return pc.cast(pc.cast(values, pa.duration("us")), wanted)
        if pa.types.is_dictionary(wanted):
            plain = pc.cast(values, wanted.value_type)
            return pc.cast(plain.dictionary_encode(), wanted)
        return pc.cast(values, wanted)
    except (pa.ArrowException, TypeError, ValueError):
        return values
