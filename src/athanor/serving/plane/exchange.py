"""One answer: its bytes, its place in the order of its connection, its failures."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from athanor.kernel.errors import AthanorError, error_to_dict
from athanor.serving.errors import LogUnwritable, PlaneFailed
from athanor.serving.errors.protocols import MethodRefused
from athanor.serving.logic.exposition import Series
from athanor.serving.plane.encodings import compressed

_STATUS_LINES = {
    int(status): f"HTTP/1.1 {int(status)} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_OK = _STATUS_LINES[200]
_JSON = b"application/json"
_RETRY_AFTER = frozenset({429, 503})


class Answer(NamedTuple):
    """One answer, ready for the wire."""

    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: bytes = b""
    """Further header lines, each with its end."""


def refusal(error: AthanorError) -> Answer:
    """A failure as everywhere in Athanor."""
    return Answer(error.status, orjson.dumps(error_to_dict(error)))


def head_of(length: int, headers: bytes = b"") -> bytes:
    """What stands before a good answer in JSON of so many bytes on a connection that stays."""
    told = b"%bContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n"
    return told % (_OK, length, headers)


class Outlet(Protocol):
    """What answers leave by."""

    def write_answers(self, only: "Exchange | None" = None) -> None:
        """Send what is answered, in the order in which it was asked.

        `only` is an answer that was not sent yet, and may be all there is to send.
        """
        ...


class Exchange(msgspec.Struct, eq=False):
    """One request's place in the order of its connection's answers."""

    outlet: Outlet
    close: bool = False
    """Whether the connection ends with it."""
    answered: bool = False
    wire: bytes = b""
    refusal: Callable[[AthanorError], Answer] = refusal
    """How failures are told: in the words of the protocol that asked."""
    series: Series | None = None
    """Where the answer was counted before it was released."""
    bodiless: bool = False
    """Whether only the head of the answer is sent (HEAD)."""

    def release(self, failure: OSError | None) -> None:
        """Send the wire that was made, or tell why its row could not be logged."""
        if failure is None:
            self.answered = True
            self.outlet.write_answers(self)
            return
        if self.series is not None:
            self.series.took_back()
        self.refuse(LogUnwritable(failure.strerror or str(failure)))

    def answer(
        self, status: int, body: bytes, content_type: bytes = _JSON, headers: bytes = b""
    ) -> None:
        """Answer with these bytes; a second answer, or one to a client that left, does nothing.

        `headers` are further header lines, each with its end.
        """
        if self.answered:
            return
        self.answered = True
        retry = b"Retry-After: 1\r\n" if status in _RETRY_AFTER else b""
        close = b"Connection: close\r\n" if self.close else b""
        self.wire = b"%bContent-Type: %b\r\nContent-Length: %d\r\n%b%b%b\r\n%b" % (
            _STATUS_LINES[status],
            content_type,
            len(body),
            headers,
            retry,
            close,
            b"" if self.bodiless else body,
        )
        self.outlet.write_answers()

    def send(self, answer: "Answer", accepted: str = "") -> None:
        """Answer, compressed where the client accepts that (its Accept-Encoding)."""
        body, told = compressed(answer.body, accepted)
        self.answer(answer.status, body, answer.content_type, answer.headers + told)

    def refuse(self, error: AthanorError) -> None:
        """Answer with a named failure."""
        told = self.refusal(error)
        allow = (
            b"Allow: %b\r\n" % error.allowed.encode() if isinstance(error, MethodRefused) else b""
        )
        self.answer(told.status, told.body, told.content_type, told.headers + allow)


def guarded(exchange: Exchange, act: Callable[[], Any], log: Callable[[str], None]) -> None:
    """Run what answers; a mistake of ours costs that one request alone."""
    try:
        act()
    except AthanorError as error:
        exchange.refuse(error)
    except Exception as error:  # noqa: BLE001 - one request's failure is not its neighbours'
        log(f"A request failed: {type(error).__name__}: {error}")
        exchange.refuse(PlaneFailed())
