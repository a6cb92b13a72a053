"""The protocol's histories of metrics: whole, in pages, of several runs, and thinned out."""

import math
from collections.abc import Sequence
from typing import Any

from msgspec import field

from athanor.tracking.logic.sampling import shared_steps
from athanor.tracking.logic.search import page_offset, page_token
from athanor.tracking.mlflow.calls import Answered, Call
from athanor.tracking.mlflow.failures import invalid
from athanor.tracking.mlflow.records import Record, Required, missing
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.mlflow.runs import Measured, shown_points
from athanor.tracking.service import Tracking
from athanor.tracking.types import HistoryQuery, Point

_BULK = 25_000
_RUNS = 100
_SAMPLE = 2500


class GetHistory(Record):
    """metrics/get-history."""

    run_id: Required
    metric_key: Required
    max_results: int | None = None
    page_token: str = ""


class GetHistoryBulk(Record):
    """metrics/get-history-bulk."""

    run_id: list[str] = field(default_factory=list)
    metric_key: str | None = None
    max_results: int = _BULK


class GetHistoryInterval(Record):
    """metrics/get-history-bulk-interval."""

    run_ids: list[str]
    metric_key: Required
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = _SAMPLE


class MeasuredOf(Measured, frozen=True, gc=False):
    """A point and its run."""

    run_id: str


def add_metric_routes(routes: MlflowRoutes, tracking: Tracking) -> None:
    """Answer for histories."""
    answers = _Routes(tracking)
    routes.add("GET", "metrics/get-history", answers.history)
    routes.add("GET", "metrics/get-history-bulk", answers.bulk)
    routes.add("GET", "metrics/get-history-bulk-interval", answers.interval)


class _Routes:
    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking

    def history(self, call: Call) -> Answered:
        asked = call.read(GetHistory)
        offset = page_offset(asked.page_token)
        limit = asked.max_results
        if limit is not None and limit <= 0:
            raise invalid(
                f"Invalid value {limit} for parameter 'max_results' supplied. "
                "It must be a positive integer."
            )
        points = self._tracking.points(
            call.who,
            call.own_run(asked.run_id),
            asked.metric_key,
            HistoryQuery(offset=offset, limit=None if limit is None else limit + 1),
        )
        told: dict[str, Any] = {}
        if limit is not None and len(points) > limit:
            points = points[:limit]
            told["next_page_token"] = page_token(offset + limit)
        if points:
            told["metrics"] = shown_points(asked.metric_key, points)
        return told

    def bulk(self, call: Call) -> Answered:
        asked = call.read(GetHistoryBulk)
        named = "GetMetricHistoryBulk request"
        if not asked.run_id:
            raise invalid(f"{named} must specify at least one run_id.")
        if len(asked.run_id) > _RUNS:
            raise invalid(
                f"{named} cannot specify more than {_RUNS} run_ids. "
                f"Received {len(asked.run_id)} run_ids."
            )
        if asked.metric_key is None:
            raise invalid(f"{named} must specify a metric_key.")
        left = min(asked.max_results, _BULK)
        told: list[MeasuredOf] = []
        for run_id in sorted(set(asked.run_id)):
            if left <= len(told):
                break
            points = self._tracking.points(
                call.who,
                call.own_run(run_id),
                asked.metric_key,
                HistoryQuery(limit=left - len(told)),
            )
            told += _of_run(run_id, asked.metric_key, points)
        return {"metrics": told}

    def interval(self, call: Call) -> Answered:
        asked = call.read(GetHistoryInterval)
        named = "GetMetricHistoryBulkInterval request"
        if not asked.run_ids:
            raise missing("run_ids")
        if len(asked.run_ids) > _RUNS:
            raise invalid(
                f"{named} must specify at most {_RUNS} run_ids. "
                f"Received {len(asked.run_ids)} run_ids."
            )
        if not 1 <= asked.max_results <= _SAMPLE:
            raise invalid(f"max_results must be between 1 and {_SAMPLE}.")
        first, last = asked.start_step, asked.end_step
        if (first is None) != (last is None):
            raise invalid("If either start step or end step are specified, both must be specified.")
        if first is not None and last is not None and first > last:
            raise invalid(
                "end_step must be greater than start_step. "
                f"Found start_step={first} and end_step={last}."
            )
        query = HistoryQuery(first_step=first, last_step=last)
        histories = [
            self._tracking.points(call.who, call.own_run(run_id), asked.metric_key, query)
            for run_id in asked.run_ids
        ]
        steps = shared_steps(
            [[point.step for point in points] for points in histories], asked.max_results
        )
        told: list[MeasuredOf] = []
        for run_id, points in zip(asked.run_ids, histories, strict=True):
            shown = sorted((point for point in points if point.step in steps), key=_by_step)
            told += _of_run(run_id, asked.metric_key, shown[:_BULK])
        return {"metrics": told} if told else {}


def _of_run(run_id: str, key: str, points: Sequence[Point]) -> list[MeasuredOf]:
    return [
        MeasuredOf(point.key, point.value, point.timestamp, point.step, run_id)
        for point in shown_points(key, points)
    ]


def _by_step(point: Point) -> tuple[int, int, float, bool]:
    nan = math.isnan(point.value)
    return point.step, point.at, 0.0 if nan else point.value, nan
