"""Logged models over MLflow's protocol."""

from collections.abc import Sequence
from typing import Any

from msgspec import field

from athanor.kernel import Principal
from athanor.tracking.errors import BadLoggedModel, LoggedModelNotFound, LoggedModelTagNotFound
from athanor.tracking.logged_models import (
    LoggedModel,
    LoggedModelQuery,
    MeasuredOn,
    ModelMetric,
    ModelStatus,
    NewLoggedModel,
)
from athanor.tracking.logic.search import (
    bound_page_offset,
    bound_page_token,
    logged_model_filter,
    logged_model_orders,
)
from athanor.tracking.mlflow.calls import Answered, Call, double
from athanor.tracking.mlflow.experiments import Tag, milliseconds
from athanor.tracking.mlflow.failures import invalid
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.mlflow.runs import BatchMetric, LogMetric, moment_of
from athanor.tracking.service.logged_models import LoggedModels

_PAGE = 100
_MOST = 50_000

_STATUS_NAMES: dict[ModelStatus, str] = {
    "unspecified": "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "pending": "LOGGED_MODEL_PENDING",
    "ready": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
}
_STATUSES: dict[str, ModelStatus] = {
    spelt: status
    for number, (status, name) in enumerate(_STATUS_NAMES.items())
    for spelt in (name, str(number))
}


class Parameter(Record):
    """A setting of a model."""

    key: str = ""
    value: str = ""


class CreateLoggedModel(Record):
    """POST logged-models."""

    experiment_id: Required
    name: str | None = None
    model_type: str = ""
    source_run_id: str = ""
    params: list[Parameter] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)


class FinalizeLoggedModel(Record):
    """PATCH logged-models/{model_id}."""

    status: Any


class LogModelParams(Record):
    """POST logged-models/{model_id}/params."""

    params: list[Parameter] = field(default_factory=list)


class SetModelTags(Record):
    """PATCH logged-models/{model_id}/tags."""

    tags: list[Tag] = field(default_factory=list)


class OnDataset(Record):
    """A dataset that models were measured on."""

    dataset_name: str = ""
    dataset_digest: str = ""


class OrderModels(Record):
    """One key to sort by."""

    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchLoggedModels(Record):
    """POST logged-models/search."""

    experiment_ids: list[str]
    filter: str = ""
    datasets: list[OnDataset] = field(default_factory=list)
    max_results: int = 0
    order_by: list[OrderModels] = field(default_factory=list)
    page_token: str = ""


def shown_model(model: LoggedModel) -> dict[str, Any]:
    """A model as the protocol tells it."""
    info: dict[str, Any] = {
        "model_id": model.id,
        "experiment_id": model.experiment,
        "name": model.name,
        "creation_timestamp_ms": milliseconds(model.created_at),
        "last_updated_timestamp_ms": milliseconds(model.updated_at),
        "artifact_uri": model.location,
        "status": _STATUS_NAMES[model.status],
        "model_type": model.type,
        "source_run_id": model.run,
    }
    if model.status_message:
        info["status_message"] = model.status_message
    if model.tags:
        info["tags"] = _pairs(model.tags)
    data: dict[str, Any] = {}
    if model.params:
        data["params"] = _pairs(model.params)
    if model.metrics:
        data["metrics"] = [_shown_point(point) for point in model.metrics]
    return {"info": info, "data": data}


def model_metrics(
    models: LoggedModels, who: Principal, run_id: str, points: Sequence[LogMetric | BatchMetric]
) -> None:
    """Keep the points of a run that were measured of logged models."""
    measured = [
        ModelMetric(
            model=point.model_id,
            key=point.key,
            value=point.value,
            step=point.step,
            at=moment_of(point.timestamp, "timestamp"),
            run=run_id,
            dataset_name=point.dataset_name,
            dataset_digest=point.dataset_digest,
        )
        for point in points
        if point.model_id
    ]
    if measured:
        models.measure(who, measured)


def add_logged_model_routes(routes: MlflowRoutes, models: LoggedModels) -> None:
    """Register the routes of logged models."""
    for kind in (LoggedModelNotFound, LoggedModelTagNotFound):
        routes.translate(kind, "RESOURCE_DOES_NOT_EXIST", _message)
    routes.translate(BadLoggedModel, "INVALID_PARAMETER_VALUE", _message)
    answers = _Routes(models)
    routes.add("POST", "logged-models", answers.create)
    routes.add("POST", "logged-models/search", answers.search, writes=False)
    routes.add("GET", "logged-models/{model_id}", answers.get)
    routes.add("PATCH", "logged-models/{model_id}", answers.finalize)
    routes.add("DELETE", "logged-models/{model_id}", answers.delete)
    routes.add("POST", "logged-models/{model_id}/params", answers.log_params)
    routes.add("PATCH", "logged-models/{model_id}/tags", answers.set_tags)
    routes.add("DELETE", "logged-models/{model_id}/tags/{key:path}", answers.delete_tag)


class _Routes:
    def __init__(self, models: LoggedModels) -> None:
        self._models = models

    def create(self, call: Call) -> Answered:
        asked = call.read(CreateLoggedModel)
        made = self._models.create(
            call.who,
            NewLoggedModel(
                experiment=asked.experiment_id,
                project=call.project,
                name=asked.name or None,
                type=asked.model_type,
                run=asked.source_run_id,
                params={param.key: param.value for param in asked.params},
                tags={tag.key: tag.value for tag in asked.tags},
            ),
        )
        return {"model": shown_model(made)}

    def get(self, call: Call) -> Answered:
        deleted = (call.query.get("allow_deleted") or ["false"])[0].lower() == "true"
        return {"model": shown_model(self._models.get(call.who, _id(call), deleted=deleted))}

    def finalize(self, call: Call) -> Answered:
        asked = call.read(FinalizeLoggedModel)
        status = _STATUSES.get(str(asked.status))
        if status is None:
            raise invalid(f"Unknown model status: {str(asked.status)[:100]}")
        return {"model": shown_model(self._models.finalize(call.who, _id(call), status))}

    def delete(self, call: Call) -> Answered:
        self._models.delete(call.who, _id(call))
        return {}

    def log_params(self, call: Call) -> Answered:
        asked = call.read(LogModelParams)
        params = {param.key: param.value for param in asked.params}
        self._models.log_params(call.who, _id(call), params)
        return {}

    def set_tags(self, call: Call) -> Answered:
        asked = call.read(SetModelTags)
        self._models.set_tags(call.who, _id(call), {tag.key: tag.value for tag in asked.tags})
        return {}

    def delete_tag(self, call: Call) -> Answered:
        self._models.delete_tag(call.who, _id(call), call.path["key"])
        return {}

    def search(self, call: Call) -> Answered:
        asked = call.read(SearchLoggedModels)
        orders = [
            {
                "field_name": order.field_name,
                "ascending": order.ascending,
                "dataset_name": order.dataset_name or None,
                "dataset_digest": order.dataset_digest or None,
            }
            for order in asked.order_by
        ]
        bound = {
            "experiment_ids": asked.experiment_ids,
            "filter_string": asked.filter or None,
            "order_by": orders or None,
        }
        found, following = self._models.search(
            call.who,
            LoggedModelQuery(
                experiments=tuple(call.own_experiments(asked.experiment_ids)),
                project=call.project,
                comparisons=logged_model_filter(asked.filter),
                datasets=tuple(
                    MeasuredOn(name=each.dataset_name, digest=each.dataset_digest or None)
                    for each in asked.datasets
                ),
                order=logged_model_orders(orders),
                limit=min(asked.max_results, _MOST) if asked.max_results > 0 else _PAGE,
                offset=bound_page_offset(asked.page_token, bound),
            ),
        )
        answer: dict[str, Any] = {"models": [shown_model(model) for model in found]}
        if following is not None:
            answer["next_page_token"] = bound_page_token(following, bound)
        return answer if found else {}


def _shown_point(point: ModelMetric) -> dict[str, Any]:
    told: dict[str, Any] = {
        "key": point.key,
        "value": double(point.value),
        "timestamp": milliseconds(point.at),
        "step": point.step,
        "model_id": point.model,
        "run_id": point.run,
    }
    if point.dataset_name:
        told["dataset_name"] = point.dataset_name
    if point.dataset_digest:
        told["dataset_digest"] = point.dataset_digest
    return told


def _pairs(given: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def _id(call: Call) -> str:
    return call.own_model(call.path["model_id"])


def _message(error: Any) -> str:
    return str(error.message)
