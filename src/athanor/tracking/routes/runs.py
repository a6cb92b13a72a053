"""What runs log and what they logged, over HTTP."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter

from athanor.kernel.http import Caller, provide
from athanor.tracking.service import Tracking
from athanor.tracking.types import Batch, Metric, Param

router = APIRouter()
TheTracking = Annotated[Tracking, provide(Tracking)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A metric's point; JSON has no NaN and no infinities, so these are texts."""

    key: str
    value: float | str
    step: int
    at: datetime


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
