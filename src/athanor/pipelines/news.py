"""Who waits for the end of a run hears of it at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock


class RunNews:
    """Ends of runs, told by the engine to routes that wait for them."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._lock = Lock()

    def tell(self, run_id: str) -> None:
        """A run has ended. Called on any thread."""
        with self._lock:
            waiting = list(self._waiting.get(run_id, ()))
        for loop, heard in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(heard.set)

    @contextmanager
    def of(self, run_id: str) -> Iterator[asyncio.Event]:
        """What is set when the run ends. Called within an event loop."""
        item = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.setdefault(run_id, []).append(item)
        try:
            yield item[1]
        finally:
            with self._lock:
                self._waiting[run_id].remove(item)
                if not self._waiting[run_id]:
                    del self._waiting[run_id]
