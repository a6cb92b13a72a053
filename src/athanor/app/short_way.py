"""The short way of MLflow's protocol: requests whose header came before, but for their length.

A client that logs sends the same header over and over. The first one is parsed, and passes the
doors, as everybody's; what follows with the same bytes is answered without parser, framework and
task, by the same handlers, refusals and meters. Whatever is out of the ordinary goes the long way.
"""

import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol

from fastapi import FastAPI
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from athanor.app.api import Known
from athanor.tracking import Answer, headers_of

_END = b"\r\n\r\n"
_LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
_LONGEST_HEADER = 2_048
_LONGEST_BODY = 1 << 20
_DIGITS = 7
_KEPT = 1_024
_SPECIAL = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"trailer"})
"""Headers that change how a request is read."""
_UNIQUE = frozenset({b"x-request-id", b"traceparent", b"tracestate", b"date"})
"""Headers that no second request has: it would be kept in vain."""
_KEEPS = b"keep-alive"


class Entrance(Protocol):
    """What the requests are for."""

    def know(self, scope: Scope) -> Known | None:
        """A request that may go the short way if it comes again: it passes the doors."""
        ...

    async def answer(self, known: Known, body: bytes) -> Answer:
        """Answer such a request."""
        ...

    def count(self, known: Known, status: int, seconds: float) -> None:
        """Have the meters count it."""
        ...


class Headers:
    """The known headers of all connections, by their bytes without the length's digits."""

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}

    def find(self, data: bytes | bytearray) -> tuple[Known, int, int] | None:
        """What is known of a request's beginning, where its body begins, and the body's length."""
        cut = _cut(data)
        if cut is None:
            return None
        key, digits, end = cut
        known = self._known.get(key)
        if known is None or len(digits) > _DIGITS or not digits.isdigit():
            return None
        length = int(digits)
        return (known, end, length) if 0 < length <= _LONGEST_BODY else None

    def remember(self, data: bytes, scope: Scope, entrance: Entrance) -> None:
        """Keep the header of a request that the parser found to begin with these bytes."""
        names = [name for name, _ in scope["headers"]]
        sent = dict(scope["headers"])
        cut = _cut(data)
        if (
            cut is None
            or scope["http_version"] != "1.1"
            or len(set(names)) < len(names)
            or not (_SPECIAL | _UNIQUE).isdisjoint(names)
            or sent.get(b"connection", _KEEPS).lower() != _KEEPS
            or sent.get(b"content-length") != cut[1]
            or data.count(b"\r\n", 0, cut[2]) != len(names) + 2  # no line went on in the next one
        ):
            return
        known = entrance.know(scope)
        if known is not None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[cut[0]] = known


def _cut(data: bytes | bytearray) -> tuple[bytes, bytes, int] | None:
    """A POST's header without the digits of its length, these, and where the body begins."""
    end = data.find(_END, 0, _LONGEST_HEADER)
    if end < 0 or not data.startswith(b"POST /"):
        return None
    at = data.find(_LENGTHS[0], 0, end)
    if at < 0:
        at = data.find(_LENGTHS[1], 0, end)
        if at < 0:
            return None
    first = at + len(_LENGTHS[0])
    last = data.find(b"\r\n", first)
    return bytes(data[:first] + data[last : end + 4]), bytes(data[first:last]), end + 4


class ShortWay(HttpToolsProtocol):
    """uvicorn's connection, and the short way past it."""

    entrance: Entrance
    known_headers: Headers

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._fresh = b""
        """What the request began with that the parser reads now."""
        self._parsing = False
        self._known: Known | None = None
        """Of the request that is read or answered on the short way."""
        self._length = 0
        self._rest = bytearray()
        """What came and is not yet answered, from the body of the request under way on."""
        self._answering = False
        self._waits = False
        """Whether what came behind an answered request is yet to be looked at."""
        self._last = False
        self._began = 0.0

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._known is not None or self._waits:
            self._rest += data
            self._go_on()
            return
        found = self._found(data)
        if found is None:
            self._go_long(data)
            return
        self._rest += data[found[1] :]
        self._begin(found)

    def on_message_begin(self) -> None:
        """A request's first bytes."""
        self._parsing = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The header is whole."""
        super().on_headers_complete()
        fresh, self._fresh = self._fresh, b""
        if fresh and self.cycle.keep_alive:
            scope: Any = self.scope
            self.known_headers.remember(fresh, scope, self.entrance)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._parsing = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: so does the connection, once its answer is out."""
        if self._known is None:
            super().shutdown()
        else:
            self._last = True

    def _quiet(self) -> bool:
        """Whether no answer is owed, and none waits for its client."""
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn says of it
        done = cycle is None or cycle.response_complete
        return done and not self.pipeline and not self.flow.write_paused

    def _found(self, data: bytes | bytearray) -> tuple[Known, int, int] | None:
        """As `Headers.find`, where the parser owes nothing."""
        if self._parsing or not self._quiet():
            return None
        return self.known_headers.find(data)

    def _begin(self, found: tuple[Known, int, int]) -> None:
        """Take a request whose header came."""
        self._unset_keepalive_if_required()
        self._known, _, self._length = found
        self._began = time.perf_counter()
        self._go_on()

    def _go_long(self, data: bytes) -> None:
        """Leave it to the parser."""
        if not self._parsing and self._quiet():
            self._fresh = data
        super().data_received(data)

    def _go_on(self) -> None:
        """Answer, once the body is whole; what comes meanwhile waits."""
        if self._answering or self._known is None:
            if len(self._rest) > _LONGEST_BODY:
                self.flow.pause_reading()
            return
        if len(self._rest) < self._length:
            self.flow.resume_reading()
            return
        body = bytes(self._rest[: self._length])
        del self._rest[: self._length]
        self._answering = True
        self._step(self.entrance.answer(self._known, body))

    def _step(self, answering: Coroutine[Any, Any, Answer], *_met: object) -> None:
        """Let a handler go on until it waits again: without a task, which is twice the work."""
        try:
            waited = answering.send(None)
        except StopIteration as done:
            self._send(done.value)
        except BaseException:
            self.transport.close()
            raise
        else:
            if waited is None:
                self.loop.call_soon(self._step, answering)
            else:
                waited.add_done_callback(partial(self._step, answering))

    def _send(self, answer: Answer) -> None:
        known, self._known, self._answering = self._known, None, False
        if known is not None:
            self.entrance.count(known, answer.status, time.perf_counter() - self._began)
        if self.transport.is_closing():
            return
        wire = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *headers_of(answer)):
            wire += (name, b": ", value, b"\r\n")
        wire.append(b"connection: close\r\n\r\n" if self._last else b"\r\n")
        if isinstance(answer.body, bytes):
            wire.append(answer.body)
        self.transport.write(b"".join(wire))
        if self._last:
            self.transport.close()
        self.on_response_complete()
        if self._rest:
            self._waits = True
            self._go_on()
            self.loop.call_soon(self._look_on)

    def _look_on(self) -> None:
        """Look at what came behind a request that is answered."""
        self._waits = False
        if self.transport.is_closing():
            self._rest.clear()
            return
        found = self._found(self._rest)
        if found is None:
            rest = bytes(self._rest)
            self._rest.clear()
            self.flow.resume_reading()
            self._go_long(rest)
            return
        del self._rest[: found[1]]  # moves where it begins, and nothing that is kept
        self._begin(found)


def short_way_of(app: FastAPI) -> type[ShortWay]:
    """The connections of a server that serves the app."""

    class OwnWay(ShortWay):
        entrance = app.state.protocol
        known_headers = Headers()

    return OwnWay
