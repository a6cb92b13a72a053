"""The arrays of a plain HDF5 file, such as Keras writes: without a library for it.

HDF5 file format specification, version 3.0: superblock 0, groups by symbol tables, object headers
1, contiguous or compact data of whole and floating numbers, little endian. Anything else in a file
is left out.
"""

import struct
from typing import Any

import numpy as np

_MAGIC = b"\x89HDF\r\n\x1a\n"
_ROOT = 56
_SPACE, _TYPE, _LAYOUT, _CONTINUES, _GROUP = 0x01, 0x03, 0x08, 0x10, 0x11
_DEPTH = 12
_MESSAGES = 4_096


def arrays(data: bytes) -> dict[str, Any]:
    """All arrays, by path (`layers/dense/vars/0`).

    Raises: ValueError, struct.error, IndexError where the file is another kind or is damaged.
    """
    if data[:8] != _MAGIC or data[8] != 0 or data[13:15] != b"\x08\x08":
        raise ValueError("not a plain HDF5 file")
    (header,) = struct.unpack_from("<Q", data, _ROOT + 8)
    found: dict[str, Any] = {}
    _walk(data, header, "", found, 0)
    return found


def _walk(data: bytes, header: int, path: str, found: dict[str, Any], depth: int) -> None:
    messages = _messages(data, header)
    if _GROUP in messages and depth < _DEPTH:
        tree, heap = struct.unpack_from("<QQ", data, messages[_GROUP])
        (names,) = struct.unpack_from("<Q", data, heap + 24)
        for name, child in _entries(data, tree, names, depth):
            _walk(data, child, f"{path}/{name}".lstrip("/"), found, depth + 1)
    elif {_SPACE, _TYPE, _LAYOUT} <= messages.keys():
        array = _array(data, messages)
        if array is not None:
            found[path] = array


def _messages(data: bytes, header: int) -> dict[int, int]:
    """Where the messages of an object header begin, by their type."""
    (size,) = struct.unpack_from("<I", data, header + 8)
    blocks: list[tuple[int, int]] = [(header + 16, size)]
    found: dict[int, int] = {}
    count = 0
    while blocks and count < _MESSAGES:
        at, left = blocks.pop()
        end = at + left
        while at + 8 <= end and count < _MESSAGES:
            kind, length = struct.unpack_from("<HH", data, at)
            if kind == _CONTINUES:
                blocks.append(struct.unpack_from("<QQ", data, at + 8))
            else:
                found.setdefault(kind, at + 8)
            at += 8 + length
            count += 1
    return found


def _entries(data: bytes, node: int, names: int, depth: int) -> list[tuple[str, int]]:
    """The names of a group and where their headers are."""
    found: list[tuple[str, int]] = []
    if data[node : node + 4] == b"TREE" and depth < _DEPTH:
        (used,) = struct.unpack_from("<H", data, node + 6)
        for number in range(used):
            (child,) = struct.unpack_from("<Q", data, node + 32 + 16 * number)
            found += _entries(data, child, names, depth + 1)
    elif data[node : node + 4] == b"SNOD":
        (used,) = struct.unpack_from("<H", data, node + 6)
        for number in range(used):
            name, header = struct.unpack_from("<QQ", data, node + 8 + 40 * number)
            start = names + name
            found.append((data[start : data.index(b"\0", start)].decode("utf-8"), header))
    return found


def _array(data: bytes, messages: dict[int, int]) -> Any:
    space, kind, layout = messages[_SPACE], messages[_TYPE], messages[_LAYOUT]
    rank = data[space + 1]
    shape = struct.unpack_from(f"<{rank}Q", data, space + (8 if data[space] == 1 else 4))
    letter = {0: "i", 1: "f"}.get(data[kind] & 0x0F)
    (size,) = struct.unpack_from("<I", data, kind + 4)
    if letter is None or size not in {1, 2, 4, 8} or data[layout] != 3 or data[kind + 1] & 1:
        return None
    if data[layout + 1] == 1:
        (place,) = struct.unpack_from("<Q", data, layout + 2)
    elif data[layout + 1] == 0:
        place = layout + 4
    else:
        return None
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(data, f"<{letter}{size}", count, place).reshape(shape)
