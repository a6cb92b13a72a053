"""What runs log and what they logged, over a transport."""

import math
from urllib.parse import quote

from athanor.kernel import Transport
from athanor.tracking.types import Batch, Metric, Param


class TrackingClient:
    """Parameters and metrics of runs."""

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
        body = {"metrics": points, "params": batch.params}
        self._transport.send("POST", f"/runs/{run_id}/log", body=body)

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
