"""Spread, signs, outliers and histograms of columns of numbers, in one stream over the rows.

numpy fills twenty bins of a million values in a fifth of the time that DuckDB's `histogram` takes;
and squares are summed around a mean that is known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from athanor.data.logic.profiling import BINS, fences

_BATCH_ROWS = 122_880
Floats = npt.NDArray[np.float64]


@dataclass(slots=True, kw_only=True)
class Figures:
    """What is counted of one column."""

    low: float
    high: float
    mean: float
    fences: tuple[float, float] | None
    """The bounds of usual values."""
    finite: int = 0
    squares: float = 0.0
    negative: int = 0
    zeros: int = 0
    outliers: int = 0
    bins: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: Floats) -> None:
        """Count a batch; NaN stands for what is missing or no number."""
        known = values[np.isfinite(values)]
        self.finite += len(known)
        # No dot product: it wakes the threads of a linear algebra library for each batch.
        self.squares += float(np.square(known - self.mean).sum())
        self.negative += int(np.count_nonzero(known < 0))
        self.zeros += int(np.count_nonzero(known == 0))
        if self.fences is not None:
            self.outliers += int(np.count_nonzero(known < self.fences[0]))
            self.outliers += int(np.count_nonzero(known > self.fences[1]))
        if self.binned():
            places = ((known - self.low) / ((self.high - self.low) / BINS)).astype(np.int64)
            self.bins += np.bincount(np.minimum(places, BINS - 1), minlength=BINS)

    def binned(self) -> bool:
        """Whether there is a histogram: not of a span that has no parts, nor beyond all numbers."""
        return (self.high - self.low) / BINS > 0.0 and math.isfinite(self.high - self.low)

    def answers(self, key: str, known: int) -> dict[str, Any]:
        """The figures by the names that a profile is made of; `known` counts what is not null."""
        spread = math.sqrt(self.squares / (self.finite - 1)) if self.finite > 1 else None
        return {
            f"{key}_sd": spread,
            f"{key}_negative": self.negative,
            f"{key}_zeros": self.zeros,
            f"{key}_infinite": known - self.finite,
            f"{key}_outliers": self.outliers,
            f"{key}_bins": dict(enumerate(self.bins.tolist())) if self.binned() else None,
        }


def figures(
    connection: duckdb.DuckDBPyConnection, keys: list[str], sql: str, measured: Mapping[str, Any]
) -> dict[str, Any]:
    """The figures of the columns of a query of DOUBLEs; `measured` holds their bounds."""
    found = {}
    for key in keys:
        if measured.get(f"{key}_min") is None:
            found[key] = Figures(low=0.0, high=0.0, mean=0.0, fences=None)
        else:
            found[key] = Figures(
                low=float(measured[f"{key}_min"]),
                high=float(measured[f"{key}_max"]),
                mean=float(measured[f"{key}_mean"]),
                fences=fences(measured.get(f"{key}_quantiles")),
            )
    with np.errstate(over="ignore", invalid="ignore"):
        for batch in connection.sql(sql).to_arrow_reader(_BATCH_ROWS):
            for column, item in zip(batch.columns, found.values(), strict=True):
                item.add(column.to_numpy(zero_copy_only=False))
    answers: dict[str, Any] = {}
    for key, item in found.items():
        answers |= item.answers(key, int(measured[f"{key}_known"]))
    return answers
