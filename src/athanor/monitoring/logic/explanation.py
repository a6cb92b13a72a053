"""Why a column is called drifted, or healthy, in plain words and with the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from athanor.monitoring.logic.measures import shares
from athanor.monitoring.logic.sketch import cell_names, summary
from athanor.monitoring.logic.words import number, odds, share
from athanor.monitoring.types import ColumnKind

if TYPE_CHECKING:
    from athanor.monitoring.logic.calibration import Calibrated
    from athanor.monitoring.logic.sketch import ColumnPlan, Sketch

TITLES = {
    "js": "JS",
    "chi2": "Chi-squared",
    "anderson": "Anderson-Darling",
}
MOVERS = 2
LEAST_MOVE = 0.01  # share of the rows; smaller moves of a cell are not worth a word


def explain(
    plan: ColumnPlan, reference: Sketch, window: Sketch, found: Calibrated, level: float
) -> str:
    """One sentence: a statistic against healthy windows, then what moved.

    The statistic is the one that people know, Jensen-Shannon, where it speaks for itself, and the
    loudest one elsewhere.
    """
    known = found.measures["js"]
    name = "js" if known.value > known.healthy else found.strongest
    told = found.measures[name]
    against = (
        f"{TITLES[name]} {number(told.value)}; healthy windows of {window.rows:,} rows stay "
        f"below {number(told.healthy)} in {odds(level)}"
    )
    parts = [against]
    if plan.kind is ColumnKind.NUMBER:
        parts += _number_moves(plan, reference, window)
    else:
        parts += _level_moves(plan, reference, window)
    parts += _missing_move(reference, window)
    return "; ".join(parts) + "."


def _number_moves(plan: ColumnPlan, reference: Sketch, window: Sketch) -> list[str]:
    old, new = summary(plan, reference), summary(plan, window)
    if old.mean is None or new.mean is None:
        return ["the window has no value at all"]
    words = [f"mean {_moved(old.mean, new.mean)} from {number(old.mean)} to {number(new.mean)}"]
    if old.deviation:
        steps = (new.mean - old.mean) / old.deviation
        words[0] += f" ({steps:+.2f} standard deviations)"
        if new.deviation is not None and not 0.8 < new.deviation / old.deviation < 1.25:
            change = _moved(old.deviation, new.deviation)
            words.append(f"spread {change} from {number(old.deviation)} to {number(new.deviation)}")
    return words


def _level_moves(plan: ColumnPlan, reference: Sketch, window: Sketch) -> list[str]:
    old, new = shares(reference.counts[:-1]), shares(window.counts[:-1])
    gap = new - old
    order = np.argsort(-np.abs(gap), kind="stable")[:MOVERS]
    names = cell_names(plan)
    words = [
        f"{names[i]!r} {_moved(old[i], new[i])} from {share(float(old[i]))} "
        f"to {share(float(new[i]))}"
        for i in order
        if abs(gap[i]) >= LEAST_MOVE
    ]
    unseen = window.bad.get("unseen", 0)
    if unseen:
        words.append(f"{unseen:,} rows have levels that the reference has not")
    return words


def _missing_move(reference: Sketch, window: Sketch) -> list[str]:
    old = reference.missing / max(reference.rows, 1)
    new = window.missing / max(window.rows, 1)
    if abs(new - old) < LEAST_MOVE:
        return []
    return [f"missing values {_moved(old, new)} from {share(old)} to {share(new)}"]


def _moved(old: float, new: float) -> str:
    if new > old:
        return "rose"
    return "fell" if new < old else "stayed"
