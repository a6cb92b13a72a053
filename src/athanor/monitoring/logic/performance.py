"""How good the model was, from the labels that have arrived."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from athanor.monitoring.types import Performance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

FEWEST_OF_A_CLASS = 10
INTERVAL = 1.959964  # standard errors in a 95 % interval


def area_under_curve(scores: Numbers, positive: NDArray[np.bool_]) -> tuple[float, float]:
    """ROC AUC and its standard error (DeLong, DeLong and Clarke-Pearson 1988). Ties count half.

    Needs two rows of each class.
    """
    high, low = scores[positive], scores[~positive]
    ranks_all = midranks(np.concatenate([high, low]))
    inside_high = (ranks_all[: high.size] - midranks(high)) / low.size
    inside_low = 1.0 - (ranks_all[high.size :] - midranks(low)) / high.size
    variance = inside_high.var(ddof=1) / high.size + inside_low.var(ddof=1) / low.size
    return float(inside_high.mean()), float(np.sqrt(variance))


def midranks(values: Numbers) -> Numbers:
    """Ranks from 1, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place], dtype=float)


def judge_ranking(
    scores: Numbers,
    positive: NDArray[np.bool_],
    *,
    rows: int,
    reference: float | None,
    rate: float,
) -> Performance:
    """ROC AUC of the labelled rows against the evaluation's, flagged at the false-alarm `rate`."""
    labelled = int(scores.size)
    few = min(int(positive.sum()), labelled - int(positive.sum()))
    if few < FEWEST_OF_A_CLASS:
        words = (
            f"{labelled:,} of {rows:,} rows have a label, and the rarer class {few:,} of them: "
            f"fewer than {FEWEST_OF_A_CLASS}, so nothing is said."
        )
        return Performance(metric="roc_auc", labelled=labelled, rows=rows, explanation=words)
    value, error = area_under_curve(scores, positive)
    return _judged("roc_auc", value, error, (labelled, rows), reference=reference, rate=rate)


def judge_accuracy(
    correct: NDArray[np.bool_], *, rows: int, reference: float | None, rate: float
) -> Performance:
    """Accuracy of the labelled rows against the evaluation's."""
    labelled = int(correct.size)
    if labelled < FEWEST_OF_A_CLASS:
        words = f"{labelled:,} of {rows:,} rows have a label: too few to say anything."
        return Performance(metric="accuracy", labelled=labelled, rows=rows, explanation=words)
    value = float(correct.mean())
    around = (correct.sum() + 2) / (labelled + 4)  # Agresti and Coull 1998: never 0 at 0 or 1
    error = math.sqrt(around * (1 - around) / labelled)
    return _judged("accuracy", value, error, (labelled, rows), reference=reference, rate=rate)


def _judged(
    metric: str,
    value: float,
    error: float,
    counts: tuple[int, int],
    *,
    reference: float | None,
    rate: float,
) -> Performance:
    labelled, rows = counts
    p_value = None
    if reference is not None:
        # The evaluation's own error is not known: it is taken to be as large as this one.
        p_value = _normal_cdf((value - reference) / max(math.sqrt(2) * error, 1e-9))
    degraded = p_value is not None and p_value <= rate
    low, high = max(0.0, value - INTERVAL * error), min(1.0, value + INTERVAL * error)
    words = f"{metric} {value:.3f} (95 % interval {low:.3f} to {high:.3f}) on {labelled:,} labelled"
    words += f" rows of {rows:,}"
    if reference is not None:
        verdict = "worse than" if degraded else "in keeping with"
        words += f"; {verdict} the {reference:.3f} of its evaluation"
    return Performance(
        metric=metric,
        labelled=labelled,
        rows=rows,
        value=value,
        low=low,
        high=high,
        reference=reference,
        p_value=p_value,
        degraded=degraded,
        explanation=words + ".",
    )


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
