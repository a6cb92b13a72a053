"""A worker's loop: one thread, one model, no timer.

Whatever requests have arrived while the last call ran go into the next one. A call that fails is
made again request by request, so that bad rows harm their own request alone.
"""

import logging
import os
import selectors
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import msgspec

from athanor.serving.logic import frames
from athanor.serving.logic.frames import Ask, Frames, Reply
from athanor.serving.runtimes.port import ReadsBodies, Runtime

logger = logging.getLogger(__name__)

_READ = 1 << 20
_BATCH_ROWS = 4_096
"""Rows of one call at most; a single request may hold more."""
_CHECK_SECONDS = 0.5
WHOLE = "whole"


class _Client:
    """One connected plane process."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.frames = Frames()


class Server:
    """Listens on a Unix socket and answers from one runtime."""

    def __init__(self, runtime: Runtime, path: str) -> None:
        self._runtime = runtime
        self._selector = selectors.DefaultSelector()
        self._clients: set[_Client] = set()
        self._leaving = False
        self._path = path
        self._listener = _listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Answer until told to leave (SIGTERM) and every plane has hung up."""
        signal.signal(signal.SIGTERM, self._leave)
        while not self._leaving or self._clients:
            asked = list(self._gather())
            for batch in _batches(asked, together=self._runtime.hello.batching == WHOLE):
                self._answer(batch)

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self._leaving = True

    def _gather(self) -> Iterator[tuple[_Client, int, Ask]]:
        for key, _ in self._selector.select(_CHECK_SECONDS):
            if key.fileobj is self._listener:
                self._accept()
                continue
            client: _Client = key.data
            try:
                data = client.connection.recv(_READ)
                if not data:
                    self._drop(client)
                    continue
                for number, payload in client.frames.feed(data):
                    yield client, number, frames.ASKS.decode(payload)
            except (OSError, frames.FrameError, msgspec.DecodeError):
                logger.exception("A plane's connection broke")
                self._drop(client)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        client = _Client(connection)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, client)
        self._send(client, frames.framed(0, self._runtime.hello))

    def _answer(self, batch: list[tuple[_Client, int, Ask]]) -> None:
        try:
            replies = self._together([ask for _, _, ask in batch])
        except Exception as error:  # noqa: BLE001 - whatever a model raises is its rows' answer
            if len(batch) > 1:
                for item in batch:
                    self._answer([item])
                return
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
            replies = [Reply([], b"", reason)]
        wires: dict[_Client, list[bytes]] = {}
        for (client, number, _), reply in zip(batch, replies, strict=True):
            wires.setdefault(client, []).append(_told(number, reply))
        for client, parts in wires.items():
            self._send(client, b"".join(parts))

    def _together(self, asks: list[Ask]) -> list[Reply]:
        if len(asks) == 1:
            (ask,) = asks
            if ask.body is not None and isinstance(self._runtime, ReadsBodies):
                return [self._runtime.answer(ask.body)]
            return [self._runtime.predict(ask.rows)]
        whole = self._runtime.predict([row for ask in asks for row in ask.rows])
        total = sum(len(ask.rows) for ask in asks)
        width = len(whole.numbers) // total
        replies, start = [], 0
        for ask in asks:
            end = start + len(ask.rows)
            numbers = whole.numbers[start * width : end * width]
            replies.append(Reply(whole.labels[start:end], numbers))
            start = end
        return replies

    def _send(self, client: _Client, data: bytes) -> None:
        try:
            client.connection.sendall(data)
        except OSError:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.discard(client)
            self._selector.unregister(client.connection)
            client.connection.close()


def _told(number: int, reply: Reply) -> bytes:
    try:
        return frames.framed(number, reply)
    except (ValueError, TypeError, OverflowError) as error:  # half a surrogate pair, say
        reason = f"its answer can't be written: {type(error).__name__}: {error}"
        return frames.framed(number, Reply([], b"", reason.encode("utf-8", "replace").decode()))


def serve(runtime: Runtime, path: str) -> None:
    """Answer planes at this path of a Unix socket until told to leave."""
    Server(runtime, path).run()


def _listen(path: str) -> socket.socket:
    """A listening socket that appears at its path only once it can answer."""
    passing = f"{path}.{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    Path(passing).unlink(missing_ok=True)
    listener.bind(passing)
    listener.listen(64)
    Path(passing).replace(path)
    return listener


def _batches(
    asked: list[tuple[_Client, int, Ask]], *, together: bool
) -> Iterator[list[tuple[_Client, int, Ask]]]:
    batch: list[tuple[_Client, int, Ask]] = []
    rows = 0
    for item in asked:
        size = len(item[2].rows)
        bodies = any(ask.body is not None for _, _, ask in (item, *batch[-1:]))
        if batch and (bodies or not together or rows + size > _BATCH_ROWS):
            yield batch
            batch, rows = [], 0
        batch.append(item)
        rows += size
    if batch:
        yield batch
