"""HTTP/1.1 over an asyncio protocol: strict, bounded, pipelined answers in order.

The parser is httptools (llhttp). Whatever a client does (half a request, a header without end, a
connection that goes away) ends with its own connection.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol, cast

import httptools

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import (
    BadRequest,
    BodyTooLarge,
    HeaderTooLarge,
    TransferCodingUnknown,
)
from athanor.serving.plane.exchange import Exchange

_HEAD = "HEAD"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may ask of the plane."""

    header_bytes: int = 16_384
    body_bytes: int = 16 << 20
    rows: int = 10_000
    header_seconds: float = 10.0
    """From a request's first byte to the end of its header."""
    body_seconds: float = 30.0
    """From the end of its header to its last byte."""
    idle_seconds: float = 75.0
    """Between requests on one connection."""
    answer_seconds: float = 60.0
    pipelined: int = 64
    """Requests of one connection that wait for answers; beyond it reading pauses."""
    connections: int = 4_096
    waiting: int = 2_048
    """Requests of one endpoint that wait for answers; beyond it the plane answers 429."""


@dataclass(slots=True)
class Request:
    """One request, complete."""

    method: str
    path: str
    headers: dict[str, list[str]]
    """By lower-case name, each with all its occurrences."""
    body: bytes
    arrived: float
    """time.monotonic() of its last byte."""

    def header(self, name: str) -> str:
        """The header's last value, or ""."""
        values = self.headers.get(name)
        return values[-1] if values else ""


class App(Protocol):
    """What answers requests."""

    limits: Limits
    connections: set["Connection"]
    blocks: dict[bytes, "Block"]
    """Headers that were let in, by their bytes. Always the same object."""

    def admit(self, headers: dict[str, list[str]]) -> None:
        """Return if a request with these headers may come in.

        Raises: AthanorError.
        """
        ...

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer, now or later, through the exchange."""
        ...

    def handle_known(self, block: "Block", body: bytes, now: float, exchange: Exchange) -> None:
        """Answer a request whose header came before, byte for byte. Raises: AthanorError.

        Its `lane`, if one is remembered, has left it alone.
        """
        ...


class ShortWay(Protocol):
    """What answers ordinary requests with one header."""

    def take(self, body: bytes, arrived: float, exchange: Exchange) -> bool:
        """Answer, now or later; False leaves the request alone. Raises: AthanorError."""
        ...


@dataclass(slots=True)
class Block:
    """A header that was parsed strictly and let in; the same bytes need neither again."""

    method: str
    path: str
    headers: dict[str, list[str]]
    length: int
    """Bytes of the body."""
    plain: bool
    """Whether no header asks for anything out of the ordinary."""
    lane: "ShortWay | None" = None
    """What the app remembers for it; it forgets it when that is no longer so."""
    era: int = -1
    """The app's revision when it looked for a lane."""


_END = b"\r\n\r\n"
_BLOCKS_KEPT = 2_048
_LONGEST_BLOCK = 2_048
_UNIQUE = frozenset({"x-request-id", "traceparent", "expect", "upgrade", "transfer-encoding"})
"""Headers that differ from request to request, or change how it is read."""
_BODIES = frozenset({"content-length", "transfer-encoding"})
"""Headers that say that a body follows."""
_LINGER_SECONDS = 5.0
_LINGER_BYTES = 256 << 20
"""What is left of a refused body is read and thrown away: a client that still sends gets a reset
connection for its answer otherwise."""
_SPECIAL = ("x-athanor-", "content-encoding")


@dataclass(slots=True)
class _Head:
    """A request that is still being read."""

    path: bytes = b""
    headers: dict[str, list[str]] = field(default_factory=dict)
    size: int = 0
    body: list[bytes] = field(default_factory=list)
    body_size: int = 0
    refused: bool = False


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = app.limits
        self._idle_seconds = app.limits.idle_seconds
        self._pipelined = app.limits.pipelined
        self._blocks = app.blocks
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._pending: deque[Exchange] = deque()
        self._head: _Head | None = None
        self._reading_head = False
        self._chunk = 0
        self._fed = 0
        self._whole = b""
        self._ending = False
        self._full = False
        self._paused = False
        self._unread = 0
        self.deadline = monotonic() + app.limits.header_seconds
        """time.monotonic() after which a silent client is let go."""

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._app.connections) >= self._limits.connections:
            transport.close()
            return
        self._app.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """The client left; what it asked for is still logged, and nobody waits for it."""
        self._app.connections.discard(self)
        self._ending = True
        self._pending.clear()

    def pause_writing(self) -> None:
        """The client reads slower than we answer: so do we read slower."""
        self._full = True
        self._pace()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._full = False
        self._pace()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._ending:
            self._drop(len(data))
            return
        if self._head is None:
            end = data.find(_END) + 4
            block = self._blocks.get(data[:end])
            if block is not None and len(data) == end + block.length:
                # One whole request with a header that came before.
                now = monotonic()
                self.deadline = now + self._idle_seconds
                exchange = Exchange(self)
                pending = self._pending
                pending.append(exchange)
                lane = block.lane
                try:
                    if lane is None or not lane.take(data[end:], now, exchange):
                        self._app.handle_known(block, data[end:], now, exchange)
                except AthanorError as error:
                    exchange.refuse(error)
                if len(pending) >= self._pipelined:
                    self._pace()
                return
            self.deadline = monotonic() + self._limits.header_seconds
            self._whole = data if 3 < end <= _LONGEST_BLOCK else b""
        else:
            self._whole = b""
        self._chunk = len(data)
        self._fed += self._chunk
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered in HTTP/1.1; what follows would be the other protocol, which is not spoken.
            self.finish()
        except httptools.HttpParserError as error:
            # llhttp hides what a callback of ours raised in the error's context.
            cause = error.__context__
            known = cause if isinstance(cause, AthanorError) else None
            if not self._ending:  # what follows a request to close is nobody's
                self._refuse_and_end(known or BadRequest("The request is no valid HTTP/1.1."))
        else:
            if self._reading_head and self._fed > self._limits.header_bytes:
                self._refuse_and_end(HeaderTooLarge(self._limits.header_bytes))

    def _remember(self, request: Request) -> None:
        """Keep the header of a request that came whole and alone, to know it again."""
        whole, self._whole = self._whole, b""
        end = whole.find(_END) + 4
        if len(whole) != end + len(request.body) or not _UNIQUE.isdisjoint(request.headers):
            return
        blocks = self._app.blocks
        if len(blocks) >= _BLOCKS_KEPT:
            blocks.clear()
        blocks[whole[:end]] = Block(
            request.method,
            request.path,
            request.headers,
            len(request.body),
            plain=not any(name.startswith(_SPECIAL) for name in request.headers),
        )

    def eof_received(self) -> bool:
        """The client sends no more; it still gets the answers that it waits for."""
        self._ending = True
        return bool(self._pending)

    # httptools' side

    def on_message_begin(self) -> None:
        """A request's first bytes."""
        self._head = _Head()
        self._reading_head = True
        self._fed = self._chunk

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        head = cast("_Head", self._head)
        head.path += url
        head.size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        head = cast("_Head", self._head)
        head.size += len(name) + len(value) + 4
        if head.size > self._limits.header_bytes:
            raise HeaderTooLarge(self._limits.header_bytes)
        head.headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The header is whole: the doors decide before a byte of the body is kept."""
        head = cast("_Head", self._head)
        self._reading_head = False
        self.deadline = monotonic() + self._limits.body_seconds
        self._app.admit(head.headers)
        coding = head.headers.get("transfer-encoding")
        if coding and [item.strip().lower() for item in coding] != ["chunked"]:
            raise TransferCodingUnknown(", ".join(coding))
        length = head.headers.get("content-length")
        if length and int(length[0]) > self._limits.body_bytes:
            raise BodyTooLarge(self._limits.body_bytes)
        expected = head.headers.get("expect")
        if expected and expected[0].lower() == "100-continue" and not self._pending:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        head = cast("_Head", self._head)
        head.body_size += len(body)
        if head.body_size > self._limits.body_bytes:
            raise BodyTooLarge(self._limits.body_bytes)
        head.body.append(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        head = cast("_Head", self._head)
        self._head = None
        now = monotonic()
        self.deadline = now + self._limits.idle_seconds
        close = not self._parser.should_keep_alive()
        method = self._parser.get_method().decode("latin-1")
        exchange = Exchange(self, close=close, bodiless=method == _HEAD)
        self._pending.append(exchange)
        request = Request(
            method=method,
            path=head.path.decode("latin-1"),
            headers=head.headers,
            body=b"".join(head.body),
            arrived=now,
        )
        if self._whole and not close and not exchange.bodiless:
            self._remember(request)
        try:
            self._app.handle(request, exchange)
        except AthanorError as error:
            exchange.refuse(error)
        if close:
            self._ending = True
        self._pace()

    # ours

    @property
    def busy(self) -> bool:
        """Whether answers are owed."""
        return bool(self._pending)

    def write_answers(self, only: Exchange | None = None) -> None:
        """Send what is answered, in the order in which it was asked.

        `only` is an answer that was not sent yet, and may be all there is to send.
        """
        pending = self._pending
        transport = self._transport
        if (
            only is not None
            and len(pending) == 1
            and not (self._ending or self._paused or transport.is_closing())
        ):
            pending.clear()
            transport.write(only.wire)
            return
        if not pending or not pending[0].answered or transport.is_closing():
            return
        wires: list[bytes] = []
        closing = False
        while pending and pending[0].answered:
            exchange = pending.popleft()
            wires.append(exchange.wire)
            closing = closing or exchange.close
        self._transport.write(b"".join(wires) if len(wires) > 1 else wires[0])
        self.deadline = monotonic() + self._limits.idle_seconds
        if closing or (self._ending and not pending):
            self._leave()
        elif self._paused:
            self._pace()

    def expire(self, now: float) -> None:
        """Let go of a client that was silent too long."""
        if self._pending or now < self.deadline:
            return
        if self._unread:
            self._transport.abort()
        elif self._head is not None:
            self._refuse_and_end(BadRequest("The request did not arrive in time."))
        elif self._full:
            self._transport.abort()
        else:
            self._transport.close()

    def finish(self) -> None:
        """The plane is leaving: end the connection once its answers are out."""
        self._ending = True
        if not self._pending:
            self._transport.close()
        else:
            self._pending[-1].close = True

    def _leave(self) -> None:
        """End the connection; where a body is still on its way, once it came or nobody waits."""
        transport = self._transport
        if not (self._unread and transport.can_write_eof()):
            transport.close()
            return
        transport.write_eof()
        self.deadline = monotonic() + _LINGER_SECONDS
        if self._paused:
            self._paused = False
            transport.resume_reading()

    def _drop(self, size: int) -> None:
        """Throw away what came of a body that was refused."""
        if self._unread:
            self._unread -= size
            if self._unread <= 0:
                self._transport.abort()

    def _pace(self) -> None:
        pause = self._full or len(self._pending) >= self._limits.pipelined
        if pause and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        elif self._paused and not pause:
            self._paused = False
            self._transport.resume_reading()

    def _refuse_and_end(self, error: AthanorError) -> None:
        self._ending = True
        if self._head is not None and not _BODIES.isdisjoint(self._head.headers):
            self._unread = _LINGER_BYTES
        exchange = Exchange(self, close=True)
        self._pending.append(exchange)
        exchange.refuse(error)
