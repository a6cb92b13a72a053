"""Threads that do serving's own jobs, apart from the platform's.

Long ones must not keep triggers and pipelines waiting. The jobs are in the same durable queue, so
that they survive restarts.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.ids import new_id
from athanor.kernel.jobs import Job, Jobs, SqlJobStore

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 0.02
"""Between two looks of one lane, at least."""
_LEAVING_SECONDS = 10.0


class DeskClosed(BaseException):
    """The process is ending: a job that is left in its midst is taken up by the next one."""


class Desk:
    """Lanes of jobs, one kind each, with so many threads."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._store = SqlJobStore(database)
        self.jobs = Jobs(self._store, clock)
        """Where jobs of these kinds are submitted."""
        self._threads_of: dict[str, int] = {}
        self._looking: dict[str, threading.Lock] = {}
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._started = False
        self._starting = threading.Lock()
        self._worker = f"{os.uname().nodename}:{os.getpid()}:{new_id()[-6:]}"

    def lane(
        self,
        kind: str,
        run: Callable[[Job], Mapping[str, Any] | None],
        *,
        threads: int = 1,
        max_attempts: int = 3,
    ) -> None:
        """Have this many threads do jobs of this kind. `run` may raise `DeskClosed`."""
        self.jobs.handle(kind, run, max_attempts=max_attempts)
        self._threads_of[kind] = threads
        self._looking[kind] = threading.Lock()

    @property
    def closing(self) -> bool:
        """Whether jobs should leave where they are."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin; a second call does nothing."""
        with self._starting:
            if self._started or self.closing:
                return
            self._started = True
        for kind, count in self._threads_of.items():
            for number in range(count):
                name = f"{kind}-{number}"
                thread = threading.Thread(
                    target=self._work, args=(kind, f"{self._worker}:{name}"), name=name, daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Have every job leave where it is, and end."""
        self._stop.set()
        self._database.wake()
        for thread in self._threads:
            thread.join(_LEAVING_SECONDS)

    def check(self) -> None:
        """Return if the process goes on.

        Raises: DeskClosed.
        """
        if self.closing:
            raise DeskClosed

    def wait(self, seconds: float) -> bool:
        """Wait; whether the process is ending."""
        return self._stop.wait(seconds)

    def _work(self, kind: str, worker: str) -> None:
        while not self.closing:
            with self._looking[kind]:
                job = self._next(kind, worker)
            if job is None:
                continue
            try:
                self.jobs.work(job, worker)
            except DeskClosed:
                self._store.release(worker)

    def _next(self, kind: str, worker: str) -> Job | None:
        heard = self._database.heard("jobs")
        try:
            job = self.jobs.take(worker, only=(kind,))
        except Exception:  # noqa: BLE001 - the next look may succeed
            _log.exception("looking for jobs of kind %s stumbled", kind)
            self._stop.wait(_LOOK_SECONDS)
            return None
        if job is None and not self.closing:
            self._database.wait_for("jobs", heard, _LOOK_SECONDS)
            self._stop.wait(_PAUSE_SECONDS)
        return job
