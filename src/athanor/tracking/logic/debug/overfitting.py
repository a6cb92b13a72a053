"""What was learned does not hold on other data."""

import statistics
from collections.abc import Iterable

from athanor.tracking.logic.debug.judgements import Judged, Rule, is_r2, losses_of
from athanor.tracking.logic.debug.series import Kind, Role, Series, Told, finite


def overfit(told: Told) -> Iterable[Judged]:
    """Held-out data does worse and worse, or much worse than the training data."""
    yield from _rising(told)
    yield from _gap(told)


_OVERFIT_ADVICE = (
    "Stop earlier, make the model smaller, regularise it more, or give it more data; see that "
    "training and validation data are of one kind."
)


def _rising(told: Told) -> Iterable[Judged]:
    """The held-out loss went up again, and stayed there, while the training went on."""
    for item in losses_of(told, Role.HELD_OUT):
        numbers = finite(item.values)
        if len(numbers) < 10:
            continue
        best = min(numbers)
        place = numbers.index(best)
        last = statistics.median(numbers[-3:])
        training = [
            other
            for other in losses_of(told, Role.TRAIN)
            if other.named.measure == item.named.measure and len(other) >= 10
        ]
        # Much worse is wrong, too, where the training data does no better than then.
        part = 1.0 if last > 2 * best else 0.8
        went_on = not training or any(
            finite(other.values)[-1:] <= [part * other.values[min(place, len(other) - 1)]]
            for other in training
        )
        if best > 0 and last > 1.25 * best and place < 0.7 * len(numbers) and went_on:
            yield Judged(
                rule=Rule.OVERFIT,
                metric=item.key,
                step=item.steps[place],
                message=f"{item.key} was best at step {item.steps[place]} ({best:.4g}) and is "
                f"{last:.4g} now: what is learned since does not hold on other data.",
                advice=_OVERFIT_ADVICE,
                measured={"best": best, "last": last},
            )


def _gap(told: Told) -> Iterable[Judged]:
    """Right on the training data, and much less so on others."""
    train = [item for item in told.series if _is_share(item, Role.TRAIN) and item.last >= 0.95]
    others = [item for item in told.series if _is_share(item, Role.HELD_OUT)]
    for item in others:
        same = [other for other in train if item.named.measure in {other.named.measure, "score"}]
        for other in same:
            if other.last - item.last >= 0.25:
                yield Judged(
                    rule=Rule.OVERFIT,
                    metric=item.key,
                    step=item.steps[-1],
                    message=f"{other.key} is {other.last:.3g}, and {item.key} {item.last:.3g}.",
                    advice=_OVERFIT_ADVICE,
                    measured={"training": other.last, "held_out": item.last},
                )


def _is_share(item: Series, role: Role) -> bool:
    """Whether a series is of scores between 0 and 1, of the last of which more is better."""
    return (
        item.named.kind is Kind.SCORE
        and item.named.role is role
        and bool(item.values)
        and -1 <= item.last <= 1
        and not is_r2(item)
    )
