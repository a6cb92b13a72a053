"""The verbs of the one graph."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from athanor.kernel import Access, Clock, Database, Events, Happening, Principal, new_id
from athanor.kernel.ids import begins_id
from athanor.lineage.errors import (
    ArtifactNotFound,
    BadId,
    BadReference,
    RunAmbiguous,
    RunEnded,
    RunNotFound,
)
from athanor.lineage.ports import Resolver
from athanor.lineage.store import LineageStore
from athanor.lineage.types import (
    ENDED,
    Artifact,
    Direction,
    Edge,
    Graph,
    NewArtifact,
    NewRun,
    Run,
    RunAmendment,
    RunEnd,
    RunFilter,
    RunState,
)

_RESUMABLE = frozenset({"failed", "stopped"})
_TOLD_ELSEWHERE = frozenset({"task"})
"""Kinds of runs of which the room that runs them tells: `pipelines.task.started`, `.finished`."""
_DEPTH = 64
"""How far a trace goes: runs and artifacts both count."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}")


class Lineage:
    """Runs do work; artifacts are what they made; the edges between them are the lineage."""

    def __init__(
        self,
        store: LineageStore,
        database: Database,
        *,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._access = access
        self._clock = clock
        self._resolvers: dict[str, Callable[[Principal, str], Artifact]] = {
            "artifact": self.artifact
        }

    def start_run(self, who: Principal, new: NewRun) -> Run:
        """Open a run. With an id that exists already, that run is returned unchanged.

        Raises: BadId; RunNotFound where there is no such parent.
        """
        self._access.require(who, "lineage.start_run", new.project)
        return self.start_runs(who, [new])[0]

    def start_runs(self, who: Principal, news: Sequence[NewRun]) -> list[Run]:
        """As `start_run`, of many runs at once, all or none."""
        for new in news:
            self._access.require(who, "lineage.start_run", new.project)
            _check_id(new.id)
        runs = [
            Run(
                id=new.id or new_id(),
                project=new.project,
                kind=new.kind,
                name=new.name,
                state=new.state,
                parent=new.parent or None,
                created_by=who.name,
                started_at=new.started_at or self._clock.now(),
                labels=new.labels,
                environment=new.environment,
                code=new.code,
            )
            for new in news
        ]
        with self._database.transaction():
            for parent in {new.parent for new in news if new.parent}:
                self._check_run(parent)
            kept = runs
            if any(new.id for new in news):
                kept = [self._store.add_run(run) for run in runs]
            else:
                self._store.add_runs(runs)
            opened = [run for run, is_ in zip(runs, kept, strict=True) if run is is_]
            self._tell(who, "lineage.run.started", *opened)
        return kept

    def change_run(
        self, who: Principal, run_id: str, state: RunState, *, labels: dict[str, str] | None = None
    ) -> Run:
        """Move an open run to another open state, or label it.

        Raises: RunNotFound, RunEnded.
        """
        self._access.require(who, "lineage.change_run", run_id)
        with self._database.transaction():
            run = self._open_run(run_id)
            changes: dict[str, Any] = {"state": state, "labels": run.labels | (labels or {})}
            self._store.change_run(run_id, changes)
            return replace(run, **changes)

    def finish_run(
        self,
        who: Principal,
        run_id: str,
        state: RunState = "done",
        *,
        resources: dict[str, float] | None = None,
        error: dict[str, Any] | None = None,
    ) -> Run:
        """Close a run. Closing it again with the same state changes nothing.

        Raises: RunNotFound; RunEnded where it was closed with another state.
        """
        self._access.require(who, "lineage.finish_run", run_id)
        with self._database.transaction():
            run = self._run(run_id)
            if run.state in ENDED:
                if run.state == state:
                    return run
                raise RunEnded(run_id, run.state)
            changes: dict[str, Any] = {
                "state": state,
                "ended_at": self._clock.now(),
                "resources": run.resources | (resources or {}),
                "error": error,
            }
            self._store.change_run(run_id, changes)
            ended = replace(run, **changes)
            self._tell(who, "lineage.run.finished", ended)
        return ended

    def reopen_run(self, who: Principal, run_id: str) -> Run:
        """Let a run that failed or was stopped go on. One that goes on stays as it is.

        Raises: RunNotFound; RunEnded where it was done.
        """
        self._access.require(who, "lineage.reopen_run", run_id)
        with self._database.transaction():
            run = self._run(run_id)
            if run.state not in ENDED:
                return run
            if run.state not in _RESUMABLE:
                raise RunEnded(run_id, run.state)
            self._store.change_run(run_id, {"state": "running", "ended_at": None, "error": None})
            opened = self._run(run_id)
            self._tell(who, "lineage.run.reopened", opened)
        return opened

    def amend_run(self, who: Principal, run_id: str, amendment: RunAmendment) -> Run:
        """Correct a run whose work is done elsewhere: its state, its name, when it ended.

        Unlike with `change_run` and `finish_run`, one that has ended may go on or end otherwise:
        clients of trackers do so. A run that goes on keeps the end that it had.
        Raises: RunNotFound.
        """
        self._access.require(who, "lineage.amend_run", run_id)
        changes: dict[str, Any] = {
            name: value
            for name in ("state", "name", "ended_at")
            if (value := getattr(amendment, name)) is not None
        }
        with self._database.transaction():
            before = self._run(run_id)
            if before.kind in _TOLD_ELSEWHERE:  # whoever runs it says how it goes, and he alone
                changes = {key: value for key, value in changes.items() if key == "name"}
            if not changes:
                return before
            self._store.change_run(run_id, changes)
            run = self._run(run_id)
            if run.state in ENDED and before.state not in ENDED:
                self._tell(who, "lineage.run.finished", run)
            elif run.state not in ENDED and before.state in ENDED:
                self._tell(who, "lineage.run.reopened", run)
        return run

    def run(self, who: Principal, run_id: str) -> Run:
        """The run with this id, or the only one whose id begins so: six digits at least.

        Raises: RunNotFound, RunAmbiguous.
        """
        self._access.require(who, "lineage.run", run_id)
        found = self._store.find_run(run_id)
        if found is not None or not begins_id(run_id):
            return found or self._run(run_id)
        match self._store.runs_beginning(run_id, 2):
            case [only]:
                return self._run(only)
            case [_, _] as several:
                raise RunAmbiguous(run_id, several)
        raise RunNotFound(run_id)

    def runs(self, who: Principal, query: RunFilter) -> list[Run]:
        """Runs, newest first."""
        self._access.require(who, "lineage.runs", query.project or "*")
        return self._store.list_runs(query)

    def record(self, who: Principal, new: NewArtifact) -> Artifact:
        """Record an artifact. With an id that exists already, that one is returned unchanged.

        Raises: BadId.
        """
        self._access.require(who, "lineage.record", new.name)
        _check_id(new.id)
        artifact = Artifact(
            id=new.id or new_id(),
            project=new.project,
            type=new.type,
            name=new.name,
            uri=new.uri,
            digest=new.digest,
            size=new.size,
            metadata=new.metadata,
            created_at=self._clock.now(),
        )
        return self._store.add_artifact(artifact)

    def consumed(self, who: Principal, run_id: str, artifact_id: str, as_: str) -> None:
        """Note that a run used an artifact under a name.

        Raises: RunNotFound, ArtifactNotFound.
        """
        self._access.require(who, "lineage.consumed", run_id)
        self._join(Edge(run=run_id, artifact=artifact_id, relation="consumed", as_=as_))

    def produced(self, who: Principal, run_id: str, artifact_id: str, as_: str) -> None:
        """Note that a run made an artifact under a name.

        Raises: RunNotFound, ArtifactNotFound.
        """
        self._access.require(who, "lineage.produced", run_id)
        self._join(Edge(run=run_id, artifact=artifact_id, relation="produced", as_=as_))

    def artifact(self, who: Principal, artifact_id: str) -> Artifact:
        """The artifact with this id.

        Raises: ArtifactNotFound.
        """
        self._access.require(who, "lineage.artifact", artifact_id)
        found = self._store.find_artifact(artifact_id)
        if found is None:
            raise ArtifactNotFound(artifact_id)
        return found

    def edges(self, who: Principal, run_id: str) -> list[tuple[Edge, Artifact]]:
        """What a run consumed and produced.

        Raises: RunNotFound.
        """
        self._access.require(who, "lineage.edges", run_id)
        self._run(run_id)
        return self._store.edges_of(run_id)

    def trace(self, who: Principal, root: str, direction: Direction = "up") -> Graph:
        """All that a run or an artifact came from (`up`), or all that was made of it (`down`).

        `root` is a run's or an artifact's id, or a reference such as `prediction:<id>`.
        Raises: ArtifactNotFound, BadReference.
        """
        self._access.require(who, "lineage.trace", root)
        start = root
        if ":" in root:
            start = self.resolve(who, root).id
        elif self._store.find_run(root) is None and self._store.find_artifact(root) is None:
            raise ArtifactNotFound(root)
        nodes, edges = self._store.trace(start, direction, _DEPTH)
        return Graph(root=start, direction=direction, nodes=nodes, edges=edges)

    def resolve(self, who: Principal, reference: str) -> Artifact:
        """The artifact that a reference (`kind:rest`) names at this moment.

        Raises: BadReference; what the room of that kind raises where it finds nothing.
        """
        self._access.require(who, "lineage.resolve", reference)
        kind, _, rest = reference.partition(":")
        resolver = self._resolvers.get(kind)
        if resolver is None or not rest:
            raise BadReference(reference, self._resolvers)
        return resolver(who, rest)

    def keep_tasks(self, opened: Sequence[Run], ended: Sequence[RunEnd]) -> None:
        """Open and close runs of a room that asked for them, and that tells of them itself.

        Those that are there stay as they are, and so do those that have ended.
        """
        with self._database.transaction():
            self._store.add_runs(opened)
            self._store.end_runs(ended, self._clock.now())

    def offer_resolver(self, kind: str, resolver: Resolver) -> None:
        """Say who finds the artifacts behind references of a kind."""
        self._resolvers[kind] = resolver

    def _join(self, edge: Edge) -> None:
        with self._database.transaction():
            self._check_run(edge.run)
            if self._store.find_artifact(edge.artifact) is None:
                raise ArtifactNotFound(edge.artifact)
            self._store.add_edge(edge)

    def _check_run(self, run_id: str) -> None:
        if not self._store.has_run(run_id):
            raise RunNotFound(run_id)

    def _run(self, run_id: str) -> Run:
        run = self._store.find_run(run_id)
        if run is None:
            raise RunNotFound(run_id)
        return run

    def _open_run(self, run_id: str) -> Run:
        run = self._run(run_id)
        if run.state in ENDED:
            raise RunEnded(run_id, run.state)
        return run

    def _tell(self, who: Principal, action: str, *runs: Run) -> None:
        told = [
            Happening(
                run.id,
                {"kind": run.kind, "name": run.name, "state": run.state, "parent": run.parent},
                run.project,
            )
            for run in runs
            if run.kind not in _TOLD_ELSEWHERE
        ]
        if told:
            self._events.tell_all(who, action, told)


def _check_id(given: str | None) -> None:
    """Refuse an id that could not stand in an address or name a folder.

    Raises: BadId.
    """
    if given and not _ID.fullmatch(given):
        raise BadId(given)
