"""Stores in plain dicts, for tests of services that need no database.

They keep no transactions: what was written stays, also where the service's transaction is undone.
"""

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from athanor.kernel.events import Event
from athanor.kernel.jobs import LEASE, Job
from athanor.kernel.sought import Sought
from athanor.lineage import ENDED, Artifact, Edge, Link, Node, Run, RunEnd, RunFilter
from athanor.lineage.types import Direction


class MemoryEventStore:
    """An `EventStore`."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._offsets: dict[str, int] = {}
        self._lock = threading.Lock()

    def append(self, *events: Event) -> None:
        """Add events; their `seq` is given here."""
        with self._lock:
            for event in events:
                self._events.append(replace(event, seq=len(self._events) + 1))

    def since(self, after: int, limit: int, actions: tuple[str, ...] = ()) -> list[Event]:
        """The next events behind number `after`, oldest first."""
        found = [event for event in self._events[after:] if not actions or event.action in actions]
        return found[:limit]

    def latest(
        self, limit: int, project: str | None = None, sought: Sought | None = None
    ) -> list[Event]:
        """The newest events, newest first."""
        found = [event for event in self._events if project is None or event.project == project]
        if sought is not None:
            found = [event for event in found if sought.fits(event.action, event.subject)]
        return found[::-1][:limit]

    def about(self, subject: str | None, actions: tuple[str, ...]) -> list[Event]:
        """All events of some actions, of one subject or of every one, newest first."""
        found = [event for event in self._events if event.action in actions]
        return [event for event in found if subject in {None, event.subject}][::-1]

    def last(self) -> int:
        """The number of the last event; 0 if there is none."""
        return len(self._events)

    def offset(self, subscriber: str) -> int | None:
        """Where a subscriber stands; None if it is new."""
        return self._offsets.get(subscriber)

    position = offset

    def move(self, subscriber: str, offset: int) -> None:
        """Set where a subscriber stands."""
        self._offsets[subscriber] = offset


class MemoryJobStore:
    """A `JobStore`."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def append(self, job: Job) -> Job:
        """Add a job, or return the unfinished one with the same key."""
        with self._lock:
            for other in self._jobs.values():
                if job.key is not None and other.key == job.key and other.finished_at is None:
                    return other
            self._jobs[job.id] = job
        return job

    def find(self, job_id: str) -> Job | None:
        """The job with this id."""
        return self._jobs.get(job_id)

    def lease(self, worker: str, kinds: tuple[str, ...], now: datetime) -> Job | None:
        """Take the next due job of these kinds for one lease."""
        with self._lock:
            due = [job for job in self._jobs.values() if job.kind in kinds and _is_due(job, now)]
            if not due:
                return None
            first = min(due, key=lambda job: job.run_at)
            taken = self._jobs[first.id] = replace(
                first,
                state="running",
                leased_by=worker,
                lease_until=now + LEASE,
                attempts=first.attempts + 1,
            )
            return taken

    def renew(self, job_id: str, worker: str, until: datetime) -> bool:
        """Prolong a lease; False if it was lost."""
        with self._lock:
            job = self._held(job_id, worker)
            if job is not None:
                self._jobs[job_id] = replace(job, lease_until=until)
            return job is not None

    def finish(self, job: Job, worker: str) -> bool:
        """Write the outcome of a job that `worker` still holds; False if it was lost."""
        with self._lock:
            held = self._held(job.id, worker)
            if held is None:
                return False
            self._jobs[job.id] = replace(
                held,
                state=job.state,
                run_at=job.run_at,
                leased_by=None,
                lease_until=None,
                result=job.result,
                error=job.error,
                finished_at=job.finished_at,
            )
            return True

    def release(self, worker: str | None = None) -> int:
        """Put running jobs back in the queue: those of one worker, or all; how many."""
        with self._lock:
            held = [
                job
                for job in self._jobs.values()
                if job.state == "running" and worker in {None, job.leased_by}
            ]
            for job in held:
                freed = replace(job, state="queued", leased_by=None, lease_until=None)
                self._jobs[job.id] = freed
            return len(held)

    def forget(self, before: datetime) -> int:
        """Remove jobs that finished before an instant; how many."""
        with self._lock:
            old = [
                job.id
                for job in self._jobs.values()
                if job.finished_at is not None and job.finished_at < before
            ]
            for job_id in old:
                del self._jobs[job_id]
            return len(old)

    def _held(self, job_id: str, worker: str) -> Job | None:
        job = self._jobs.get(job_id)
        if job is None or job.state != "running" or job.leased_by != worker:
            return None
        return job


def _is_due(job: Job, now: datetime) -> bool:
    if job.state == "running":
        return job.lease_until is not None and job.lease_until < now
    return job.state == "queued" and job.run_at <= now


class MemoryLineageStore:
    """A `LineageStore`."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._artifacts: dict[str, Artifact] = {}
        self._edges: dict[Edge, None] = {}

    def add_run(self, run: Run) -> Run:
        """Add a run; one with the same id is returned as it stands."""
        return self._runs.setdefault(run.id, run)

    def add_runs(self, runs: Sequence[Run]) -> None:
        """Add runs whose ids are new."""
        self._runs |= {run.id: run for run in runs}

    def has_run(self, run_id: str) -> bool:
        """Whether there is a run with this id."""
        return run_id in self._runs

    def runs_beginning(self, beginning: str, limit: int) -> list[str]:
        """Ids that begin with some hex digits."""
        return sorted(id_ for id_ in self._runs if id_.startswith(beginning))[:limit]

    def find_run(self, run_id: str) -> Run | None:
        """The run with this id."""
        return self._runs.get(run_id)

    def change_run(self, run_id: str, changes: dict[str, Any]) -> None:
        """Set fields of a run."""
        if run_id in self._runs:
            self._runs[run_id] = replace(self._runs[run_id], **changes)

    def end_runs(self, ends: Sequence[RunEnd], at: datetime) -> None:
        """Close runs; those that have ended stay as they are."""
        for end in ends:
            if end.id in self._runs and self._runs[end.id].state not in ENDED:
                changes = {"state": end.state, "resources": end.resources, "error": end.error}
                self.change_run(end.id, changes | {"ended_at": at})

    def list_runs(self, query: RunFilter) -> list[Run]:
        """Runs, newest first."""
        fields = ("project", "kind", "state", "parent", "name")
        wanted = {name: value for name in fields if (value := getattr(query, name)) is not None}
        last = None if query.before is None else self._runs.get(query.before)
        found = [
            run
            for run in self._runs.values()
            if all(getattr(run, name) == value for name, value in wanted.items())
            and (last is None or (run.started_at, run.id) < (last.started_at, last.id))
        ]
        found.sort(key=lambda run: (run.started_at, run.id), reverse=True)
        return found[: query.limit]

    def add_artifact(self, artifact: Artifact) -> Artifact:
        """Add an artifact; one with the same id is returned as it stands."""
        return self._artifacts.setdefault(artifact.id, artifact)

    def find_artifact(self, artifact_id: str) -> Artifact | None:
        """The artifact with this id."""
        return self._artifacts.get(artifact_id)

    def find_by_digest(self, digest: str, type_: str | None = None) -> list[Artifact]:
        """The artifacts of this content, oldest first."""
        found = [
            artifact
            for artifact in self._artifacts.values()
            if artifact.digest == digest and type_ in {None, artifact.type}
        ]
        return sorted(found, key=lambda artifact: artifact.id)

    def add_edge(self, edge: Edge) -> None:
        """Add an edge; the same one twice is one."""
        self._edges[edge] = None

    def edges_of(self, run_id: str) -> list[tuple[Edge, Artifact]]:
        """What a run consumed and produced."""
        found = [
            (edge, self._artifacts[edge.artifact]) for edge in self._edges if edge.run == run_id
        ]
        return sorted(found, key=lambda pair: (pair[0].relation, pair[0].as_, pair[1].id))

    def trace(self, root: str, direction: Direction, depth: int) -> tuple[list[Node], list[Link]]:
        """All that lies up or down of a run or an artifact, nearest first."""
        depths = {root: 0}
        waiting = deque([root])
        while waiting:
            here = waiting.popleft()
            for node in self._neighbours(here, direction) if depths[here] < depth else ():
                if node not in depths:
                    depths[node] = depths[here] + 1
                    waiting.append(node)
        nodes = [self._node(id_, level) for id_, level in depths.items()]
        links = [
            _link(edge)
            for edge in sorted(self._edges, key=lambda edge: (edge.run, edge.as_))
            if edge.run in depths and edge.artifact in depths
        ]
        return sorted(nodes, key=lambda node: (node.depth, node.at, node.id)), links

    def _neighbours(self, id_: str, direction: Direction) -> Iterable[str]:
        from_run, from_artifact = ("consumed", "produced")[:: 1 if direction == "up" else -1]
        for edge in self._edges:
            if edge.run == id_ and edge.relation == from_run:
                yield edge.artifact
            if edge.artifact != id_ or edge.relation != from_artifact:
                continue
            if direction == "down" or self._runs[edge.run].state != "cached":
                yield edge.run

    def _node(self, id_: str, depth: int) -> Node:
        if id_ in self._runs:
            run = self._runs[id_]
            return Node(
                id=id_,
                kind="run",
                type=run.kind,
                name=run.name,
                state=run.state,
                depth=depth,
                at=run.started_at,
            )
        artifact = self._artifacts[id_]
        return Node(
            id=id_,
            kind="artifact",
            type=artifact.type,
            name=artifact.name,
            digest=artifact.digest,
            depth=depth,
            at=artifact.created_at,
        )


def _link(edge: Edge) -> Link:
    if edge.relation == "consumed":
        return Link(source=edge.artifact, target=edge.run, as_=edge.as_)
    return Link(source=edge.run, target=edge.artifact, as_=edge.as_)
