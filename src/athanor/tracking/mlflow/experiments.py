"""The protocol's experiments."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import field

from athanor.tracking.errors import (
    ExperimentDeleted,
    ExperimentExists,
    ExperimentNotFound,
    RenamedWhileDeleted,
)
from athanor.tracking.mlflow.calls import Answered, Call
from athanor.tracking.mlflow.failures import MlflowError, bare
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.service import Experiments
from athanor.tracking.types import Experiment, ExperimentQuery, NewExperiment, View

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

VIEWS: dict[str, View] = {
    "ACTIVE_ONLY": "active",
    "DELETED_ONLY": "deleted",
    "ALL": "all",
    "1": "active",
    "2": "deleted",
    "3": "all",
}
"""MLflow's views."""


class Tag(Record):
    """A key and its value."""

    key: str = ""
    value: str = ""


class CreateExperiment(Record):
    """experiments/create."""

    name: Required
    artifact_location: str = ""
    tags: list[Tag] = field(default_factory=list)


class OneExperiment(Record):
    """experiments/get, delete, restore."""

    experiment_id: Required


class ByName(Record):
    """experiments/get-by-name."""

    experiment_name: Required


class UpdateExperiment(Record):
    """experiments/update."""

    experiment_id: Required
    new_name: Required


class SearchExperiments(Record):
    """experiments/search."""

    max_results: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: list[str] = field(default_factory=list)
    view_type: Any = "ACTIVE_ONLY"


class SetExperimentTag(Record):
    """experiments/set-experiment-tag."""

    experiment_id: Required
    key: Required
    value: str = ""


class DeleteExperimentTag(Record):
    """experiments/delete-experiment-tag."""

    experiment_id: Required
    key: Required


def view_of(given: object) -> View:
    """A view by its name or number.

    Raises: MlflowError.
    """
    found = VIEWS.get(str(given))
    if found is None:
        raise MlflowError(
            "INVALID_PARAMETER_VALUE", f"Invalid value {str(given)[:100]!r} for a view type."
        )
    return found


def milliseconds(at: datetime) -> int:
    """A moment as the protocol tells it."""
    return (at - _EPOCH) // _MILLISECOND


def shown(experiment: Experiment) -> dict[str, Any]:
    """An experiment as the protocol tells it."""
    told: dict[str, Any] = {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": experiment.artifact_location,
        "lifecycle_stage": experiment.lifecycle,
        "last_update_time": milliseconds(experiment.updated_at),
        "creation_time": milliseconds(experiment.created_at),
    }
    if experiment.tags:
        told["tags"] = [{"key": key, "value": value} for key, value in experiment.tags.items()]
    return told


def add_experiment_routes(routes: MlflowRoutes, experiments: Experiments) -> None:
    """Answer for experiments."""
    _Routes(experiments).join(routes)
    routes.translate(ExperimentNotFound, "RESOURCE_DOES_NOT_EXIST", bare)
    routes.translate(ExperimentExists, "RESOURCE_ALREADY_EXISTS", bare)
    routes.translate(ExperimentDeleted, "INVALID_PARAMETER_VALUE", bare)
    routes.translate(RenamedWhileDeleted, "INVALID_STATE", bare)


class _Routes:
    def __init__(self, experiments: Experiments) -> None:
        self._experiments = experiments

    def join(self, routes: MlflowRoutes) -> None:
        for method, path, handler in (
            ("POST", "create", self.create),
            ("GET", "get", self.get),
            ("GET", "get-by-name", self.by_name),
            ("POST", "delete", self.delete),
            ("POST", "restore", self.restore),
            ("POST", "update", self.update),
            ("GET", "search", self.search),
            ("POST", "set-experiment-tag", self.set_tag),
            ("POST", "delete-experiment-tag", self.delete_tag),
        ):
            routes.add(method, f"experiments/{path}", handler)
        routes.add("POST", "experiments/search", self.search, writes=False)

    def create(self, call: Call) -> Answered:
        asked = call.read(CreateExperiment)
        made = self._experiments.create(
            call.who,
            NewExperiment(
                name=asked.name,
                project=call.project,
                artifact_location=_whole(asked.artifact_location),
                tags={tag.key: tag.value for tag in asked.tags},
            ),
        )
        return {"experiment_id": made.id}

    def get(self, call: Call) -> Answered:
        asked = call.read(OneExperiment)
        found = self._experiments.get(call.who, asked.experiment_id, project=call.project)
        return {"experiment": shown(found)}

    def by_name(self, call: Call) -> Answered:
        asked = call.read(ByName)
        found = self._experiments.by_name(call.who, asked.experiment_name, project=call.project)
        return {"experiment": shown(found)}

    def delete(self, call: Call) -> Answered:
        asked = call.read(OneExperiment)
        self._experiments.delete(call.who, asked.experiment_id, project=call.project)
        return {}

    def restore(self, call: Call) -> Answered:
        asked = call.read(OneExperiment)
        self._experiments.restore(call.who, asked.experiment_id, project=call.project)
        return {}

    def update(self, call: Call) -> Answered:
        asked = call.read(UpdateExperiment)
        self._experiments.rename(
            call.who, asked.experiment_id, asked.new_name, project=call.project
        )
        return {}

    def search(self, call: Call) -> Answered:
        asked = call.read(SearchExperiments)
        page = self._experiments.search(
            call.who,
            ExperimentQuery(
                project=call.project,
                filter=asked.filter,
                order_by=asked.order_by,
                view=view_of(asked.view_type),
                limit=asked.max_results,
                page_token=asked.page_token,
            ),
        )
        told: dict[str, Any] = {}
        if page.experiments:
            told["experiments"] = [shown(one) for one in page.experiments]
        if page.next_page_token:
            told["next_page_token"] = page.next_page_token
        return told

    def set_tag(self, call: Call) -> Answered:
        asked = call.read(SetExperimentTag)
        self._experiments.set_tag(
            call.who, asked.experiment_id, asked.key, asked.value, project=call.project
        )
        return {}

    def delete_tag(self, call: Call) -> Answered:
        asked = call.read(DeleteExperimentTag)
        self._experiments.delete_tag(call.who, asked.experiment_id, asked.key, project=call.project)
        return {}


def _whole(location: str) -> str:
    """A place on a disk is told by its whole path, as MLflow's server does."""
    if not location or urlsplit(location).scheme:
        return location
    return str(Path(location).absolute())
