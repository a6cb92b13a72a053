"""The population stability index: in tenths of the earlier rows, or in their frequent words.

A diff and the check `distribution` cut and count alike, so that both tell one figure.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

TOP = 20
"""So many of the earlier rows' most frequent words have a bin each; all others share one."""


def deciles(values: Any, counts: Any) -> Any:
    """The values, which are in order, that bound the tenths of rows; fewer where they repeat."""
    places = np.searchsorted(np.cumsum(counts), np.arange(1, 10) / 10 * counts.sum())
    return np.unique(values[np.minimum(places, len(values) - 1)])


def tallied(edges: Any, values: Any, counts: Any = None) -> Any:
    """The rows up to each edge, and beyond the last; values without counts stand once each."""
    bins = np.searchsorted(edges, values, side="left")
    return np.bincount(bins, counts, minlength=len(edges) + 1).astype(float)


def frequent(before: Mapping[str, int]) -> list[str]:
    """The words that have a bin each."""
    return sorted(before, key=lambda word: (-before[word], word))[:TOP]


def worded(words: list[str], counts: Mapping[str, int], rows: int) -> Any:
    """The rows of each word, and of all others."""
    known = [counts.get(word, 0) for word in words]
    return np.array([*known, max(rows - sum(known), 0)], dtype=float)


def index(before: Any, after: Any, missing: tuple[int, int] = (0, 0)) -> float:
    """The index of two lists of counts, half a row added to each bin.

    Missing values have a bin of their own where there are any.
    """
    if any(missing):
        before, after = np.append(before, missing[0]), np.append(after, missing[1])
    first = (before + 0.5) / (before.sum() + 0.5 * len(before))
    second = (after + 0.5) / (after.sum() + 0.5 * len(after))
    return float(((second - first) * np.log(second / first)).sum())
