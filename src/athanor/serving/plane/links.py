"""The plane's side of the talk with model workers.

A deployment has one link per worker. A link that breaks is made again as soon as the worker's
socket answers; what was under way on it is asked once more, of any worker, as predicting changes
nothing.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import PredictionTimedOut, WorkerUnavailable
from athanor.serving.logic import frames
from athanor.serving.logic.frames import Ask, Body, Frames, Hello, Reply
from athanor.serving.logic.signature import Row

_ATTEMPTS = 2
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

Then: TypeAlias = Callable[[Reply | AthanorError, Hello | None], None]
"""Called once, with the reply and the worker's hello, or with a failure and None."""

_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Call:
    """Rows on their way to a worker and back."""

    rows: list[Row]
    then: Then
    deadline: float
    """time.monotonic() after which nobody waits for it."""
    body: Body | None = None
    attempts: int = 0
    done: bool = False

    def end(self, result: Reply | AthanorError, hello: Hello | None = None) -> None:
        """Tell whoever waits, once."""
        if not self.done:
            self.done = True
            self.then(result, hello)


class Pool:
    """The links of one deployment and the calls that wait for one."""

    def __init__(self, sockets: list[str]) -> None:
        self._links = [Link(path, self) for path in sockets]
        self._waiting: deque[Call] = deque()
        self._closed = False
        self._told: Hello | None = None

    @property
    def in_flight(self) -> int:
        """Calls without a reply yet."""
        return len(self._waiting) + sum(len(link.calls) for link in self._links)

    @property
    def ready(self) -> bool:
        """Whether a worker is linked."""
        return any(link.ready for link in self._links)

    def submit(self, call: Call) -> None:
        """Send the call to the worker with the fewest under way; keep it while there is none.

        A call without rows or body asks for the hello alone.
        """
        ready = [link for link in self._links if link.ready]
        if not ready:
            self._waiting.append(call)
            return
        if not call.rows and call.body is None:
            call.end(Reply([], b""), ready[0].hello)
            return
        link = ready[0] if len(ready) == 1 else min(ready, key=lambda item: len(item.calls))
        call.attempts += 1
        link.send(call)

    @property
    def hello(self) -> Hello | None:
        """What a worker that is there, or the last one that was, said of its model."""
        found = next((link.hello for link in self._links if link.ready), None)
        return found or self._told

    def linked(self) -> None:
        """A worker answers again: send what waited."""
        self._told = self.hello
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            if not call.done:
                self.submit(call)

    def broken(self, calls: list[Call]) -> None:
        """A worker went away with these under way."""
        for call in calls:
            if call.done:
                continue
            if call.attempts >= _ATTEMPTS:
                call.end(WorkerUnavailable("it died twice while it predicted these records"))
            else:
                self.submit(call)

    def expire(self, now: float, seconds: float) -> None:
        """Give up calls that nobody waits for any more."""
        overdue = [call for call in self._waiting if now >= call.deadline]
        self._waiting = deque(call for call in self._waiting if now < call.deadline)
        for call in overdue:
            call.end(WorkerUnavailable("none came up in time"))
        for link in self._links:
            for call in [call for call in link.calls.values() if now >= call.deadline]:
                call.end(PredictionTimedOut(seconds))

    def connect(self) -> None:
        """Begin to make every link."""
        for link in self._links:
            link.connect()

    def retarget(self, sockets: list[str]) -> None:
        """Have these workers from now on; links to others end when they are idle."""
        kept = {link.path: link for link in self._links}
        for path, link in kept.items():
            if path not in sockets:
                link.leave()
        self._links = [kept.get(path) or Link(path, self) for path in sockets]
        self.connect()

    def close(self) -> None:
        """Let the workers go once nothing is under way."""
        self._closed = True
        for call in self._waiting:
            call.end(WorkerUnavailable("its deployment was taken away"))
        self._waiting.clear()
        for link in self._links:
            link.leave()


class Link(asyncio.Protocol):
    """One connection to one worker, made again whenever it breaks."""

    def __init__(self, path: str, pool: Pool) -> None:
        self.path = path
        self.calls: dict[int, Call] = {}
        self.ready = False
        self._pool = pool
        self.hello: Hello | None = None
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._leaving = False
        self._making: asyncio.Task[None] | None = None

    def connect(self) -> None:
        """Begin to make the link, if it is not made or being made."""
        if self._making is None and self._transport is None and not self._leaving:
            self._making = asyncio.get_running_loop().create_task(self._make())

    async def _make(self) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while not self._leaving:
            try:
                await loop.create_unix_connection(lambda: self, self.path)
            except OSError:
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.5)
            else:
                break
        self._making = None

    def send(self, call: Call) -> None:
        """Ask the worker."""
        number = next(_numbers)
        self.calls[number] = call
        transport = cast("asyncio.Transport", self._transport)
        transport.write(frames.framed(number, Ask(call.rows, call.body)))

    def leave(self) -> None:
        """End the link when nothing is under way on it."""
        self._leaving = True
        self.ready = False
        if not self.calls and self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker accepted; its hello follows."""
        self._transport = cast("asyncio.Transport", transport)
        self._frames = Frames()
        if self._leaving:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Replies came."""
        try:
            for number, payload in self._frames.feed(data):
                if number == 0:
                    self.hello = frames.HELLOS.decode(payload)
                    self.ready = not self._leaving
                    self._pool.linked()
                else:
                    self._replied(number, payload)
        except (frames.FrameError, msgspec.DecodeError):
            cast("asyncio.Transport", self._transport).abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """The worker is gone."""
        calls = list(self.calls.values())
        self.calls.clear()
        self.ready = False
        self._transport = None
        self.connect()
        self._pool.broken(calls)

    def _replied(self, number: int, payload: bytes) -> None:
        call = self.calls.pop(number, None)
        if call is not None:
            call.end(frames.REPLIES.decode(payload), self.hello)
        if self._leaving and not self.calls and self._transport is not None:
            self._transport.close()


def deadline_in(seconds: float) -> float:
    """The time.monotonic() that lies this many seconds ahead."""
    return time.monotonic() + seconds
