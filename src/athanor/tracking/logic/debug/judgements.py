"""What a rule says, and how it reads the curves of a run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from athanor.tracking.logic.debug.series import Kind, Role, Series, Told, finite


class Rule(StrEnum):
    """What can be wrong; the value is its name on the wire."""

    NOT_A_NUMBER = "not_a_number"
    EXPLODING_GRADIENT = "exploding_gradient"
    VANISHING_GRADIENT = "vanishing_gradient"
    DEAD_UNITS = "dead_units"
    LOSS_NOT_FALLING = "loss_not_falling"
    PLATEAU = "plateau"
    OVERFIT = "overfit"
    CLASS_IMBALANCE = "class_imbalance"
    PERFECT_SCORE = "perfect_score"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One thing that is wrong."""

    rule: Rule
    metric: str
    """Which metric shows it; "" where the model does."""
    step: int
    """From where on."""
    message: str
    advice: str
    measured: dict[str, float] = field(default_factory=dict)


def losses_of(told: Told, role: Role | None = None) -> list[Series]:
    """The curves of losses: of one role, or of all."""
    return [
        item
        for item in told.series
        if item.named.kind is Kind.LOSS and role in {None, item.named.role}
    ]


def curves(told: Told, points: int) -> list[Series]:
    """Curves of the training's own loss; of held-out data where there are none."""
    train = [item for item in losses_of(told, Role.TRAIN) if len(item) >= points]
    return train or [item for item in losses_of(told, Role.HELD_OUT) if len(item) >= points]


def is_r2(item: Series) -> bool:
    """Whether a score is a coefficient of determination: it may lie below -1."""
    return item.named.measure in {"r2", "r2_score"}


def fallen_share(values: Sequence[float]) -> float:
    """By which share of its first value a loss has fallen, at best."""
    numbers = finite(values)
    if len(numbers) < 2 or numbers[0] <= 0:
        return 1.0
    return (numbers[0] - min(numbers)) / numbers[0]
