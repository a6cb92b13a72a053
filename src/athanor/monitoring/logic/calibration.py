"""What healthy windows show: the null distribution of every statistic, by resampling.

A healthy window and the reference are draws from one population. Pooling their rows and dealing
them out again in the same sizes gives as many healthy pairs as wanted (a permutation test, exact
for any statistic: Fisher 1935; Phipson and Smyth 2010 for the +1). On histograms that deal is a
multivariate hypergeometric draw, so its cost does not depend on the number of rows. Where rows
belong together (days, users), whole blocks are dealt out: correlated rows would otherwise look
like drift in nearly every window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from athanor.monitoring.logic import measures
from athanor.monitoring.types import ColumnKind, Measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from athanor.monitoring.logic.sketch import ColumnPlan, Sketch

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]

EXPECTED_ROWS = 5  # of a window in each cell of a number, at least: fewer says nothing alone
FEW_BEYOND = 10  # with fewer simulated windows beyond, the tail is extrapolated
TAIL_SHARE = 0.05  # of the simulated windows that the tail is fitted to
LEAST = 1e-12
DRAWN_AT_ONCE = 500_000  # cells; bounds the memory of a deal of blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """One column's evidence against "this window is healthy"."""

    p_value: float
    """Of the strongest statistic, corrected for having taken the strongest."""
    measures: dict[str, Measured]
    strongest: str
    """The statistic that speaks loudest."""


def calibrate(
    plan: ColumnPlan,
    reference: Sketch,
    window: Sketch,
    *,
    replicates: int,
    level: float,
    random: np.random.Generator,
) -> Calibrated:
    """Compare a window with the reference, against `replicates` simulated healthy windows.

    Sketches with blocks are dealt out by blocks, others by rows. `level` is the probability that
    the told healthy values belong to.
    """
    if reference.blocks is not None and window.blocks is not None:
        pair = deal_blocks(reference.blocks, window.blocks, replicates, random)
    else:
        pair = deal_rows(reference.counts, window.counts, replicates, random)
    old, new = coarser(plan, *pair)
    statistics = measure(plan, old, new)
    squared = {"js"}  # a distance; the other statistics are quadratic already
    evidence = {
        name: loudness(values**2 if name in squared else values)
        for name, values in statistics.items()
    }
    loudest = np.max(np.stack(list(evidence.values())), axis=0)
    told = {
        name: Measured(
            value=float(values[0]),
            healthy=float(np.quantile(values[1:], level)),
            p_value=beyond(values[0], values[1:]),
        )
        for name, values in statistics.items()
    }
    return Calibrated(
        p_value=tail_probability(loudest[0], loudest[1:]),
        measures=told,
        strongest=max(evidence, key=lambda name: float(evidence[name][0])),
    )


def deal_rows(
    reference: Counts, window: Counts, replicates: int, random: np.random.Generator
) -> tuple[Counts, Counts]:
    """The observed pair first, then healthy pairs of the same sizes: (1 + replicates, cells)."""
    pooled = reference + window
    dealt = random.multivariate_hypergeometric(pooled, int(window.sum()), size=replicates)
    new = np.concatenate([window[None], dealt])
    return pooled - new, new


def deal_blocks(
    reference: Counts, window: Counts, replicates: int, random: np.random.Generator
) -> tuple[Counts, Counts]:
    """As `deal_rows`, with whole blocks (counts per block and cell) dealt out."""
    pooled = np.concatenate([reference, window])
    size, chosen = pooled.shape[0], window.shape[0]
    dealt = np.empty((replicates, pooled.shape[1]), dtype=np.int64)
    step = max(1, DRAWN_AT_ONCE // size)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        order = np.argsort(random.random((rows, size)), axis=1)[:, :chosen]
        dealt[start : start + rows] = pooled[order].sum(axis=1)
    new = np.concatenate([window.sum(axis=0)[None], dealt])
    return pooled.sum(axis=0) - new, new


def coarser(plan: ColumnPlan, old: Counts, new: Counts) -> tuple[Counts, Counts]:
    """Join neighbouring cells of a number that expect fewer than five rows of this window.

    The pooled counts decide, and they are the same in every simulated pair, so the test stays
    exact. The cell of missing values stays by itself.
    """
    if plan.kind is not ColumnKind.NUMBER:
        return old, new
    pooled = (old[0] + new[0])[:-1]
    share = new[0].sum() / max(int(old[0].sum() + new[0].sum()), 1)
    starts, expected = [0], 0.0
    for cell, rows in enumerate(pooled):
        if expected >= EXPECTED_ROWS:
            starts.append(cell)
            expected = 0.0
        expected += rows * share
    if expected < EXPECTED_ROWS and len(starts) > 1:
        starts.pop()
    starts.append(pooled.size)
    joined = np.unique(starts)
    return np.add.reduceat(old, joined, axis=-1), np.add.reduceat(new, joined, axis=-1)


def measure(plan: ColumnPlan, old: Counts, new: Counts) -> dict[str, Numbers]:
    """The tested statistics of every pair."""
    found = {
        "js": measures.jensen_shannon(old, new),
        "chi2": measures.chi_squared(old, new),
    }
    if plan.kind is ColumnKind.NUMBER:
        found["anderson"] = measures.anderson_darling(old[:, :-1], new[:, :-1])
    return found


def loudness(values: Numbers) -> Numbers:
    """A quadratic statistic as -ln of its p-value, which makes different statistics comparable.

    The first value is the window's, the others are healthy; each is ranked among all of them, and
    by the fitted tail within the upper 5 %, so that the loudest of several can be told apart.
    """
    healthy = np.sort(values[1:])
    ranks = healthy.size - np.searchsorted(healthy, values - _slack(values), side="left")
    counted = -np.log(np.maximum(ranks, 1) / healthy.size)
    tail = _tail(healthy)
    if tail is None:
        above = values > healthy[-1] + _slack(values)
        return np.asarray(np.where(above, -np.log(LEAST), counted))
    start, scale, size = tail
    fitted = (values - start) / scale - np.log(size / healthy.size)
    return np.asarray(np.where(values > start, fitted, counted))


def _tail(healthy: Numbers) -> tuple[float, float, int] | None:
    """Where the upper 5 % of sorted values begin, their mean excess, and how many they are.

    The excess is told one standard error larger: an extrapolation errs on the side of health.
    """
    size = max(int(TAIL_SHARE * healthy.size), 2)
    start = float(healthy[-size - 1])
    scale = float((healthy[-size:] - start).mean()) * (1 + size**-0.5)
    return None if scale <= float(_slack(healthy[-1:])[0]) else (start, scale, size)


def _slack(values: Numbers) -> Numbers:
    """Sums of the same figures in another order differ by less."""
    return np.asarray(1e-9 * np.maximum(np.abs(values), 1e-3))


def beyond(value: float, healthy: Numbers) -> float:
    """The share of healthy windows that show as much or more, this one counted (never 0)."""
    slack = float(_slack(np.array([value]))[0])
    return float(1 + np.count_nonzero(healthy >= value - slack)) / (healthy.size + 1)


def tail_probability(value: float, healthy: Numbers) -> float:
    """As `beyond`; where fewer than ten are beyond, by an exponential fit of the upper 5 %.

    Knijnenburg et al. (2009) fit a generalised Pareto tail; on a log scale its shape is about 0.
    """
    counted = beyond(value, healthy)
    few = (1 + FEW_BEYOND) / (healthy.size + 1)
    if counted > few:
        return counted
    tail = _tail(np.sort(healthy))
    if tail is None:
        return counted
    start, scale, size = tail
    fitted = size / healthy.size * float(np.exp(-(value - start) / scale))
    return float(np.clip(fitted, LEAST, few))


def benjamini_hochberg(p_values: list[float]) -> list[float]:
    """Adjusted p-values (Benjamini and Hochberg 1995): flag where at most the false-alarm rate.

    Over healthy columns the chance of any flag is at most the rate; over drifted ones the expected
    share of false flags is.
    """
    if not p_values:
        return []
    p = np.asarray(p_values)
    order = np.argsort(p)
    ranked = p[order] * p.size / np.arange(1, p.size + 1)
    adjusted = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return [float(value) for value in result]
