"""Classes of which one is rare, while the training does not mind it."""

import math
from collections.abc import Iterable

from athanor.tracking.logic.debug.judgements import Judged, Rule, curves, fallen_share, losses_of
from athanor.tracking.logic.debug.series import Role, Told, is_accuracy, is_class_loss

_ADDRESSED = {
    "scale_pos_weight": ("1", "1.0", "None"),
    "is_unbalance": ("False", "None"),
    "class_weight": ("None",),
}


_IMBALANCE_ADVICE = (
    "Weigh the classes (class_weight, scale_pos_weight), resample, and judge by recall, "
    "precision-recall curves or balanced accuracy instead of accuracy."
)


def imbalance(told: Told) -> Iterable[Judged]:
    """One class is rare, and no setting minds it."""
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
        losses = [loss for loss in losses_of(told, item.named.role) if len(loss) >= 8]
        for loss in losses:
            part = fallen_share(loss.values[int(len(loss) * 0.4) :])
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
    for item in curves(told, 1):
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
