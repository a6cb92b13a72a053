"""Protocol buffers on the wire: fields by number, as much of it as event files need.

https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | bytes


class BadMessage(ValueError):
    """Bytes that are no message."""


def fields(data: bytes) -> Iterator[tuple[int, int, Value]]:
    """Each field's number, its wire type and its value: an integer, or bytes.

    Raises: BadMessage.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        value: Value
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
            value, at = data[at : at + size], at + size
        elif kind == BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise BadMessage(f"wire type {kind}")
        if at > len(data):
            raise BadMessage("a field ends behind its message")
        yield number, kind, value


def signed(value: int) -> int:
    """A 64-bit integer that may be negative."""
    return value - (1 << 64) if value >> 63 else value


def varints(data: bytes) -> Iterator[int]:
    """Packed integers.

    Raises: BadMessage.
    """
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def number_field(number: int, value: int) -> bytes:
    """An integer field, written."""
    return _written(number << 3 | VARINT) + _written(value & (1 << 64) - 1)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of bytes, text or a message, written."""
    return _written(number << 3 | BYTES) + _written(len(value)) + value


def double_field(number: int, value: float) -> bytes:
    """A field of 8 bytes of floating point, written."""
    return _written(number << 3 | FIXED64) + struct.pack("<d", value)


def float_field(number: int, value: float) -> bytes:
    """A field of 4 bytes of floating point, written."""
    return _written(number << 3 | FIXED32) + struct.pack("<f", value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise BadMessage("an integer has no end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
        shift += 7


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
