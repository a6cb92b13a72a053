"""What the verbs stand on: the kernel's services, the rooms below, one worker a view at a time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.data import Datasets, Sql
from athanor.features.store import DefinitionStore, HistoryStore, OnlineStore
from athanor.kernel import Access, Clock, Database, Events, Principal, Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, NewArtifact, NewRun


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
        with self.datasets.ground.scratch() as folder:
            yield folder

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
