"""Bad values: is their share in a window more than the reference explains?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from athanor.monitoring.logic.words import number, share
from athanor.monitoring.types import ColumnKind

if TYPE_CHECKING:
    from athanor.monitoring.logic.sketch import ColumnPlan, Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A kind of bad value in one column, before the correction over all of them."""

    column: str
    problem: str
    share: float
    usual: float
    p_value: float
    explanation: str


def suspicions(plan: ColumnPlan, reference: Sketch, window: Sketch) -> list[Suspicion]:
    """Each kind of bad value of one column, with the p-value of a window that is healthy."""
    if not window.rows or not reference.rows:
        return []
    kinds = ["missing", "wrong type", "out of range"]
    if plan.kind is ColumnKind.CATEGORY:
        kinds = ["missing", "unseen"]
    return [_suspect(plan, reference, window, kind) for kind in kinds]


def _suspect(plan: ColumnPlan, reference: Sketch, window: Sketch, problem: str) -> Suspicion:
    n, m = window.rows, reference.rows
    bad, usual = window.bad.get(problem, 0), 0
    if problem == "missing":
        bad, usual = window.missing - window.bad.get("wrong type", 0), reference.missing
        p_value = upper_tail(bad, n, usual, m)
    elif problem == "unseen":
        p_value = poisson_tail(bad, n * (plan.once + 1) / m)
    elif problem == "out of range":
        p_value = min(1.0, (bad + 1) * math.exp(bad * math.log(n / (n + m))))
    else:
        p_value = upper_tail(bad, n, usual, m)
    words = f"{share(bad / n)} of the rows ({bad:,}) {MEANING[problem]}"
    if problem == "out of range":
        words += f" {number(plan.lowest)} to {number(plan.highest)}"
    words += f"; in the reference {share(usual / m)}."
    return Suspicion(
        column=plan.name,
        problem=problem,
        share=bad / n,
        usual=usual / m,
        p_value=p_value,
        explanation=words,
    )


MEANING = {
    "missing": "have no value",
    "unseen": "have a level that the reference has not",
    "out of range": "lie outside the reference's range of",
    "wrong type": "are not numbers",
}


def upper_tail(bad: int, rows: int, usual: int, reference_rows: int) -> float:
    """P(at least `bad` of all bad rows fall in the window) when they fall anywhere alike.

    Fisher's exact test, one-sided: the hypergeometric upper tail.
    """
    marked, total = bad + usual, rows + reference_rows
    if bad == 0:
        return 1.0
    everything = _log_choose(total, rows)
    tail = sum(
        math.exp(_log_choose(marked, k) + _log_choose(total - marked, rows - k) - everything)
        for k in range(bad, min(marked, rows) + 1)
    )
    return min(1.0, tail)


def _log_choose(n: int, k: int) -> float:
    if not 0 <= k <= n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def poisson_tail(found: int, expected: float) -> float:
    """P(at least `found` of a Poisson count): Good-Turing's forecast of unseen levels."""
    if found == 0:
        return 1.0
    below = sum(
        math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(found)
    )
    return max(0.0, 1.0 - below)
