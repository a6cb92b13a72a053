"""What does not reach the first layers, and units that give nothing."""

import math
import statistics
from collections.abc import Iterable

from athanor.tracking.logic.debug.judgements import Judged, Rule, curves, fallen_share
from athanor.tracking.logic.debug.series import Kind, Told, finite


def vanishing(told: Told) -> Iterable[Judged]:
    """Hardly anything reaches the first layers, and the loss does not fall."""
    advice = (
        "Use ReLU-like activations, normalisation between layers, residual connections, or fewer "
        "layers; see that the inputs are scaled."
    )
    stuck = _is_stuck(told)
    for item in told.series:
        numbers = finite(item.values)
        if item.named.kind is not Kind.GRADIENT or len(numbers) < 3:
            continue
        start = statistics.median(numbers[: max(3, len(numbers) // 10)])
        end = statistics.median(numbers[-max(3, len(numbers) // 10) :])
        if stuck and end < max(1e-6, 1e-4 * start):
            yield Judged(
                rule=Rule.VANISHING_GRADIENT,
                metric=item.key,
                step=item.steps[-1],
                message=f"{item.key} is down to {end:.2g}, and the loss hardly falls.",
                advice=advice,
                measured={"from": start, "to": end},
            )
    saturating = [
        layer for layer in told.layers if layer.activation in {"logistic", "tanh", "sigmoid"}
    ]
    yield from _fading(told, advice) if stuck else ()
    if stuck and len(saturating) >= 4:
        yield Judged(
            rule=Rule.VANISHING_GRADIENT,
            metric="",
            step=0,
            message=f"{len(saturating)} layers of {saturating[0].activation} units follow one "
            "another, and the loss does not fall: what reaches the first ones is next to nothing.",
            advice=advice,
            measured={"layers": float(len(saturating))},
        )


def _fading(told: Told, advice: str) -> Iterable[Judged]:
    """Biases begin at zero in most libraries: how far they came says what reached their layer."""
    biases = [layer.bias for layer in told.layers]
    if len(biases) < 4 or not all(map(math.isfinite, biases)):
        return
    if biases[-1] > 1e-6 and biases[0] < 1e-3 * biases[-1]:
        yield Judged(
            rule=Rule.VANISHING_GRADIENT,
            metric="",
            step=0,
            message=f"The biases of {told.layers[0].name} moved by {biases[0]:.1g}, those of "
            f"{told.layers[-1].name} by {biases[-1]:.1g}: hardly anything reaches the first ones.",
            advice=advice,
            measured={"first": biases[0], "last": biases[-1]},
        )


def _is_stuck(told: Told) -> bool:
    """Whether the loss has hardly fallen: at all, or in the later half, far from any success."""
    return any(
        fallen_share(item.values) < 0.05
        or (
            len(item) >= 8
            and fallen_share(item.values[len(item) // 2 :]) < 0.01
            and item.last > 0.5 * item.first
        )
        for item in curves(told, 3)
    )


def dead_units(told: Told) -> Iterable[Judged]:
    """Half of the units or more give nothing."""
    advice = (
        "Lower the learning rate, start biases at zero, scale the inputs, or use leaky ReLU; look "
        "at the initialisation."
    )
    for item in told.series:
        numbers = finite(item.values)
        if item.named.kind is not Kind.DEAD or not numbers:
            continue
        share = numbers[-1] / 100 if 1 < numbers[-1] <= 100 and "pct" in item.key else numbers[-1]
        if 0.5 <= share <= 1:
            yield Judged(
                rule=Rule.DEAD_UNITS,
                metric=item.key,
                step=item.steps[-1],
                message=f"{item.key} is {share:.0%}: so many units give nothing.",
                advice=advice,
                measured={"share": share},
            )
    for layer in told.layers:
        if layer.units >= 4 and layer.silent / layer.units >= 0.5:
            yield Judged(
                rule=Rule.DEAD_UNITS,
                metric="",
                step=0,
                message=f"{layer.silent} of {layer.units} units of {layer.name} give nothing, "
                "whatever comes in.",
                advice=advice,
                measured={"share": layer.silent / layer.units},
            )
