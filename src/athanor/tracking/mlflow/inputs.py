"""What runs used and made, over MLflow's protocol."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import field

from athanor.kernel import Principal
from athanor.tracking.errors import BadInput
from athanor.tracking.inputs import DatasetInfo, DatasetInput, ModelOutput, RunInputs
from athanor.tracking.logic.paths import below
from athanor.tracking.logic.rules import check_run_id, experiment_id
from athanor.tracking.mlflow.calls import Answered, Call
from athanor.tracking.mlflow.experiments import Tag
from athanor.tracking.mlflow.failures import invalid
from athanor.tracking.mlflow.records import Record, Required
from athanor.tracking.mlflow.routing import MlflowRoutes
from athanor.tracking.service import Tracking
from athanor.tracking.service.inputs import Inputs
from athanor.tracking.service.logged_models import LoggedModels

_EXPERIMENTS = 20
_HISTORY = "mlflow.log-model.history"
_MODEL_FIELDS = ("run_id", "artifact_path", "utc_time_created", "model_uuid")
_DEMANDED = ("artifact_path", "flavors", "run_id", "utc_time_created")


class SentDataset(Record):
    """A dataset as a client describes it."""

    name: Required
    digest: Required
    source_type: Required
    source: Required
    schema: str = ""
    profile: str = ""


class SentInput(Record):
    """A dataset and what it was used for."""

    dataset: SentDataset
    tags: list[Tag] = field(default_factory=list)


class UsedModel(Record):
    """A logged model that a run used."""

    model_id: Required


class LogInputs(Record):
    """runs/log-inputs."""

    run_id: Required
    datasets: list[SentInput] = field(default_factory=list)
    models: list[UsedModel] = field(default_factory=list)


class MadeModel(Record):
    """A logged model that a run made."""

    model_id: Required
    step: int = 0


class LogOutputs(Record):
    """runs/outputs."""

    run_id: Required
    models: list[MadeModel]


class LogModel(Record):
    """runs/log-model, of clients before MLflow 3."""

    run_id: Required
    model_json: Required


class SearchDatasets(Record):
    """experiments/search-datasets."""

    experiment_ids: list[str] = field(default_factory=list)


def add_input_routes(
    routes: MlflowRoutes, inputs: Inputs, tracking: Tracking, models: LoggedModels
) -> None:
    """Register the routes of inputs and outputs."""
    routes.translate(BadInput, "INVALID_PARAMETER_VALUE", lambda error: str(error.message))
    answers = _Routes(inputs, tracking, models)
    routes.add("POST", "runs/log-inputs", answers.log_inputs)
    routes.add("POST", "runs/outputs", answers.log_outputs)
    routes.add("POST", "runs/log-model", answers.log_model)
    routes.add("POST", "experiments/search-datasets", answers.search_datasets, writes=False)


def attached(
    inputs: Inputs, who: Principal, run_ids: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    """What the protocol tells of runs' inputs and outputs, by run."""
    return {run: _shown(told) for run, told in inputs.inputs(who, run_ids).items()}


class _Routes:
    def __init__(self, inputs: Inputs, tracking: Tracking, models: LoggedModels) -> None:
        self._inputs = inputs
        self._tracking = tracking
        self._models = models

    def log_inputs(self, call: Call) -> Answered:
        asked = call.read(LogInputs)
        check_run_id(asked.run_id)
        datasets = [_dataset(given) for given in asked.datasets]
        used = [model.model_id for model in asked.models]
        self._inputs.log_inputs(call.who, call.own_run(asked.run_id), datasets, used)
        return {}

    def log_outputs(self, call: Call) -> Answered:
        asked = call.read(LogOutputs)
        made = [ModelOutput(model_id=each.model_id, step=each.step) for each in asked.models]
        self._inputs.log_outputs(call.who, call.own_run(asked.run_id), made)
        return {}

    def log_model(self, call: Call) -> Answered:
        asked = call.read(LogModel)
        model = _described(asked.model_json)
        run = self._tracking.run(call.who, call.own_run(asked.run_id))
        known = run.tags.get(_HISTORY)
        told = {name: model[name] for name in _MODEL_FIELDS if name in model}
        told["flavors"] = _flavors(model["flavors"])
        history = [*(json.loads(known) if known else []), told]
        self._tracking.set_tag(call.who, asked.run_id, _HISTORY, json.dumps(history))
        source = below(run.info.artifact_uri, str(model["artifact_path"]))
        self._models.artifact(call.who, source, run=asked.run_id, project=call.project)
        return {}

    def search_datasets(self, call: Call) -> Answered:
        asked = call.read(SearchDatasets).experiment_ids
        if not asked:
            raise invalid("SearchDatasets request must specify at least one experiment_id.")
        if len(asked) > _EXPERIMENTS:
            raise invalid(
                f"SearchDatasets request cannot specify more than {_EXPERIMENTS} experiment_ids. "
                f"Received {len(asked)} experiment_ids."
            )
        asked = [experiment_id(given) for given in asked]
        found = [
            {"experiment_id": each.experiment, "name": each.name, "digest": each.digest}
            | ({"context": each.context} if each.context else {})
            for each in self._inputs.search_datasets(call.who, call.own_experiments(asked))
        ]
        return {"dataset_summaries": found} if found else {}


def _dataset(given: SentInput) -> DatasetInput:
    fields = DatasetInfo.__dataclass_fields__
    info = DatasetInfo(**{name: getattr(given.dataset, name) for name in fields})
    return DatasetInput(dataset=info, tags={tag.key: tag.value for tag in given.tags})


def _described(text: str) -> dict[str, Any]:
    try:
        model = json.loads(text)
    except (ValueError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise invalid(f"Malformed model info. \n {text[:2000]} \n is not a valid JSON.")
    lacking = set(_DEMANDED) - set(model)
    if lacking:
        raise invalid(f"Model json is missing mandatory fields: {lacking}")
    return model


def _flavors(given: Any) -> dict[str, Any]:
    """The flavors without their `config`, which holds a model's whole settings."""
    if not isinstance(given, dict):
        raise invalid("Model json is missing mandatory fields: {'flavors'}")
    return {
        name: {key: value for key, value in flavor.items() if key != "config"}
        if isinstance(flavor, dict)
        else flavor
        for name, flavor in given.items()
    }


def _shown(told: RunInputs) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if told.datasets:
        inputs["dataset_inputs"] = [_shown_dataset(each) for each in told.datasets]
    if told.models:
        inputs["model_inputs"] = [{"model_id": model} for model in told.models]
    found: dict[str, Any] = {"inputs": inputs}
    if told.outputs:
        found["outputs"] = {
            "model_outputs": [
                {"model_id": made.model_id, "step": made.step} for made in told.outputs
            ]
        }
    return found


def _shown_dataset(given: DatasetInput) -> dict[str, Any]:
    info = given.dataset
    dataset = {
        "name": info.name,
        "digest": info.digest,
        "source_type": info.source_type,
        "source": info.source,
    }
    dataset |= {name: text for name in ("schema", "profile") if (text := getattr(info, name))}
    shown: dict[str, Any] = {"dataset": dataset}
    if given.tags:
        shown["tags"] = [{"key": key, "value": value} for key, value in given.tags.items()]
    return shown
