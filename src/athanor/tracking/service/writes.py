"""Many small writes in one transaction: each is answered once all of them are durable."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

from athanor.kernel import Database

Item = TypeVar("Item")
Result = TypeVar("Result")
Act = Callable[[list[Item]], Sequence[Result]]
"""Does the work of several callers in one go, or of one alone: a result for each."""

_GROUP = 256
"""Writes that share one transaction, at most."""
_PATIENCE = 0.5
"""How long a group waits for the crowd, in parts of what the last one took to be written."""
_LONGEST_PATIENCE = 0.003
_NOT_NOW = 1 << 62


class _Write:
    __slots__ = ("act", "error", "future", "item", "loop", "result")

    def __init__(
        self,
        act: Act[Any, Any],
        item: Any,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        self.act = act
        self.item = item
        self.loop = loop
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def tell(self) -> None:
        """Answer whoever waits, on his own loop."""
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class _OneFails(Exception):
    """One of a group fails, and undoes it."""


class WriteQueue:
    """One thread that writes what waits, group by group.

    A write that fails is undone by itself; the others of its group stay. Nobody is answered before
    the group is committed. Clients that write one thing after another would meet in two groups by
    turns, each half as large as it could be: so a group waits for as many as the last one had and
    left, but never longer than a part of what a commit takes. The thread is woken once a group, not
    once a write: it and the event loop share one interpreter.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Write] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._wanted = _NOT_NOW
        """How many have to wait for the thread to be woken; nobody wakes it twice."""
        self._ended = False
        self._thread: Thread | None = None
        self._crowd = 1
        self._patience = 0.0

    def start(self) -> None:
        """Begin to write."""
        self._ended = False
        self._thread = Thread(target=self._serve, name="tracking-writes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        if self._thread is not None:
            self._ended = True
            self._bell.put(None)
            self._thread.join()
            self._thread = None

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do some work in a transaction that it shares; returns once that is durable.

        The work may be done twice: once in vain, beside one that failed. Raises: what it raises.
        """
        return await self.share(_one_by_one, work)

    def share(self, act: Act[Item, Result], item: Item) -> "asyncio.Future[Result]":
        """As `run`, together with all others of the group that have the same thing done.

        What `act` raises for several is found out by asking it again for each alone.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append(_Write(act, item, loop, future))
        if len(self._waiting) >= self._wanted:
            self._wanted = _NOT_NOW
            self._bell.put(None)
        return future

    def _serve(self) -> None:
        while self._met():
            waiting = self._waiting
            group = [waiting.popleft() for _ in range(min(len(waiting), _GROUP))]
            began = monotonic()
            self._write(group)
            self._patience = min((monotonic() - began) * _PATIENCE, _LONGEST_PATIENCE)
            self._crowd = min(len(group) + len(waiting), _GROUP)

    def _met(self) -> bool:
        """Wait for a group; False once there is none to come."""
        self._wait(self._crowd, self._patience)
        while not self._waiting and not self._ended:
            self._wait(1, None)
            self._wait(self._crowd, self._patience)
        return bool(self._waiting)

    def _wait(self, wanted: int, timeout: float | None) -> None:
        """Wait until so many are there, or the end, or for so many seconds."""
        self._wanted = wanted
        # Who comes between these two lines rings in vain, which the next wait takes for a call.
        if len(self._waiting) < wanted and not self._ended and timeout != 0.0:
            with suppress(Empty):
                self._bell.get(timeout=timeout)
        self._wanted = _NOT_NOW

    def _write(self, group: list[_Write]) -> None:
        try:
            if not self._written_together(group):
                self._write_apart(group)
        except BaseException as error:  # noqa: BLE001 - told to every caller
            for write in group:
                write.error = error
        for loop in {write.loop for write in group}:
            loop.call_soon_threadsafe(_tell, [write for write in group if write.loop is loop])

    def _written_together(self, group: list[_Write]) -> bool:
        """Whether none of them failed. Raises: what the commit raises.

        A commit that fails may have been done all the same: it is never done again.
        """
        try:
            with self._database.transaction(flat=True):
                try:
                    for act, writes in _together(group).items():
                        results = act([write.item for write in writes])
                        for write, result in zip(writes, results, strict=True):
                            write.result = result
                except Exception as error:
                    raise _OneFails from error
                if self._database.undone:
                    raise _OneFails
        except _OneFails:
            return False
        return True

    def _write_apart(self, group: list[_Write]) -> None:
        """One of them fails: let each have a savepoint."""
        with self._database.transaction():
            for write in group:
                try:
                    with self._database.transaction():
                        (write.result,) = write.act([write.item])
                except Exception as error:  # noqa: BLE001 - told to the caller
                    write.error = error


def _one_by_one(works: list[Callable[[], Any]]) -> list[Any]:
    return [work() for work in works]


def _together(group: list[_Write]) -> dict[Act[Any, Any], list[_Write]]:
    """The writes by what they have done."""
    found: dict[Act[Any, Any], list[_Write]] = {}
    for write in group:
        found.setdefault(write.act, []).append(write)
    return found


def _tell(writes: list[_Write]) -> None:
    for write in writes:
        write.tell()
