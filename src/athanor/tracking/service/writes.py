"""Many small writes in one transaction: each is answered once all of them are durable."""

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

from athanor.kernel import Database

Result = TypeVar("Result")

_GROUP = 256
"""Writes that share one transaction, at most."""
_PATIENCE = 0.5
"""How long a group waits for the crowd, in parts of what the last one took to be written."""
_LONGEST_PATIENCE = 0.003


class _Write:
    __slots__ = ("error", "future", "loop", "result", "work")

    def __init__(
        self,
        work: Callable[[], Any],
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
    ) -> None:
        self.work = work
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


class WriteQueue:
    """One thread that writes what waits, group by group.

    A write that fails is undone by itself; the others of its group stay. Nobody is answered before
    the group is committed. Clients that write one thing after another would meet in two groups by
    turns, each half as large as it could be: so a group waits for as many as the last one had and
    left, but never longer than a part of what a commit takes.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._crowd = 1
        self._patience = 0.0

    def start(self) -> None:
        """Begin to write."""
        self._thread = Thread(target=self._serve, name="tracking-writes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do some work in a transaction that it shares; returns once that is durable.

        The work may be done twice: once in vain, beside one that failed. Raises: what it raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.put(_Write(work, loop, future))
        return await future

    def _serve(self) -> None:
        ended = False
        while not ended:
            first = self._waiting.get()
            if first is None:
                return
            group, ended = self._gathered(first)
            began = monotonic()
            self._write(group)
            self._patience = min((monotonic() - began) * _PATIENCE, _LONGEST_PATIENCE)
            self._crowd = min(len(group) + self._waiting.qsize(), _GROUP)

    def _gathered(self, first: _Write) -> tuple[list[_Write], bool]:
        """A group, and whether the queue has ended."""
        group = [first]
        until = monotonic() + self._patience
        while len(group) < _GROUP:
            left = until - monotonic() if len(group) < self._crowd else 0.0
            try:
                another = self._waiting.get(left > 0, max(left, 0.0))
            except Empty:
                break
            if another is None:
                return group, True
            group.append(another)
        return group, False

    def _write(self, group: list[_Write]) -> None:
        try:
            try:
                with self._database.transaction(flat=True):
                    for write in group:
                        write.result = write.work()
            except Exception:  # noqa: BLE001 - each of them is heard below
                self._write_apart(group)
        except BaseException as error:  # noqa: BLE001 - told to every caller
            for write in group:
                write.error = error
        for loop in {write.loop for write in group}:
            loop.call_soon_threadsafe(_tell, [write for write in group if write.loop is loop])

    def _write_apart(self, group: list[_Write]) -> None:
        """One of them fails: let each have a savepoint."""
        with self._database.transaction():
            for write in group:
                try:
                    with self._database.transaction():
                        write.result = write.work()
                except Exception as error:  # noqa: BLE001 - told to the caller
                    write.error = error


def _tell(writes: list[_Write]) -> None:
    for write in writes:
        write.tell()
