"""The verbs of deployments: how the traffic is divided among them, and what runs of them."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.kernel.database import Database
from athanor.kernel.permissions import Access, Principal
from athanor.kernel.redaction import redact
from athanor.serving.errors import DeploymentNotFound, NoCanary
from athanor.serving.errors.deployments import (
    CanaryUnderWay,
    DeploymentNotReady,
    EndpointIsGraph,
    LastDeployment,
    NoShadow,
    RuleInvalid,
    SharesInvalid,
)
from athanor.serving.logic.rollouts import check_rules, checked, is_header, shares_by_number
from athanor.serving.ports import Fleet
from athanor.serving.service.traffic import Traffic
from athanor.serving.shadows import ShadowLog
from athanor.serving.store import EndpointStore
from athanor.serving.types import RUNNING, Deployment, Endpoint
from athanor.serving.types.rollouts import (
    CanaryStatus,
    DeploymentOutput,
    EndpointStatus,
    Scaling,
    ShadowReport,
    TrafficRules,
)

_MOST_OUTPUT = 1 << 20
_SHOWN = RUNNING | {"failed"}
_ANSWERS = frozenset({"live", "canary", "member"})
_DIVISIBLE = frozenset({"live", "standby", "staged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `Deployments` works with."""

    traffic: Traffic
    fleet: Fleet
    shadows: ShadowLog
    logs: Path
    """Where the workers' output is kept, a file a deployment."""


class Deployments:
    """Several model versions behind one endpoint: their shares, rules, workers."""

    def __init__(
        self, store: EndpointStore, database: Database, *, access: Access, parts: Parts
    ) -> None:
        self._store = store
        self._database = database
        self._access = access
        self._traffic = parts.traffic
        self._fleet = parts.fleet
        self._shadows = parts.shadows
        self._logs = parts.logs

    def traffic(self, who: Principal, name: str) -> TrafficRules:
        """How the endpoint's traffic is divided.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.get", name)
        return _rules_of(self._traffic.endpoint(name))

    def split(self, who: Principal, name: str, rules: TrafficRules) -> TrafficRules:
        """Divide the endpoint's traffic: by shares, by headers, sticky or not; at once.

        Raises: EndpointNotFound, DeploymentNotFound, SharesInvalid, RuleInvalid,
        DeploymentNotReady, CanaryUnderWay, EndpointIsGraph.
        """
        self._access.require(who, "serving.split", name)
        with self._database.transaction():
            endpoint = self._traffic.endpoint(name)
            if endpoint.graph is not None:
                raise EndpointIsGraph(name)
            changes: dict[str, Any] = {}
            if rules.rules is not None:
                check_rules(endpoint, rules.rules)
                changes["rules"] = rules.rules
            if rules.sticky is not None:
                if rules.sticky and not is_header(rules.sticky):
                    raise RuleInvalid(0, f"{rules.sticky!r} is no header's name")
                changes["sticky"] = rules.sticky
            if rules.shares is not None:
                self._traffic.split(who, endpoint, _shares(endpoint, rules.shares))
            self._store.change_endpoint(name, changes)
            self._traffic.told(who, endpoint)
        self._database.after_commit(self._fleet.changed)
        return _rules_of(self._traffic.endpoint(name))

    def retire(self, who: Principal, name: str, number: int) -> Endpoint:
        """End one deployment; its share goes to the others.

        Raises: EndpointNotFound, DeploymentNotFound, LastDeployment.
        """
        self._access.require(who, "serving.retire", name)
        with self._database.transaction():
            endpoint = self._traffic.endpoint(name)
            deployment = _numbered(endpoint, number)
            if deployment.state not in RUNNING:
                raise DeploymentNotFound(name, str(number))
            if deployment.state == "live" and len(endpoint.lives) == 1:
                raise LastDeployment(name, number)
            self._traffic.retire(who, endpoint, deployment)
        self._database.after_commit(self._fleet.changed)
        return self._traffic.endpoint(name)

    def scale(self, who: Principal, name: str, number: int, scaling: Scaling) -> Deployment:
        """Change how many workers a deployment has by its load; 0 at least lets it sleep.

        Raises: EndpointNotFound, DeploymentNotFound, ScalingInvalid.
        """
        self._access.require(who, "serving.scale", name)
        with self._database.transaction():
            deployment = _numbered(self._traffic.endpoint(name), number)
            if deployment.state not in RUNNING:
                raise DeploymentNotFound(name, str(number))
            self._store.change_deployment(deployment.id, {"scaling": checked(scaling)})
        self._database.after_commit(self._fleet.changed)
        return _numbered(self._traffic.endpoint(name), number)

    def status(self, who: Principal, name: str) -> EndpointStatus:
        """What runs of an endpoint at this moment: workers, sleep, cold starts, requests.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.get", name)
        endpoint = self._traffic.endpoint(name)
        shown = [item for item in endpoint.deployments if item.state in _SHOWN]
        found = self._fleet.status(shown)
        if found is None:
            problem = endpoint.problem or "no server runs in this workspace: athanor up"
            return EndpointStatus(endpoint=name, running=False, ready=False, problem=problem)
        ready = any(
            (item.workers or item.asleep or item.runtime != "native") and item.state in _ANSWERS
            for item in found
        )
        return EndpointStatus(
            endpoint=name,
            running=True,
            ready=ready,
            problem=endpoint.problem,
            deployments=tuple(found),
        )

    def wake(self, who: Principal, name: str) -> EndpointStatus:
        """Have a worker for each deployment with traffic that sleeps, before a request comes.

        Raises: EndpointNotFound.
        """
        self._access.require(who, "serving.wake", name)
        for item in self._traffic.endpoint(name).deployments:
            if item.state in RUNNING and item.state not in {"member", "standby"}:
                self._fleet.wake(item.id)
        return self.status(who, name)

    def shadow(self, who: Principal, name: str, number: int | None = None) -> ShadowReport:
        """A shadow's answers compared with those that were returned; the newest one's, if None.

        Raises: EndpointNotFound, NoShadow.
        """
        self._access.require(who, "serving.predictions", name)
        endpoint = self._traffic.endpoint(name)
        found = (
            item
            for item in endpoint.deployments
            if item.rollout.kind == "shadow" and number in {None, item.number}
        )
        shadow = next(found, None)
        if shadow is None:
            raise NoShadow(name, number)
        return self._shadows.report(shadow)

    def canary(self, who: Principal, name: str) -> CanaryStatus:
        """How the canary under way does: its step, the evidence, what it says so far.

        Raises: EndpointNotFound, NoCanary.
        """
        self._access.require(who, "serving.get", name)
        endpoint = self._traffic.endpoint(name)
        under_way = next((item for item in endpoint.deployments if item.state == "canary"), None)
        if under_way is None or under_way.canary is None or endpoint.live is None:
            raise NoCanary(name)
        said = self._fleet.canary(under_way.id)
        if said is not None and said.step == under_way.canary.step + 1:
            return said
        return CanaryStatus(
            endpoint=name,
            deployment=under_way.number,
            champion=endpoint.live.number,
            step=under_way.canary.step + 1,
            steps=len(under_way.canary.plan.steps),
            share=under_way.share,
            action="wait",
            reason="it was not looked at since this step began",
        )

    def output(
        self, who: Principal, name: str, number: int | None = None, lines: int = 100
    ) -> DeploymentOutput:
        """The last lines that a deployment's workers printed; the newest one's, unless said.

        `lines` is 1 to 10,000; of what was printed the last megabyte is looked at.

        Raises: EndpointNotFound, DeploymentNotFound.
        """
        self._access.require(who, "serving.status", name)
        endpoint = self._traffic.endpoint(name)
        if number is None:
            number = endpoint.deployments[0].number if endpoint.deployments else 1
        path = self._logs / f"{_numbered(endpoint, number).id}.log"
        last: list[str] = []
        with suppress(FileNotFoundError), path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _MOST_OUTPUT))
            last = stream.read().decode("utf-8", "replace").splitlines()[-lines:]
        return DeploymentOutput(endpoint=name, deployment=number, lines=tuple(map(redact, last)))


def _numbered(endpoint: Endpoint, number: int) -> Deployment:
    for item in endpoint.deployments:
        if item.number == number:
            return item
    raise DeploymentNotFound(endpoint.name, str(number))


def _shares(endpoint: Endpoint, shares: dict[str, float]) -> dict[str, float]:
    """The shares by deployment id, of deployments that can have them."""
    canary = next((item for item in endpoint.deployments if item.state == "canary"), None)
    if canary is not None:
        raise CanaryUnderWay(endpoint.name, canary.number)
    found: dict[str, float] = {}
    for number, share in shares_by_number(endpoint, shares).items():
        deployment = _numbered(endpoint, number)
        if share and deployment.state not in _DIVISIBLE:
            raise DeploymentNotReady(endpoint.name, number, deployment.state)
        found[deployment.id] = share
    if not found:
        raise SharesInvalid(endpoint.name, "no deployment has a share")
    return found


def _rules_of(endpoint: Endpoint) -> TrafficRules:
    return TrafficRules(
        shares={str(item.number): item.share for item in endpoint.deployments if item.share},
        rules=endpoint.rules,
        sticky=endpoint.sticky,
    )
