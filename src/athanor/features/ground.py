"""What the verbs stand on: the kernel's services, the rooms below, one worker a view at a time."""

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from athanor.data import Datasets, Sql
from athanor.features.errors import ViewBusy
from athanor.features.store import DefinitionStore, HistoryStore, OnlineStore
from athanor.kernel import Access, Clock, Database, Events, Principal, Storage, new_id
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, NewArtifact, NewRun

_LEASE = timedelta(seconds=30)
_PATIENCE_SECONDS = 600.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """This room's stores."""

    definitions: DefinitionStore
    history: HistoryStore
    online: OnlineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The services that this room uses."""

    database: Database
    storage: Storage
    events: Events
    access: Access
    clock: Clock
    workers: Workers
    lineage: Lineage
    datasets: Datasets
    sql: Sql
    prepare: Callable[[Principal, str, str, str], str] | None = None
    """(who, recipe, dataset, project) to the artifact of the table that the recipe makes of it."""

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for one piece of work, on the tables' file system where that is local."""
        root = self.storage.root
        parent = Path(tempfile.gettempdir()) / "athanor" if root is None else root / "staging"
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / new_id()
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def local(self, digest: str, scratch: Path) -> str:
        """A file that holds a blob, fetched where the storage is elsewhere.

        Raises: BlobNotFound.
        """
        found = self.storage.path_of(digest)
        if found is not None:
            return str(found)
        target = scratch / digest.rpartition(":")[2]
        if not target.exists():
            self.storage.fetch_file(digest, target)
        return str(target)

    def work(self, target: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """Have a worker do it, with numeric libraries on two threads."""
        found: dict[str, Any] = self.workers.call(
            f"athanor.features.work.{target}", {"task": task}, threads=2
        )
        return found

    def recorded(
        self,
        who: Principal,
        run: NewRun,
        consumed: Mapping[str, str],
        made: NewArtifact | None,
        seconds: float,
    ) -> tuple[str, str]:
        """A finished run with what it used and made; the ids of the run and of the artifact."""
        opened = self.lineage.start_run(who, run)
        for as_, artifact_id in consumed.items():
            self.lineage.consumed(who, opened.id, artifact_id, as_)
        artifact_id = ""
        if made is not None:
            artifact_id = self.lineage.record(who, made).id
            self.lineage.produced(who, opened.id, artifact_id, run.kind)
        self.lineage.finish_run(who, opened.id, resources={"cpu_seconds": seconds})
        return opened.id, artifact_id


class OneAtATime:
    """Leases: at most one builds or materializes a view, in this process and in others."""

    def __init__(self, store: HistoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @contextmanager
    def of(self, project: str, view: str) -> Iterator[None]:
        """Be alone with a view meanwhile.

        Raises: ViewBusy after ten minutes of waiting.
        """
        key, holder = f"{project}/{view}", new_id()
        stop = threading.Event()
        waited = 0.0
        while not self._take(key, holder):
            if waited > _PATIENCE_SECONDS:
                raise ViewBusy(view)
            stop.wait(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        beat = threading.Thread(
            target=self._keep, args=(key, holder, stop), name=f"features-{view}", daemon=True
        )
        beat.start()
        try:
            yield
        finally:
            stop.set()
            beat.join()
            self._store.end_lease(key, holder)

    def _take(self, key: str, holder: str) -> bool:
        now = self._clock.now()
        return self._store.take_lease(key, holder, now, now + _LEASE)

    def _keep(self, key: str, holder: str, stop: threading.Event) -> None:
        while not stop.wait(_LEASE.total_seconds() / 3):
            if not self._take(key, holder):
                return
