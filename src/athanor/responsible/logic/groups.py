"""Quality and treatment by the groups of one sensitive column (two-class models).

Definitions: Fairlearn's user guide (demographic parity, equalized odds as greatest differences
between groups). Groups of fewer than 30 rows are shown and left out of the differences.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from athanor.responsible.logic.intervals import Estimate, Flags, Floats, difference, proportion
from athanor.responsible.logic.ranking import roc_auc

MOST_GROUPS = 10
FEWEST_ROWS = 30
_QUARTERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows that share one value of the sensitive column."""

    name: str
    rows: int
    positives: int
    selection_rate: Estimate
    tpr: Estimate
    fpr: Estimate
    accuracy: Estimate
    roc_auc: Estimate | None
    """None where the group holds one class only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """The greatest difference of one figure between two groups."""

    name: str
    """`demographic_parity_difference` or `equalized_odds_difference`."""
    value: Estimate
    high_group: str
    low_group: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What the groups of one column get."""

    column: str
    groups: list[Group]
    gaps: list[Gap]
    notes: list[str]


def by_group(
    column: pd.Series, truth: Flags, scores: Floats, *, positive: str, threshold: float = 0.5
) -> Groups:
    """Figures for each group, and the greatest differences between them.

    Args:
        column: the sensitive column, one value a row; numbers of many values are cut in quarters.
        truth: True for the positive class.
        scores: probability of the positive class.
        positive: how the positive class is called, for the sentences.
        threshold: above which a row is told positive.
    """
    names, notes = group_names(column)
    told = scores > threshold
    found = [
        _group(name, truth[names == name], told[names == name], scores[names == name])
        for name in sorted(set(names), key=str)
    ]
    large = [group for group in found if group.rows >= FEWEST_ROWS]
    notes += [
        f"{group.name} has {group.rows} rows, too few to be compared."
        for group in found
        if group.rows < FEWEST_ROWS
    ]
    gaps = []
    if len(large) > 1:
        gaps = [_parity(large, positive), *_odds(large, positive)]
    return Groups(column=str(column.name), groups=found, gaps=gaps, notes=notes)


def group_names(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The group of each row, as text, and what was done to the column to get there."""
    notes = []
    values = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(values.dtype) and values.nunique() > MOST_GROUPS:
        values = pd.qcut(values, _QUARTERS, duplicates="drop")
        notes.append("The column is numeric and was cut into quarters of equal size.")
    names = values.astype(object).where(values.notna(), "(missing)").astype(str)
    counts = names.value_counts()
    if len(counts) > MOST_GROUPS:
        kept = set(counts.index[: MOST_GROUPS - 1])
        names = names.where(names.isin(kept), "(others)")
        notes.append(f"The {MOST_GROUPS - 1} largest groups are shown, the rest as (others).")
    return names.to_numpy(dtype=object), notes


def _group(name: str, truth: Flags, told: Flags, scores: Floats) -> Group:
    positives, rows = int(truth.sum()), len(truth)
    return Group(
        name=name,
        rows=rows,
        positives=positives,
        selection_rate=proportion(int(told.sum()), rows),
        tpr=proportion(int((told & truth).sum()), positives),
        fpr=proportion(int((told & ~truth).sum()), rows - positives),
        accuracy=proportion(int((told == truth).sum()), rows),
        roc_auc=roc_auc(truth, scores) if 0 < positives < rows else None,
    )


def _parity(groups: list[Group], positive: str) -> Gap:
    high, low = _extremes(groups, "selection_rate")
    gap = difference(high.selection_rate, low.selection_rate)
    return Gap(
        name="demographic_parity_difference",
        value=gap,
        high_group=high.name,
        low_group=low.name,
        words=(
            f"{_percent(high.selection_rate.value)} of {high.name} are told {positive}, "
            f"{_percent(low.selection_rate.value)} of {low.name}: {_gap_words(gap)}"
        ),
    )


def _odds(groups: list[Group], positive: str) -> list[Gap]:
    candidates = []
    for figure, who in (("tpr", f"who are {positive}"), ("fpr", f"who are not {positive}")):
        counted = [group for group in groups if not math.isnan(getattr(group, figure).value)]
        if len(counted) > 1:
            high, low = _extremes(counted, figure)
            candidates.append(
                (difference(getattr(high, figure), getattr(low, figure)), high, low, figure, who)
            )
    if not candidates:
        return []
    gap, high, low, figure, who = max(candidates, key=lambda item: item[0].value)
    first, second = getattr(high, figure).value, getattr(low, figure).value
    words = (
        f"Of those {who}, {_percent(first)} in {high.name} are told {positive}, "
        f"{_percent(second)} in {low.name}: {_gap_words(gap)}"
    )
    return [
        Gap(
            name="equalized_odds_difference",
            value=gap,
            high_group=high.name,
            low_group=low.name,
            words=words,
        )
    ]


def _extremes(groups: list[Group], figure: str) -> tuple[Group, Group]:
    ordered = sorted(groups, key=lambda group: float(getattr(group, figure).value))
    return ordered[-1], ordered[0]


def _gap_words(gap: Estimate) -> str:
    points = f"a gap of {100 * gap.value:.1f} points ({100 * gap.low:.1f} to {100 * gap.high:.1f})"
    if gap.low <= 0:
        return f"{points}, which chance alone may explain."
    return f"{points}, more than chance explains."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
