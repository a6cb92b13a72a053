"""Endpoints over HTTP. Predictions themselves are asked of the data plane."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.lineage import Artifact
from athanor.serving.service import Endpoints
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

router = room_router("serving")
TheEndpoints = Annotated[Endpoints, provide(Endpoints)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLabels:
    """A batch of labels."""

    labels: list[NewLabel]


@router.get("/endpoints")
def endpoints(who: Caller, serving: TheEndpoints) -> list[Endpoint]:
    """Every endpoint."""
    return serving.list(who)


@router.get("/endpoints/{name}")
def endpoint(name: str, who: Caller, serving: TheEndpoints) -> Endpoint:
    """One endpoint with its deployments, newest first."""
    return serving.get(who, name)


@router.post("/endpoints/{name}/deployments", status_code=201)
def deploy(name: str, deploy: Deploy, who: Caller, serving: TheEndpoints) -> Deployment:
    """Put a model version behind an endpoint, which is made if it is not there."""
    return serving.deploy(who, name, deploy)


@router.post("/endpoints/{name}/promote")
def promote(name: str, who: Caller, serving: TheEndpoints) -> Endpoint:
    """Have the canary take over now."""
    return serving.promote(who, name)


@router.post("/endpoints/{name}/rollback")
def rollback(name: str, who: Caller, serving: TheEndpoints) -> Endpoint:
    """End the canary, or bring back the deployment before."""
    return serving.rollback(who, name)


@router.delete("/endpoints/{name}", status_code=204)
def remove(name: str, who: Caller, serving: TheEndpoints) -> None:
    """Take an endpoint away."""
    serving.remove(who, name)


@router.post("/endpoints/{name}/labels")
def label(name: str, batch: NewLabels, who: Caller, serving: TheEndpoints) -> LabelsReceived:
    """Send the truth about predictions, by prediction id or by key."""
    return serving.label(who, name, batch.labels)


@router.get("/endpoints/{name}/predictions")
def predictions(
    name: str,
    who: Caller,
    serving: TheEndpoints,
    *,
    deployment: str | None = None,
    key: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    labelled: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> list[Prediction]:
    """Logged predictions with their latest labels, newest first."""
    query = PredictionQuery(
        deployment=deployment,
        key=key,
        since=since,
        until=until,
        labelled=labelled,
        limit=limit,
    )
    return serving.predictions(who, name, query)


@router.get("/predictions/{prediction_id}")
def prediction(prediction_id: str, who: Caller, serving: TheEndpoints) -> Prediction:
    """One logged prediction."""
    return serving.prediction(who, prediction_id)


@router.post("/endpoints/{name}/snapshots", status_code=201)
def snapshot(name: str, request: SnapshotRequest, who: Caller, serving: TheEndpoints) -> Artifact:
    """Make a table of logged rows."""
    return serving.snapshot(who, name, request)
