"""How a client reaches the platform: over HTTP, or straight into the app in this process.

A room's `client.py` is written against `Transport` and does not know which one it has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")


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
