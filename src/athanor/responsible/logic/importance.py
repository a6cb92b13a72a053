"""How much a model leans on each raw column: what its quality loses when the column is shuffled.

Source: Breiman (2001), "Random forests", section 10; model-agnostic as Fisher et al. (2019).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from athanor.responsible.logic.intervals import Floats

MOST_ROWS = 1_000
REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """The loss of quality from shuffling one column."""

    column: str
    mean: float
    spread: float
    """Standard deviation over the repetitions."""


def permutation_importance(
    predict: Callable[[pd.DataFrame], Floats],
    quality: Callable[[Floats], float],
    rows: pd.DataFrame,
    columns: Sequence[str],
    *,
    seed: int = 0,
) -> list[Importance]:
    """Shuffle each column in turn and measure the quality again; the greatest loss first.

    Args:
        predict: rows to what `quality` judges.
        quality: greater is better; of predictions for `rows`, in their order.
        rows: raw rows.
        columns: the raw columns to shuffle.
        seed: of the shuffles.
    """
    random = np.random.default_rng(seed)
    base = quality(predict(rows))
    found = []
    for column in columns:
        losses = []
        for _ in range(REPEATS):
            shuffled = rows.copy(deep=False)
            order = random.permutation(len(rows))
            shuffled[column] = rows[column].take(order).set_axis(rows.index)
            losses.append(base - quality(predict(shuffled)))
        found.append(
            Importance(column=column, mean=float(np.mean(losses)), spread=float(np.std(losses)))
        )
    return sorted(found, key=lambda item: (-item.mean, item.column))
