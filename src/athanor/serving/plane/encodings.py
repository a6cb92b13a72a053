"""Compressed bodies: undone within the limit, and made where a client asks for it."""

import gzip
import zlib

from athanor.serving.errors.protocols import BodyUndecodable, EncodingRefused, Inflated

_SMALL = 1_024
"""Answers below this are sent plain."""
_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_MEMBERS = 1_024
"""Members of one gzip body at most."""
_LEVEL = 1


def plain(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was compressed.

    Raises: EncodingRefused, BodyUndecodable, Inflated.
    """
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    window = _WINDOWS.get(encoding)
    if window is None:
        raise EncodingRefused(encoding)
    try:
        return _inflated(body, window, limit, encoding)
    except zlib.error:
        if encoding != "deflate":
            raise BodyUndecodable(encoding) from None
    try:
        # Some clients send deflate without zlib's frame.
        return _inflated(body, -zlib.MAX_WBITS, limit, encoding)
    except zlib.error:
        raise BodyUndecodable(encoding) from None


def _inflated(body: bytes, window: int, limit: int, encoding: str) -> bytes:
    parts: list[bytes] = []
    left = limit
    while body or not parts:
        inflater = zlib.decompressobj(window)
        part = inflater.decompress(body, left + 1)
        left -= len(part)
        if left < 0:
            raise Inflated(limit)
        body = inflater.unused_data
        # Several members, one after the other, are one gzip file (RFC 1952, 2.2); deflate is one.
        if not inflater.eof or (body and (window < _GZIP or len(parts) >= _MEMBERS)):
            raise BodyUndecodable(encoding)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def compressed(body: bytes, accepted: str) -> tuple[bytes, bytes]:
    """The body as the client likes it, and the header line that says so ("" where it is plain)."""
    if len(body) < _SMALL or not accepted:
        return body, b""
    likes = {}
    for item in accepted.lower().split(","):
        name, _, quality = item.partition(";")
        likes[name.strip()] = quality.replace(" ", "") not in {"q=0", "q=0.0"}
    if likes.get("gzip"):
        return gzip.compress(body, _LEVEL, mtime=0), b"Content-Encoding: gzip\r\n"
    if likes.get("deflate"):
        return zlib.compress(body, _LEVEL), b"Content-Encoding: deflate\r\n"
    return body, b""
