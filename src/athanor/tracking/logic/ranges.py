"""The `Range` header of HTTP (RFC 9110), as far as one range goes."""

import re

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*")


def asked_range(header: str, size: int) -> tuple[int, int] | None:
    """The bytes that a header asks for, from the first up to the last (without it).

    The whole where it asks for none, or in a way that may be passed over (several ranges, another
    unit); None where there are no such bytes.
    """
    found = _RANGE.fullmatch(header)
    if found is None or found[1] == found[2] == "":
        return 0, size
    if not found[1]:
        last = int(found[2])
        return (max(size - last, 0), size) if last else None
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return 0, size
    return (start, end) if start < size else None
