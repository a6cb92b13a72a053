"""Whether a told probability is the share that comes true."""

from dataclasses import dataclass

import numpy as np

from athanor.responsible.logic.intervals import Estimate, Flags, Floats, proportion

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The rows whose told probability lies in one tenth."""

    low: float
    high: float
    told: float
    """Mean told probability."""
    came_true: Estimate
    """Share of positives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Reliability by tenths."""

    bins: list[Bin]
    """Those that hold rows."""
    ece: float
    """Expected calibration error: the mean gap between told and true, weighted by rows."""


def calibration(truth: Flags, scores: Floats, bins: int = BINS) -> Calibration:
    """Compare told and true shares in bins of equal width.

    Source: Guo et al. (2017), "On calibration of modern neural networks", equation 5, for the
    probability of the positive class.
    """
    place = np.minimum((scores * bins).astype(int), bins - 1)
    found, gap = [], 0.0
    for index in range(bins):
        inside = place == index
        rows = int(inside.sum())
        if not rows:
            continue
        told = float(scores[inside].mean())
        came_true = proportion(int(truth[inside].sum()), rows)
        gap += abs(told - came_true.value) * rows
        found.append(Bin(low=index / bins, high=(index + 1) / bins, told=told, came_true=came_true))
    return Calibration(bins=found, ece=gap / max(1, len(truth)))
