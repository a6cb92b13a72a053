"""What is wrong with a training, read off what it logged. Pure; thresholds were set on real runs.

Each rule is silent where it has too little to go by: a hint that is wrong costs more trust than one
that is missing.
"""

from collections.abc import Callable, Iterable, Sequence

from athanor.tracking.logic.debug.divergence import exploding, not_a_number
from athanor.tracking.logic.debug.gradients import dead_units, vanishing
from athanor.tracking.logic.debug.imbalance import imbalance
from athanor.tracking.logic.debug.judgements import Judged, Rule
from athanor.tracking.logic.debug.leaks import perfect
from athanor.tracking.logic.debug.losses import not_falling, plateau
from athanor.tracking.logic.debug.overfitting import overfit
from athanor.tracking.logic.debug.series import Told


def judged(told: Told) -> list[Judged]:
    """What is wrong with a run, at most once a rule; a cause hides what follows from it."""
    found: dict[Rule, Judged] = {}
    for rule in _RULES:
        for hint in rule(told):
            found.setdefault(hint.rule, hint)
    for cause, effects in _EXPLAINS.items():
        if cause in found:
            for effect in effects:
                found.pop(effect, None)
    return list(found.values())


_EXPLAINS = {
    Rule.NOT_A_NUMBER: (Rule.LOSS_NOT_FALLING, Rule.PLATEAU, Rule.OVERFIT),
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
