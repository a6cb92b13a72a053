"""Pipelines over HTTP."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import PlainTextResponse

from athanor.kernel.http import Caller, provide
from athanor.pipelines.service import Pipelines
from athanor.pipelines.types import (
    Compiled,
    Explanation,
    GalleryEntry,
    NewTrigger,
    PipelineRun,
    Submission,
    Trigger,
)

router = APIRouter(tags=["pipelines"], prefix="/pipelines")
ThePipelines = Annotated[Pipelines, provide(Pipelines)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What a trigger that is fired by hand fills its templates from."""

    event: dict[str, Any] = field(default_factory=dict)


@router.post("/runs", status_code=201)
def submit(submission: Submission, who: Caller, pipelines: ThePipelines) -> PipelineRun:
    """Start a pipeline."""
    return pipelines.submit(who, submission)


@router.get("/runs")
def runs(
    who: Caller,
    pipelines: ThePipelines,
    *,
    project: str | None = None,
    trigger: str | None = None,
    pipeline: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[PipelineRun]:
    """Runs, newest first, without their tasks."""
    return pipelines.runs(who, project=project, trigger=trigger, pipeline=pipeline, limit=limit)


@router.get("/runs/{run_id}")
def run(run_id: str, who: Caller, pipelines: ThePipelines) -> PipelineRun:
    """One run with its tasks."""
    return pipelines.run(who, run_id)


@router.post("/runs/{run_id}/cancel")
def cancel(run_id: str, who: Caller, pipelines: ThePipelines) -> PipelineRun:
    """Stop a run."""
    return pipelines.cancel(who, run_id)


@router.post("/runs/{run_id}/resume")
def resume(run_id: str, who: Caller, pipelines: ThePipelines) -> PipelineRun:
    """Let a failed or stopped run go on."""
    return pipelines.resume(who, run_id)


@router.get("/runs/{run_id}/logs", response_class=PlainTextResponse)
def logs(run_id: str, task: str, who: Caller, pipelines: ThePipelines) -> PlainTextResponse:
    """What a task has written so far, as text."""
    return PlainTextResponse(pipelines.logs(who, run_id, task))


@router.get("/runs/{run_id}/why")
def explain(run_id: str, task: str, who: Caller, pipelines: ThePipelines) -> Explanation:
    """Why a task ran, or why it did not have to."""
    return pipelines.explain(who, run_id, task)


@router.post("/compile")
def compile_(submission: Submission, who: Caller, pipelines: ThePipelines) -> Compiled:
    """A pipeline as YAML, checked."""
    return pipelines.compile(who, submission)


@router.get("/gallery")
def gallery(who: Caller, pipelines: ThePipelines) -> list[GalleryEntry]:
    """The ready-made pipelines."""
    return pipelines.gallery(who)


@router.post("/triggers", status_code=201)
def add_trigger(new: NewTrigger, who: Caller, pipelines: ThePipelines) -> Trigger:
    """Have a pipeline start by itself."""
    return pipelines.add_trigger(who, new)


@router.get("/triggers")
def triggers(who: Caller, pipelines: ThePipelines, *, project: str | None = None) -> list[Trigger]:
    """All triggers, by name."""
    return pipelines.triggers(who, project=project)


@router.delete("/triggers/{name}", status_code=204)
def remove_trigger(name: str, who: Caller, pipelines: ThePipelines) -> None:
    """Remove a trigger."""
    pipelines.remove_trigger(who, name)


@router.post("/triggers/{name}/fire", status_code=201)
def fire(name: str, firing: Firing, who: Caller, pipelines: ThePipelines) -> PipelineRun:
    """Start a trigger's pipeline now."""
    return pipelines.fire(who, name, firing.event)
