"""Identifiers: 32 hex digits, ordered by the time of their making."""

import os
import re
import threading
import time

_COUNTER_BITS = 12
_lock = threading.Lock()
_last = [0, 0]
_ID = re.compile(r"[0-9a-f]{32}")
_BEGINNING = re.compile(r"[0-9a-f]{6,31}")


def new_id() -> str:
    """A new identifier: UUID version 7 (RFC 9562) as 32 hex digits.

    The first 48 bits are milliseconds, so that rows made together lie together in an index; the
    next twelve free ones count within a millisecond, so that ids of one process are in order.
    """
    with _lock:
        milliseconds = time.time_ns() // 1_000_000
        if milliseconds > _last[0]:
            _last[:] = [milliseconds, 0]
        else:
            _last[1] += 1
            if _last[1] >> _COUNTER_BITS:
                _last[:] = [_last[0] + 1, 0]
        moment, count = _last
    random = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    value = (moment & (1 << 48) - 1) << 80 | 0x7 << 76 | count << 64 | 0x2 << 62 | random
    return f"{value:032x}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an identifier."""
    return _ID.fullmatch(text) is not None


def begins_id(text: str) -> bool:
    """Whether a text may be how an identifier begins: six digits at least, and not all of it."""
    return _BEGINNING.fullmatch(text) is not None
