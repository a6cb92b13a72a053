"""TFRecord files: a length, its checksum, the bytes, their checksum; again and again.

The layout: 8 bytes little-endian length, 4 bytes masked CRC-32C of these, the bytes themselves,
4 bytes masked CRC-32C of those (tensorflow/core/lib/io/record_writer.h).
"""

import struct
from collections.abc import Iterator
from typing import IO

_POLYNOMIAL = 0x82F63B78
_MASK = 0xA282EAD8
_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_LONGEST = 1 << 30


class BrokenRecord(ValueError):
    """A record in the middle of a file whose checksum is wrong."""


def _tables() -> list[list[int]]:
    """For eight bytes at a time: what each byte does to the checksum, by its place."""
    first = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        first.append(crc)
    tables = [first]
    for _ in range(7):
        tables.append([first[crc & 0xFF] ^ (crc >> 8) for crc in tables[-1]])
    return tables


_TABLES = _tables()


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _TABLES
    crc = 0xFFFFFFFF
    whole = len(data) & ~7
    for low, high in struct.iter_unpack("<II", data[:whole]):
        low ^= crc  # noqa: PLW2901 - the word is folded in where it stands
        crc = (
            t7[low & 0xFF]
            ^ t6[(low >> 8) & 0xFF]
            ^ t5[(low >> 16) & 0xFF]
            ^ t4[low >> 24]
            ^ t3[high & 0xFF]
            ^ t2[(high >> 8) & 0xFF]
            ^ t1[(high >> 16) & 0xFF]
            ^ t0[high >> 24]
        )
    for byte in data[whole:]:
        crc = t0[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as records hold it."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def read_records(stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Each record's bytes, and the checksum that they should have.

    Lengths are checked here; bytes by who reads something of them (`masked(data) == checksum`), as
    images in the same file are large. A file that is still being written ends anywhere.
    Raises: BrokenRecord where a length is damaged.
    """
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        length, checksum = _HEAD.unpack(head)
        if masked(head[:8]) != checksum or length > _LONGEST:
            raise BrokenRecord("a record's length has another checksum")
        data = stream.read(length)
        tail = stream.read(_TAIL.size)
        if len(data) < length or len(tail) < _TAIL.size:
            return
        yield data, _TAIL.unpack(tail)[0]


def framed(data: bytes) -> bytes:
    """Bytes as a record."""
    length = struct.pack("<Q", len(data))
    return length + _TAIL.pack(masked(length)) + data + _TAIL.pack(masked(data))
