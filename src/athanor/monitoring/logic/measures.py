"""How far two histograms of the same cells are apart.

All take counts with cells on the last axis, and any axes before it: one call measures a window and
two thousand simulated ones. Sources: Jensen-Shannon as in Lin (1991), its square root, in base e,
so 0 to 0.833; two-sample chi-squared and Anderson-Darling for grouped data as in Scholz and
Stephens (1987), equation 6; PSI as credit scoring writes it; Wasserstein-1 between cell centres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]


def shares(counts: Counts) -> Numbers:
    """Counts as shares of their row; an empty row stays zeros."""
    total = counts.sum(axis=-1, keepdims=True)
    return np.asarray(counts / np.maximum(total, 1), dtype=np.float64)


def jensen_shannon(left: Counts, right: Counts) -> Numbers:
    """Jensen-Shannon distance: 0 for equal shares, sqrt(ln 2) = 0.833 for no common cell."""
    p, q = shares(left), shares(right)
    middle = (p + q) / 2
    divergence = (_terms(p, middle) + _terms(q, middle)).sum(axis=-1) / 2
    return np.asarray(np.sqrt(np.maximum(divergence, 0.0)))


def _terms(p: Numbers, q: Numbers) -> Numbers:
    """p ln(p / q), cell by cell, and 0 where p is 0."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=(p > 0) & (q > 0))
    return np.asarray(p * np.log(ratio))


def chi_squared(left: Counts, right: Counts) -> Numbers:
    """Two-sample chi-squared of homogeneity; 0 or more, without a correction."""
    n, m = (side.sum(axis=-1, keepdims=True).astype(float) for side in (left, right))
    pooled = left + right
    gap = np.sqrt(m / np.maximum(n, 1)) * left - np.sqrt(n / np.maximum(m, 1)) * right
    cells = np.divide(gap**2, pooled, out=np.zeros(gap.shape), where=pooled > 0)
    return np.asarray(cells.sum(axis=-1))


def anderson_darling(left: Counts, right: Counts) -> Numbers:
    """Two-sample Anderson-Darling of ordered cells; 0 or more, about 1 for equal distributions."""
    n, m = (side.sum(axis=-1, keepdims=True).astype(float) for side in (left, right))
    total = n + m
    pooled = left + right
    below = np.cumsum(pooled, axis=-1) - pooled / 2
    below_left = np.cumsum(left, axis=-1) - left / 2
    room = below * (total - below) - total * pooled / 4
    gap = total * below_left - n * below
    cells = np.divide(pooled * gap**2, room, out=np.zeros(gap.shape), where=room > 0)
    scale = np.maximum(total * n * m / np.maximum(total - 1, 1), 1)
    return np.asarray(cells.sum(axis=-1) / scale[..., 0])


def stability_index(left: Counts, right: Counts) -> Numbers:
    """Population stability index with half a row added to each cell, so that none is empty."""
    p, q = _shares_smoothed(left), _shares_smoothed(right)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1))


def _shares_smoothed(counts: Counts) -> Numbers:
    filled = counts + 0.5
    return np.asarray(filled / filled.sum(axis=-1, keepdims=True))


def wasserstein(left: Counts, right: Counts, centres: Numbers) -> Numbers:
    """Earth mover's distance between ordered cells, in the unit of their centres."""
    gap = np.cumsum(shares(left) - shares(right), axis=-1)[..., :-1]
    return np.asarray((np.abs(gap) * np.diff(centres)).sum(axis=-1))
