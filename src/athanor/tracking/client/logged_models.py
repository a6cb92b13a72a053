"""Logged models, and what runs used and made, over a transport."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from athanor.kernel import DEFAULT_PROJECT, Transport
from athanor.kernel.transport import segment
from athanor.lineage import Artifact
from athanor.tracking.inputs import DatasetInput, DatasetSummary, ModelOutput, RunInputs
from athanor.tracking.logged_models import (
    LoggedModel,
    MeasuredOn,
    ModelMetric,
    ModelStatus,
    NewLoggedModel,
)

_POINT = ("key", "step", "at", "run", "dataset_name", "dataset_digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    key: str
    value: float | str
    step: int
    at: datetime
    run: str
    dataset_name: str
    dataset_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    model: LoggedModel
    metrics: list[_Point] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    models: list[_Shown]
    next_offset: int | None = None


class LoggedModelsClient:
    """Models that runs logged, registered or not."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, new: NewLoggedModel) -> LoggedModel:
        """Make a model in an experiment; send its files to its location, then finalize it."""
        return _model(self._transport.send("POST", "/logged-models", body=new).read(_Shown))

    def get(self, model_id: str, *, deleted: bool = False) -> LoggedModel:
        """One model; a deleted one only where that is asked for."""
        answer = self._transport.send("GET", _at(model_id), query={"deleted": deleted})
        return _model(answer.read(_Shown))

    def finalize(self, model_id: str, status: ModelStatus = "ready") -> LoggedModel:
        """Say that a model's files are there (`ready`), or that they won't come (`failed`)."""
        body = {"status": status}
        answer = self._transport.send("POST", f"{_at(model_id)}/finalize", body=body)
        return _model(answer.read(_Shown))

    def log_params(self, model_id: str, params: Mapping[str, str]) -> None:
        """Add parameters to a model."""
        self._transport.send("POST", f"{_at(model_id)}/params", body=dict(params))

    def measure(self, points: Sequence[ModelMetric]) -> None:
        """Add measured points to their models."""
        for model_id in dict.fromkeys(point.model for point in points):
            body = [_sent(point) for point in points if point.model == model_id]
            self._transport.send("POST", f"{_at(model_id)}/metrics", body=body)

    def set_tags(self, model_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of a model."""
        self._transport.send("POST", f"{_at(model_id)}/tags", body=dict(tags))

    def delete_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a model."""
        self._transport.send("DELETE", f"{_at(model_id)}/tags/{segment(key)}")

    def delete(self, model_id: str) -> None:
        """Delete a model: it is found no more, its files stay."""
        self._transport.send("DELETE", _at(model_id))

    def search(
        self,
        experiments: Sequence[str],
        filter_: str = "",
        *,
        datasets: Sequence[MeasuredOn] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> list[LoggedModel]:
        """Models of experiments, the newest first."""
        body = {
            "experiments": list(experiments),
            "filter": filter_,
            "datasets": list(datasets),
            "limit": limit,
            "offset": offset,
        }
        answer = self._transport.send("POST", "/logged-models/search", body=body)
        return [_model(shown) for shown in answer.read(_Page).models]

    def artifact(
        self, source: str, *, run: str = "", project: str = DEFAULT_PROJECT
    ) -> Artifact | None:
        """The model artifact behind a source: `models:/m-...`, or a folder of the tree."""
        query = {"source": source, "run": run, "project": project}
        answer = self._transport.send("GET", "/logged-models/artifact", query=query)
        return None if answer.json() is None else answer.read(Artifact)


class InputsClient:
    """Datasets and logged models that runs used and made."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def log_inputs(
        self, run_id: str, datasets: Sequence[DatasetInput] = (), models: Sequence[str] = ()
    ) -> None:
        """Say what a run used."""
        body = {"datasets": list(datasets), "models": list(models)}
        self._transport.send("POST", f"/runs/{segment(run_id)}/inputs", body=body)

    def log_outputs(self, run_id: str, outputs: Sequence[ModelOutput]) -> None:
        """Say which logged models a run made."""
        self._transport.send("POST", f"/runs/{segment(run_id)}/outputs", body=list(outputs))

    def inputs(self, run_id: str) -> RunInputs:
        """What a run used and made."""
        return self._transport.send("GET", f"/runs/{segment(run_id)}/inputs").read(RunInputs)

    def search_datasets(self, experiments: Sequence[str]) -> list[DatasetSummary]:
        """The datasets that the runs of experiments used."""
        query = {"experiment": list(experiments)}
        answer = self._transport.send("GET", "/inputs/datasets", query=query)
        return answer.read(list[DatasetSummary])


def _at(model_id: str) -> str:
    return f"/logged-models/{segment(model_id)}"


def _model(shown: _Shown) -> LoggedModel:
    metrics = [
        ModelMetric(
            model=shown.model.id,
            value=float(point.value),
            **{name: getattr(point, name) for name in _POINT},
        )
        for point in shown.metrics
    ]
    return replace(shown.model, metrics=metrics)


def _sent(point: ModelMetric) -> dict[str, Any]:
    value = point.value if math.isfinite(point.value) else str(point.value)
    return {name: getattr(point, name) for name in _POINT} | {"value": value}
