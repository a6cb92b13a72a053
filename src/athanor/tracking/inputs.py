"""What runs used and made, as they tell of it: datasets and logged models."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """A dataset as a run describes it. An experiment knows it by its name and its digest."""

    name: str
    digest: str
    source_type: str
    """What `source` is: `local`, `http`, `s3`, `code`, `delta_table` ..."""
    source: str
    """Where it came from, as JSON or any text."""
    schema: str = ""
    profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """A dataset that a run used, and what for."""

    dataset: DatasetInfo
    tags: dict[str, str] = field(default_factory=dict)
    """`mlflow.data.context` says what for: `training`, `eval` ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """A logged model that a run made."""

    model_id: str
    step: int = 0
    """The run's step when it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """All that a run told of."""

    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    """Ids of the logged models that it used."""
    outputs: list[ModelOutput] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A dataset that runs of an experiment used for something."""

    experiment: str
    name: str
    digest: str
    context: str | None = None


CONTEXT = "mlflow.data.context"
"""The tag of an input that says what its dataset was used for."""
