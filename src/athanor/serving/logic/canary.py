"""Whether a challenger may have more of the traffic, keeps what it has, or has to go.

Six questions, each a share with bounds that hold at all times (see `sequential`):

1. errors: how often it answers with a failure of its own (5xx, or refusing what the champion took);
2. slowness: how often it is slower than the plan's limit;
3. nonsense: how often its score is no finite number, or no probability;
4. agreement: how often it gives the champion's label to rows that are replayed;
5. labelled quality of replayed rows: among those that exactly one of the two got right (of a
   regressor: got closer), how often that one is the champion;
6. labelled quality of live rows: the share that each got right, on its own part of the traffic.

It goes when a bound proves harm, moves on when the bounds rule out more harm than the plan
tolerates, and is given more requests otherwise. Each question gets an equal part of the plan's
alpha, so that a harmless challenger is refused with probability at most alpha.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from athanor.serving.logic.sequential import Share, share
from athanor.serving.types import CanaryPlan

_QUESTIONS = 6
_EVEN = 0.5
_MOST_NEEDED = 10_000

Action = Literal["wait", "advance", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was seen of one deployment."""

    requests: int = 0
    errors: int = 0
    slow: int = 0
    nonsense: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            slow=self.slow + other.slow,
            nonsense=self.nonsense + other.nonsense,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of champion and challenger at this moment."""

    champion: Counts = field(default_factory=Counts)
    challenger: Counts = field(default_factory=Counts)
    """Live requests and replayed ones together."""
    compared: int = 0
    """Replayed rows whose answers were compared."""
    agreed: int = 0
    """Those of them with the champion's label."""
    champion_alone_right: int = 0
    """Labelled rows that the champion got right and the challenger wrong."""
    challenger_alone_right: int = 0
    champion_labelled: int = 0
    """Live rows of the champion whose label came."""
    champion_right: int = 0
    challenger_labelled: int = 0
    challenger_right: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What to do, why, and the figures behind it."""

    action: Action
    reason: str
    measured: dict[str, float]


def judge(plan: CanaryPlan, evidence: Evidence) -> Judgement:
    """The judgement on what was seen so far."""
    alpha = plan.alpha / _QUESTIONS
    mine, theirs = evidence.challenger, evidence.champion
    errors = share(mine.errors, mine.requests, alpha)
    champion = share(theirs.errors, theirs.requests, alpha)
    slow = share(mine.slow, mine.requests, alpha)
    nonsense = share(mine.nonsense, mine.requests, alpha)
    discordant = evidence.champion_alone_right + evidence.challenger_alone_right
    worse = share(evidence.champion_alone_right, discordant, alpha)
    agreement = share(evidence.agreed, evidence.compared, alpha)
    right = share(evidence.challenger_right, evidence.challenger_labelled, alpha)
    champion_right = share(evidence.champion_right, evidence.champion_labelled, alpha)
    measured = {
        "requests": mine.requests,
        "error_rate": errors.rate,
        "error_rate_at_most": errors.high,
        "champion_error_rate": champion.rate,
        "slow_rate": slow.rate,
        "slow_rate_at_most": slow.high,
        "nonsense_rate": nonsense.rate,
        "agreement": agreement.rate,
        "compared": evidence.compared,
        "labelled_discordant": discordant,
        "champion_alone_right_rate": worse.rate,
        "labelled": right.trials,
        "right_rate": right.rate,
        "champion_labelled": champion_right.trials,
        "champion_right_rate": champion_right.rate,
    }
    harm = (
        _harm(plan, errors, champion.rate, slow, nonsense)
        or _quality(plan, worse, agreement)
        or _live_quality(plan, right, champion_right)
    )
    if harm:
        return Judgement(action="refuse", reason=harm, measured=measured)
    doubts = _doubts(plan, errors, champion.rate, slow, nonsense)
    if not doubts and right.trials < plan.labels:
        doubts = f"{right.trials} of {plan.labels} labelled rows seen"
    if doubts:
        return Judgement(action="wait", reason=doubts, measured=measured)
    return Judgement(action="advance", reason=_cleared(mine, errors, slow), measured=measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the step under way has come."""

    seconds: float = 0.0
    """Since it began."""
    tried_seconds: float = 0.0
    """Since its first live request; 0 where none came."""
    live: int = 0
    """Live requests that the challenger answered at this step."""
    seen: int = 0
    """The same with the replayed ones of this step."""
    replayed: int = 0
    """Logged rows that were replayed, at all steps."""
    exhausted: bool = False
    """Whether nothing that is logged is left to replay."""


def decided(plan: CanaryPlan, judgement: Judgement, progress: Progress) -> Judgement:
    """What the judgement does to the step under way.

    A step lasts for the plan's requests at least, and no time that passes takes their place: where
    none comes, and what is logged tells too little, it waits.
    """
    if judgement.action == "refuse":
        return judgement
    enough = progress.seen >= plan.requests
    if judgement.action == "advance" and enough and progress.seconds >= plan.bake_seconds:
        if progress.live:
            return judgement
        return replace(judgement, reason=f"no traffic came; by the log's rows, {judgement.reason}")
    if not progress.live:
        return replace(judgement, action="wait", reason=waits(plan, progress))
    reason = judgement.reason
    if not enough:
        reason = f"{progress.seen} of {plan.requests} requests seen at this step"
    elif judgement.action == "advance":
        reason = f"it stays at this step for {plan.bake_seconds:g} s; so far: {reason}"
    if progress.tried_seconds >= max(plan.seconds, plan.bake_seconds):
        told = f"still undecided after {progress.tried_seconds:.0f} s: {reason}"
        return replace(judgement, action=plan.undecided, reason=told)
    return replace(judgement, action="wait", reason=reason)


def waits(plan: CanaryPlan, progress: Progress) -> str:
    """What a step waits for to which no request came."""
    if not plan.replay:
        return f"waits for requests: {plan.requests} at this step, and none came"
    if progress.seconds < plan.patience_seconds or not progress.exhausted:
        return (
            f"waits for requests: {plan.requests} at this step; logged ones are replayed after "
            f"{plan.patience_seconds:g} s"
        )
    if progress.replayed:
        rows = "1 logged row" if progress.replayed == 1 else f"{progress.replayed} logged rows"
        return f"waits for requests: none came, and {rows}, replayed once each, told too little"
    return "waits for requests: none came, and nothing is logged to replay"


def needed(plan: CanaryPlan) -> int:
    """Requests without a mishap after which a challenger is cleared; 10,000 at most."""
    alpha = plan.alpha / _QUESTIONS
    tolerated = min(plan.tolerance, plan.slow_tolerance)
    count = 1
    while count < _MOST_NEEDED and share(0, count, alpha).high > tolerated:
        count = math.ceil(count * 1.05)
    return max(min(count, _MOST_NEEDED), plan.requests)


def _harm(plan: CanaryPlan, errors: Share, champion: float, slow: Share, nonsense: Share) -> str:
    if errors.low > champion + plan.tolerance:
        return (
            f"it fails too often: {errors.hits} of {errors.trials} requests "
            f"(proved: over {errors.low:.1%}; the champion's rate is {champion:.1%}, "
            f"{plan.tolerance:.1%} more would be tolerated)"
        )
    if slow.low > plan.slow_tolerance:
        return (
            f"it is too slow: {slow.hits} of {slow.trials} requests took over "
            f"{plan.slow_seconds:g} s (proved: over {slow.low:.1%}, "
            f"tolerated are {plan.slow_tolerance:.1%})"
        )
    if nonsense.low > plan.tolerance:
        return (
            f"its scores make no sense: {nonsense.hits} of {nonsense.trials} requests had one that "
            f"is no finite number or no probability"
        )
    return ""


def _quality(plan: CanaryPlan, worse: Share, agreement: Share) -> str:
    if worse.low > _EVEN:
        return (
            f"it is wrong more often: of {worse.trials} labelled rows that only one of the two got "
            f"right, the champion got {worse.hits} (proved: over {worse.low:.1%})"
        )
    if plan.agreement is not None and agreement.high < plan.agreement:
        return (
            f"it contradicts the champion on most rows: they agree on {agreement.hits} of "
            f"{agreement.trials} (proved: under {agreement.high:.1%}, "
            f"wanted are {plan.agreement:.1%})"
        )
    return ""


def _live_quality(plan: CanaryPlan, mine: Share, champion: Share) -> str:
    if mine.high < champion.low - plan.quality_tolerance:
        return (
            f"it is wrong more often: of {mine.trials} labelled rows it got {mine.rate:.1%} right "
            f"(proved: under {mine.high:.1%}), the champion {champion.rate:.1%} of "
            f"{champion.trials} (proved: over {champion.low:.1%})"
        )
    return ""


def _doubts(plan: CanaryPlan, errors: Share, champion: float, slow: Share, nonsense: Share) -> str:
    if errors.trials < plan.requests:
        return f"{errors.trials} of {plan.requests} requests seen"
    if errors.high > champion + plan.tolerance:
        return f"its error rate may still be {errors.high:.1%}"
    if slow.high > plan.slow_tolerance:
        return f"up to {slow.high:.1%} of its answers may still be slow"
    if nonsense.high > plan.tolerance:
        return f"up to {nonsense.high:.1%} of its scores may still make no sense"
    return ""


def _cleared(mine: Counts, errors: Share, slow: Share) -> str:
    return (
        f"{mine.requests} requests: {errors.hits} failed (at most {errors.high:.1%}), "
        f"{slow.hits} were slow (at most {slow.high:.1%})"
    )
