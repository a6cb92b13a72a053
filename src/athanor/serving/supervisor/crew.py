"""The model workers: some for each deployment that may be asked, hired again when they die."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from athanor.kernel.errors import AthanorError
from athanor.kernel.workers import Child, Exit, Workers, WorkFailed

logger = logging.getLogger(__name__)

NATIVE = "athanor.serving.runtimes.native:main"
PRELOAD: tuple[str, ...] = (
    "athanor.serving.runtimes.native",
    "athanor.serving.batches.work.plan",
    "athanor.serving.batches.work.score",
    "athanor.serving.batches.work.gather",
    "athanor.data.work.ingest",
)
"""What a warm zygote loads ahead: a model that sleeps wakes within a tenth of a second.

A batch needs its modules in several processes, and its end and every new dataset the last one.
"""
_QUICK_DEATH_SECONDS = 10.0
_LONGEST_PAUSE = 10.0
_LEAVING_SECONDS = 30.0
_CLIENT_FAULT = 500
_STARTS_AFTER_ERRORS, _STARTS_AFTER_DEATHS = 3, 8
"""Starts of a worker that never answered, until its model counts as one that can't be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a deployment needs of workers."""

    deployment: str
    """Its id."""
    folder: Callable[[], Path]
    """Brings the model's folder to this machine. May take long; called on a thread of its own."""
    replicas: int = 1
    target: str = NATIVE
    runs_code: Callable[[], bool] = lambda: False
    """Whether loading the model runs code, and somebody agreed to that. Asked at every start.

    Raises: a Forbidden where nobody agreed.
    """


class Crew:
    """All model workers of this server. `changed` is called when one came up or went away."""

    def __init__(
        self, workers: Workers, sockets: Path, logs: Path, changed: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._sockets = sockets
        self._logs = logs
        self._changed = changed
        self._hired: dict[str, list[_Worker]] = {}
        self._serials = itertools.count()

    def staff(self, posts: Mapping[str, Post]) -> None:
        """Have as many workers as these posts say, and none of other deployments."""
        for deployment in [name for name in self._hired if name not in posts]:
            for worker in self._hired.pop(deployment):
                worker.leave()
        for deployment, post in posts.items():
            workers = self._hired.setdefault(deployment, [])
            while len(workers) > post.replicas:
                workers.pop().leave()
            while len(workers) < post.replicas:
                # No path is used twice: a worker that leaves removes its own.
                short = f"{deployment[:8]}{deployment[-8:]}-{next(self._serials)}"
                worker = _Worker(
                    self._workers,
                    post,
                    self._sockets / f"{short}.sock",
                    self._logs / f"{deployment}.log",
                    self._changed,
                )
                workers.append(worker)
                worker.hire()

    def tend(self) -> None:
        """Hire again for those that died."""
        for workers in self._hired.values():
            for worker in workers:
                worker.tend()

    def sockets(self, deployment: str) -> list[str]:
        """Where the deployment's workers listen, or will again."""
        hired = self._hired.get(deployment, [])
        return [str(worker.path) for worker in hired if worker.came_up]

    def size(self, deployment: str) -> int:
        """How many workers it has, those that are being started included."""
        return len(self._hired.get(deployment, []))

    def ready(self, deployment: str) -> bool:
        """Whether one of its workers answers."""
        return any(worker.ready for worker in self._hired.get(deployment, []))

    def failure(self, deployment: str) -> AthanorError | None:
        """Why its model can't be loaded, where trying again is of no use."""
        for worker in self._hired.get(deployment, []):
            if worker.failure is not None:
                return worker.failure
        return None

    def trouble(self, deployment: str) -> str:
        """Why the last start of one of its workers failed, where none answers."""
        if self.ready(deployment):
            return ""
        found = (worker.trouble for worker in self._hired.get(deployment, []))
        return next((text for text in found if text), "")

    def pids(self, deployment: str) -> list[int]:
        """Process ids of its workers that answer."""
        return [worker.pid for worker in self._hired.get(deployment, []) if worker.ready]

    def stop(self) -> None:
        """End every worker."""
        enders = [
            threading.Thread(target=worker.end, name="worker-end")
            for workers in self._hired.values()
            for worker in workers
        ]
        self._hired.clear()
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()


class _Worker:
    """One post's worker, over all its lives."""

    def __init__(
        self,
        workers: Workers,
        post: Post,
        path: Path,
        log: Path,
        changed: Callable[[], None],
    ) -> None:
        self.path = path
        self.came_up = False
        """Whether it answered once; since then planes may link to it, also while it is away."""
        self.failure: AthanorError | None = None
        self.trouble = ""
        """Why its last start failed, or ""."""
        self._failed_starts = 0
        self._workers = workers
        self._post = post
        self._log = log
        self._changed = changed
        self._child: Child | None = None
        self._hiring = False
        self._left = False
        self._began = 0.0
        self._pause = 0.0
        self._again_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether it answers: its socket appears once its model is loaded."""
        child = self._child
        answers = child is not None and child.wait(0) is None and self.path.exists()
        self.came_up = self.came_up or answers
        return answers

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid if self._child is not None else 0

    def hire(self) -> None:
        """Bring the model and start a worker on it, on a thread of its own."""
        self._hiring = True
        threading.Thread(target=self._hire, name="worker-hire", daemon=True).start()

    def _hire(self) -> None:
        try:
            agreed = {"pickles": True} if self._post.runs_code() else {}
            folder = self._post.folder()
            self.path.unlink(missing_ok=True)
            self._began = time.monotonic()
            child = self._workers.spawn(
                self._post.target,
                {"folder": str(folder), "path": str(self.path), **agreed},
                log=self._log,
                on_exit=self._exited,
            )
            self._child = child
            if self._left:
                child.kill()
        except AthanorError as error:
            logger.warning(
                "A worker of deployment %s did not start: %s", self._post.deployment, error
            )
            self._judge(error)
        finally:
            self._hiring = False
        self._changed()
        while not self._left and self._child is not None and self._child.wait(0.01) is None:
            if self.path.exists():
                self.came_up = True
                self._changed()
                return

    def tend(self) -> None:
        """Start another one if it died; one that dies at once is given growing pauses."""
        child = self._child
        if self._hiring or self._left or self.failure is not None:
            return
        if child is not None and child.wait(0) is None:
            return
        now = time.monotonic()
        if not self._again_at:
            if child is not None:
                self._judge(_failure_of(child))
            quick = now - self._began < _QUICK_DEATH_SECONDS
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or 0.05) if quick else 0.0
            self._again_at = now + self._pause
        if now >= self._again_at and self.failure is None:
            self._again_at = 0.0
            self.hire()

    def leave(self) -> None:
        """Have it end once its planes have hung up, without waiting for that."""
        self._left = True
        threading.Thread(target=self.end, name="worker-leave", daemon=True).start()

    def end(self) -> None:
        """End it; waits."""
        self._left = True
        if self._child is not None:
            self._child.kill(_LEAVING_SECONDS)
        self.path.unlink(missing_ok=True)

    def _exited(self, how: Exit) -> None:
        if not self._left:
            logger.warning("A worker of deployment %s ended: %s", self._post.deployment, how)
            self._changed()

    def _judge(self, error: AthanorError | None) -> None:
        """Whether another start may help: not where the model itself can't be loaded."""
        if error is None:
            return
        self.trouble = error.message
        self._failed_starts += 1
        patience = _STARTS_AFTER_ERRORS if isinstance(error, WorkFailed) else _STARTS_AFTER_DEATHS
        hopeless = not self.came_up and self._failed_starts >= patience
        if error.status < _CLIENT_FAULT or hopeless:
            self.failure = error


def _failure_of(child: Child) -> AthanorError | None:
    try:
        child.result(0)
    except AthanorError as error:
        return error
    return None
