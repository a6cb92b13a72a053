"""Models compiled for the data plane: each digest once, in a worker, kept in a cache."""

import contextlib
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.kernel.workers import Workers
from athanor.serving.supervisor.crew import Post
from athanor.serving.types.runtimes import RuntimeReport

logger = logging.getLogger(__name__)

TARGET = "athanor.serving.runtimes.compiling:compile_model"
FORMAT = "2"
"""Of what compilers write: a new one makes all caches void."""
_SECONDS = 300.0
_REPORT = "proof.json"
_NATIVE = "native"


class Runtimes:
    """What answers inside the plane, by deployment; `changed` is called when one came."""

    def __init__(
        self, workers: Workers, cache: Path, logs: Path, changed: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._cache = cache
        self._logs = logs
        self._changed = changed
        self._reports: dict[str, RuntimeReport] = {}
        self._folders: dict[str, Path] = {}
        self._asked: set[str] = set()
        self._queue: SimpleQueue[Post | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def want(self, posts: Mapping[str, Post]) -> None:
        """Compile the models of these deployments, one after the other; returns at once."""
        for gone in self._asked - posts.keys():
            self._asked.discard(gone)
            self._folders.pop(gone, None)
            self._reports.pop(gone, None)
        for deployment, post in posts.items():
            if deployment not in self._asked:
                self._asked.add(deployment)
                self._queue.put(post)
        if self._asked and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="compiling", daemon=True)
            self._thread.start()

    def of(self, deployment: str) -> dict[str, str]:
        """For `Target.runtime`: the kind and the folder; empty where workers answer."""
        folder = self._folders.get(deployment)
        if folder is None:
            return {}
        return {"kind": self._reports[deployment].kind, "folder": str(folder)}

    def report(self, deployment: str) -> RuntimeReport | None:
        """What was found; None while it is not known."""
        return self._reports.get(deployment)

    def stop(self) -> None:
        """Compile nothing more."""
        self._asked.clear()
        self._queue.put(None)

    def _work(self) -> None:
        while (post := self._queue.get()) is not None:
            if post.deployment not in self._asked:
                continue
            try:
                folder, report = self._compiled(post)
            except (AthanorError, OSError, msgspec.MsgspecError) as error:
                # Whether the model can be loaded at all is its worker's to say.
                logger.warning("Deployment %s is not compiled: %s", post.deployment, error)
                report = RuntimeReport(kind=_NATIVE, why_not={"compiled": str(error)})
                folder = None
            self._reports[post.deployment] = report
            if folder is not None and report.kind != _NATIVE:
                self._folders[post.deployment] = folder
            self._changed()

    def _compiled(self, post: Post) -> tuple[Path, RuntimeReport]:
        agreed = {"pickles": True} if post.runs_code() else {}
        model = post.folder()
        target = self._cache / f"{model.name}-{FORMAT}"
        if not (target / _REPORT).exists():
            self._cache.mkdir(parents=True, exist_ok=True)
            passing = Path(tempfile.mkdtemp(dir=self._cache, prefix=f".{model.name[:16]}-"))
            try:
                self._workers.call(
                    TARGET,
                    {"folder": str(model), "into": str(passing), **agreed},
                    timeout=_SECONDS,
                    log=self._logs / f"{post.deployment}.log",
                )
                with contextlib.suppress(OSError):  # another server of this cache was faster
                    passing.rename(target)
            finally:
                shutil.rmtree(passing, ignore_errors=True)
        told = (target / _REPORT).read_bytes()
        return target, msgspec.json.decode(told, type=RuntimeReport)
