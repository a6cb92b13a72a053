"""What is no number any more, or is on its way there."""

import math
import statistics
from collections.abc import Iterable, Sequence

from athanor.tracking.logic.debug.judgements import Judged, Rule, is_r2
from athanor.tracking.logic.debug.series import Kind, Role, Series, Told, finite


def not_a_number(told: Told) -> Iterable[Judged]:
    """A metric or a weight that is no finite number."""
    for item in told.series:
        for step, value in zip(item.steps, item.values, strict=True):
            if not finite([value]):
                yield Judged(
                    rule=Rule.NOT_A_NUMBER,
                    metric=item.key,
                    step=step,
                    message=f"{item.key} is {_text(value)} at step {step}.",
                    advice="Lower the learning rate, clip gradients, and look for logarithms of "
                    "zero, divisions by zero and missing values in the data.",
                )
                break
    for layer in told.layers:
        if not math.isfinite(layer.largest):
            yield Judged(
                rule=Rule.NOT_A_NUMBER,
                metric="",
                step=0,
                message=f"The weights of {layer.name} are not all numbers.",
                advice="Lower the learning rate, clip gradients, and look at the data.",
            )


def _text(value: float) -> str:
    return "not a number" if math.isnan(value) else "infinite"


def exploding(told: Told) -> Iterable[Judged]:
    """Gradients, losses or weights that grew beyond all measure."""
    advice = "Clip gradients, lower the learning rate, and scale the inputs."
    for item in told.series:
        numbers = finite(item.values)
        if item.named.kind is Kind.GRADIENT and len(numbers) >= 3:
            usual = statistics.median(numbers[: max(3, len(numbers) // 10)])
            if max(numbers) > max(1e3 * abs(usual), 1e2):
                yield _explodes(item, max(numbers), usual, advice)
        elif item.named.kind is Kind.LOSS and item.named.role is Role.TRAIN and len(numbers) >= 3:
            start = abs(numbers[0])
            if start and numbers[-1] > 10 * start and max(numbers) > 20 * min(map(abs, numbers)):
                yield _explodes(item, max(numbers), numbers[0], advice)
        elif item.named.kind is Kind.LOSS and _ran_away(item.values):
            yield Judged(
                rule=Rule.EXPLODING_GRADIENT,
                metric=item.key,
                step=item.steps[-1],
                message=f"{item.key} grew beyond all numbers.",
                advice=advice,
            )
        elif is_r2(item) and item.named.role is Role.TRAIN and numbers and numbers[-1] < -2:
            # Worse than the mean on its own training data: only a fit that ran away is.
            yield _explodes(item, numbers[-1], 0.0, advice)
    for layer in told.layers:
        if math.isfinite(layer.largest) and layer.largest > 1e4:
            yield Judged(
                rule=Rule.EXPLODING_GRADIENT,
                metric="",
                step=0,
                message=f"The weights of {layer.name} have grown to {layer.largest:.3g}.",
                advice=advice,
                measured={"largest": layer.largest},
            )


def _ran_away(values: Sequence[float]) -> bool:
    """Whether a loss became infinite, or grew tenfold before it was no number any more."""
    odd = next((n for n, value in enumerate(values) if not finite([value])), None)
    if odd is None:
        return False
    before = [abs(value) for value in values[:odd]]
    return not math.isnan(values[odd]) or (len(before) >= 2 and before[-1] > 10 * min(before))


def _explodes(item: Series, value: float, usual: float, advice: str) -> Judged:
    step = item.steps[list(item.values).index(value)]
    return Judged(
        rule=Rule.EXPLODING_GRADIENT,
        metric=item.key,
        step=step,
        message=f"{item.key} went from {usual:.3g} to {value:.3g} at step {step}.",
        advice=advice,
        measured={"from": usual, "to": value},
    )
