"""Confidence intervals.

Proportions: Wilson (1927). Their differences: Newcombe's hybrid score (1998, method 10). Means: the
normal approximation. Anything else: the percentile bootstrap over rows, with a fixed seed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

LEVEL = 0.95
RESAMPLES = 300
_SEED = 20_240_229

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float
    rows: int
    """How many rows it rests on."""
    level: float = LEVEL
    method: str = ""


def quantile(level: float = LEVEL) -> float:
    """The normal deviate of a two-sided interval: 1.96 for 0.95."""
    return float(norm.ppf(0.5 + level / 2))


def proportion(hits: int, total: int, level: float = LEVEL) -> Estimate:
    """A share with Wilson's interval; of nothing, NaN with the interval 0 to 1."""
    if total == 0:
        return Estimate(value=math.nan, low=0.0, high=1.0, rows=0, level=level, method="Wilson")
    z, share = quantile(level), hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    half /= 1 + z * z / total
    return Estimate(
        value=share,
        low=max(0.0, min(middle - half, share)),
        high=min(1.0, max(middle + half, share)),
        rows=total,
        level=level,
        method="Wilson",
    )


def difference(first: Estimate, second: Estimate) -> Estimate:
    """`first` minus `second`, two independent shares, with Newcombe's interval."""
    gap = first.value - second.value
    down = math.hypot(first.value - first.low, second.high - second.value)
    up = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(
        value=gap,
        low=max(-1.0, gap - down),
        high=min(1.0, gap + up),
        rows=first.rows + second.rows,
        level=first.level,
        method="Newcombe",
    )


def mean(values: Floats, level: float = LEVEL) -> Estimate:
    """The mean of a row-wise figure, with the normal interval."""
    rows = len(values)
    value = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(rows) if rows > 1 else math.inf
    half = quantile(level) * error
    return Estimate(
        value=value, low=value - half, high=value + half, rows=rows, level=level, method="normal"
    )


def bootstrap(
    statistic: Callable[[Floats], float], rows: int, level: float = LEVEL
) -> tuple[float, float]:
    """The percentile interval of a statistic of row weights.

    Args:
        statistic: takes how often each row was drawn, shape (rows,), and returns the figure; NaN
            (no row of a class was drawn) is passed over.
        rows: how many rows there are.
        level: of the interval.
    """
    drawn = resamples(rows)
    found = np.array([statistic(weights) for weights in drawn])
    found = found[np.isfinite(found)]
    if not len(found):
        return math.nan, math.nan
    low, high = np.quantile(found, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def resamples(rows: int, count: int = RESAMPLES) -> Floats:
    """How often each row is drawn in each resample: shape (count, rows), always the same."""
    random = np.random.default_rng(_SEED)
    drawn = random.multinomial(rows, np.full(rows, 1 / rows), size=count)
    return drawn.astype(np.float64)
