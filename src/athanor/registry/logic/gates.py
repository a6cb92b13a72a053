"""What gates say of a version that is to take an alias: pure judgements over known figures."""

from collections.abc import Mapping

from athanor.kernel import Verdict
from athanor.registry.protection import GateRule
from athanor.registry.types import InputColumn, ModelVersion, Signature

_WIDER = {
    "boolean": {"boolean"},
    "integer": {"integer", "long", "double", "float"},
    "long": {"long", "double"},
    "float": {"float", "double"},
    "double": {"double"},
}
"""For each type that callers send: the types that take it without loss."""


def within(rule: GateRule, metrics: Mapping[str, float]) -> Verdict:
    """Whether a figure keeps to its limit. A figure that is not known does not."""
    value = metrics.get(rule.metric)
    if value is None:
        known = ", ".join(sorted(metrics)) or "none"
        return _verdict(rule, f"The version has no metric {rule.metric!r} (it has: {known}).")
    if rule.at_least is not None:
        passed, limit, words = value >= rule.at_least, rule.at_least, "at least"
    else:
        limit = rule.at_most if rule.at_most is not None else float("inf")
        passed, words = value <= limit, "at most"
    told = f"{rule.metric} is {value:.6g}; {words} {limit:.6g} is demanded."
    return _verdict(rule, told, passed=passed, value=value, limit=limit)


def not_worse(
    rule: GateRule,
    version: Mapping[str, float],
    holder: Mapping[str, float] | None,
    *,
    comparable: bool | None,
) -> Verdict:
    """Whether a figure is no worse than the holder's, by more than the tolerance.

    `comparable` says whether both were measured on the same rows; None if nobody knows. Figures
    of different rows are not compared.
    """
    if holder is None:
        return _verdict(rule, "Nothing holds the alias yet.", passed=True)
    own, other = version.get(rule.metric), holder.get(rule.metric)
    if own is None or other is None:
        whose = "The version" if own is None else "The holder"
        return _verdict(rule, f"{whose} has no metric {rule.metric!r}.")
    if comparable is False:
        return _verdict(
            rule,
            f"{rule.metric} was measured on different holdouts ({own:.6g} and {other:.6g}): "
            "evaluate both on the same rows.",
            version=own,
            holder=other,
        )
    loss = own - other if rule.lower_is_better else other - own
    passed = loss <= rule.tolerance
    on = "on the same holdout" if comparable else "on holdouts that nobody recorded"
    told = f"{rule.metric} is {own:.6g}, the holder's {other:.6g}, {on}"
    allowed = f"; {rule.tolerance:.6g} worse is allowed" if rule.tolerance else ""
    return _verdict(rule, f"{told}{allowed}.", passed=passed, version=own, holder=other)


def compatible(rule: GateRule, version: ModelVersion, holder: ModelVersion | None) -> Verdict:
    """Whether who calls the holder can call the version with the same rows."""
    if holder is None:
        return _verdict(rule, "Nothing holds the alias yet.", passed=True)
    if not version.signature.inputs or not holder.signature.inputs:
        which = version if not version.signature.inputs else holder
        return _verdict(rule, f"Version {which.number} does not tell which columns it reads.")
    breaks = differences(holder.signature, version.signature)
    if breaks:
        return _verdict(
            rule,
            f"Callers of version {holder.number} would break: {'; '.join(breaks)}.",
            breaks=breaks,
        )
    return _verdict(
        rule, f"It reads what version {holder.number} reads, and answers alike.", passed=True
    )


def differences(old: Signature, new: Signature) -> list[str]:
    """What of a new signature breaks callers of an old one."""
    before = {column.name: column for column in old.inputs}
    breaks = []
    for column in new.inputs:
        known = before.get(column.name)
        if known is None:
            if column.required:
                breaks.append(f"column {column.name!r} is demanded now")
            continue
        if not _takes(column, known):
            breaks.append(f"column {column.name!r} was {known.type} and is {column.type}")
        elif column.required and not known.required:
            breaks.append(f"column {column.name!r} may be missing no longer")
    for what, was, now in (
        ("target", old.target, new.target),
        ("task", old.task, new.task),
        ("positive class", old.positive, new.positive),
    ):
        if was and now and was != now:
            breaks.append(f"the {what} was {was!s} and is {now!s}")
    if old.classes and new.classes and set(old.classes) != set(new.classes):
        breaks.append("the classes differ")
    return breaks


def given_latency(rule: GateRule, figures: Mapping[str, float]) -> Verdict | None:
    """The verdict on a latency that was given as a metric, in milliseconds; None if none was."""
    name = f"latency_{rule.metric}_ms"
    if name not in figures or rule.at_most is None:
        return None
    value = figures[name]
    told = f"{rule.metric} is {value:.4g} ms as given ({name}); at most {rule.at_most:.4g} ms"
    return _verdict(rule, f"{told} is demanded.", passed=value <= rule.at_most, value=value)


def measured_latency(rule: GateRule, figures: Mapping[str, float]) -> Verdict:
    """The verdict on a latency that was measured: `p50`, `p95`, `p99` in milliseconds."""
    limit = rule.at_most if rule.at_most is not None else float("inf")
    value = figures[rule.metric]
    told = (
        f"{rule.metric} is {value:.4g} ms over {figures['calls']:.0f} single rows; at most "
        f"{limit:.4g} ms is demanded."
    )
    return _verdict(rule, told, passed=value <= limit, **figures)


def failed(rule: GateRule, why: str) -> Verdict:
    """The verdict where something could not be judged: it does not pass."""
    return _verdict(rule, why)


def _takes(new: InputColumn, old: InputColumn) -> bool:
    return new.type == old.type or new.type in _WIDER.get(old.type, set())


def _verdict(
    rule: GateRule, reason: str, *, passed: bool = False, **measured: float | list[str]
) -> Verdict:
    return Verdict(gate=rule.name, passed=passed, reason=reason, measured=dict(measured))
