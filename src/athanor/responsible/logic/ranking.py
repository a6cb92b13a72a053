"""The area under the ROC curve: its variance, and two of them on the same rows.

Method: DeLong, DeLong and Clarke-Pearson (1988), by midranks as Sun and Xu (2014).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from athanor.responsible.logic.intervals import LEVEL, Estimate, Flags, Floats, quantile


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two areas on the same rows."""

    first: float
    second: float
    difference: float
    """`first - second`."""
    low: float
    high: float
    p_value: float
    """Of "the first is not better than the second"; one-sided."""
    rows: int
    positives: int
    level: float
    test: str


def roc_auc(truth: Flags, scores: Floats, level: float = LEVEL) -> Estimate:
    """The area under the ROC curve with DeLong's interval, on the logit scale.

    Args:
        truth: shape (rows,), True for the positive class; both classes must be there.
        scores: shape (rows,), greater for more likely positive.
        level: of the interval.
    """
    areas, covariance = delong(truth, scores[np.newaxis, :])
    area, error = float(areas[0]), math.sqrt(max(0.0, float(covariance[0, 0])))
    low, high = area, area
    if 0 < area < 1 and error > 0:
        logit, half = math.log(area / (1 - area)), quantile(level) * error / (area * (1 - area))
        low, high = _expit(logit - half), _expit(logit + half)
    return Estimate(
        value=area, low=low, high=high, rows=len(truth), level=level, method="DeLong, logit"
    )


def compare(truth: Flags, first: Floats, second: Floats, level: float = LEVEL) -> Difference:
    """DeLong's paired test of two scores on the same rows."""
    areas, covariance = delong(truth, np.stack([first, second]))
    gap = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    return _tested(
        (float(areas[0]), float(areas[1])), gap, variance, truth, level, "DeLong, paired"
    )


def against_chance(truth: Flags, scores: Floats, level: float = LEVEL) -> Difference:
    """Whether an area is above 0.5, that of the share of positives told for every row."""
    areas, covariance = delong(truth, scores[np.newaxis, :])
    gap = float(areas[0]) - 0.5
    return _tested((float(areas[0]), 0.5), gap, float(covariance[0, 0]), truth, level, "DeLong")


def delong(truth: Flags, scores: Floats) -> tuple[Floats, Floats]:
    """Areas, shape (models,), and their covariance, shape (models, models).

    `scores` has the shape (models, rows).
    """
    positive, negative = scores[:, truth], scores[:, ~truth]
    m, n = positive.shape[1], negative.shape[1]
    ranks = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    placed_positive = (ranks[:, :m] - rankdata(positive, axis=1)) / n
    placed_negative = 1 - (ranks[:, m:] - rankdata(negative, axis=1)) / m
    areas = placed_positive.mean(axis=1)
    covariance = _covariance(placed_positive) / m + _covariance(placed_negative) / n
    return areas, covariance


def _covariance(placed: Floats) -> Floats:
    if placed.shape[1] < 2:
        return np.full((len(placed), len(placed)), np.inf)
    return np.atleast_2d(np.cov(placed))


def _tested(
    areas: tuple[float, float], gap: float, variance: float, truth: Flags, level: float, test: str
) -> Difference:
    error = math.sqrt(max(0.0, variance))
    p_value = float(norm.sf(gap / error)) if error > 0 else (0.0 if gap > 0 else 1.0)
    half = quantile(level) * error
    return Difference(
        first=areas[0],
        second=areas[1],
        difference=gap,
        low=gap - half,
        high=gap + half,
        p_value=p_value,
        rows=len(truth),
        positives=int(truth.sum()),
        level=level,
        test=test,
    )


def _expit(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0
