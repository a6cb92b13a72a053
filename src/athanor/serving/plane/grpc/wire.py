"""Protocol Buffers' wire format, as far as the Open Inference Protocol's messages need it."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any

from athanor.serving.errors.protocols import InferenceRefused

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10
_SIGN, _SPAN = 1 << 63, 1 << 64


def fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Each field: number, wire type, value (a whole number, or bytes).

    Raises: InferenceRefused.
    """
    place, end = 0, len(raw(data))
    while place < end:
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield number, kind, value
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise InferenceRefused("The message has a field of an unknown wire type.")
        if place + size > end:
            raise InferenceRefused("The message ends within a field.")
        yield number, kind, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    found = shift = 0
    for count in range(_LONGEST_VARINT):
        if place + count >= len(data):
            break
        byte = data[place + count]
        found |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return found & (_SPAN - 1), place + count + 1
    raise InferenceRefused("The message has a whole number without end.")


def signed(value: int) -> int:
    """A varint as an int64."""
    return value - _SPAN if value >= _SIGN else value


def numbers(kind: int, value: Any) -> list[int]:
    """A repeated whole number's values in one field, packed or not."""
    if kind == _VARINT:
        return [value]
    found, place = [], 0
    while place < len(value):
        item, place = _varint(value, place)
        found.append(item)
    return found


def floats(value: bytes, format_: str) -> list[float]:
    """A repeated float's or double's values in one field, packed or not."""
    size = struct.calcsize(format_)
    if len(raw(value)) % size:
        raise InferenceRefused("The message ends within a number.")
    return list(struct.unpack(f"<{len(value) // size}{format_}", value))


def raw(value: Any) -> bytes:
    """A field of bytes.

    Raises: InferenceRefused.
    """
    if not isinstance(value, bytes):
        raise InferenceRefused("The message has a number where bytes are expected.")
    return value


def text(value: Any) -> str:
    """A string field.

    Raises: InferenceRefused.
    """
    try:
        return raw(value).decode()
    except UnicodeDecodeError:
        raise InferenceRefused("The message has a text that is no UTF-8.") from None


def varint(value: int) -> bytes:
    """A whole number's bytes; negative ones as int64."""
    value &= _SPAN - 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def put(number: int, value: bytes | str | bool | int) -> bytes:  # noqa: FBT001 - a field's value
    """One field."""
    if isinstance(value, int):
        return varint(number << 3 | _VARINT) + varint(int(value))
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | _BYTES) + varint(len(content)) + content


def put_packed(number: int, values: Iterable[int]) -> bytes:
    """A repeated whole number."""
    return put(number, b"".join(map(varint, values)))
