"""The threads that keep the house going: events to subscribers, jobs to handlers."""

import logging
import os
import threading
import time
from collections.abc import Callable

from athanor.kernel import Database, Events, Job, Jobs, new_id

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 0.05
"""Between two looks that commits ask for, at least: under load, one look serves many."""
_REST = 9.0
"""How much longer than a look took it rests before the next."""
_JOB_THREADS = 4


class Background:
    """Delivers events and runs jobs until it is closed."""

    def __init__(self, database: Database, events: Events, jobs: Jobs) -> None:
        self._database = database
        self._events = events
        self._jobs = jobs
        self._stop = threading.Event()
        self._looking = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._worker = f"{os.uname().nodename}:{os.getpid()}:{new_id()[-6:]}"

    def start(self) -> None:
        """Begin."""
        self._begin("events", self._run, "events", lambda: self._events.deliver() > 0)
        for number in range(_JOB_THREADS):
            self._begin(f"jobs-{number}", self._work, f"{self._worker}:{number}")

    def close(self, timeout: float = 5.0) -> None:
        """Let what runs come to its end, and stop."""
        self._stop.set()
        self._database.wake()
        for thread in self._threads:
            thread.join(timeout)

    def _begin(self, name: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, worker: str) -> None:
        """Take jobs and do them. One thread looks for the next job; the others work, or queue."""
        while not self._stop.is_set():
            with self._looking:
                job = self._next_job(worker)
            if job is not None:
                self._jobs.work(job, worker)

    def _next_job(self, worker: str) -> Job | None:
        while not self._stop.is_set():
            heard, looked = self._database.heard("jobs"), time.monotonic()
            try:
                job = self._jobs.take(worker)
            except Exception:  # noqa: BLE001 - the loop goes on
                _log.exception("looking for jobs stumbled")
                self._stop.wait(_LOOK_SECONDS)
                continue
            if job is not None:
                return job
            took = time.monotonic() - looked
            self._database.wait_for("jobs", heard, _LOOK_SECONDS)
            self._pause(looked, took)
        return None

    def _run(self, name: str, step: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            heard, looked = self._database.heard("events"), time.monotonic()
            try:
                busy = step()
            except Exception:  # noqa: BLE001 - a loop goes on
                _log.exception("the %s loop stumbled", name)
                self._stop.wait(_LOOK_SECONDS)
                continue
            took = time.monotonic() - looked
            if not busy:
                self._database.wait_for("events", heard, _LOOK_SECONDS)
            self._pause(looked, took)

    def _pause(self, looked: float, took: float) -> None:
        """Wait a little longer where the last look is new, or was long."""
        rest = min(max(_PAUSE_SECONDS, took * _REST), _LOOK_SECONDS)
        left = looked + rest - time.monotonic()
        if left > 0:
            self._stop.wait(left)
