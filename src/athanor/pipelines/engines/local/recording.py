"""What the engine writes down: each step of a run's life in one transaction.

A task's end, its artifacts, the lineage's edges, the cache entry and the event are one
transaction, and it happens only while that attempt is the running one: whoever comes second
changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from athanor.kernel import (
    AthanorError,
    Clock,
    Database,
    Events,
    Happening,
    Principal,
    Storage,
    error_to_dict,
    new_id,
    provenance,
)
from athanor.lineage import Artifact, Lineage, NewArtifact, Run, RunEnd
from athanor.pipelines.engines.local.book import Book, Books
from athanor.pipelines.engines.local.exchange import MadeArtifact
from athanor.pipelines.logic.figures import SCHEMAS, Figure, figures_of
from athanor.pipelines.logic.planner import Bindings, Launch, Planned, Planner, Settled
from athanor.pipelines.news import RunNews
from athanor.pipelines.store import CacheEntry, Ordered, RunStore
from athanor.pipelines.types import ArtifactValue, Task, TaskState

_log = logging.getLogger(__name__)
Measure = Callable[[Principal, str, Sequence[Figure]], None]
"""Keeps what a task has measured as metrics of its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt ended."""

    state: TaskState
    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, list[MadeArtifact]] = field(default_factory=dict)
    made: Mapping[str, list[str]] = field(default_factory=dict)
    """Output artifacts that are recorded already."""
    error: AthanorError | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class Recorder:
    """Writes runs and tasks down."""

    def __init__(
        self,
        store: RunStore,
        database: Database,
        storage: Storage,
        *,
        lineage: Lineage,
        events: Events,
        clock: Clock,
        news: RunNews,
    ) -> None:
        self._store = store
        self.measure: Measure | None = None
        """Who keeps figures, if anybody does."""
        self._news = news
        self._storage = storage
        self._database = database
        self._lineage = lineage
        self._clock = clock
        self._books = Books(database, lineage, events)

    def together(self) -> AbstractContextManager[object]:
        """What is written down inside is one transaction: all of it, or nothing."""
        return self._books.together()

    def begin(self, ordered: Ordered) -> None:
        """A run goes on."""
        run = ordered.run
        with self._database.transaction():
            self._store.change_run(run.id, {"state": "running"})
            self._lineage.change_run(ordered.who, run.id, "running")

    def plan(
        self, ordered: Ordered, planned: Iterable[Planned], kinds: Mapping[str, str]
    ) -> dict[str, Task]:
        """Tasks have come into being; by name."""
        tasks = {
            move.path: Task(
                id=new_id(),
                run=ordered.run.id,
                name=move.path,
                component=move.component,
                kind=kinds[move.path],  # type: ignore[arg-type]
                state="waiting",
            )
            for move in planned
        }
        self._store.add_tasks(tasks.values())
        return tasks

    def given(self, ordered: Ordered, inputs: Bindings) -> dict[str, list[Artifact]]:
        """Input artifacts by the input's name."""
        return {
            name: [self._lineage.artifact(ordered.who, item) for item in items]
            for name, items in inputs.artifacts.items()
        }

    def still_there(self, ordered: Ordered, entry: CacheEntry) -> bool:
        """Whether all that an equal task made can still be read."""
        for items in entry.made.values():
            for item in items:
                blob = self._lineage.artifact(ordered.who, item).metadata.get("blob")
                if blob is not None and not self._storage.exists(blob):
                    return False
        return True

    def settle(self, task: Task, move: Settled) -> None:
        """A task that nothing runs has ended."""
        self._store.change_task(
            task.id,
            {
                "state": move.state,
                "reason": move.reason,
                "error": _told(move.error, task.run, task.name),
                "outputs": dict(move.outputs.parameters),
                "made": dict(move.outputs.artifacts),
                "ended_at": self._clock.now(),
            },
        )

    def launch(
        self, ordered: Ordered, task: Task, launch: Launch, parts: Mapping[str, str], key: str
    ) -> None:
        """An attempt begins: the task's run is open in the lineage, with what it consumes."""
        run = ordered.run
        with self._books.noting() as book:
            self._store.change_task(
                task.id,
                {
                    "state": "running",
                    "attempt": task.attempt + 1,
                    "parameters": dict(launch.inputs.parameters),
                    "artifacts": dict(launch.inputs.artifacts),
                    "key": key,
                    "key_parts": dict(parts),
                    "started_at": self._clock.now(),
                    "error": None,
                },
            )
            self._open(book, ordered, task, launch.inputs)
            if task.attempt == 0:
                detail = {"run": run.id, "task": task.name, "pipeline": run.pipeline}
                _tell(book, ordered, "pipelines.task.started", task.id, detail)

    def reuse(
        self,
        ordered: Ordered,
        task: Task,
        launch: Launch,
        parts: Mapping[str, str],
        *,
        entry: CacheEntry,
    ) -> Bindings:
        """A task takes its outputs from an equal one."""
        now = self._clock.now()
        reason = f"equal to task {entry.task}"
        with self._books.noting() as book:
            self._store.change_task(
                task.id,
                {
                    "state": "cached",
                    "parameters": dict(launch.inputs.parameters),
                    "artifacts": dict(launch.inputs.artifacts),
                    "outputs": entry.outputs,
                    "made": entry.made,
                    "key": task.key,
                    "key_parts": dict(parts),
                    "reason": reason,
                    "started_at": now,
                    "ended_at": now,
                },
            )
            self._open(book, ordered, task, launch.inputs, cached=True)
            self._produced(ordered.who, task.id, entry.made)
            known: list[str] | None = None if entry.made else []
            _tell_end(book, ordered, task, "cached", made=known)
        return Bindings(parameters=entry.outputs, artifacts=entry.made)

    def finish(self, ordered: Ordered, task: Task, ending: Ending) -> Bindings | None:
        """An attempt has ended for good. None when it was not the running one any more."""
        who = ordered.who
        error = _told(ending.error, task.run, task.name)
        outputs, resources = dict(ending.parameters), dict(ending.resources)
        made = {name: list(items) for name, items in ending.made.items()}
        made |= {name: [new_id() for _ in items] for name, items in ending.artifacts.items()}
        changes: dict[str, Any] = {
            "state": ending.state,
            "outputs": outputs,
            "made": made,
            "error": error,
            "reason": ending.reason,
            "resources": resources,
            "ended_at": self._clock.now(),
        }
        measured: list[Figure] = []
        with self._books.noting() as book:
            if not self._store.change_task(task.id, changes, attempt=task.attempt):
                return None
            for name, items in ending.artifacts.items():
                for id_, item in zip(made[name], items, strict=True):
                    self._record(ordered, id_, f"{task.name}/{name}", item)
                    if item.metadata.get("schema") in SCHEMAS:
                        measured += figures_of(item.metadata.get("properties") or {})
            self._produced(who, task.id, made)
            if measured:
                self._database.after_commit(partial(self._keep, who, task.id, measured))
            book.ended.append(
                RunEnd(id=task.id, state=ending.state, resources=resources, error=error)
            )
            if ending.state == "done" and task.key and task.kind == "step":
                entry = CacheEntry(task=task.id, outputs=outputs, made=made)
                project = ordered.run.project
                self._store.remember(project, task.key, entry, self._clock.now())
            types = {item.type for items in ending.artifacts.values() for item in items}
            known = None if ending.made else sorted(types)
            _tell_end(book, ordered, task, ending.state, error, made=known)
        return Bindings(parameters=outputs, artifacts=made)

    def try_again(self, task: Task, error: AthanorError | None) -> bool:
        """An attempt has failed and there will be another one; False if it was not the running one.

        Without an error the attempt did not fail: it was lost with its server.
        """
        failures = self._store.failures_of(task.id) + (error is not None)
        changes = {
            "state": "waiting",
            "failures": failures,
            "error": _told(error, task.run, task.name),
        }
        return self._store.change_task(task.id, changes, attempt=task.attempt)

    def end(self, ordered: Ordered, planner: Planner, error: AthanorError | None) -> None:
        """A run has ended, with what the pipeline gives outwards."""
        run, who = ordered.run, ordered.who
        outputs: dict[str, Any] = dict(planner.outputs.parameters)
        told = _told(error, run.id)
        with self._books.noting() as book:
            self._database.make_durable()
            for name, items in planner.outputs.artifacts.items():
                found = [self._lineage.artifact(who, item) for item in items]
                values = [asdict(artifact_value(artifact)) for artifact in found]
                outputs[name] = values[0] if len(values) == 1 else values
                for artifact in found:
                    self._lineage.produced(who, run.id, artifact.id, name)
            changes = {
                "state": planner.state,
                "outputs": outputs,
                "error": told,
                "ended_at": self._clock.now(),
            }
            if not self._store.change_run(run.id, changes):
                return
            self._lineage.finish_run(who, run.id, planner.state, error=told)
            self._database.after_commit(partial(self._news.tell, run.id))
            detail = {"pipeline": run.pipeline, "state": planner.state, "trigger": run.trigger}
            _tell(book, ordered, "pipelines.run.finished", run.id, detail)

    def abandon(self, ordered: Ordered, error: AthanorError) -> None:
        """A run that can't be planned at all fails."""
        run = ordered.run
        told = _told(error, run.id)
        changes = {"state": "failed", "error": told, "ended_at": self._clock.now()}
        with self._books.noting() as book:
            if self._store.change_run(run.id, changes):
                self._lineage.finish_run(ordered.who, run.id, "failed", error=told)
                self._database.after_commit(partial(self._news.tell, run.id))
                detail = {"pipeline": run.pipeline, "state": "failed", "trigger": run.trigger}
                _tell(book, ordered, "pipelines.run.finished", run.id, detail)

    def _open(
        self, book: Book, ordered: Ordered, task: Task, inputs: Bindings, *, cached: bool = False
    ) -> None:
        """Open a task's run in the lineage, with what it consumes; and close that of a cached one.

        It is noted, or written at once where something is said of it.
        """
        run = ordered.run
        opened = Run(
            id=task.id,
            kind="task",
            name=f"{run.pipeline}/{task.name}",
            project=run.project,
            state="running",
            parent=run.id,
            created_by=ordered.who.name,
            started_at=self._clock.now(),
            labels={"pipeline": run.pipeline, "task": task.name},
            environment=provenance.environment_in_brief(),
        )
        ended = [RunEnd(id=task.id, state="cached")] if cached else []
        if not cached and not inputs.artifacts:
            book.opened.append(opened)
            return
        self._lineage.keep_tasks([opened], ended)
        for name, items in inputs.artifacts.items():
            for item in items:
                self._lineage.consumed(ordered.who, task.id, item, name)

    def _record(self, ordered: Ordered, id_: str, name: str, made: MadeArtifact) -> None:
        new = NewArtifact(
            id=id_,
            type=made.type,
            name=name,
            uri=made.uri,
            digest=made.digest,
            size=made.size,
            metadata=dict(made.metadata),
            project=ordered.run.project,
        )
        self._lineage.record(ordered.who, new)

    def _keep(self, who: Principal, task_id: str, measured: Sequence[Figure]) -> None:
        """Figures are kept beside the artifact that has them: that they can't be fails nothing."""
        try:
            if self.measure is not None:
                self.measure(who, task_id, measured)
        except AthanorError as error:
            _log.warning("the figures of task %s are not kept as metrics: %s", task_id, error)

    def _produced(self, who: Principal, task_id: str, made: Mapping[str, list[str]]) -> None:
        for name, items in made.items():
            for item in items:
                self._lineage.produced(who, task_id, item, name)


def _tell_end(
    book: Book,
    ordered: Ordered,
    task: Task,
    state: TaskState,
    error: dict[str, Any] | None = None,
    *,
    made: list[str] | None,
) -> None:
    """Tell of a task's end, and of which types what it made is, where that is known."""
    detail: dict[str, Any] = {
        "run": ordered.run.id,
        "task": task.name,
        "pipeline": ordered.run.pipeline,
        "state": state,
    }
    if made is not None:
        detail["made"] = made
    if error is not None:
        detail["message"] = error["message"]
    _tell(book, ordered, "pipelines.task.finished", task.id, detail)


def _tell(book: Book, ordered: Ordered, action: str, subject: str, detail: dict[str, Any]) -> None:
    book.told.append((ordered.who, (action, Happening(subject, detail, ordered.run.project))))


def artifact_value(artifact: Artifact) -> ArtifactValue:
    """An artifact as an input or output is shown."""
    return ArtifactValue(
        id=artifact.id, type=artifact.type, uri=artifact.uri, digest=artifact.digest
    )


def _told(error: AthanorError | None, run: str, task: str = "TASK") -> dict[str, Any] | None:
    """An error as it is kept; where its hint says RUN and TASK, as steps must, they are named."""
    if error is None:
        return None
    told = error_to_dict(error)
    if "athanor pipeline " in told["hint"]:
        words = {"RUN": run, "TASK": task, "TASK.": f"{task}."}
        told["hint"] = " ".join(words.get(word, word) for word in told["hint"].split(" "))
    return told
