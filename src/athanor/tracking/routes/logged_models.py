"""Logged models, and what runs used and made, over HTTP."""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.http import Caller, provide, room_router
from athanor.lineage import Artifact
from athanor.tracking.inputs import DatasetInput, DatasetSummary, ModelOutput, RunInputs
from athanor.tracking.logged_models import (
    LoggedModel,
    LoggedModelQuery,
    MeasuredOn,
    ModelMetric,
    ModelStatus,
    NewLoggedModel,
)
from athanor.tracking.logic.search import logged_model_filter, logged_model_orders
from athanor.tracking.service.inputs import Inputs
from athanor.tracking.service.logged_models import LoggedModels

router = room_router("tracking")
TheModels = Annotated[LoggedModels, provide(LoggedModels)]
TheInputs = Annotated[Inputs, provide(Inputs)]
_DOUBLES = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredPoint:
    """A measured point of a logged model; JSON has no NaN and no infinities: these are texts."""

    key: str
    value: float | Literal["nan", "inf", "-inf"]
    step: Annotated[int, Query(ge=-(1 << 63), lt=1 << 63)] = 0
    at: datetime
    """UTC where it names no zone."""
    run: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownModel:
    """A logged model."""

    model: LoggedModel
    """Without its points."""
    metrics: list[MeasuredPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """What became of a model."""

    status: ModelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """One key to sort models by."""

    field_name: str
    """An attribute, or `metrics.<key>`."""
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSearch:
    """A search for logged models."""

    experiments: list[str]
    project: str = DEFAULT_PROJECT
    filter: str = ""
    """Comparisons of attributes, metrics, params and tags, joined by AND."""
    datasets: list[MeasuredOn] = field(default_factory=list)
    order_by: list[ModelOrder] = field(default_factory=list)
    limit: Annotated[int, Query(ge=1, le=1000)] = 100
    offset: Annotated[int, Query(ge=0, lt=1 << 62)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """What a search found."""

    models: list[ShownModel]
    next_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a run used."""

    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


@router.post("/logged-models", status_code=201)
def create(new: NewLoggedModel, who: Caller, models: TheModels) -> ShownModel:
    """Make a model in an experiment."""
    return _shown(models.create(who, new))


@router.post("/logged-models/search")
def search(asked: ModelSearch, who: Caller, models: TheModels) -> ModelPage:
    """Find models of experiments."""
    orders = [
        {name: getattr(order, name) for name in ModelOrder.__dataclass_fields__}
        for order in asked.order_by
    ]
    found, following = models.search(
        who,
        LoggedModelQuery(
            experiments=tuple(asked.experiments),
            project=asked.project,
            comparisons=logged_model_filter(asked.filter),
            datasets=tuple(asked.datasets),
            order=logged_model_orders(orders),
            limit=asked.limit,
            offset=asked.offset,
        ),
    )
    return ModelPage(models=[_shown(model) for model in found], next_offset=following)


@router.get("/logged-models/artifact")
def artifact(
    who: Caller,
    models: TheModels,
    source: str,
    run: str = "",
    project: str = DEFAULT_PROJECT,
) -> Artifact | None:
    """The model artifact behind a source, made where its folder is none yet."""
    return models.artifact(who, source, run=run, project=project)


@router.get("/logged-models/{model_id}")
def get(model_id: str, who: Caller, models: TheModels, *, deleted: bool = False) -> ShownModel:
    """One model."""
    return _shown(models.get(who, model_id, deleted=deleted))


@router.post("/logged-models/{model_id}/finalize")
def finalize(model_id: str, end: Finalized, who: Caller, models: TheModels) -> ShownModel:
    """Say that a model's files are there, or that they won't come."""
    return _shown(models.finalize(who, model_id, end.status))


@router.post("/logged-models/{model_id}/params", status_code=204)
def log_params(model_id: str, params: dict[str, str], who: Caller, models: TheModels) -> None:
    """Add parameters to a model."""
    models.log_params(who, model_id, params)


@router.post("/logged-models/{model_id}/metrics", status_code=204)
def measure(model_id: str, points: list[MeasuredPoint], who: Caller, models: TheModels) -> None:
    """Add measured points to a model."""
    measured = [
        ModelMetric(
            model=model_id,
            key=point.key,
            value=_DOUBLES[point.value] if isinstance(point.value, str) else point.value,
            step=point.step,
            at=point.at if point.at.tzinfo else point.at.replace(tzinfo=UTC),
            run=point.run,
            dataset_name=point.dataset_name,
            dataset_digest=point.dataset_digest,
        )
        for point in points
    ]
    models.measure(who, measured)


@router.post("/logged-models/{model_id}/tags", status_code=204)
def set_tags(model_id: str, tags: dict[str, str], who: Caller, models: TheModels) -> None:
    """Set tags of a model."""
    models.set_tags(who, model_id, tags)


@router.delete("/logged-models/{model_id}/tags/{key}", status_code=204)
def delete_tag(model_id: str, key: str, who: Caller, models: TheModels) -> None:
    """Remove a tag of a model."""
    models.delete_tag(who, model_id, key)


@router.delete("/logged-models/{model_id}", status_code=204)
def delete(model_id: str, who: Caller, models: TheModels) -> None:
    """Delete a model."""
    models.delete(who, model_id)


@router.post("/runs/{run_id}/inputs", status_code=204)
def log_inputs(run_id: str, told: Told, who: Caller, inputs: TheInputs) -> None:
    """Say what a run used."""
    inputs.log_inputs(who, run_id, told.datasets, told.models)


@router.post("/runs/{run_id}/outputs", status_code=204)
def log_outputs(run_id: str, made: list[ModelOutput], who: Caller, inputs: TheInputs) -> None:
    """Say which logged models a run made."""
    inputs.log_outputs(who, run_id, made)


@router.get("/runs/{run_id}/inputs")
def inputs_of_run(run_id: str, who: Caller, inputs: TheInputs) -> RunInputs:
    """What a run used and made."""
    return inputs.inputs(who, [run_id]).get(run_id, RunInputs())


@router.get("/inputs/datasets")
def search_datasets(
    who: Caller, inputs: TheInputs, experiment: Annotated[list[str], Query(max_length=100)]
) -> list[DatasetSummary]:
    """The datasets that the runs of experiments used."""
    return inputs.search_datasets(who, experiment)


def _shown(model: LoggedModel) -> ShownModel:
    return ShownModel(
        model=replace(model, metrics=[]),
        metrics=[
            MeasuredPoint(
                key=point.key,
                value=_text(point.value),
                step=point.step,
                at=point.at,
                run=point.run,
                dataset_name=point.dataset_name,
                dataset_digest=point.dataset_digest,
            )
            for point in model.metrics
        ],
    )


def _text(value: float) -> float | Literal["nan", "inf", "-inf"]:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
