"""The pipelines room for tests: a whole one on a database, and the contract of its stores."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.kernel import (
    OWNER,
    Clock,
    Database,
    Events,
    Jobs,
    Storage,
    SystemClock,
)
from athanor.kernel.events import SqlEventStore
from athanor.kernel.jobs import SqlJobStore
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, NewArtifact, Operation, SqlLineageStore
from athanor.pipelines import (
    LocalEngine,
    Pipeline,
    PipelineRun,
    Pipelines,
    SqlRunStore,
    SqlTriggerStore,
    Submission,
    Surroundings,
    TriggerWatch,
    local_engine,
)
from athanor.pipelines.ir.text import plain, write_document

OVER = {"done", "failed", "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The pipelines room with all that it stands on."""

    database: Database
    storage: Storage
    lineage: Lineage
    events: Events
    jobs: Jobs
    pipelines: Pipelines
    engine: LocalEngine
    watch: TriggerWatch
    folder: Path

    def submit(self, pipeline: "Pipeline[..., Any]", **parameters: Any) -> PipelineRun:
        """Submit a decorated pipeline with parameters."""
        spec = plain(pipeline.compile().spec)
        return self.pipelines.submit(OWNER, Submission(spec=spec, parameters=parameters))

    def finished(self, run: PipelineRun, timeout: float = 60.0) -> PipelineRun:
        """Wait for a run's end."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = self.pipelines.run(OWNER, run.id)
            if found.state in OVER:
                return found
            time.sleep(0.02)
        states = {task.name: task.state for task in found.tasks}
        message = f"the run is {found.state} after {timeout} s: {states}"
        raise TimeoutError(message)

    def run(self, pipeline: "Pipeline[..., Any]", **parameters: Any) -> PipelineRun:
        """Submit a decorated pipeline and wait for its end."""
        return self.finished(self.submit(pipeline, **parameters))

    def file(self, data: bytes, name: str = "data.bin") -> str:
        """The id of an artifact that is one file."""
        blob = self.storage.put_bytes(data)
        metadata = {"blob": blob.digest, "layout": "file", "file": name}
        new = NewArtifact(
            type="file", name=name, uri=blob.uri, digest=blob.digest, metadata=metadata
        )
        return self.lineage.record(OWNER, new).id


@contextmanager
def pipelines_room(
    database: Database,
    folder: Path,
    workers: Workers,
    *,
    operations: Mapping[str, Operation] | None = None,
    clock: Clock | None = None,
    slots: int = 2,
) -> Iterator[Room]:
    """A room whose engine runs until the end."""
    clock = clock or SystemClock()
    access = OwnerAccess()
    events = Events(SqlEventStore(database), database, clock)
    lineage = Lineage(
        SqlLineageStore(database), database, events=events, access=access, clock=clock
    )
    storage = Storage(str(folder / "storage"), reserve_bytes=0)
    runs, triggers = SqlRunStore(database), SqlTriggerStore(database)
    pipelines = Pipelines(
        runs, triggers, database, lineage=lineage, events=events, access=access, clock=clock
    )
    engine = local_engine(
        Surroundings(
            store=runs,
            database=database,
            storage=storage,
            lineage=lineage,
            events=events,
            clock=clock,
            workers=workers,
            folder=folder / "work",
            operations=operations or {},
            slots=slots,
        )
    )
    pipelines.use_engine(engine)
    jobs = Jobs(SqlJobStore(database), clock)
    watch = TriggerWatch(pipelines, triggers, database, events=events, clock=clock)
    engine.start()
    try:
        yield Room(
            database=database,
            storage=storage,
            lineage=lineage,
            events=events,
            jobs=jobs,
            pipelines=pipelines,
            engine=engine,
            watch=watch,
            folder=folder,
        )
    finally:
        engine.stop()


def yaml_of(pipeline: "Pipeline[..., Any]") -> str:
    """A decorated pipeline as compiled text."""
    return write_document(pipeline.compile())
