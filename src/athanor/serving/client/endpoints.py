"""Endpoints over a transport, and predictions over the data plane."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import httpx

from athanor.kernel.errors import Unavailable, error_from_dict
from athanor.kernel.sending import json_of, rows_of
from athanor.kernel.transport import Transport, segment
from athanor.lineage import Artifact
from athanor.serving.errors import ServerNeeded
from athanor.serving.types import (
    Deploy,
    Deployment,
    Endpoint,
    LabelsReceived,
    NewLabel,
    Prediction,
    PredictionQuery,
    SnapshotRequest,
)

_SECONDS = 60.0

EndpointList: TypeAlias = list[Endpoint]
PredictionList: TypeAlias = list[Prediction]


class EndpointsClient:
    """Names that answer, the model versions behind them, and what they answered."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._addresses: dict[str, str] = {}

    def deploy(self, name: str, deploy: Deploy) -> Deployment:
        """Put a model version behind an endpoint, which is made if it is not there."""
        path = f"{_path(name)}/deployments"
        return self._transport.send("POST", path, body=deploy).read(Deployment)

    def list(self) -> EndpointList:
        """Every endpoint, by name."""
        return self._transport.send("GET", "/endpoints").read(EndpointList)

    def get(self, name: str) -> Endpoint:
        """One endpoint with its deployments, newest first."""
        return self._transport.send("GET", _path(name)).read(Endpoint)

    def promote(self, name: str) -> Endpoint:
        """Have the canary take over now."""
        return self._transport.send("POST", f"{_path(name)}/promote").read(Endpoint)

    def rollback(self, name: str) -> Endpoint:
        """End the canary, or bring back the deployment before."""
        return self._transport.send("POST", f"{_path(name)}/rollback").read(Endpoint)

    def remove(self, name: str) -> None:
        """Take an endpoint away."""
        self._transport.send("DELETE", _path(name))

    def label(self, name: str, labels: Iterable[NewLabel]) -> LabelsReceived:
        """Send the truth about predictions, by prediction id or by key."""
        body = {"labels": [*labels]}
        return self._transport.send("POST", f"{_path(name)}/labels", body=body).read(LabelsReceived)

    def predictions(self, name: str, query: PredictionQuery | None = None) -> PredictionList:
        """Logged predictions with their latest labels, newest first."""
        asked = query or PredictionQuery()
        fields = {
            field: getattr(asked, field)
            for field in PredictionQuery.__dataclass_fields__
            if getattr(asked, field) is not None
        }
        path = f"{_path(name)}/predictions"
        return self._transport.send("GET", path, query=fields).read(PredictionList)

    def prediction(self, prediction_id: str) -> Prediction:
        """One logged prediction."""
        path = f"/predictions/{segment(prediction_id)}"
        return self._transport.send("GET", path).read(Prediction)

    def snapshot(self, name: str, request: SnapshotRequest | None = None) -> Artifact:
        """Make a table of logged rows."""
        path = f"{_path(name)}/snapshots"
        body = request or SnapshotRequest()
        return self._transport.send("POST", path, body=body).read(Artifact)

    def predict(self, name: str, records: Sequence[Mapping[str, Any]] | Any) -> dict[str, Any]:
        """Ask the endpoint; the answer's `predictions` stand in the order of the records.

        These are dicts, or the rows of any DataFrame.

        Raises: ServerNeeded, and what the data plane refuses.
        """
        address = self._addresses.get(name) or self.get(name).url
        if not address:
            raise ServerNeeded
        self._addresses[name] = address
        token = os.environ.get("ATHANOR_TOKEN", "")
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            content = json_of({"records": rows_of(records)})
            answer = httpx.post(address, content=content, headers=headers, timeout=_SECONDS)
        except httpx.TransportError as error:
            self._addresses.pop(name, None)
            raise Unavailable(
                f"The data plane at {address} can't be reached: {error}.",
                hint="See that the server runs: athanor status",
            ) from error
        if answer.is_error:
            raise error_from_dict(answer.json())
        found: dict[str, Any] = answer.json()
        return found


def _path(name: str) -> str:
    return f"/endpoints/{segment(name)}"
