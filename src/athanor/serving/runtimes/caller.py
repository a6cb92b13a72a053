"""Asking a model worker directly, without a plane: for replays."""

import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import msgspec

from athanor.serving.errors import WorkerUnavailable
from athanor.serving.logic import frames
from athanor.serving.logic.frames import Ask, Frames, Hello, Reply
from athanor.serving.logic.signature import Row

_READ = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A reply, and how long it took."""

    reply: Reply
    seconds: float


class Caller:
    """One blocking connection to a worker's socket."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        """Connect. Raises: WorkerUnavailable."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._frames = Frames()
        self._ready: list[tuple[int, bytes]] = []
        self._number = 0
        try:
            self._socket.connect(path)
            _, payload = self._next()
            self.hello: Hello = frames.HELLOS.decode(payload)
        except (OSError, frames.FrameError, msgspec.DecodeError) as error:
            self._socket.close()
            raise WorkerUnavailable(str(error) or type(error).__name__) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def predict(self, asks: list[list[Row]]) -> list[Timed]:
        """The worker's replies for these requests, sent at once, in their order.

        Raises: WorkerUnavailable.
        """
        numbers = range(self._number + 1, self._number + 1 + len(asks))
        self._number += len(asks)
        began = time.monotonic()
        found: dict[int, Timed] = {}
        try:
            self._socket.sendall(b"".join(map(frames.framed, numbers, map(Ask, asks))))
            while len(found) < len(asks):
                number, payload = self._next()
                reply = frames.REPLIES.decode(payload)
                found[number] = Timed(reply=reply, seconds=time.monotonic() - began)
        except (OSError, frames.FrameError, msgspec.DecodeError) as error:
            raise WorkerUnavailable(str(error) or type(error).__name__) from error
        return [found[number] for number in numbers]

    def _next(self) -> tuple[int, bytes]:
        while not self._ready:
            data = self._socket.recv(_READ)
            if not data:
                raise ConnectionResetError("the worker hung up")
            self._ready.extend(self._frames.feed(data))
        return self._ready.pop(0)
