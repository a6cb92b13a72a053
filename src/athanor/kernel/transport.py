"""How a client reaches the platform: over HTTP, or straight into the app in this process.

A room's `client.py` is written against `Transport` and does not know which one it has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from athanor.kernel.errors import Invalid

T = TypeVar("T")

PREFIX: Final = "/api/v1"
"""What every address of the platform's API begins with."""


class BadName(Invalid):
    """A name that nothing can have, as it would not survive in an address."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} can't name anything here." if name else "A name is empty.",
            hint="Give a name that has no slash in it and is not '.' or '..'.",
        )


def segment(name: str) -> str:
    """A name as one segment of a path.

    Proxies and servers take `a/b`, `..` and an empty segment for other paths, escaped or not.
    Raises: BadName.
    """
    if name in {"", ".", ".."} or "/" in name or "\\" in name:
        raise BadName(name)
    return quote(name, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; never a failure: those are raised."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    def read(self, kind: type[T]) -> T:
        """The body as a record: a dataclass, or a list or dict of them."""
        return msgspec.json.decode(self.content, type=kind, strict=False)

    def json(self) -> Any:
        """The body as plain data."""
        return msgspec.json.decode(self.content)


class Transport(Protocol):
    """Sends a request to `/api/v1` + path and brings the answer back."""

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content: bytes | Path | None = None,
    ) -> Answer:
        """Send one request; `body` is a dataclass or plain data, `content` raw bytes or a file.

        Raises: whatever AthanorError the platform told; Unavailable if it can't be reached.
        """
        ...

    def stream(self, path: str, *, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """The body of a GET as it comes, chunk by chunk."""
        ...
