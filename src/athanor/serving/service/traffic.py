"""How traffic moves between the deployments of an endpoint: each move one transaction, told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database
from athanor.kernel.events import Events
from athanor.kernel.permissions import Principal
from athanor.lineage import Lineage
from athanor.serving.errors import EndpointNotFound, NoCanary, NoEarlierDeployment
from athanor.serving.logic.canary import Progress, waits
from athanor.serving.store import EndpointStore
from athanor.serving.types import (
    RUNNING,
    Canary,
    CanaryStep,
    Deployment,
    DeploymentState,
    Endpoint,
)
from athanor.serving.types.rollouts import HeaderRule

_WITHDRAWN = "rolled back by"
"""How the reason of a deployment begins that a rollback took the traffic from."""


class Traffic:
    """The moves. `by` is whoever wanted it: a person, or the platform."""

    def __init__(
        self,
        store: EndpointStore,
        database: Database,
        *,
        events: Events,
        lineage: Lineage,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._events = events
        self._lineage = lineage
        self._clock = clock

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All moves inside, and what is done with them, before anybody sees them."""
        with self._database.transaction():
            yield

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint as it stands.

        Raises: EndpointNotFound.
        """
        found = self._store.find(name)
        if found is None:
            raise EndpointNotFound(name, (item.name for item in self._store.all()))
        return found

    def supersede(self, by: Principal, endpoint: Endpoint, number: int) -> None:
        """Take the candidate away for a newer one."""
        candidate = endpoint.candidate
        if candidate is not None:
            self._end(by, candidate, "retired", f"superseded by deployment {number}")
            self._divide(endpoint, 1.0)

    def ready(self, by: Principal, deployment: Deployment) -> None:
        """Its worker answers: it comes to its traffic as its rollout says."""
        with self._database.transaction():
            endpoint = self._store.find(deployment.endpoint)
            current = self._store.deployment(deployment.id)
            if endpoint is None or current is None or current.state != "starting":
                return  # it was removed or superseded meanwhile
            kind = current.rollout.kind
            if kind == "member":
                self._set(current, "member", 0.0, "answers requests that name it")
                self._told_shares(by, endpoint)
            elif endpoint.live is None:
                self._take_over(by, endpoint, current, "ready")
            elif kind == "shadow":
                self._set(current, "shadow", 0.0, "its answers are compared, not returned")
                self._told_shares(by, endpoint)
            elif kind == "stage":
                self._set(current, "staged", 0.0, "waits for its promotion")
                self._told_shares(by, endpoint)
            elif kind == "share":
                self._join(by, endpoint, current)
            elif current.canary is None:
                self._take_over(by, endpoint, current, "ready")
            else:
                self._to_step(by, endpoint, current, current.canary, 0)

    def failed(self, by: Principal, deployment: Deployment, reason: str) -> None:
        """Its model can't be loaded: what it had goes to the others, or back to the ones before."""
        with self._database.transaction():
            current = self._store.deployment(deployment.id)
            if current is None or current.state not in RUNNING:
                return
            self._end(by, current, "failed", reason)
            endpoint = self.endpoint(deployment.endpoint)
            if current.state == "live" and not endpoint.lives:
                self._restore(endpoint, f"deployment {current.number} failed", otherwise=True)
            else:
                self._divide(endpoint, 1.0)
            self._tell(by, "serving.deployment.failed", current, {"reason": reason})
            self._told_shares(by, endpoint)

    def advance(self, by: Principal, deployment: Deployment, step: CanaryStep) -> None:
        """Give a canary its next share, or all of the traffic after its last one."""
        with self._database.transaction():
            endpoint, current, canary = self._canary(deployment)
            judged = replace(canary, history=(*canary.history, step))
            following = canary.step + 1
            if following < len(canary.plan.steps):
                self._to_step(by, endpoint, current, judged, following, step)
            else:
                self._store.change_deployment(current.id, {"canary": judged})
                self._take_over(by, endpoint, current, step.reason)
                detail = {"reason": step.reason, "measured": step.measured}
                self._tell(by, "serving.canary.finished", current, detail)

    def note(self, deployment: Deployment, reason: str) -> None:
        """Keep what a canary waits for, where that is new."""
        if deployment.reason == reason:
            return
        with self._database.transaction():
            current = self._store.deployment(deployment.id)
            if current is not None and current.state == "canary":
                self._store.change_deployment(current.id, {"reason": reason})

    def refuse(self, by: Principal, deployment: Deployment, step: CanaryStep) -> None:
        """Take a canary's share back."""
        with self._database.transaction():
            endpoint, current, canary = self._canary(deployment)
            judged = replace(canary, history=(*canary.history, step))
            self._store.change_deployment(current.id, {"canary": judged})
            self._end(by, current, "refused", step.reason)
            self._divide(endpoint, 1.0)
            detail = {"reason": step.reason, "share": step.share, "measured": step.measured}
            self._tell(by, "serving.canary.refused", current, detail)
            self._told_shares(by, endpoint)

    def revert(self, by: Principal, deployment: Deployment, step: CanaryStep) -> None:
        """Bring back what was before a canary that took over, and end that one.

        Raises: EndpointNotFound, NoCanary.
        """
        with self._database.transaction():
            endpoint = self.endpoint(deployment.endpoint)
            current = self._store.deployment(deployment.id)
            if current is None or current.state != "live" or current.canary is None:
                raise NoCanary(deployment.endpoint)
            reason = f"after it had taken over: {step.reason}"
            why = f"brought back, as deployment {current.number} failed"
            if not self._restore(endpoint, why, otherwise=True):
                raise NoCanary(deployment.endpoint)
            judged = replace(current.canary, history=(*current.canary.history, step))
            self._store.change_deployment(current.id, {"canary": judged})
            self._end(by, current, "refused", reason)
            detail = {"reason": reason, "share": step.share, "measured": step.measured}
            self._tell(by, "serving.canary.refused", current, detail)
            now = self.endpoint(endpoint.name)
            moved = {"from": _named(current), "to": _named(now.live or current)}
            self._events.tell(
                by, "serving.endpoint.rolled_back", now.name, moved, project=now.project
            )
            self._told_shares(by, now)

    def promote(self, by: Principal, name: str, reason: str) -> None:
        """Have the candidate take over now, without further judgement; without one, a shadow.

        Raises: EndpointNotFound, NoCanary.
        """
        with self._database.transaction():
            endpoint = self.endpoint(name)
            candidate = endpoint.candidate
            if candidate is None or candidate.state == "starting":
                found = (item for item in endpoint.deployments if item.state == "shadow")
                candidate = next(found, None)
            if candidate is None:
                raise NoCanary(name)
            if candidate.canary is not None:
                step = CanaryStep(
                    share=candidate.share, action="promote", reason=reason, at=self._clock.now()
                )
                judged = replace(candidate.canary, history=(*candidate.canary.history, step))
                self._store.change_deployment(candidate.id, {"canary": judged})
            self._take_over(by, endpoint, candidate, reason)
            self._tell(by, "serving.canary.finished", candidate, {"reason": reason})

    def roll_back(self, by: Principal, name: str) -> None:
        """End a candidate; without one, divide the traffic as it was before its last change.

        What a rollback withdrew, no second one brings back: that takes a split or a deployment.

        Raises: EndpointNotFound, NoEarlierDeployment.
        """
        with self._database.transaction():
            endpoint = self.endpoint(name)
            live, candidate = endpoint.live, endpoint.candidate
            if candidate is not None and live is not None:
                self._end(by, candidate, "refused", f"{_WITHDRAWN} {by.name}")
                self._divide(endpoint, 1.0)
                left, came = candidate, live
            elif live is None or not self._restore(endpoint, f"{_WITHDRAWN} {by.name}"):
                raise _nothing_earlier(endpoint)
            else:
                left, came = live, self.endpoint(name).live or live
            detail = {"from": _named(left), "to": _named(came)}
            self._events.tell(
                by, "serving.endpoint.rolled_back", name, detail, project=endpoint.project
            )
            self._told_shares(by, endpoint)

    def split(self, by: Principal, endpoint: Endpoint, shares: Mapping[str, float]) -> None:
        """Divide the traffic among deployments (id to share, summing to 1) that are ready."""
        self._remember(endpoint)
        for item in endpoint.deployments:
            share = shares.get(item.id, 0.0)
            if share:
                self._set(item, "live", share, f"has a share by {by.name}")
            elif item.state == "live":
                self._set(item, "standby", 0.0, f"its share was given away by {by.name}")

    def retire(self, by: Principal, endpoint: Endpoint, deployment: Deployment) -> None:
        """End one deployment; its share goes to the others."""
        self._end(by, deployment, "retired", f"retired by {by.name}")
        self._divide(self.endpoint(endpoint.name), 1.0)
        self._told_shares(by, endpoint)

    def told(self, by: Principal, endpoint: Endpoint) -> None:
        """Tell how the traffic is divided now."""
        self._told_shares(by, endpoint)

    def close(self, by: Principal, endpoint: Endpoint) -> None:
        """End every deployment of an endpoint that goes away."""
        for deployment in endpoint.deployments:
            if deployment.state in RUNNING:
                self._end(by, deployment, "retired", f"the endpoint was removed by {by.name}")

    def _canary(self, deployment: Deployment) -> tuple[Endpoint, Deployment, Canary]:
        endpoint = self.endpoint(deployment.endpoint)
        current = self._store.deployment(deployment.id)
        if current is None or current.state != "canary" or current.canary is None:
            raise NoCanary(deployment.endpoint)
        return endpoint, current, current.canary

    def _to_step(
        self,
        by: Principal,
        endpoint: Endpoint,
        deployment: Deployment,
        canary: Canary,
        place: int,
        judged: CanaryStep | None = None,
    ) -> None:
        share = canary.plan.steps[place]
        begun = replace(canary, step=place, began_at=self._clock.now())
        waiting = waits(canary.plan, Progress())
        self._store.change_deployment(
            deployment.id, {"state": "canary", "share": share, "canary": begun, "reason": waiting}
        )
        self._divide(endpoint, 1.0 - share)
        detail: dict[str, Any] = {
            "share": share,
            "step": place + 1,
            "steps": len(canary.plan.steps),
        }
        if judged is not None:
            detail |= {"reason": judged.reason, "measured": judged.measured}
        self._tell(by, "serving.canary.advanced", deployment, detail)
        self._told_shares(by, endpoint)

    def _take_over(
        self, by: Principal, endpoint: Endpoint, deployment: Deployment, reason: str
    ) -> None:
        self._remember(endpoint)
        ruled = {rule.deployment for rule in endpoint.rules}
        why = f"deployment {deployment.number} took over"
        for item in endpoint.deployments:
            if item.id == deployment.id:
                continue
            if item.state == "standby" and item.number not in ruled:
                self._end(by, item, "retired", why)
            elif item.state == "live":
                self._set(item, "standby", 0.0, why)
        self._set(deployment, "live", 1.0, reason)
        self._told_shares(by, endpoint)

    def _join(self, by: Principal, endpoint: Endpoint, deployment: Deployment) -> None:
        """Give a deployment its part beside the others."""
        share = deployment.rollout.share
        if not share:
            self._set(deployment, "standby", 0.0, "reached by rules and by its number")
        else:
            self._remember(endpoint)
            taken = sum(item.share for item in endpoint.deployments if item.state == "canary")
            self._divide(endpoint, (1.0 - share) * (1.0 - taken))
            self._set(deployment, "live", share * (1.0 - taken), "has its share")
            if share == 1.0:
                for item in endpoint.lives:
                    self._set(item, "standby", 0.0, f"deployment {deployment.number} has it all")
        self._told_shares(by, endpoint)

    def _remember(self, endpoint: Endpoint) -> None:
        """Keep how the traffic is divided, for a rollback."""
        total = sum(item.share for item in endpoint.lives)
        if total:
            earlier = {item.id: item.share / total for item in endpoint.lives}
            self._store.change_endpoint(endpoint.name, {"earlier": earlier})

    def _restore(self, endpoint: Endpoint, reason: str, *, otherwise: bool = False) -> bool:
        """Divide the traffic as it was before; False where that is how it is divided, or none runs.

        `otherwise` lets another deployment that is ready come in instead.
        """
        running = {item.id: item for item in endpoint.deployments if item.state in RUNNING}
        before = {name: share for name, share in endpoint.earlier.items() if name in running}
        if not before and otherwise and endpoint.standby is not None:
            before = {endpoint.standby.id: 1.0}
        total = sum(before.values())
        now = {item.id: item.share for item in endpoint.lives}
        if not total or _alike(before, now):
            return False
        self._store.change_endpoint(endpoint.name, {"earlier": {}})
        for item in endpoint.lives:
            if item.id not in before:
                self._set(item, "standby", 0.0, reason)
        for name, share in before.items():
            self._set(running[name], "live", share / total, reason)
        return True

    def _divide(self, endpoint: Endpoint, rest: float) -> None:
        """Give this much to those that are live, each its part of it."""
        lives = self.endpoint(endpoint.name).lives
        total = sum(item.share for item in lives)
        for item in lives:
            part = item.share / total if total else 1.0 / len(lives)
            self._store.change_deployment(item.id, {"share": rest * part})

    def _set(
        self, deployment: Deployment, state: DeploymentState, share: float, reason: str
    ) -> None:
        self._store.change_deployment(
            deployment.id, {"state": state, "share": share, "reason": reason}
        )

    def _end(
        self, by: Principal, deployment: Deployment, state: DeploymentState, reason: str
    ) -> None:
        rules = self.endpoint(deployment.endpoint).rules
        gone = [f"{rule.header}: {rule.value}" for rule in rules if _is_to(rule, deployment)]
        if gone:  # a rule leads to what answers
            left = tuple(rule for rule in rules if not _is_to(rule, deployment))
            self._store.change_endpoint(deployment.endpoint, {"rules": left})
            reason = f"{reason}; its rules went with it: {', '.join(gone)}"
        self._store.change_deployment(
            deployment.id,
            {"state": state, "share": 0.0, "reason": reason, "ended_at": self._clock.now()},
        )
        self._lineage.finish_run(by, deployment.id, "failed" if state == "failed" else "done")

    def _told_shares(self, by: Principal, endpoint: Endpoint) -> None:
        self._store.change_endpoint(endpoint.name, {})
        now = self.endpoint(endpoint.name)
        shares = [_named(item) | {"share": item.share} for item in now.deployments if item.share]
        self._events.tell(
            by,
            "serving.traffic.changed",
            endpoint.name,
            {"revision": now.revision, "shares": shares},
            project=endpoint.project,
        )

    def _tell(
        self, by: Principal, action: str, deployment: Deployment, detail: Mapping[str, Any]
    ) -> None:
        self._events.tell(by, action, deployment.endpoint, _named(deployment) | dict(detail))


def _alike(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether these shares divide the traffic in the same way."""
    parts = [
        {name: round(share / sum(shares.values()), 6) for name, share in shares.items() if share}
        for shares in (one, other)
    ]
    return parts[0] == parts[1]


def _is_to(rule: HeaderRule, deployment: Deployment) -> bool:
    return rule.deployment == deployment.number


def _named(deployment: Deployment) -> dict[str, Any]:
    return {
        "endpoint": deployment.endpoint,
        "deployment": deployment.id,
        "number": deployment.number,
        "model": deployment.model,
        "version": deployment.version,
    }


def _nothing_earlier(endpoint: Endpoint) -> NoEarlierDeployment:
    """Why no rollback is possible, with the ways there are."""
    live = endpoint.live
    withdrawn = [
        item.number
        for item in endpoint.deployments
        if item.state == "standby" and item.reason.startswith(_WITHDRAWN)
    ]
    retired = [
        f"{item.model}@{item.version}"
        for item in endpoint.deployments
        if item.state == "retired" and live is not None and item.number < live.number
    ]
    return NoEarlierDeployment(
        endpoint.name, withdrawn[0] if withdrawn else None, retired[0] if retired else ""
    )
