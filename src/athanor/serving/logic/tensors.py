"""Tensors of the Open Inference Protocol: their datatypes, flat values, and raw bytes.

Raw bytes are little-endian and row-major; BYTES elements each follow their length (u32); BOOL is
one byte an element (Open Inference Protocol, binary tensor data extension).
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from athanor.serving.errors.protocols import TensorRefused

_LENGTH = struct.Struct("<I")
_BF16_SHIFT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Datatype:
    """One of the protocol's datatypes."""

    name: str
    kind: str
    """`float`, `int`, `bool` or `bytes`."""
    size: int
    """Bytes of an element; 0 where elements have lengths of their own."""
    format: str = ""
    """Its code in `struct`."""
    low: int = 0
    high: int = 0
    """The least and the greatest whole number, for kind `int`."""


def _whole(name: str, format_: str, bits: int, *, signed: bool) -> Datatype:
    low = -(1 << bits - 1) if signed else 0
    high = (1 << bits - 1) - 1 if signed else (1 << bits) - 1
    return Datatype(name=name, kind="int", size=bits // 8, format=format_, low=low, high=high)


DATATYPES: Mapping[str, Datatype] = {
    item.name: item
    for item in (
        Datatype(name="BOOL", kind="bool", size=1, format="B"),
        _whole("UINT8", "B", 8, signed=False),
        _whole("UINT16", "H", 16, signed=False),
        _whole("UINT32", "I", 32, signed=False),
        _whole("UINT64", "Q", 64, signed=False),
        _whole("INT8", "b", 8, signed=True),
        _whole("INT16", "h", 16, signed=True),
        _whole("INT32", "i", 32, signed=True),
        _whole("INT64", "q", 64, signed=True),
        Datatype(name="FP16", kind="float", size=2, format="e"),
        Datatype(name="BF16", kind="float", size=2, format="H"),
        Datatype(name="FP32", kind="float", size=4, format="f"),
        Datatype(name="FP64", kind="float", size=8, format="d"),
        Datatype(name="BYTES", kind="bytes", size=0),
    )
}
BINARY_ONLY = frozenset({"FP16", "BF16"})
"""Datatypes that JSON can't hold."""

OF_COLUMN: Mapping[str, str] = {
    "double": "FP64",
    "float": "FP32",
    "long": "INT64",
    "integer": "INT32",
    "string": "BYTES",
    "boolean": "BOOL",
    "datetime": "BYTES",
    "binary": "BYTES",
}
"""By a column's type: the datatype that the model's metadata tells."""


def flattened(name: str, data: object, count: int) -> list[Any]:
    """The values of a tensor's `data`, flat or nested, `count` of them in row-major order.

    Raises: TensorRefused.
    """
    if not isinstance(data, list):
        raise TensorRefused(name, 'its "data" is no list')
    values = data
    while values and isinstance(values[0], list):
        deeper: list[Any] = []
        for item in values:
            if not isinstance(item, list):
                raise TensorRefused(name, 'its "data" mixes lists and values')
            deeper += item
            if len(deeper) > count:
                break
        values = deeper
    if len(values) != count:
        raise TensorRefused(name, f"its shape holds {count} elements and its data {len(values)}")
    return values


def checked(name: str, datatype: Datatype, values: Sequence[Any]) -> None:
    """Return if JSON's values are of the datatype; null stands for a missing value.

    Raises: TensorRefused, naming the element.
    """
    fits = _FITS[datatype.kind]
    for place, value in enumerate(values):
        if value is not None and not fits(datatype, value):
            shown = repr(value)
            told = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise TensorRefused(name, f"its element {place} is {told}, no {datatype.name}")


_FITS: Mapping[str, Callable[[Datatype, Any], bool]] = {
    "float": lambda _, value: type(value) in {int, float},
    "int": lambda kind, value: type(value) is int and kind.low <= value <= kind.high,
    "bool": lambda _, value: type(value) is bool,
    "bytes": lambda _, value: type(value) is str,
}


def decoded(name: str, datatype: Datatype, raw: memoryview, count: int) -> list[Any]:
    """The values of a tensor's raw bytes; BYTES become texts.

    Raises: TensorRefused.
    """
    if datatype.kind == "bytes":
        return _texts(name, raw, count)
    if len(raw) != count * datatype.size:
        raise TensorRefused(
            name,
            f"its shape needs {count * datatype.size} bytes of {datatype.name} and {len(raw)} came",
        )
    if datatype.name == "BF16":
        words = _unpacked("H", raw, count)
        return list(
            struct.unpack(
                f"<{count}f", struct.pack(f"<{count}I", *(w << _BF16_SHIFT for w in words))
            )
        )
    values = _unpacked(datatype.format, raw, count)
    if datatype.kind == "bool":
        if any(value > 1 for value in values):
            raise TensorRefused(name, "a BOOL is a byte of 0 or 1")
        return [value == 1 for value in values]
    return list(values)


def _unpacked(format_: str, raw: memoryview, count: int) -> Sequence[Any]:
    if format_ == "e" or sys.byteorder != "little":
        return struct.unpack(f"<{count}{format_}", raw)
    values = array(format_)
    values.frombytes(raw)
    return values


def _texts(name: str, raw: memoryview, count: int) -> list[Any]:
    values, start = [], 0
    for place in range(count):
        end = start + _LENGTH.size
        if end > len(raw):
            raise TensorRefused(name, f"its bytes end before its element {place}")
        (length,) = _LENGTH.unpack_from(raw, start)
        start, end = end, end + length
        if end > len(raw):
            raise TensorRefused(
                name, f"its element {place} has {length} bytes and {len(raw) - start} are left"
            )
        values.append(_text(name, bytes(raw[start:end]), place))
        start = end
    if start != len(raw):
        raise TensorRefused(name, f"{len(raw) - start} bytes are left after its last element")
    return values


def _text(name: str, raw: bytes, place: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise TensorRefused(name, f"its element {place} is no UTF-8 text") from None


def encoded(datatype: str, values: Iterable[Any]) -> bytes:
    """The raw bytes of values."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    kind = DATATYPES[datatype]
    found = list(values)
    return struct.pack(f"<{len(found)}{kind.format}", *found)
