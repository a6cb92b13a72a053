"""What is wrong with a training, as it is told."""

from dataclasses import dataclass, field
from datetime import datetime

STOP_TAG = "athanor.debug.stop"
"""The tag of a run that wants to be stopped: `all`, or names of rules with commas between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing that is wrong with a run's training."""

    rule: str
    """`not_a_number`, `exploding_gradient`, `vanishing_gradient`, `dead_units`,
    `loss_not_falling`, `plateau`, `overfit`, `class_imbalance` or `perfect_score`."""
    metric: str
    """The metric that shows it; "" where the model does."""
    step: int
    """From where on."""
    message: str
    advice: str
    measured: dict[str, float] = field(default_factory=dict)
    at: datetime
    """When it was first noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is wrong with a run, and whether it should go on."""

    run: str
    hints: list[Hint]
    stop: bool = False
    """The run asked to be stopped for one of these (its tag `athanor.debug.stop`)."""
