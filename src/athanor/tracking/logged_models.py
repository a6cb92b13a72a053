"""Logged models: what an experiment keeps of a model, registered or not."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from athanor.kernel import DEFAULT_PROJECT
from athanor.tracking.searches import Comparison, Order

ModelStatus = Literal["unspecified", "pending", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetric:
    """One measured point of a logged model."""

    model: str
    """The logged model's id."""
    key: str
    value: float
    """Any float, NaN and infinities too."""
    step: int = 0
    at: datetime
    run: str = ""
    """The run that measured it."""
    dataset_name: str = ""
    dataset_digest: str = ""
    """The dataset that it was measured on; "" where that was not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model of an experiment."""

    id: str
    """`m-` and 32 hex digits."""
    experiment: str
    project: str
    name: str
    location: str
    """Where its files lie: `mlflow-artifacts:/<experiment>/models/<id>/artifacts`."""
    status: ModelStatus = "pending"
    status_message: str = ""
    type: str = ""
    """What its maker calls its kind: `Agent`, `Classifier` ..."""
    run: str = ""
    """The run that made it."""
    deleted: bool = False
    artifact_id: str | None = None
    """The model artifact of the lineage, once it is ready and its files are here."""
    created_at: datetime
    updated_at: datetime
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[ModelMetric] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLoggedModel:
    """A logged model to be made."""

    experiment: str
    project: str = DEFAULT_PROJECT
    name: str | None = None
    """A name is made where it is None."""
    type: str = ""
    run: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredOn:
    """A dataset that a logged model was measured on."""

    name: str
    digest: str | None = None
    """None: any dataset of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelQuery:
    """Which logged models to find."""

    experiments: tuple[str, ...]
    project: str = DEFAULT_PROJECT
    comparisons: tuple[Comparison, ...] = ()
    datasets: tuple[MeasuredOn, ...] = ()
    """Comparisons of metrics look at points on these alone; without such comparisons, models
    with any point on them are found."""
    order: tuple[Order, ...] = ()
    limit: int = 100
    offset: int = 0
