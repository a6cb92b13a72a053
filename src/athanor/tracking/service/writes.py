"""Many small writes in one transaction: each is answered once all of them are durable."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from athanor.kernel import Database

Result = TypeVar("Result")

_GROUP = 256
"""Writes that share one transaction, at most."""


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
    the group is committed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: SimpleQueue[_Write | None] = SimpleQueue()
        self._thread: Thread | None = None

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

        Raises: what the work raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.put(_Write(work, loop, future))
        return await future

    def _serve(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            group = [first]
            ended = False
            while len(group) < _GROUP and not self._waiting.empty():
                another = self._waiting.get()
                if another is None:
                    ended = True
                    break
                group.append(another)
            self._write(group)
            if ended:
                return

    def _write(self, group: list[_Write]) -> None:
        try:
            with self._database.transaction(quiet=True):
                for write in group:
                    self._do(write)
        except BaseException as error:  # noqa: BLE001 - told to every caller
            for write in group:
                write.error = error
        for loop in {write.loop for write in group}:
            loop.call_soon_threadsafe(_tell, [write for write in group if write.loop is loop])

    def _do(self, write: _Write) -> None:
        try:
            with self._database.transaction():
                write.result = write.work()
        except Exception as error:  # noqa: BLE001 - told to the caller
            write.error = error


def _tell(writes: list[_Write]) -> None:
    for write in writes:
        write.tell()
