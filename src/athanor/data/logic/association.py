"""How columns go together: Pearson's correlation, Cramer's V and the like, over known pairs."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
_MOST_COLUMNS = 40


def correlations(table: pa.Table) -> dict[str, dict[str, float]]:
    """Pearson's correlation of each pair of numeric columns, upper triangle, at most 40 columns.

    Each pair is measured over the rows where both are known; a pair with fewer than three such
    rows, or with a constant, is left out.
    """
    names = [field.name for field in table.schema if _is_numeric(field.type)][:_MOST_COLUMNS]
    if len(names) < 2:
        return {}
    values = np.column_stack([numbers(table[name]) for name in names])
    matrix = pairwise(values)
    found: dict[str, dict[str, float]] = {}
    for row, first in enumerate(names):
        for place in range(row + 1, len(names)):
            value = float(matrix[row, place])
            if np.isfinite(value):
                found.setdefault(first, {})[names[place]] = round(value, 6)
    return found


def pairwise(values: Floats) -> Floats:
    """Pearson's correlations of the columns of an (n, k) array with NaN for missing: (k, k).

    NaN where fewer than three rows know both, or where one of the two is constant there.
    """
    known = np.isfinite(values)
    mask = known.astype(np.float64)
    # Centred first: sums of squares of large numbers would lose their digits.
    counts = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, values, 0.0)
    centred = np.where(known, values - centred.sum(axis=0) / counts, 0.0)
    scale = np.sqrt((centred**2).sum(axis=0) / counts)
    centred = centred / np.where(scale > 0, scale, 1.0)
    # One thread: with several, those that wait for the last one spin, and cost more than the sums.
    with threadpool_limits(1, "blas"), np.errstate(divide="ignore", invalid="ignore"):
        both = mask.T @ mask
        sums, squares = centred.T @ mask, (centred**2).T @ mask
        covariance = centred.T @ centred - sums * sums.T / both
        spread = squares - sums**2 / both
        matrix = covariance / np.sqrt(spread * spread.T)
    tiny = (spread <= 1e-12 * np.maximum(both, 1)) | (1e-12 * np.maximum(both, 1) >= spread.T)
    matrix[(both < 3) | tiny] = np.nan
    return np.clip(matrix, -1.0, 1.0)


def correlation_of(first: Floats, second: Floats) -> float | None:
    """Pearson's correlation of two columns with NaN for missing; None as for `pairwise`."""
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 3:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        one, other = first[both], second[both]
        one, other = one - one.mean(), other - other.mean()
        # Scaled first: squares of huge numbers would be infinite.
        one, other = one / (np.abs(one).max() or 1.0), other / (np.abs(other).max() or 1.0)
        squares = float(np.square(one).sum()), float(np.square(other).sum())
        if not min(squares) > 1e-12 or not np.isfinite(squares).all():
            return None
        return round(float((one * other).sum() / np.sqrt(squares[0] * squares[1])), 6)


def cramers_v(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float | None:
    """Cramer's V of two columns of codes 0, 1, 2 ...: 0 (independent) to 1; None if undefined."""
    height, width = int(first.max()) + 1, int(second.max()) + 1
    observed = np.bincount(first * width + second, minlength=height * width).reshape(height, width)
    observed = observed[observed.any(axis=1)][:, observed.any(axis=0)]
    height, width = observed.shape
    if min(height, width) < 2:
        return None
    total = observed.sum()
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / total
    squared = float(((observed - expected) ** 2 / expected).sum())
    return float(np.sqrt(squared / (total * (min(height, width) - 1))))


def telling(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float | None:
    """How well the first column of codes 0, 1, 2 ... tells the second, 0 to 1.

    Goodman and Kruskal's lambda: the share of wrong guesses of the second that knowing the first
    avoids. None where there is nothing to guess.
    """
    height, width = int(first.max()) + 1, int(second.max()) + 1
    counts = np.bincount(first * width + second, minlength=height * width).reshape(height, width)
    wrong = len(second) - int(counts.sum(axis=0).max())
    right = int(counts.max(axis=1).sum())
    return None if wrong == 0 else 1 - (len(second) - right) / wrong


def correlation_ratio(codes: npt.NDArray[np.int64], values: Floats) -> float | None:
    """Eta: the square root of the share of a number's variance between categories, 0 to 1.

    `codes` are 0, 1, 2 ...; rows whose number is NaN are left out. None where there are fewer than
    three rows, one category, or one number.
    """
    known = np.isfinite(values)
    groups, found = codes[known], values[known]
    if len(found) < 3:
        return None
    counts = np.bincount(groups)
    if (counts > 0).sum() < 2:
        return None
    centred = found - found.mean()
    total = float((centred**2).sum())
    if not total > 0 or not np.isfinite(total):
        return None
    means = np.bincount(groups, centred) / np.maximum(counts, 1)
    between = float((counts * means**2).sum())
    return float(np.sqrt(min(between / total, 1.0)))


def decile_codes(values: Floats) -> npt.NDArray[np.int64]:
    """Codes of ten quantile bins, from 1; 0 for missing values. An edge lies in the bin below."""
    return quantile_codes(values, np.linspace(0, 1, 11)[1:-1], edge="below")


def quantile_codes(
    values: Floats, points: Floats, *, edge: Literal["below", "above"]
) -> npt.NDArray[np.int64]:
    """Codes of the bins between quantiles, from 1; 0 for missing values (NaN).

    One sort gives the quantiles and the bins; searching the edges for each value takes longer.
    """
    order = np.argsort(values)
    count = len(values) - int(np.isnan(values).sum())
    ordered = values[order[:count]]
    codes = np.zeros(len(values), dtype=np.int64)
    if count:
        edges = np.unique(quantiles(ordered, points))
        cuts = np.searchsorted(ordered, edges, side="right" if edge == "below" else "left")
        codes[order[:count]] = 1 + np.bincount(cuts, minlength=count)[:count].cumsum()
    return codes


def quantiles(ordered: Floats, points: Floats) -> Floats:
    """Quantiles (0 to 1) of values in ascending order, between neighbours by their distance."""
    at = points * (len(ordered) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(ordered) - 1)
    return np.where(
        ordered[low] == ordered[high],
        ordered[low],
        ordered[low] * (1 - (at - low)) + ordered[high] * (at - low),
    )


def numbers(column: pa.ChunkedArray) -> Floats:
    """A column as floats, NaN for what is missing or infinite."""
    values: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return np.where(np.isinf(values), np.nan, values)


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
