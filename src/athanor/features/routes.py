"""Features over HTTP."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query, Request, Response
from starlette.concurrency import run_in_threadpool

from athanor.features.errors import BadTrainingRequest
from athanor.features.records import (
    DriftReport,
    Dropped,
    FeastFiles,
    FeastImport,
    Freshness,
    Materialize,
    OnlineRequest,
    ParityReport,
    Push,
    Pushed,
    Rebuilt,
)
from athanor.features.service import Features, FeatureViews, OnlineFeatures, TrainingSets
from athanor.features.types import (
    Applied,
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Found,
    Materialization,
    OnDemandView,
    TrainingRequest,
    TrainingSet,
    ViewVersion,
)
from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.http import Caller, provide, room_router

router = room_router("features", prefix="/features")
TheFeatures = Annotated[Features, provide(Features)]
TheViews = Annotated[FeatureViews, provide(FeatureViews)]
TheTraining = Annotated[TrainingSets, provide(TrainingSets)]
TheOnline = Annotated[OnlineFeatures, provide(OnlineFeatures)]
Project = Annotated[str, Query(description="The project that names are of.")]
Names = Annotated[list[str], Query()]
ARROW = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrainingSet:
    """A training set to be made of a dataset or a query."""

    name: str
    request: TrainingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRequest:
    """What is to be compared."""

    features: tuple[str, ...]
    rows: tuple[dict[str, Any], ...] = ()
    sample: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many online rows were removed."""

    rows: int


@router.post("/definitions")
def apply(
    definitions: Definitions, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> Applied:
    """Define entities, views and services together, or nothing of it."""
    return features.apply(who, definitions, project=project)


@router.get("/entities")
def entities(
    who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> list[Entity]:
    """All entities, by name."""
    return features.entities(who, project=project)


@router.get("/entities/{name}")
def entity(
    name: str, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> Entity:
    """One entity."""
    return features.entity(who, name, project=project)


@router.get("/views")
def views(
    who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> list[FeatureView]:
    """All feature views, by name."""
    return features.views(who, project=project)


@router.get("/views/{name}")
def view(
    name: str, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> FeatureView:
    """One feature view."""
    return features.view(who, name, project=project)


@router.get("/on-demand")
def on_demand_views(
    who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> list[OnDemandView]:
    """All on-demand views, by name."""
    return features.on_demand_views(who, project=project)


@router.get("/on-demand/{name}")
def on_demand_view(
    name: str, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> OnDemandView:
    """One on-demand view."""
    return features.on_demand_view(who, name, project=project)


@router.get("/services")
def services(
    who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> list[FeatureService]:
    """All feature services, by name."""
    return features.services(who, project=project)


@router.get("/services/{name}")
def service(
    name: str, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> FeatureService:
    """One feature service."""
    return features.service(who, name, project=project)


@router.delete("/definitions/{kind}/{name}", status_code=204)
def remove(
    kind: Literal["entity", "view", "on_demand", "service"],
    name: str,
    who: Caller,
    features: TheFeatures,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Remove a definition that nothing else uses."""
    features.remove(who, kind, name, project=project)


@router.get("/search")
def search(
    who: Caller,
    features: TheFeatures,
    text: str = "",
    project: Annotated[str, Query(description="Empty: every project.")] = "",
) -> list[Found]:
    """Entities, views, features and services that hold every word."""
    return features.search(who, text, project=project or None)


@router.post("/import/feast")
def import_feast(
    files: FeastFiles, who: Caller, features: TheFeatures, project: Project = DEFAULT_PROJECT
) -> FeastImport:
    """Read the Python files of a Feast repository, and define what they define."""
    return features.import_feast(who, files, project=project)


@router.post("/views/{name}/versions", status_code=201)
def build(
    name: str,
    who: Caller,
    views: TheViews,
    force: bool = False,  # noqa: FBT001, FBT002 - a query parameter
    project: Project = DEFAULT_PROJECT,
) -> ViewVersion:
    """Read a view's source as its next version."""
    return views.build(who, name, force=force, project=project)


@router.get("/views/{name}/versions")
def versions(
    name: str, who: Caller, views: TheViews, project: Project = DEFAULT_PROJECT
) -> list[ViewVersion]:
    """All versions of a view, newest first."""
    return views.versions(who, name, project=project)


@router.get("/views/{name}/rows")
def rows(
    name: str,
    who: Caller,
    views: TheViews,
    version: int | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 20,
    project: Project = DEFAULT_PROJECT,
) -> list[dict[str, Any]]:
    """The newest rows of a version."""
    return views.rows(who, name, version=version, limit=limit, project=project)


@router.post("/views/{name}/push")
def push(
    name: str, push: Push, who: Caller, views: TheViews, project: Project = DEFAULT_PROJECT
) -> Pushed:
    """Take fresh rows of a stream."""
    return views.push(who, name, push, project=project)


@router.delete("/views/{name}/pushes")
def drop(
    name: str,
    row: Annotated[list[int], Query(description="The number of a pushed row; may come often.")],
    who: Caller,
    views: TheViews,
    project: Project = DEFAULT_PROJECT,
) -> Dropped:
    """Take pushed rows back that no version holds yet."""
    return views.drop(who, name, row, project=project)


@router.get("/freshness")
def freshness(
    who: Caller, views: TheViews, view: str = "", project: Project = DEFAULT_PROJECT
) -> list[Freshness]:
    """How old the newest rows of a view are, or of all."""
    return views.freshness(who, view, project=project)


@router.get("/views/{name}/drift")
def drift(
    name: str,
    who: Caller,
    views: TheViews,
    since: datetime | None = None,
    threshold: Annotated[float, Query(ge=0, le=1)] = 0.1,
    project: Project = DEFAULT_PROJECT,
) -> DriftReport:
    """A view's newest values against those before."""
    return views.drift(who, name, since=since, threshold=threshold, project=project)


@router.post("/training-sets", status_code=201)
def create(
    new: NewTrainingSet, who: Caller, training: TheTraining, project: Project = DEFAULT_PROJECT
) -> TrainingSet:
    """Look features up for each row of a dataset or query, as the next version of a dataset."""
    return training.create(who, new.name, new.request, project=project)


@router.put("/training-sets/{name}", status_code=201)
async def create_from_table(
    name: str,
    request: Request,
    who: Caller,
    training: TheTraining,
    asked: Annotated[str, Query(alias="request", description="A TrainingRequest as JSON.")],
    project: Project = DEFAULT_PROJECT,
) -> TrainingSet:
    """The same for the rows of the body: Parquet, Arrow, CSV or JSON lines."""
    wanted = _request(asked)
    with training.upload() as folder:
        path = folder / "upload"
        with path.open("wb") as stream:
            async for chunk in request.stream():
                stream.write(chunk)
        return await run_in_threadpool(
            training.create, who, name, wanted, upload=path, project=project
        )


@router.get("/training-sets")
def sets(
    who: Caller, training: TheTraining, name: str = "", project: Project = DEFAULT_PROJECT
) -> list[TrainingSet]:
    """Training sets, newest first."""
    return training.sets(who, name, project=project)


@router.post("/training-sets/{name}/versions/{version}/rebuild")
def rebuild(
    name: str, version: str, who: Caller, training: TheTraining, project: Project = DEFAULT_PROJECT
) -> Rebuilt:
    """Make a training set again from its pins, and say whether every bit is the same."""
    return training.rebuild(who, f"{name}@{version}", project=project)


@router.put("/historical")
async def historical(
    request: Request,
    who: Caller,
    training: TheTraining,
    asked: Annotated[str, Query(alias="request", description="A TrainingRequest as JSON.")],
    project: Project = DEFAULT_PROJECT,
) -> Response:
    """The features of each row of the body, as an Arrow stream; nothing is kept.

    The body is Parquet, Arrow, CSV or JSON lines; empty where the request names a dataset.
    """
    wanted = _request(asked)

    def found(upload: Any) -> bytes:
        with training.historical(who, wanted, upload=upload, project=project) as path:
            return bytes(path.read_bytes())

    with training.upload() as folder:
        path = folder / "upload"
        with path.open("wb") as stream:
            async for chunk in request.stream():
                stream.write(chunk)
        body = await run_in_threadpool(found, path if path.stat().st_size else None)
    return Response(body, media_type=ARROW)


@router.post("/materializations")
def materialize(
    order: Materialize, who: Caller, online: TheOnline, project: Project = DEFAULT_PROJECT
) -> list[Materialization]:
    """Bring the newest row of each key online."""
    return online.materialize(who, order, project=project)


@router.get("/materializations")
def materializations(
    who: Caller, online: TheOnline, project: Project = DEFAULT_PROJECT
) -> list[Materialization]:
    """How far each view is online."""
    return online.materializations(who, project=project)


@router.post("/online")
def read(
    request: OnlineRequest, who: Caller, online: TheOnline, project: Project = DEFAULT_PROJECT
) -> Response:
    """The features of each row's keys, now: a list of {values, presence, events}."""
    found = online.read(who, request, project=project)
    return Response(msgspec.json.encode(found), media_type="application/json")


@router.post("/parity")
def parity(
    asked: ParityRequest, who: Caller, online: TheOnline, project: Project = DEFAULT_PROJECT
) -> Response:
    """Compare what a training set would hold with what the endpoint would get."""
    report: ParityReport = online.parity(
        who, asked.features, rows=asked.rows, sample=asked.sample, project=project
    )
    return Response(msgspec.json.encode(report), media_type="application/json")


@router.post("/entities/{name}/erase")
def erase(
    name: str,
    key: dict[str, Any],
    who: Caller,
    online: TheOnline,
    project: Project = DEFAULT_PROJECT,
) -> Erased:
    """Remove a key's online rows."""
    return Erased(rows=online.erase(who, name, key, project=project))


def _request(text: str) -> TrainingRequest:
    """The request that stands in an address. Raises: BadTrainingRequest."""
    try:
        return msgspec.json.decode(text, type=TrainingRequest)
    except msgspec.MsgspecError as error:
        raise BadTrainingRequest(str(error)) from None
