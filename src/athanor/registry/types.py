"""The registry's nouns."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

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
