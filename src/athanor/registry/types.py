"""The registry's nouns."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from athanor.kernel import DEFAULT_PROJECT, Verdict

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
    latest: int = 0
    """Number of the newest version."""
    aliases: dict[str, int] = field(default_factory=dict)
    """Alias to version number: `{"champion": 2}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One immutable version of a registered model."""

    model: str
    number: int
    """1, 2, 3 ... per model."""
    artifact_id: str
    """The model folder, in the lineage."""
    digest: str
    """The folder's canonical digest, `sha256:<hex>`."""
    size: int
    """Bytes of the folder."""
    run_id: str | None
    """The run that registered it."""
    flavor: str
    signature: Signature
    metrics: dict[str, float]
    """On the holdout."""
    verdict: Verdict | None = None
    """What the gate said, if one was asked."""
    aliases: list[str] = field(default_factory=list)
    """That point here now."""
    created_by: str
    created_at: datetime

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
class Comparison:
    """Versions side by side."""

    model: str
    versions: list[ModelVersion]
    metrics: dict[str, list[float | None]]
    """Each metric's value in each version; None where a version has none."""
    inputs_added: list[str]
    """Raw columns that the last version reads and the first does not."""
    inputs_removed: list[str]
