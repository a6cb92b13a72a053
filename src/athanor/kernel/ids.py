"""Identifiers: 32 hex digits, ordered by the time of their making."""

import os
import re
import time

_ID = re.compile(r"[0-9a-f]{32}")


def new_id() -> str:
    """A new identifier: UUID version 7 (RFC 9562) as 32 hex digits.

    The first 48 bits are milliseconds, so that rows made together lie together in an index.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an identifier."""
    return _ID.fullmatch(text) is not None
