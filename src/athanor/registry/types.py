"""The registry's nouns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from athanor.kernel import DEFAULT_PROJECT, Verdict

IS_PROMPT = "mlflow.prompt.is_prompt"
"""The tag by which MLflow keeps prompts among the registered models."""


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether it is a prompt of MLflow's, and no model."""
    return tags.get(IS_PROMPT, "").lower() == "true"


STAGES = ("None", "Staging", "Production", "Archived")
"""The stages that a version can be in."""

Label = str | int | float | bool
"""A class as the training table wrote it."""

Estimator: TypeAlias = Any
"""A fitted estimator with scikit-learn's interface; the library is published without types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """One raw column that a model reads."""

    name: str
    type: str
    """An MLflow column type: `double`, `float`, `long`, `integer`, `boolean`, `string`,
    `datetime`."""
    required: bool = True
    """False where the training rows had missing values: the column may be left out then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model reads and says."""

    inputs: tuple[InputColumn, ...] = ()
    """In the order of training. Empty where the model did not tell."""
    target: str = ""
    """The column that it predicts."""
    task: str = "binary"
    """`binary`, `multiclass` or `regression`."""
    classes: tuple[Label, ...] = ()
    """The labels, in the order of the probabilities; empty for regression."""
    positive: Label | None = None
    """The class that `score` is the probability of; None unless binary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """What a model folder says about itself, read without loading the model."""

    signature: Signature
    flavor: str
    """`sklearn`: how the model file is to be loaded."""
    model_file: str
    """Name of the model file inside the folder."""
    serialization: str
    """`skops`, or what else wrote the file."""
    trusted: tuple[str, ...] = ()
    """The types beyond skops' own list that the file says it holds."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the training said about the model; JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """What a training step returns where it knows more than the estimator alone does.

    Steps may return a bare estimator as well; its signature then holds what the estimator tells.
    """

    estimator: Estimator
    example: Any = None
    """A pandas DataFrame of raw rows, from which the columns' types are read; five are kept."""
    signature: Signature | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON to keep beside the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A name under which versions are kept."""

    name: str
    project: str
    protected: bool = False
    """Whether "champion" takes only versions that passed a gate."""
    created_by: str
    created_at: datetime
    updated_at: datetime
    """Of the model itself, or of the list of its versions."""
    latest: int = 0
    """Number of the newest version; 0 if there is none."""
    aliases: dict[str, int] = field(default_factory=dict)
    """Alias to version number: `{"champion": 2}`."""
    description: str | None = None
    """Text, as people wrote it."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One immutable version of a registered model."""

    model: str
    number: int
    """1, 2, 3 ... per model."""
    artifact_id: str | None
    """The model folder, in the lineage; None where its content lies elsewhere (see `source`)."""
    digest: str
    """The folder's canonical digest, `sha256:<hex>`; "" where its content lies elsewhere."""
    size: int
    """Bytes of the folder; 0 where its content lies elsewhere."""
    run_id: str | None
    """The run that registered it, or that made it; as it was told where it is no run of ours."""
    flavor: str
    """`sklearn`, `lightgbm` ...: how the folder is loaded; "" where that is not known."""
    signature: Signature
    metrics: dict[str, float]
    """On the holdout."""
    verdict: Verdict | None = None
    """What the gate said, if one was asked."""
    aliases: list[str] = field(default_factory=list)
    """That point here now."""
    description: str | None = None
    """Text, as people wrote it."""
    tags: dict[str, str] = field(default_factory=dict)
    stage: str = "None"
    """`None`, `Staging`, `Production` or `Archived`: MLflow's older way; aliases are the newer."""
    source: str = ""
    """The URI that it was registered from; "" for a folder that was handed over."""
    location: str = ""
    """The URI that its files are read from; "" where that is `source`."""
    run_link: str | None = None
    """An address of the run, where the run is not here."""
    model_id: str | None = None
    """The logged model (`m-...`) that it was registered from."""
    status: str = "READY"
    """`READY`, `PENDING_REGISTRATION` or `FAILED_REGISTRATION`."""
    status_message: str | None = None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def reference(self) -> str:
        """How other rooms name it: `churn@2`."""
        return f"{self.model}@{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModelVersion:
    """A model artifact to be registered."""

    model: str
    artifact_id: str
    run_id: str | None = None
    key: str | None = None
    """A repetition with the same key returns the version that the first one made."""
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: Verdict | None = None
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """A name, before it has versions."""

    name: str
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    counts_anew: bool = False
    """Begin with version 1 where a model of this name was deleted, as MLflow's own server does;
    not where a version of it was ever deployed or predicted with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A version of a model that exists, told by where its files lie."""

    model: str
    source: str
    """`runs:/<run>/<path>`, `models:/m-...`, `models:/<model>/<number>`, `mlflow-artifacts:/...`
    or an address elsewhere (`s3://...`), which is kept and not read."""
    run_id: str | None = None
    model_id: str | None = None
    run_link: str | None = None
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMove:
    """Where a version is to stand, in MLflow's older way."""

    stage: str
    """One of `STAGES`, in any case."""
    archive_existing: bool = False
    """Whether the versions that are there go to `Archived`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for, in MLflow's grammar: `name LIKE 'churn%' AND tags.team = 'growth'`."""

    filter: str = ""
    order_by: tuple[str, ...] = ()
    """`name ASC`, `last_updated_timestamp DESC` ..."""
    max_results: int = 100
    page_token: str | None = None
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """Models that were found."""

    models: list[Model]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """Versions that were found."""

    versions: list[ModelVersion]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A model folder that comes from outside, packed as a zip archive."""

    model: str
    archive: Path
    """The folder's files, `MLmodel` among them, at the top of the archive."""
    run_id: str | None = None
    """The run that made it."""
    metrics: dict[str, float] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMove:
    """One step in an alias's history."""

    model: str
    alias: str
    number: int | None
    """Where it points since; None: it was removed."""
    previous: int | None
    """Where it pointed before."""
    kind: str
    """`set`, `rollback` or `removed`."""
    reason: str
    moved_by: str
    moved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One judgement of a version on labelled rows that it did not learn from."""

    digest: str
    """Of the rows: figures are comparable where it is the same."""
    name: str
    """Of the table."""
    rows: int
    """How many; 0 where nobody knows."""
    metrics: dict[str, float] = field(default_factory=dict)
    report: str
    """The id of the report's artifact."""
    run: str
    """The id of the run that made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """The rows that a version's metrics were measured on."""

    number: int
    """Of the version."""
    digest: str = ""
    """"" where nobody recorded it."""
    name: str = ""
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Versions side by side."""

    model: str
    versions: list[ModelVersion]
    metrics: dict[str, list[float | None]]
    """Each metric's value in each version; None where a version has none."""
    inputs_added: list[str]
    """Raw columns that the last version reads and the first does not."""
    inputs_removed: list[str]
    holdouts: list[Holdout] = field(default_factory=list)
    """For each version, what its metrics were measured on."""
    same_holdout: bool | None = None
    """Whether the metrics rest on the same rows; None where nobody knows of at least one."""
    note: str = ""
    """In words, whether the figures may be compared."""
    params: dict[str, list[str | None]] = field(default_factory=dict)
    """Each parameter's value in each version's run; None where it has none."""
    breaks: list[str] = field(default_factory=list)
    """What callers of the first version would notice of the last one's signature."""
    data: list[list[str]] = field(default_factory=list)
    """For each version, the dataset versions that it came from: `churn@3`."""
