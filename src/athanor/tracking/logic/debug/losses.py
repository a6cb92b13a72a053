"""Losses that do not fall, or no longer."""

from collections.abc import Iterable

from athanor.tracking.logic.debug.judgements import Judged, Rule, curves, fallen_share
from athanor.tracking.logic.debug.series import Told, finite, is_accuracy, is_class_loss, is_perfect


def not_falling(told: Told) -> Iterable[Judged]:
    """The loss ends where it began, and that is no success."""
    if any(map(is_perfect, told.series)):
        return
    for item in curves(told, 5):
        fallen = fallen_share(item.values)
        nothing = 0.02 if is_class_loss(item.named) else 1e-3
        if fallen < 0.01 and abs(item.first) > nothing:
            yield Judged(
                rule=Rule.LOSS_NOT_FALLING,
                metric=item.key,
                step=item.steps[-1],
                message=f"{item.key} began at {item.first:.4g} and is {item.last:.4g} after "
                f"{len(item)} points.",
                advice="Try a higher (or, if it jumps about, a lower) learning rate; see that "
                "inputs and labels belong together and that the weights are trainable.",
                measured={"from": item.first, "to": item.last, "fallen": fallen},
            )


def plateau(told: Told) -> Iterable[Judged]:
    """A loss that fell, and then stood still at a level that is no success, for most of the run."""
    scores = [item for item in told.series if is_accuracy(item.named) and item.values]
    good = any(item.last > 0.9 for item in scores) or any(map(is_perfect, told.series))
    for item in curves(told, 20):
        numbers = finite(item.values)
        if len(numbers) < len(item):
            continue
        tail = numbers[int(len(numbers) * 0.4) :]
        height = max(map(abs, tail))
        still = (max(tail) - min(tail)) <= 1e-4 * height
        if still and not good and numbers[-1] > 0.2 * numbers[0] > 0:
            yield Judged(
                rule=Rule.PLATEAU,
                metric=item.key,
                step=item.steps[len(item) - len(tail)],
                message=f"{item.key} stands still at {item.last:.4g} since step "
                f"{item.steps[len(item) - len(tail)]}.",
                advice="Let the model have more capacity, loosen what keeps it from splitting or "
                "learning further, or change the learning rate's schedule; else stop earlier.",
                measured={"at": item.last, "from": item.first},
            )
