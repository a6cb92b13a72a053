"""Judging the canaries: live traffic first, logged inputs replayed where it does not come."""

import logging
import math
import struct
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from athanor.kernel.clock import Clock
from athanor.kernel.errors import AthanorError
from athanor.kernel.permissions import SYSTEM
from athanor.serving.errors import EndpointNotFound, NoCanary, WorkerUnavailable
from athanor.serving.log import ServingLog
from athanor.serving.logic import canary
from athanor.serving.logic.canary import Counts, Evidence, Judgement, Progress
from athanor.serving.logic.exposition import BUCKETS
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.signature import scored
from athanor.serving.runtimes.caller import Caller, Timed
from athanor.serving.service import Traffic
from athanor.serving.supervisor.grading import Grades
from athanor.serving.types import (
    Canary,
    CanaryPlan,
    CanaryStep,
    Deployment,
    Endpoint,
    Prediction,
    PredictionQuery,
    Signature,
)
from athanor.serving.types.rollouts import CanaryStatus

logger = logging.getLogger(__name__)

_SERVER_FAULT, _MODEL_REFUSED = 500, 422
_ENOUGH_TO_TELL, _SLOWEST_PART = 100, 0.95
_TOGETHER, _ROUNDS = 16, 8
"""Replayed requests under way at a time, and how many such rounds between two looks."""
_MOST_REPLAYED = 10_000
_READ_AGAIN_SECONDS = 5.0
"""Where every logged row was replayed, fresh ones are looked for this often."""
_LOGGED_LATE = timedelta(minutes=1)
"""A row may be in the log so long after the instant that it bears."""


@dataclass(slots=True)
class _Trial:
    """What is known of one canary."""

    step: int = -1
    began_at: datetime | None = None
    """When this process first saw the step under way."""
    base: dict[str, Counts] = field(default_factory=dict)
    """The planes' counts when it was first seen, by deployment."""
    slow_seconds: float = 0.0
    """An answer that takes longer is slow."""
    at_step: int = 0
    """Requests of the challenger before the step under way."""
    live_at_step: int = 0
    """The live ones of them."""
    tried_at: datetime | None = None
    """When the step's first live request was seen."""
    replayed: Counts = field(default_factory=Counts)
    compared: int = 0
    agreed: int = 0
    champion_alone_right: int = 0
    challenger_alone_right: int = 0
    champion: str = ""
    sample: list[Prediction] | None = None
    """Logged rows to replay; None before they were read."""
    place: int = 0
    read_at: datetime | None = None
    """When the log was read last."""
    read_mark: object = None
    """The log's mark at that time."""

    def exhausted(self) -> bool:
        """Whether there is nothing to replay, or nothing more."""
        return self.sample is not None and self.place >= len(self.sample)


class Judge:
    """Moves canaries on, or refuses them."""

    def __init__(
        self,
        traffic: Traffic,
        log: ServingLog,
        clock: Clock,
        *,
        counts: Callable[[], Mapping[str, Any]],
        socket_of: Callable[[str], str],
        moving: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._traffic = traffic
        self._log = log
        self._clock = clock
        self._counts = counts
        self._socket_of = socket_of
        self._moving = moving
        self._trials: dict[str, _Trial] = {}
        self._said: dict[str, CanaryStatus] = {}
        self._grades = Grades(log)

    def tend(self, endpoints: list[Endpoint]) -> bool:
        """Look at every canary once; whether any traffic moved."""
        under_way = {
            item.id: (endpoint, item)
            for endpoint in endpoints
            for item in endpoint.deployments
            if item.canary is not None and (item.state == "canary" or self._is_watched(item))
        }
        for gone in [name for name in self._trials if name not in under_way]:
            del self._trials[gone]
            self._said.pop(gone, None)
        moved = [
            self._look(*pair) if pair[1].state == "canary" else self._watch(*pair)
            for pair in under_way.values()
        ]
        return any(moved)

    def close(self) -> None:
        """Wait for what is under way beside the loop."""
        self._grades.close()

    def _is_watched(self, deployment: Deployment) -> bool:
        """Whether it took over after its canary, so lately that it is watched still."""
        way = deployment.canary
        if deployment.state != "live" or way is None or not way.history:
            return False
        since = (self._clock.now() - way.history[-1].at).total_seconds()
        return since < way.plan.watch_seconds

    def _watch(self, endpoint: Endpoint, deployment: Deployment) -> bool:
        """Bring the champion back where what took over does harm after all."""
        way, champion = deployment.canary, endpoint.standby
        if way is None or champion is None:
            return False
        evidence, _ = self._evidence(endpoint, champion, deployment, way)
        judgement = canary.judge(way.plan, evidence)
        if judgement.action != "refuse":
            return False
        step = self._step(deployment, "refuse", judgement)
        with suppress(NoCanary, EndpointNotFound), self._moving():
            self._traffic.revert(SYSTEM, deployment, step)
        return True

    def _evidence(
        self, endpoint: Endpoint, champion: Deployment, challenger: Deployment, way: Canary
    ) -> tuple[Evidence, _Trial]:
        """All that is known by now, and what it is kept in."""
        stats = self._counts()
        trial = self._trials.setdefault(challenger.id, _Trial())
        if not trial.slow_seconds:
            trial.slow_seconds = _limit(stats, champion.id, way.plan)
        live: list[Counts] = []
        for deployment in (champion, challenger):
            counted = _counted(stats, deployment.id, trial.slow_seconds)
            live.append(_since(trial.base.setdefault(deployment.id, counted), counted))
        grades = self._grades.of(endpoint.name, (champion.id, challenger.id))
        evidence = Evidence(
            champion=live[0],
            challenger=live[1] + trial.replayed,
            compared=trial.compared,
            agreed=trial.agreed,
            champion_alone_right=trial.champion_alone_right,
            challenger_alone_right=trial.challenger_alone_right,
            champion_labelled=grades[0].labelled,
            champion_right=grades[0].right,
            challenger_labelled=grades[1].labelled,
            challenger_right=grades[1].right,
        )
        return evidence, trial

    def _step(self, deployment: Deployment, action: str, judgement: Judgement) -> CanaryStep:
        return CanaryStep(
            share=deployment.share,
            action=action,
            reason=judgement.reason,
            at=self._clock.now(),
            measured=judgement.measured,
        )

    def status(self, deployment: str) -> CanaryStatus | None:
        """How a canary does, as it was last looked at."""
        return self._said.get(deployment)

    def _look(self, endpoint: Endpoint, challenger: Deployment) -> bool:
        champion, way = endpoint.live, challenger.canary
        if champion is None or way is None:
            return False
        evidence, trial = self._evidence(endpoint, champion, challenger, way)
        now, before = self._clock.now(), trial.replayed
        live = evidence.challenger.requests - before.requests
        if trial.step != way.step:
            trial.step, trial.began_at, trial.tried_at = way.step, now, None
            trial.at_step, trial.live_at_step = evidence.challenger.requests, live
        if trial.tried_at is None and live > trial.live_at_step:
            trial.tried_at = now

        def judged() -> Judgement:
            known = _with_replays(evidence, before, trial)
            progress = _progress(trial, live, known.challenger.requests, now)
            return canary.decided(way.plan, canary.judge(way.plan, known), progress)

        if way.plan.replay and _seconds(trial.began_at, now) >= way.plan.patience_seconds:
            self._replay(endpoint, champion, challenger, (trial, judged))
        judgement = judged()
        self._said[challenger.id] = CanaryStatus(
            endpoint=endpoint.name,
            deployment=challenger.number,
            champion=champion.number,
            step=way.step + 1,
            steps=len(way.plan.steps),
            share=challenger.share,
            action=judgement.action,
            reason=judgement.reason,
            measured=judgement.measured,
        )
        return self._act(challenger, way.plan, judgement, tried=trial.tried_at is not None)

    def _act(
        self, challenger: Deployment, plan: CanaryPlan, judgement: Judgement, *, tried: bool
    ) -> bool:
        action = judgement.action
        if action == "wait" or (action == "advance" and not plan.automatic):
            told = judgement.reason
            if action == "advance":
                told = "shows no harm; waits for its promotion"
            elif tried:  # the figures change with each request: `endpoint canary` tells them
                told = "is judged on its requests"
            self._traffic.note(challenger, told)
            return False
        step = self._step(challenger, action, judgement)
        move = self._traffic.advance if action == "advance" else self._traffic.refuse
        # Somebody may have ended it meanwhile.
        with suppress(NoCanary, EndpointNotFound), self._moving():
            move(SYSTEM, challenger, step)
        return True

    def _replay(
        self,
        endpoint: Endpoint,
        champion: Deployment,
        challenger: Deployment,
        judging: tuple[_Trial, Callable[[], Judgement]],
    ) -> None:
        """Ask the challenger what was asked of its endpoint before, until that is enough.

        Nobody sees the answers. What is left of the rows is kept for the next step.
        """
        trial, judged = judging
        plan = challenger.canary.plan if challenger.canary else CanaryPlan()
        socket = self._socket_of(challenger.id)
        if not socket:
            return  # its worker is being started
        if trial.sample is None or trial.exhausted():
            self._read(endpoint, champion, plan, trial)
        if trial.exhausted():
            return
        try:
            with Caller(socket) as caller:
                for _ in range(_ROUNDS):
                    if trial.exhausted() or judged().action != "wait":
                        break
                    self._ask(caller, challenger.signature, plan, trial)
        except WorkerUnavailable:
            trial.replayed += Counts(requests=1, errors=1)

    def _read(
        self, endpoint: Endpoint, champion: Deployment, plan: CanaryPlan, trial: _Trial
    ) -> None:
        """Have rows to replay: at first what is logged, later what came since."""
        now, mark = self._clock.now(), self._log.predictions_mark()
        since = None
        if trial.read_at is not None:
            if _seconds(trial.read_at, now) < _READ_AGAIN_SECONDS or mark == trial.read_mark:
                return
            since = trial.read_at - _LOGGED_LATE
        if trial.sample is None:
            trial.champion = champion.id
        had = trial.sample or []
        # More than steps without a mishap take: mishaps take more, and rounds come whole.
        wanted = 2 * canary.needed(plan) + (plan.requests + _TOGETHER) * len(plan.steps)
        known = {row.id for row in had}
        fresh = [
            row
            for row in self._sample(endpoint, champion, min(wanted, _MOST_REPLAYED), since)
            if row.id not in known
        ]
        trial.sample = had + fresh[: _MOST_REPLAYED - len(had)]
        trial.read_at, trial.read_mark = now, mark

    def _sample(
        self, endpoint: Endpoint, champion: Deployment, size: int, since: datetime | None
    ) -> list[Prediction]:
        """The champion's latest rows, labelled ones too; else the endpoint's."""
        found: dict[str, Prediction] = {}
        try:
            for deployment, labelled in ((champion.id, True), (champion.id, None), (None, None)):
                if len(found) < size and (deployment is not None or not found):
                    query = PredictionQuery(
                        deployment=deployment, labelled=labelled, since=since, limit=size
                    )
                    found |= {row.id: row for row in self._log.query(endpoint.name, query)}
        except AthanorError:
            logger.exception("The log of endpoint %s can't be replayed", endpoint.name)
        return list(found.values())

    def _ask(
        self,
        caller: Caller,
        signature: Signature,
        plan: CanaryPlan,
        trial: _Trial,
    ) -> None:
        """Send the next requests of the sample; each of its rows is asked, and counts, once."""
        asked = (trial.sample or [])[trial.place : trial.place + _TOGETHER]
        trial.place += len(asked)
        rows = [
            [item.features.get(name) for name in signature.names] or [item.features]
            for item in asked
        ]
        for logged, timed in zip(asked, caller.predict([[row] for row in rows]), strict=True):
            # Another version's answers tell nothing about the champion's quality.
            fresh = logged.deployment == trial.champion
            self._count(caller.hello, signature, plan, (logged, timed), trial, fresh=fresh)

    def _count(
        self,
        hello: Hello,
        signature: Signature,
        plan: CanaryPlan,
        answered: tuple[Prediction, Timed],
        trial: _Trial,
        *,
        fresh: bool,
    ) -> None:
        logged, timed = answered
        label, score = _read(timed.reply, hello, signature)
        sound = math.isfinite(score) and (not hello.classes or 0.0 <= score <= 1.0)
        trial.replayed += Counts(
            requests=1,
            errors=bool(timed.reply.error),
            slow=timed.seconds > (trial.slow_seconds or plan.slow_seconds),
            nonsense=not timed.reply.error and not sound,
        )
        if fresh and not hello.classes:
            _compare_values(logged, score, trial)
        if not fresh or label is None or logged.label is None:
            return
        trial.compared += 1
        trial.agreed += label == logged.label
        if logged.truth is not None and label != logged.label:
            trial.champion_alone_right += logged.label == logged.truth
            trial.challenger_alone_right += label == logged.truth


def _read(reply: Reply, hello: Hello, signature: Signature) -> tuple[str | None, float]:
    """The label and score of a reply for one row; a score that no model told is a sound one."""
    if reply.error:
        return None, math.nan
    numbers = struct.unpack(f"<{len(reply.numbers) // 8}d", reply.numbers)
    if not hello.classes:
        label = Predicted(ids=[""], values=reply.values).label(0)
        return None if label is None else str(label), numbers[0] if numbers else 0.0
    chosen = reply.labels[0]
    place = scored(signature, hello.classes)
    score = numbers[chosen if place < 0 else place] if numbers else 1.0
    return str(hello.classes[chosen]), score


def _with_replays(evidence: Evidence, before: Counts, trial: _Trial) -> Evidence:
    """The evidence with what was replayed meanwhile."""
    more = Counts(
        requests=trial.replayed.requests - before.requests,
        errors=trial.replayed.errors - before.errors,
        slow=trial.replayed.slow - before.slow,
        nonsense=trial.replayed.nonsense - before.nonsense,
    )
    return replace(
        evidence,
        challenger=evidence.challenger + more,
        compared=trial.compared,
        agreed=trial.agreed,
        champion_alone_right=trial.champion_alone_right,
        challenger_alone_right=trial.challenger_alone_right,
    )


def _compare_values(logged: Prediction, value: float, trial: _Trial) -> None:
    """Of a regressor: which of the two is closer to the truth."""
    if logged.truth is None or logged.score is None or not math.isfinite(value):
        return
    try:
        truth = float(logged.truth)
    except ValueError:
        return
    mine, theirs = abs(value - truth), abs(logged.score - truth)
    trial.champion_alone_right += theirs < mine
    trial.challenger_alone_right += mine < theirs


def _limit(stats: Mapping[str, Any], champion: str, plan: CanaryPlan) -> float:
    """What is slow: as the plan says, or as the champion's own answers say."""
    if plan.slow_factor is None:
        return plan.slow_seconds
    columns = [series["buckets"] for series in stats.get(champion, ())]
    buckets = [sum(column) for column in zip(*columns, strict=True)]
    total = sum(buckets)
    if total < _ENOUGH_TO_TELL:
        return plan.slow_seconds
    seen, p95 = 0, BUCKETS[-1]
    for bound, count in zip(BUCKETS, buckets, strict=False):
        seen += count
        if seen >= _SLOWEST_PART * total:
            p95 = bound
            break
    wanted = plan.slow_factor * p95
    return next((bound for bound in BUCKETS if bound >= wanted), wanted)


def _counted(stats: Mapping[str, Any], deployment: str, slow_seconds: float) -> Counts:
    """A deployment's counts over all planes."""
    total = Counts()
    for series in stats.get(deployment, ()):
        codes = {int(code): int(count) for code, count in series["codes"].items()}
        failed = sum(
            count
            for code, count in codes.items()
            if code >= _SERVER_FAULT or code == _MODEL_REFUSED
        )
        bounds = (*BUCKETS, math.inf)
        slow = sum(
            count
            for bound, count in zip(bounds, series["buckets"], strict=True)
            if bound > slow_seconds
        )
        total += Counts(
            requests=codes.get(200, 0) + failed,
            errors=failed,
            slow=slow,
            nonsense=int(series["nonsense"]),
        )
    return total


def _since(base: Counts, now: Counts) -> Counts:
    """What came since; a plane that was restarted counts from zero again."""
    if now.requests < base.requests:
        return now
    return Counts(
        requests=now.requests - base.requests,
        errors=max(0, now.errors - base.errors),
        slow=max(0, now.slow - base.slow),
        nonsense=max(0, now.nonsense - base.nonsense),
    )


def _progress(trial: _Trial, live: int, seen: int, now: datetime) -> Progress:
    """How far the step under way has come, by the requests of all steps."""
    return Progress(
        seconds=_seconds(trial.began_at, now),
        tried_seconds=_seconds(trial.tried_at, now),
        live=live - trial.live_at_step,
        seen=seen - trial.at_step,
        replayed=trial.place,
        exhausted=trial.exhausted(),
    )


def _seconds(since: datetime | None, now: datetime) -> float:
    return (now - since).total_seconds() if since else 0.0
