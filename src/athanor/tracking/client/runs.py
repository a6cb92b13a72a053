"""What runs log and what they logged, over a transport."""

import math
from datetime import UTC, datetime, timedelta
from typing import TypedDict
from urllib.parse import quote

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.tracking.types import (
    Batch,
    Metric,
    NewTrackedRun,
    Param,
    Point,
    RunChange,
    RunInfo,
    RunPage,
    RunQuery,
    TrackedRun,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _RunWithData(TypedDict):
    info: RunInfo
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[Metric]


class _FoundRuns(TypedDict):
    runs: list[_RunWithData]
    next_page_token: str


class TrackingClient:
    """Runs of experiments, and what they told."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def log(self, run_id: str, batch: Batch) -> None:
        """Log points and settings together, all or nothing."""
        points = [
            {
                "key": point.key,
                "value": point.value if math.isfinite(point.value) else str(point.value),
                "step": point.step,
                "at": point.at,
            }
            for point in batch.metrics
        ]
        body = {"metrics": points, "params": batch.params, "tags": batch.tags}
        self._transport.send("POST", f"/runs/{run_id}/log", body=body)

    def start(self, new: NewTrackedRun) -> TrackedRun:
        """Open a run of an experiment."""
        return _told(self._transport.send("POST", "/tracked-runs", body=new).read(_RunWithData))

    def run(self, run_id: str) -> TrackedRun:
        """One run with what it told."""
        return _told(self._transport.send("GET", _at(run_id)).read(_RunWithData))

    def search(self, query: RunQuery) -> RunPage:
        """Find runs of experiments."""
        found = self._transport.send("POST", "/tracked-runs/search", body=query).read(_FoundRuns)
        runs = [_told(run) for run in found["runs"]]
        return RunPage(runs=runs, next_page_token=found["next_page_token"])

    def update(self, run_id: str, change: RunChange) -> RunInfo:
        """Change a run's state, name or end."""
        return self._transport.send("PATCH", _at(run_id), body=change).read(RunInfo)

    def delete(self, run_id: str) -> None:
        """Delete a run; it can be restored."""
        self._transport.send("DELETE", _at(run_id))

    def restore(self, run_id: str) -> None:
        """Restore a deleted run."""
        self._transport.send("POST", f"{_at(run_id)}/restore")

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag of a run."""
        path = f"{_at(run_id)}/tags/{quote(key, safe='/')}"
        self._transport.send("PUT", path, body={"value": value})

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag of a run away."""
        self._transport.send("DELETE", f"{_at(run_id)}/tags/{quote(key, safe='/')}")

    def params(self, run_id: str) -> list[Param]:
        """A run's parameters, by key."""
        return self._transport.send("GET", f"/runs/{run_id}/params").read(list[Param])

    def metrics(self, run_id: str) -> list[Metric]:
        """Each metric's last point, by key."""
        return self._transport.send("GET", f"/runs/{run_id}/metrics").read(list[Metric])

    def history(self, run_id: str, key: str) -> list[Metric]:
        """All points of one metric, by step."""
        path = f"/runs/{run_id}/metrics/{quote(key, safe='/')}"
        return self._transport.send("GET", path).read(list[Metric])


def _at(run_id: str) -> str:
    return f"/tracked-runs/{segment(run_id)}"


def _told(run: _RunWithData) -> TrackedRun:
    points = {
        metric.key: Point(
            (metric.at - _EPOCH) // timedelta(microseconds=1), metric.step, metric.value
        )
        for metric in run["metrics"]
    }
    return TrackedRun(info=run["info"], params=run["params"], tags=run["tags"], metrics=points)
