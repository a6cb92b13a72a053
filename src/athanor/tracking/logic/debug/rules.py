"""What is wrong with a training, read off what it logged. Pure; thresholds were set on real runs.

Each rule is silent where it has too little to go by: a hint that is wrong costs more trust than one
that is missing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from athanor.tracking.logic.debug.divergence import exploding, not_a_number
from athanor.tracking.logic.debug.gradients import dead_units, vanishing
from athanor.tracking.logic.debug.imbalance import imbalance
from athanor.tracking.logic.debug.judgements import Judged, Rule
from athanor.tracking.logic.debug.leaks import perfect
from athanor.tracking.logic.debug.losses import not_falling, plateau
from athanor.tracking.logic.debug.overfitting import overfit
from athanor.tracking.logic.debug.series import Series, Told, finite


def judged(told: Told) -> list[Judged]:
    """What is wrong with a run, at most once a rule; a cause hides what follows from it."""
    found: dict[Rule, Judged] = {}
    sound = replace(told, series=[item for item in map(_sound_part, told.series) if item.values])
    for rule in _RULES:
        for hint in rule(sound if rule in _OF_NUMBERS else told):
            found.setdefault(hint.rule, hint)
    for cause, effects in _EXPLAINS.items():
        if cause in found:
            for effect in effects:
                found.pop(effect, None)
    return list(found.values())


def _sound_part(item: Series) -> Series:
    """A series up to what is no number; nothing of one that was that soon."""
    numbers = len(list(takewhile(lambda value: bool(finite([value])), item.values)))
    if numbers == len(item):
        return item
    kept = numbers if numbers >= _STEADY else 0
    return replace(item, steps=item.steps[:kept], values=item.values[:kept])


_STEADY = 20
"""Points before the first that is no number, of which a rule may tell something else."""

_EXPLAINS = {
    Rule.PERFECT_SCORE: (Rule.LOSS_NOT_FALLING, Rule.PLATEAU),
    Rule.EXPLODING_GRADIENT: (Rule.LOSS_NOT_FALLING, Rule.PLATEAU, Rule.OVERFIT),
    Rule.DEAD_UNITS: (Rule.VANISHING_GRADIENT, Rule.LOSS_NOT_FALLING, Rule.PLATEAU),
    Rule.VANISHING_GRADIENT: (Rule.LOSS_NOT_FALLING, Rule.PLATEAU),
    Rule.LOSS_NOT_FALLING: (Rule.PLATEAU,),
}


_RULES: Sequence[Callable[[Told], Iterable[Judged]]] = (
    not_a_number,
    exploding,
    dead_units,
    vanishing,
    not_falling,
    plateau,
    overfit,
    imbalance,
    perfect,
)
_OF_NUMBERS = (not_falling, plateau, overfit)
"""Rules that look at a series as far as it is numbers: what was wrong before is told, too."""
