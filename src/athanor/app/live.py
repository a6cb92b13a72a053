"""The live page: one thread reads the events, every open page gets them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

import msgspec

from athanor.kernel import Event, Events

_log = logging.getLogger(__name__)

_KEEP_ALIVE_SECONDS = 15.0
_BACKLOG = 1000
_IDLE_SECONDS = 0.5


class Live:
    """Hands events to the open streams as they are committed."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Event | None]]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="live", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """End every stream."""
        self._stop.set()
        self._send(None)

    async def stream(self, after: int | None) -> AsyncIterator[bytes]:
        """Server-sent events behind number `after`, or from now on."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        listener = (asyncio.get_running_loop(), queue)
        self._listeners.add(listener)
        try:
            yield b"retry: 1000\n: open\n\n"
            seen = 0
            if after is not None:
                seen = after
                while backlog := await asyncio.to_thread(self._events.since, seen, _BACKLOG):
                    for event in backlog:
                        seen = event.seq
                        yield _frame(event)
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), _KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield b": alive\n\n"
                    continue
                if item is None:
                    return
                if item.seq > seen:
                    yield _frame(item)
        finally:
            self._listeners.discard(listener)

    def _read(self) -> None:
        after = self._events.last()
        while not self._stop.is_set():
            try:
                if not self._listeners:
                    after = self._idle(after)
                    if self._stop.is_set():
                        return
                for event in self._events.wait(after, 1.0):
                    after = event.seq
                    self._send(event)
            except Exception:  # noqa: BLE001 - the page goes on
                if self._stop.is_set():  # the database was closed meanwhile
                    return
                _log.exception("the live page could not read events")
                self._stop.wait(1.0)

    def _idle(self, after: int) -> int:
        """Rest while no page is open; where to read on."""
        while not self._listeners and not self._stop.wait(_IDLE_SECONDS):
            last = self._events.last()
            # Who joined while that was read is sent what has happened since.
            if not self._listeners:
                after = last
        return after

    def _send(self, event: Event | None) -> None:
        for loop, queue in list(self._listeners):
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, event)


def _frame(event: Event) -> bytes:
    data = msgspec.json.encode(event)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.action.encode(), data)
