"""What runs log and what they logged, over HTTP."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from athanor.kernel.database import moment
from athanor.kernel.http import Caller, provide, room_router
from athanor.tracking.service import Tracking
from athanor.tracking.types import (
    Batch,
    Metric,
    NewTrackedRun,
    Param,
    RunChange,
    RunInfo,
    RunQuery,
    TrackedRun,
)

router = room_router("tracking")
TheTracking = Annotated[Tracking, provide(Tracking)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A metric's point; JSON has no NaN and no infinities, so these are texts."""

    key: str
    value: float | str
    step: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWithData:
    """A run with what it told."""

    info: RunInfo
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[Point] = field(default_factory=list)
    """The last point of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRuns:
    """What a search found."""

    runs: list[RunWithData]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagValue:
    """What a tag says."""

    value: str


def _shown(points: list[Metric]) -> list[Point]:
    return [
        Point(
            key=point.key,
            value=point.value if math.isfinite(point.value) else str(point.value),
            step=point.step,
            at=point.at,
        )
        for point in points
    ]


def _whole(run: TrackedRun) -> RunWithData:
    points = [
        Metric(key=key, value=point.value, step=point.step, at=moment(point.at))
        for key, point in run.metrics.items()
    ]
    return RunWithData(
        info=run.info, params=dict(run.params), tags=dict(run.tags), metrics=_shown(points)
    )


@router.post("/tracked-runs", status_code=201)
def start(new: NewTrackedRun, who: Caller, tracking: TheTracking) -> RunWithData:
    """Open a run of an experiment."""
    return _whole(tracking.start(who, new))


@router.post("/tracked-runs/search")
def search(query: RunQuery, who: Caller, tracking: TheTracking) -> FoundRuns:
    """Find runs of experiments."""
    page = tracking.search(who, query)
    return FoundRuns(
        runs=[_whole(found) for found in page.runs], next_page_token=page.next_page_token
    )


@router.get("/tracked-runs/{run_id}")
def run(run_id: str, who: Caller, tracking: TheTracking) -> RunWithData:
    """One run with what it told."""
    return _whole(tracking.run(who, run_id))


@router.patch("/tracked-runs/{run_id}")
def update(run_id: str, change: RunChange, who: Caller, tracking: TheTracking) -> RunInfo:
    """Change a run's state, name or end."""
    return tracking.update(who, run_id, change)


@router.delete("/tracked-runs/{run_id}", status_code=204)
def delete(run_id: str, who: Caller, tracking: TheTracking) -> None:
    """Delete a run; it can be restored."""
    tracking.delete(who, run_id)


@router.post("/tracked-runs/{run_id}/restore", status_code=204)
def restore(run_id: str, who: Caller, tracking: TheTracking) -> None:
    """Restore a deleted run."""
    tracking.restore(who, run_id)


@router.put("/tracked-runs/{run_id}/tags/{key:path}", status_code=204)
def set_tag(run_id: str, key: str, tag: TagValue, who: Caller, tracking: TheTracking) -> None:
    """Set a tag of a run."""
    tracking.set_tag(who, run_id, key, tag.value)


@router.delete("/tracked-runs/{run_id}/tags/{key:path}", status_code=204)
def delete_tag(run_id: str, key: str, who: Caller, tracking: TheTracking) -> None:
    """Take a tag of a run away."""
    tracking.delete_tag(who, run_id, key)


@router.post("/runs/{run_id}/log", status_code=204)
def log(run_id: str, batch: Batch, who: Caller, tracking: TheTracking) -> None:
    """Log points and settings together."""
    tracking.log(who, run_id, batch)


@router.get("/runs/{run_id}/params")
def params(run_id: str, who: Caller, tracking: TheTracking) -> list[Param]:
    """A run's parameters."""
    return tracking.params(who, run_id)


@router.get("/runs/{run_id}/metrics")
def metrics(run_id: str, who: Caller, tracking: TheTracking) -> list[Point]:
    """Each metric's last point."""
    return _shown(tracking.metrics(who, run_id))


@router.get("/runs/{run_id}/metrics/{key:path}")
def history(run_id: str, key: str, who: Caller, tracking: TheTracking) -> list[Point]:
    """All points of one metric."""
    return _shown(tracking.history(who, run_id, key))
