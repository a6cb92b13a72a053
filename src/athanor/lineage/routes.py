"""The graph over HTTP."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.lineage.service import Lineage
from athanor.lineage.types import (
    Artifact,
    Direction,
    Edge,
    Graph,
    NewArtifact,
    NewRun,
    Run,
    RunAmendment,
    RunFilter,
    RunState,
)

router = room_router("lineage")
TheLineage = Annotated[Lineage, provide(Lineage)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """The new state of a run."""

    state: RunState
    labels: dict[str, str] | None = None
    resources: dict[str, float] | None = None
    error: dict[str, Any] | None = None
    """Why it failed: `message`, and `hint` for what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEdge:
    """An edge between a run and an artifact."""

    artifact: str
    as_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeAndArtifact:
    """One edge of a run, with the artifact at its end."""

    edge: Edge
    artifact: Artifact


@router.get("/runs")
def runs(
    who: Caller,
    lineage: TheLineage,
    *,
    project: str | None = None,
    kind: str | None = None,
    state: str | None = None,
    parent: str | None = None,
    name: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: str | None = None,
) -> list[Run]:
    """Runs, newest first."""
    query = RunFilter(
        project=project,
        kind=kind,
        state=state,
        parent=parent,
        name=name,
        limit=limit,
        before=before,
    )
    return lineage.runs(who, query)


@router.post("/runs", status_code=201)
def start_run(new: NewRun, who: Caller, lineage: TheLineage) -> Run:
    """Open a run."""
    return lineage.start_run(who, new)


@router.get("/runs/{run_id}")
def run(run_id: str, who: Caller, lineage: TheLineage) -> Run:
    """One run."""
    return lineage.run(who, run_id)


@router.patch("/runs/{run_id}")
def change_run(run_id: str, change: RunChange, who: Caller, lineage: TheLineage) -> Run:
    """Move an open run to another open state, or label it."""
    return lineage.change_run(who, run_id, change.state, labels=change.labels)


@router.post("/runs/{run_id}/finish")
def finish_run(run_id: str, change: RunChange, who: Caller, lineage: TheLineage) -> Run:
    """Close a run."""
    return lineage.finish_run(
        who, run_id, change.state, resources=change.resources, error=change.error
    )


@router.post("/runs/{run_id}/reopen")
def reopen_run(run_id: str, who: Caller, lineage: TheLineage) -> Run:
    """Let a run that failed or was stopped go on."""
    return lineage.reopen_run(who, run_id)


@router.post("/runs/{run_id}/amend")
def amend_run(run_id: str, amendment: RunAmendment, who: Caller, lineage: TheLineage) -> Run:
    """Correct a run whose work is done elsewhere."""
    return lineage.amend_run(who, run_id, amendment)


@router.get("/runs/{run_id}/edges")
def edges(run_id: str, who: Caller, lineage: TheLineage) -> list[EdgeAndArtifact]:
    """What a run consumed and produced."""
    return [
        EdgeAndArtifact(edge=edge, artifact=artifact)
        for edge, artifact in lineage.edges(who, run_id)
    ]


@router.post("/runs/{run_id}/consumed", status_code=204)
def consumed(run_id: str, edge: NewEdge, who: Caller, lineage: TheLineage) -> None:
    """Note that a run used an artifact."""
    lineage.consumed(who, run_id, edge.artifact, edge.as_)


@router.post("/runs/{run_id}/produced", status_code=204)
def produced(run_id: str, edge: NewEdge, who: Caller, lineage: TheLineage) -> None:
    """Note that a run made an artifact."""
    lineage.produced(who, run_id, edge.artifact, edge.as_)


@router.post("/artifacts", status_code=201)
def record(new: NewArtifact, who: Caller, lineage: TheLineage) -> Artifact:
    """Record an artifact."""
    return lineage.record(who, new)


@router.get("/artifacts/{artifact_id}")
def artifact(artifact_id: str, who: Caller, lineage: TheLineage) -> Artifact:
    """One artifact."""
    return lineage.artifact(who, artifact_id)


@router.get("/resolve")
def resolve(reference: str, who: Caller, lineage: TheLineage) -> Artifact:
    """The artifact that a reference names at this moment."""
    return lineage.resolve(who, reference)


@router.get("/lineage/{root}")
def trace(root: str, who: Caller, lineage: TheLineage, direction: Direction = "up") -> Graph:
    """All that a run or an artifact came from, or all that was made of it."""
    return lineage.trace(who, root, direction)
