"""What a logged metric is, by its name: of training or of held-out data, a loss or a score.

Known are the names of MLflow's autologging (scikit-learn, LightGBM, XGBoost, Keras, Lightning ...)
and what people call their own. A name that says nothing is left alone.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

INFINITE = 1.7976931348623157e308
"""What trackers store for an infinity."""
NO_FAULT = 0.9995
"""A score (at most 1) from which on nothing is left to be learned."""
_CUT = re.compile(r"[^a-z0-9@]+")
_TRAIN = frozenset({"train", "training", "fit"})
_HELD_OUT = frozenset({"val", "valid", "validation", "test", "testing", "eval", "dev", "holdout"})
_LOSSES = frozenset(
    {
        *("loss", "logloss", "cost", "deviance", "perplexity", "nll", "nloglik", "crossentropy"),
        *("entropy", "error", "err", "merror", "mse", "rmse", "rmsle", "mae", "mape", "smape"),
        *("l1", "l2", "huber", "hinge", "quantile", "poisson", "gamma", "tweedie", "kl", "msle"),
        *("mphe", "objective"),
    }
)
_SCORES = frozenset(
    {
        *("acc", "accuracy", "auc", "aucpr", "f1", "precision", "recall", "r2", "score", "ndcg"),
        *("map", "iou", "dice", "bleu", "kappa", "mcc", "average_precision", "auroc"),
    }
)
_ACCURACIES = frozenset({"acc", "accuracy"})
_CLASS_LOSSES = frozenset({"logloss", "crossentropy", "mlogloss", "nll"})
_GRADIENTS = frozenset({"grad", "gradient", "gradients", "gradnorm"})
_DEAD = frozenset({"dead", "zerofraction", "inactive"})
_PARTS = frozenset({"step", "epoch"})


class Role(StrEnum):
    """Which data a metric was measured on."""

    TRAIN = "train"
    HELD_OUT = "held out"


class Kind(StrEnum):
    """Which way is better."""

    LOSS = "loss"
    SCORE = "score"
    GRADIENT = "gradient"
    DEAD = "dead units"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a metric's name says."""

    role: Role
    kind: Kind
    measure: str
    """What is measured, without the data's name: `logloss` of `train-logloss`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric's points in order."""

    key: str
    named: Named
    steps: Sequence[int]
    values: Sequence[float]
    """Finite, NaN or infinite."""

    @property
    def first(self) -> float:
        """The first value."""
        return self.values[0]

    @property
    def last(self) -> float:
        """The last value."""
        return self.values[-1]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that is known of a run."""

    series: Sequence[Series]
    params: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of its datasets, by the context they were logged under: `train`, `eval` ..."""
    layers: Sequence["Layer"] = ()
    """What the logged model's weights look like, layer by layer, where they could be read."""
    importances: Mapping[str, float] = field(default_factory=dict)
    """Features by how much the model uses them."""
    priors: Sequence[float] = ()
    """The classes' shares in the training data, where the model keeps them."""
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer's weights in figures."""

    name: str
    units: int
    largest: float
    """The largest absolute weight; NaN or infinite where one is."""
    silent: int = 0
    """Units that give nothing whatever comes in, as far as weights can tell."""
    bias: float = 0.0
    """The largest absolute bias, which starts at zero."""
    activation: str = ""


def named(key: str, *, training_names: frozenset[str] = frozenset()) -> Named | None:
    """What a metric's name says; None where it says nothing.

    `training_names` are names of evaluation sets that hold the training data.
    """
    words = [word for word in _CUT.split(_split_camel(key).lower()) if word and word not in _PARTS]
    if not words:
        return None
    joined = "".join(words)
    kind = _kind(words, joined)
    if kind is None:
        return None
    role, measure = _role(key, words, training_names)
    if kind in {Kind.GRADIENT, Kind.DEAD}:
        role = Role.TRAIN
    return Named(role=role, kind=kind, measure=measure)


def _split_camel(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)


def _kind(words: Sequence[str], joined: str) -> Kind | None:
    present = set(words)
    if "lr" in present or ("learning" in present and "rate" in present):
        return None
    if present & _GRADIENTS:
        return Kind.GRADIENT
    if present & _DEAD or {"zero", "fraction"} <= present:
        return Kind.DEAD
    if present & _SCORES or any(word.startswith(("auc", "ndcg", "map@")) for word in words):
        return Kind.SCORE
    if present & _LOSSES or joined.endswith(("loss", "error", "entropy", "nloglik")):
        return Kind.LOSS
    return None


def _role(key: str, words: Sequence[str], training: frozenset[str]) -> tuple[Role, str]:
    data = re.split(r"[-/]", key, maxsplit=1)[0]
    if data in training:
        return Role.TRAIN, _measure(words[len(_CUT.split(data.lower())) :] or words)
    marks = [word.rstrip("0123456789") for word in words]
    if _HELD_OUT & set(marks):
        return Role.HELD_OUT, _measure(words)
    if _TRAIN & set(marks):
        return Role.TRAIN, _measure(words)
    # What scikit-learn's autologging writes of a fitted model: <Estimator>_score_X_test.
    if re.fullmatch(r"[A-Z]\w+?_(score|predict\w*)(-\d+)?_.+", key):
        return Role.HELD_OUT, "score"
    return Role.TRAIN, _measure(words)


def _measure(words: Sequence[str]) -> str:
    data = _TRAIN | _HELD_OUT
    return "_".join(
        word for word in words if word.rstrip("0123456789") not in data and not word.isdigit()
    )


def is_accuracy(what: Named) -> bool:
    """Whether a measure is a share of right answers."""
    return bool(set(what.measure.split("_")) & _ACCURACIES)


def is_class_loss(what: Named) -> bool:
    """Whether a loss is the log loss of classes: its scale is known."""
    words = set(what.measure.split("_"))
    joined = what.measure.replace("_", "")
    return bool(words & _CLASS_LOSSES) or joined.endswith(("logloss", "crossentropy"))


def is_perfect(item: Series) -> bool:
    """Whether a score ends without a fault."""
    return item.named.kind is Kind.SCORE and bool(item.values) and NO_FAULT <= item.last <= 1


def finite(values: Sequence[float]) -> list[float]:
    """Those values that are numbers."""
    return [value for value in values if math.isfinite(value) and abs(value) < INFINITE]
