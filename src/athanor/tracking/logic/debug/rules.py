"""What is wrong with a training, read off what it logged. Pure; thresholds were set on real runs.

Each rule is silent where it has too little to go by: a hint that is wrong costs more trust than one
that is missing.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from athanor.tracking.logic.debug.series import (
    Kind,
    Role,
    Series,
    Told,
    finite,
    is_accuracy,
    is_class_loss,
)


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


def _losses(told: Told, role: Role | None = None) -> list[Series]:
    return [
        item
        for item in told.series
        if item.named.kind is Kind.LOSS and role in {None, item.named.role}
    ]


def _curves(told: Told, points: int) -> list[Series]:
    """Curves of the training's own loss; of held-out data where there are none."""
    train = [item for item in _losses(told, Role.TRAIN) if len(item) >= points]
    return train or [item for item in _losses(told, Role.HELD_OUT) if len(item) >= points]


def _not_a_number(told: Told) -> Iterable[Judged]:
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


def _exploding(told: Told) -> Iterable[Judged]:
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
        elif _is_r2(item) and item.named.role is Role.TRAIN and numbers and numbers[-1] < -2:
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


def _is_r2(item: Series) -> bool:
    return item.named.measure in {"r2", "r2_score"}


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


def _vanishing(told: Told) -> Iterable[Judged]:
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
        _fallen(item.values) < 0.05
        or (
            len(item) >= 8
            and _fallen(item.values[len(item) // 2 :]) < 0.01
            and item.last > 0.5 * item.first
        )
        for item in _curves(told, 3)
    )


def _fallen(values: Sequence[float]) -> float:
    """By which share of its first value a loss has fallen, at best."""
    numbers = finite(values)
    if len(numbers) < 2 or numbers[0] <= 0:
        return 1.0
    return (numbers[0] - min(numbers)) / numbers[0]


def _dead_units(told: Told) -> Iterable[Judged]:
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


def _not_falling(told: Told) -> Iterable[Judged]:
    for item in _curves(told, 5):
        fallen = _fallen(item.values)
        if fallen < 0.01 and abs(item.first) > 1e-3:
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


def _plateau(told: Told) -> Iterable[Judged]:
    """A loss that fell, and then stood still at a level that is no success, for most of the run."""
    scores = [item for item in told.series if is_accuracy(item.named) and item.values]
    good = any(item.last > 0.9 for item in scores)
    for item in _curves(told, 20):
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


def _overfit(told: Told) -> Iterable[Judged]:
    yield from _rising(told)
    yield from _gap(told)


_OVERFIT_ADVICE = (
    "Stop earlier, make the model smaller, regularise it more, or give it more data; see that "
    "training and validation data are of one kind."
)


def _rising(told: Told) -> Iterable[Judged]:
    """The held-out loss went up again, and stayed there, while the training went on."""
    for item in _losses(told, Role.HELD_OUT):
        numbers = finite(item.values)
        if len(numbers) < 10:
            continue
        best = min(numbers)
        place = numbers.index(best)
        last = statistics.median(numbers[-3:])
        training = [
            other
            for other in _losses(told, Role.TRAIN)
            if other.named.measure == item.named.measure and len(other) >= 10
        ]
        went_on = not training or any(
            finite(other.values)[-1:] < [0.8 * other.values[min(place, len(other) - 1)]]
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
        and not _is_r2(item)
    )


_ADDRESSED = {
    "scale_pos_weight": ("1", "1.0", "None"),
    "is_unbalance": ("False", "None"),
    "class_weight": ("None",),
}
_IMBALANCE_ADVICE = (
    "Weigh the classes (class_weight, scale_pos_weight), resample, and judge by recall, "
    "precision-recall curves or balanced accuracy instead of accuracy."
)


def _imbalance(told: Told) -> Iterable[Judged]:
    for name, usual in _ADDRESSED.items():
        if told.params.get(name, "None") not in usual:
            return
    if len(told.priors) >= 2 and min(told.priors) < 0.05 / (len(told.priors) - 1):
        yield _imbalanced("", 0, min(told.priors), "The rarest class is")
    yield from _one_class(told)
    yield from _low_start(told)
    yield from _still_accuracy(told)


def _one_class(told: Told) -> Iterable[Judged]:
    """A model that gives every row the same class: weighted precision is accuracy squared then."""
    for item in told.series:
        if not is_accuracy(item.named) or item.named.role is not Role.TRAIN or len(item) > 1:
            continue
        for other in told.series:
            if other.named.measure in {"precision", "precision_score"} and (
                other.named.role is Role.TRAIN and len(other) == 1
            ):
                same = abs(other.last - item.last**2) < 1e-9
                if same and 0.7 <= item.last < 1:
                    rare = 1 - item.last
                    said = f"{item.key} is {item.last:.3g} as every row is given the same class: "
                    yield _imbalanced(item.key, item.steps[-1], rare, f"{said}the others are")


def _still_accuracy(told: Told) -> Iterable[Judged]:
    """An accuracy that is not moved by a falling loss: the share of the commoner class.

    The loss is then near the entropy of such shares.
    """
    curves = [item for item in told.series if is_accuracy(item.named) and len(item) >= 8]
    still = [item for item in curves if len(set(item.values[int(len(item) * 0.4) :])) == 1]
    if not curves or len(still) < len(curves):
        return
    for item in still:
        rare = 1 - item.last
        losses = [loss for loss in _losses(told, item.named.role) if len(loss) >= 8]
        for loss in losses:
            part = _fallen(loss.values[int(len(loss) * 0.4) :])
            if 0 < rare <= 0.15 and part > 0.03 and loss.last >= 0.7 * _entropy(rare):
                said = f"{item.key} has stood at {item.last:.4g} while {loss.key} fell: "
                yield _imbalanced(
                    item.key,
                    item.steps[-1],
                    rare,
                    f"{said}all rows are given one class, the rest is",
                )


def _entropy(share: float) -> float:
    """The entropy of two classes, in nats."""
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def _low_start(told: Told) -> Iterable[Judged]:
    """Boosting begins with the classes' shares: a first log loss that low means a rare class."""
    objective = told.params.get("objective", "")
    if not objective.startswith("binary"):
        return
    rate = told.params.get("learning_rate", told.params.get("eta", "None"))
    if rate != "None" and not _at_most(rate, 0.3):
        return
    for item in _curves(told, 1):
        if is_class_loss(item.named) and item.steps[0] <= 1 and 0 < item.first < 0.2:
            share = _share_of_entropy(item.first)
            yield _imbalanced(item.key, item.steps[0], share, "By its first loss, one class is")


def _at_most(text: str, limit: float) -> bool:
    try:
        return float(text) <= limit
    except ValueError:
        return False


def _share_of_entropy(entropy: float) -> float:
    """The share of the rarer of two classes whose entropy (in nats) is this."""
    low, high = 0.0, 0.5
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _entropy(middle) < entropy else (low, middle)
    return (low + high) / 2


def _imbalanced(metric: str, step: int, share: float, said: str) -> Judged:
    return Judged(
        rule=Rule.CLASS_IMBALANCE,
        metric=metric,
        step=step,
        message=f"{said} about {share:.1%} of the rows.",
        advice=_IMBALANCE_ADVICE,
        measured={"share": share},
    )


_ROWS = 100
"""A perfect score on fewer held-out rows is no wonder."""
_HELD_OUT_PART = 0.2
"""How many of the rows are held out where nobody says."""


def _perfect(told: Told) -> Iterable[Judged]:
    advice = (
        "See whether a column tells the answer (an id, a date, something that is known only "
        "afterwards), and whether rows stand in both parts."
    )
    if _held_out_rows(told) < _ROWS:
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
        perfect = item.named.kind is Kind.SCORE and 0.9995 <= number <= 1
        if item.named.kind is Kind.LOSS and is_class_loss(item.named) and len(item) >= 5:
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


def _held_out_rows(told: Told) -> float:
    known = [count for context, count in told.rows.items() if context != "train"]
    if known:
        return max(known)
    return told.rows.get("train", 0) * _HELD_OUT_PART / (1 - _HELD_OUT_PART)


_RULES: Sequence[Callable[[Told], Iterable[Judged]]] = (
    _not_a_number,
    _exploding,
    _dead_units,
    _vanishing,
    _not_falling,
    _plateau,
    _overfit,
    _imbalance,
    _perfect,
)
