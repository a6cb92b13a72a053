"""One filter for secrets, before anything is written to logs, events or the prediction log."""

import re
from functools import lru_cache
from typing import Any

MASK = "***"
_SHORT = 64
_SHORTEST = 19
"""Characters of the shortest secret that is known by its form, but for one in an address."""

_KEYS = re.compile(
    r"(^|[_\-.])(passw(or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|authorization|credentials?|cookie)s?($|[_\-.])",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"(?:(?<=://)[^/\s:@]+:[^/\s@]+(?=@))"  # user:password in a URL
    r"|(?:\bAKIA[0-9A-Z]{16}\b)"
    r"|(?:\bgh[pousr]_[A-Za-z0-9]{36,}\b)"
    r"|(?:\bsk-[A-Za-z0-9_-]{20,}\b)"
    r"|(?:\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}\b)"
    r"|(?:(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{12,})"
    r"|(?:-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))"
)


def redact(value: Any) -> Any:
    """The same value with secrets masked: by the name of a key, and by the form of a text."""
    if isinstance(value, str):
        return value if _too_short(value) else _VALUES.sub(MASK, value)
    if isinstance(value, dict):
        return {
            key: MASK
            if isinstance(key, str) and item is not None and _is_secret(key)
            else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [redact(item) for item in value]
    return value


def _too_short(text: str) -> bool:
    """Whether a text has no room for any of those forms."""
    return len(text) < _SHORTEST and "://" not in text


def _is_secret(key: str) -> bool:
    """Whether what stands under a key is a secret."""
    return _known(key) if len(key) <= _SHORT else _KEYS.search(key) is not None


@lru_cache(maxsize=4096)
def _known(key: str) -> bool:
    """The same of short keys, which come again and again."""
    return _KEYS.search(key) is not None
