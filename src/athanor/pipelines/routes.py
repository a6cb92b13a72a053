"""Pipelines over HTTP."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from athanor.kernel.http import Caller, provide, room_router
from athanor.pipelines.news import RunNews
from athanor.pipelines.secrets import Secrets
from athanor.pipelines.service import Pipelines
from athanor.pipelines.types import (
    ACTIVE,
    Compiled,
    Explanation,
    GalleryEntry,
    NewTrigger,
    PipelineRun,
    SecretKeys,
    StepOrder,
    Submission,
    TaskState,
    Trigger,
)
from athanor.pipelines.workbench import Workbench

router = room_router("pipelines", prefix="/pipelines")
ThePipelines = Annotated[Pipelines, provide(Pipelines)]
TheWorkbench = Annotated[Workbench, provide(Workbench)]
TheSecrets = Annotated[Secrets, provide(Secrets)]
TheNews = Annotated[RunNews, provide(RunNews)]
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How much of a run is asked for, and when."""

    state: TaskState | None = None
    """Only tasks in this state."""
    after: str = ""
    """Only tasks behind the one with this id."""
    limit: Annotated[int, Query(ge=0, le=1000)] = 1000
    """So many tasks at most."""
    wait: Annotated[float, Query(ge=0, le=30)] = 0.0
    """Seconds to wait for the run's end."""


APart = Annotated[Part, Depends()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What a trigger that is fired by hand fills its templates from."""

    event: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretValues:
    """What a secret holds, by key."""

    values: dict[str, str]


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


@router.get("/runs/{run_id}", response_model=PipelineRun)
async def run(
    run_id: str,
    who: Caller,
    pipelines: ThePipelines,
    news: TheNews,
    part: Annotated[Part, Depends()],
) -> Response:
    """One run with its first tasks; with `wait`, as soon as it has ended."""
    ends = time.monotonic() + part.wait

    def look(limit: int) -> PipelineRun:
        return pipelines.run(who, run_id, state=part.state, after=part.after, limit=limit)

    if part.wait:
        now = await run_in_threadpool(look, 0)
        with news.of(now.id) as heard:
            while now.state in ACTIVE and (left := ends - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    # Another process may end it too: look again now and then.
                    await asyncio.wait_for(heard.wait(), min(left, _LOOK_SECONDS))
                now = await run_in_threadpool(look, 0)
    found = await run_in_threadpool(look, part.limit)
    # Straight to JSON: a thousand tasks would take Pydantic a second.
    return Response(msgspec.json.encode(found), media_type="application/json")


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


@router.get("/runs/{run_id}/order")
def order(run_id: str, task: str, who: Caller, workbench: TheWorkbench) -> StepOrder:
    """What it takes to run a task's step once more."""
    return workbench.order(who, run_id, task)


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


@router.get("/secrets")
def secrets(who: Caller, kept: TheSecrets) -> list[SecretKeys]:
    """All secrets with the names of their keys; never their values."""
    return kept.secrets(who)


@router.put("/secrets/{name}")
def set_secret(name: str, body: SecretValues, who: Caller, kept: TheSecrets) -> SecretKeys:
    """Set keys of a secret; others stay."""
    return kept.set_secret(who, name, body.values)


@router.delete("/secrets/{name}", status_code=204)
def remove_secret(name: str, who: Caller, kept: TheSecrets) -> None:
    """Forget a secret."""
    kept.remove_secret(who, name)
