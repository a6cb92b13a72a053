"""Whether a challenger may take over: a paired test on the same labelled rows.

The challenger must be better than the champion by more than chance explains, at a stated level;
without a champion it must be better than telling every row the share of positives. With one too,
it must rank better than a coin: a model that is less bad than another does not take over.
"""

from dataclasses import asdict

import numpy as np

from athanor.kernel.gate import Verdict
from athanor.responsible.logic.intervals import Floats
from athanor.responsible.logic.metrics import Indices, macro_auc_draws
from athanor.responsible.logic.ranking import Difference, against_chance, compare

GATE = "quality"
ALPHA = 0.05
FEWEST_A_CLASS = 10
COIN = 0.5
"""The ROC AUC of a model that knows nothing."""


def judge(
    truth: Indices,
    challenger: Floats,
    champion: Floats | None,
    *,
    alpha: float = ALPHA,
    above: float = COIN,
    positive: int = 1,
    names: tuple[str, ...] = (),
) -> Verdict:
    """The verdict on a challenger.

    Args:
        truth: class indices, shape (rows,).
        challenger: its probabilities, shape (rows, classes).
        champion: those of the model in office for the same rows and classes, or None.
        alpha: the chance of letting through a challenger that is no better.
        above: what its ROC AUC must be greater than, whoever is in office.
        positive: index of the positive class where there are two.
        names: of the classes, for people to read.
    """
    counts = np.bincount(truth, minlength=challenger.shape[1])
    few = int(counts[counts > 0].min()) if (counts > 0).sum() > 1 else 0
    if few < FEWEST_A_CLASS:
        return Verdict(
            gate=GATE,
            passed=False,
            reason=f"Too few labelled rows to tell: {len(truth)} rows, {few} in the rarest class"
            f"{_named(counts, names)}; at least {FEWEST_A_CLASS} are needed in each. Add labelled "
            "rows of it, or join it with another class (athanor recipe operations group_rare).",
            measured={"rows": len(truth), "rarest_class": few},
        )
    found = _measured(truth, challenger, champion, positive)
    against = "champion" if champion is not None else "baseline"
    passed = found.difference > 0 and found.p_value < alpha and found.first > above
    return Verdict(
        gate=GATE,
        passed=passed,
        reason=_reason(found, against, (alpha, above), passed=passed),
        measured={
            **{
                key: value for key, value in asdict(found).items() if key not in {"first", "second"}
            },
            "metric": "roc_auc",
            "challenger": found.first,
            against: found.second,
            "alpha": alpha,
            "above": above,
        },
    )


def _named(counts: Indices, names: tuple[str, ...]) -> str:
    """The rarest of the classes that are there, for a sentence."""
    there = np.flatnonzero(counts)
    if len(names) < len(counts) or not len(there):
        return ""
    return f", {names[there[np.argmin(counts[there])]]!r}"


def _measured(
    truth: Indices, challenger: Floats, champion: Floats | None, positive: int
) -> Difference:
    if challenger.shape[1] == 2:
        flags, scores = truth == positive, challenger[:, positive]
        if champion is None:
            return against_chance(flags, scores)
        return compare(flags, scores, champion[:, positive])
    return _bootstrapped(truth, challenger, champion)


def _bootstrapped(truth: Indices, challenger: Floats, champion: Floats | None) -> Difference:
    first, draws = macro_auc_draws(truth, challenger)
    second, other = (0.5, np.full(len(draws), 0.5))
    if champion is not None:
        second, other = macro_auc_draws(truth, champion)
    gaps = draws - other
    gaps = gaps[np.isfinite(gaps)]
    low, high = np.quantile(gaps, [0.025, 0.975])
    return Difference(
        first=first,
        second=second,
        difference=first - second,
        low=float(low),
        high=float(high),
        p_value=float((1 + (gaps <= 0).sum()) / (1 + len(gaps))),
        rows=len(truth),
        positives=0,
        level=0.95,
        test="bootstrap, paired",
    )


def _reason(found: Difference, against: str, demanded: tuple[float, float], *, passed: bool) -> str:
    alpha, above = demanded
    rival = "the champion's" if against == "champion" else "the baseline's"
    figures = (
        f"ROC AUC {found.first:.4f} against {rival} {found.second:.4f} on the same {found.rows:,} "
        f"labelled rows, {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}), "
        f"p = {found.p_value:.2g} ({found.test})"
    )
    if passed:
        return f"The challenger is better: {figures}."
    if found.difference < 0 and found.high < 0:
        return f"The challenger is worse: {figures}."
    if found.first <= above and against == "champion":
        return f"The challenger's ROC AUC is not above {above:g}, what it must exceed: {figures}."
    if found.difference == 0:
        return f"The challenger is no better: {figures}."
    return f"The challenger is not better by more than chance explains at {alpha:g}: {figures}."
