"""What a deployment was asked to be: its rollout, its canary's plan, its scaling, checked."""

import math
from dataclasses import replace
from itertools import pairwise

from athanor.serving.errors import CanaryShareInvalid
from athanor.serving.errors.deployments import (
    PlanInvalid,
    RolloutUnclear,
    RuleInvalid,
    ScalingInvalid,
    ShareInvalid,
    SharesInvalid,
)
from athanor.serving.types import RUNNING, CanaryPlan, Deploy, Endpoint
from athanor.serving.types.rollouts import HeaderRule, Rollout, Scaling

MOST_WORKERS = 16
_LONGEST_RULE = 255
_LONGEST_SECONDS = 366 * 86_400.0
_TO_ALL = frozenset({"replace", "canary", "stage"})


def rollout_of(deploy: Deploy) -> Rollout:
    """How the deployment comes to its traffic.

    Raises: RolloutUnclear, ShareInvalid, ScalingInvalid (of its capacity or replicas).
    """
    asked = {
        "canary": deploy.canary is not None or deploy.plan is not None,
        "share": deploy.share is not None,
        "shadow": deploy.shadow is not None,
        "stage": deploy.stage,
        "member": deploy.member,
    }
    if deploy.capacity is not None and deploy.capacity < 0:
        raise ScalingInvalid("capacity", deploy.capacity, "a number of members, or 0 for any")
    if not 1 <= deploy.replicas <= MOST_WORKERS:
        raise ScalingInvalid(
            "replicas", deploy.replicas, f"a number of workers from 1 to {MOST_WORKERS}"
        )
    named = [name for name, wanted in asked.items() if wanted]
    if len(named) > 1:
        raise RolloutUnclear(named)
    if deploy.share is not None:
        if not 0 <= deploy.share <= 1:
            raise ShareInvalid("deployment", deploy.share)
        return Rollout(kind="share", share=deploy.share)
    if deploy.shadow is not None:
        if not 0 < deploy.shadow <= 1:
            raise ShareInvalid("shadow", deploy.shadow)
        return Rollout(kind="shadow", share=deploy.shadow)
    if deploy.stage:
        return Rollout(kind="stage")
    if deploy.member:
        return Rollout(kind="member")
    return Rollout(kind="canary" if asked["canary"] else "replace")


def takes_all(rollout: Rollout) -> bool:
    """Whether it is on its way to all of the traffic: there is one such deployment at a time."""
    return rollout.kind in _TO_ALL


def plan_of(deploy: Deploy) -> CanaryPlan | None:
    """How the canary goes: it begins with the share asked for, then takes the plan's larger ones.

    Raises: CanaryShareInvalid, PlanInvalid.
    """
    if deploy.plan is not None:
        _check_plan(deploy.plan, begins=deploy.canary is not None)
    if deploy.canary is None:
        return deploy.plan
    if not 0 < deploy.canary < 1:
        raise CanaryShareInvalid(deploy.canary)
    plan = deploy.plan or CanaryPlan()
    later = tuple(step for step in plan.steps if step > deploy.canary)
    return replace(plan, steps=(deploy.canary, *later))


_BOUNDS: dict[str, tuple[float, float]] = {
    "tolerance": (0, 1),
    "slow_tolerance": (0, 1),
    "agreement": (0, 1),
    "quality_tolerance": (0, 1),
    "requests": (1, 1e9),
    "labels": (0, 1e9),
    "patience_seconds": (0, _LONGEST_SECONDS),
    "bake_seconds": (0, _LONGEST_SECONDS),
    "watch_seconds": (0, _LONGEST_SECONDS),
    "slow_seconds": (1e-6, _LONGEST_SECONDS),
    "slow_factor": (1e-6, 1e9),
    "seconds": (1e-3, _LONGEST_SECONDS),
    "alpha": (1e-9, 0.5),
}


def _check_plan(plan: CanaryPlan, *, begins: bool) -> None:
    rising = all(before < after for before, after in pairwise(plan.steps))
    if not (rising and all(0 < step < 1 for step in plan.steps) and (plan.steps or begins)):
        wanted = "growing shares, each above 0 and below 1, such as 0.1 and 0.5"
        raise PlanInvalid("steps", list(plan.steps), wanted)
    for name, (least, most) in _BOUNDS.items():
        value = getattr(plan, name)
        if value is not None and not least <= value <= most:
            raise PlanInvalid(name, value, f"a number from {least:g} to {most:g}")


def checked(scaling: Scaling | None) -> Scaling | None:
    """The scaling, if it can be.

    Raises: ScalingInvalid.
    """
    if scaling is None:
        return None
    if not 0 <= scaling.min <= MOST_WORKERS:
        raise ScalingInvalid("min", scaling.min, f"a number of workers from 0 to {MOST_WORKERS}")
    if not max(1, scaling.min) <= scaling.max <= MOST_WORKERS:
        least = f"{scaling.min} (the min)" if scaling.min else "1"
        wanted = f"a number of workers from {least} to {MOST_WORKERS}"
        raise ScalingInvalid("max", scaling.max, wanted)
    for name in ("concurrency", "idle_seconds", "cooldown_seconds"):
        value = getattr(scaling, name)
        if not (math.isfinite(value) and value > 0):
            raise ScalingInvalid(name, value, "a number above 0")
    return scaling


def shares_by_number(endpoint: Endpoint, shares: dict[str, float]) -> dict[int, float]:
    """The shares by the deployments' numbers.

    Raises: SharesInvalid.
    """
    found: dict[int, float] = {}
    for name, share in shares.items():
        if not name.isdecimal():
            raise SharesInvalid(endpoint.name, f"{name!r} is no deployment's number")
        if not (math.isfinite(share) and 0 <= share <= 1):
            raise SharesInvalid(endpoint.name, f"deployment {name} can't have the share {share:g}")
        found[int(name)] = share
    total = sum(found.values())
    if abs(total - 1) > 1e-6:
        raise SharesInvalid(endpoint.name, f"the shares sum to {total:g}, not to 1")
    return {number: share / total for number, share in found.items()}


def check_rules(endpoint: Endpoint, rules: tuple[HeaderRule, ...]) -> None:
    """See that each rule can hold.

    Raises: RuleInvalid.
    """
    states = {item.number: item.state for item in endpoint.deployments}
    for place, rule in enumerate(rules):
        if not is_header(rule.header):
            raise RuleInvalid(place, f"{rule.header!r} is no header's name")
        if not rule.value or len(rule.value) > _LONGEST_RULE:
            raise RuleInvalid(place, f"its value has {len(rule.value)} characters, not 1 to 255")
        if rule.deployment not in states:
            raise RuleInvalid(place, f"there is no deployment {rule.deployment}")
        if states[rule.deployment] not in RUNNING:
            ended = f"deployment {rule.deployment} is {states[rule.deployment]}"
            raise RuleInvalid(place, f"{ended} and answers nothing")


def is_header(name: str) -> bool:
    """Whether this can be a header's name."""
    plain = name.replace("-", "").replace("_", "")
    return plain.isascii() and plain.isalnum() and len(name) <= _LONGEST_RULE
