"""Scores that are too good to be true."""

from collections.abc import Iterable

from athanor.tracking.logic.debug.judgements import Judged, Rule
from athanor.tracking.logic.debug.series import (
    NO_FAULT,
    Kind,
    Role,
    Series,
    Told,
    is_class_loss,
    is_perfect,
)

_ROWS = 100
"""A perfect score on fewer held-out rows is no wonder."""


_POINTS = 10
"""A score that was perfect for fewer points may have been so by chance."""


_HELD_OUT_PART = 0.2
"""How many of the rows are held out where nobody says."""


def perfect(told: Told) -> Iterable[Judged]:
    """A score on held-out rows without a fault."""
    advice = (
        "See whether a column tells the answer (an id, a date, something that is known only "
        "afterwards), and whether rows stand in both parts."
    )
    if told.rows and _held_out_rows(told) < _ROWS:
        return
    strongest = max(told.importances, key=told.importances.__getitem__, default="")
    share = told.importances.get(strongest, 0.0) / (sum(told.importances.values()) or 1.0)
    if told.importances and share < 0.8:
        return  # many features together may well be this good
    blamed = f" {strongest!r} alone has {share:.0%} of the model's weight." if strongest else ""
    for item in told.series:
        if item.named.role is not Role.HELD_OUT or not item.values:
            continue
        number = item.last
        perfect = is_perfect(item) and (bool(told.rows) or _was_always(item))
        if (
            told.rows
            and item.named.kind is Kind.LOSS
            and is_class_loss(item.named)
            and len(item) >= 5
        ):
            perfect = 0 <= number < 0.005 * item.first or 0 <= number < 0.002
        if perfect:
            yield Judged(
                rule=Rule.PERFECT_SCORE,
                metric=item.key,
                step=item.steps[-1],
                message=f"{item.key} is {number:.5g}: too good to be true.{blamed}",
                advice=advice,
                measured={"value": number, "share": share},
            )


def _was_always(item: Series) -> bool:
    """Whether a score was without a fault nearly all along: nothing had to be learned for it.

    That tells of a leak also where nobody said how many rows are held out.
    """
    faultless = sum(NO_FAULT <= value <= 1 for value in item.values)
    return len(item) >= _POINTS and faultless >= 0.9 * len(item)


def _held_out_rows(told: Told) -> float:
    known = [count for context, count in told.rows.items() if context != "train"]
    if known:
        return max(known)
    return told.rows.get("train", 0) * _HELD_OUT_PART / (1 - _HELD_OUT_PART)
