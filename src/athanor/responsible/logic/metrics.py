"""Quality of a classifier on labelled rows, each figure with its interval.

Probabilities have the shape (rows, classes) and follow the order of the classes; truth holds class
indices, shape (rows,).
"""

import math

import numpy as np
from numpy.typing import NDArray

from athanor.responsible.logic.intervals import (
    Estimate,
    Flags,
    Floats,
    bootstrap,
    mean,
    proportion,
    quantile,
    resamples,
)
from athanor.responsible.logic.ranking import roc_auc

Indices = NDArray[np.int64]
_FLOOR = float(np.finfo(np.float64).eps)
"""Probabilities are clipped here for the log loss, as scikit-learn does."""


def binary_metrics(truth: Flags, scores: Floats, threshold: float = 0.5) -> dict[str, Estimate]:
    """Every figure of a two-class model.

    Args:
        truth: True for the positive class; both classes must be there.
        scores: probability of the positive class.
        threshold: from which on a row is told positive (strictly above, as argmax does).
    """
    told = scores > threshold
    hits, misses = int((told & truth).sum()), int((~told & truth).sum())
    alarms, rejections = int((told & ~truth).sum()), int((~told & ~truth).sum())
    recall = proportion(hits, hits + misses)
    specificity = proportion(rejections, rejections + alarms)
    chances = np.clip(np.where(truth, scores, 1 - scores), _FLOOR, 1.0)
    return {
        "roc_auc": roc_auc(truth, scores),
        "pr_auc": _pr_auc(truth, scores),
        "accuracy": proportion(hits + rejections, len(truth)),
        "balanced_accuracy": _mean_of_shares([recall, specificity]),
        "log_loss": mean(-np.log(chances)),
        "brier": mean((scores - truth) ** 2),
        "f1": _f1(truth, told),
        "precision": proportion(hits, hits + alarms),
        "recall": recall,
        "specificity": specificity,
    }


def multiclass_metrics(truth: Indices, chances: Floats) -> dict[str, Estimate]:
    """Every figure of a model of three classes or more; averages over classes weigh them equally.

    `truth` holds class indices; classes that are absent from it are left out of the averages.
    """
    told = chances.argmax(axis=1)
    present = np.unique(truth)
    own = np.clip(chances[np.arange(len(truth)), truth], _FLOOR, 1.0)
    one_hot = np.eye(chances.shape[1])[truth]
    recalls = [
        proportion(int((told[truth == c] == c).sum()), int((truth == c).sum())) for c in present
    ]
    return {
        "roc_auc": macro_auc(truth, chances),
        "accuracy": proportion(int((told == truth).sum()), len(truth)),
        "balanced_accuracy": _mean_of_shares(recalls),
        "log_loss": mean(-np.log(own)),
        "brier": mean(((chances - one_hot) ** 2).sum(axis=1)),
        "f1": _macro_f1(truth, told, present),
    }


def macro_auc(truth: Indices, chances: Floats) -> Estimate:
    """The mean over classes of the area of one class against the rest, by bootstrap."""
    present = np.unique(truth)
    areas = [_WeightedArea(truth == c, chances[:, c]) for c in present]

    def average(weights: Floats) -> float:
        return float(np.mean([area(weights) for area in areas]))

    low, high = bootstrap(average, len(truth))
    return Estimate(
        value=average(np.ones(len(truth))),
        low=low,
        high=high,
        rows=len(truth),
        method="bootstrap",
    )


def macro_auc_draws(truth: Indices, chances: Floats) -> tuple[float, Floats]:
    """The macro area and its value in each bootstrap resample, for paired comparisons."""
    areas = [_WeightedArea(truth == c, chances[:, c]) for c in np.unique(truth)]
    drawn = resamples(len(truth))
    values = [float(np.mean([area(weights) for area in areas])) for weights in drawn]
    return float(np.mean([area(np.ones(len(truth))) for area in areas])), np.array(values)


def confusion(truth: Indices, told: Indices, classes: int) -> NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are the truth, columns what the model told."""
    counts = np.bincount(truth * classes + told, minlength=classes * classes)
    return counts.reshape(classes, classes)


def roc_points(truth: Flags, scores: Floats, most: int = 200) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) along the curve, thinned to `most` points."""
    order = np.argsort(-scores, kind="stable")
    ends = _ends(scores[order])
    hits, alarms = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    points = np.column_stack([alarms / max(1, (~truth).sum()), hits / max(1, truth.sum())])
    return [(0.0, 0.0), *_thinned(points, most)]


def pr_points(truth: Flags, scores: Floats, most: int = 200) -> list[tuple[float, float]]:
    """(recall, precision) along the curve, thinned to `most` points."""
    order = np.argsort(-scores, kind="stable")
    ends = _ends(scores[order])
    hits = np.cumsum(truth[order])[ends]
    return _thinned(np.column_stack([hits / max(1, truth.sum()), hits / (ends + 1)]), most)


class _WeightedArea:
    """The area under the ROC curve as a function of row weights; sorts once."""

    def __init__(self, truth: Flags, scores: Floats) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._truth = truth[self._order]
        self._ends = _ends(scores[self._order])

    def __call__(self, weights: Floats) -> float:
        drawn = weights[self._order]
        hits = np.diff(np.cumsum(drawn * self._truth)[self._ends], prepend=0.0)
        others = np.cumsum(drawn * ~self._truth)[self._ends]
        below = np.concatenate([[0.0], others[:-1]])
        pairs = hits.sum() * others[-1]
        if pairs == 0:
            return math.nan
        return float((hits * (below + others) / 2).sum() / pairs)


def _ends(ordered: Floats) -> Indices:
    """Where each run of equal values ends."""
    return np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)


def _pr_auc(truth: Flags, scores: Floats) -> Estimate:
    """Average precision: the step-wise area, as scikit-learn computes it."""
    order = np.argsort(-scores, kind="stable")
    ordered, ends = truth[order], _ends(scores[order])

    def area(weights: Floats) -> float:
        drawn = weights[order]
        hits, told = np.cumsum(drawn * ordered)[ends], np.cumsum(drawn)[ends]
        if hits[-1] == 0:
            return math.nan
        precision = np.divide(hits, told, out=np.zeros_like(hits), where=told > 0)
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])

    low, high = bootstrap(area, len(truth))
    value = area(np.ones(len(truth)))
    return Estimate(value=value, low=low, high=high, rows=len(truth), method="bootstrap")


def _f1(truth: Flags, told: Flags) -> Estimate:
    def score(weights: Floats) -> float:
        hits = weights[truth & told].sum()
        wrong = weights[truth ^ told].sum()
        return float(2 * hits / (2 * hits + wrong)) if hits + wrong else math.nan

    low, high = bootstrap(score, len(truth))
    value = score(np.ones(len(truth)))
    value = 0.0 if math.isnan(value) else value
    return Estimate(value=value, low=low, high=high, rows=len(truth), method="bootstrap")


def _macro_f1(truth: Indices, told: Indices, present: Indices) -> Estimate:
    def score(weights: Floats) -> float:
        found = []
        for c in present:
            hits = weights[(truth == c) & (told == c)].sum()
            wrong = weights[(truth == c) ^ (told == c)].sum()
            found.append(2 * hits / (2 * hits + wrong) if hits + wrong else math.nan)
        return float(np.mean(found))

    low, high = bootstrap(score, len(truth))
    value = score(np.ones(len(truth)))
    return Estimate(value=value, low=low, high=high, rows=len(truth), method="bootstrap")


def _mean_of_shares(shares: list[Estimate]) -> Estimate:
    """The mean of independent shares, by the delta method."""
    value = float(np.mean([share.value for share in shares]))
    variances = [share.value * (1 - share.value) / max(1, share.rows) for share in shares]
    half = quantile() * math.sqrt(sum(variances)) / len(shares)
    return Estimate(
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        rows=sum(share.rows for share in shares),
        method="normal",
    )


def _thinned(points: Floats, most: int) -> list[tuple[float, float]]:
    kept = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).astype(int))
    return [(float(x), float(y)) for x, y in points[kept]]
