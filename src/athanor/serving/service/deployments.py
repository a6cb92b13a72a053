"""The verbs of deployments: how the traffic is divided among them, and what runs of them."""

from dataclasses import dataclass
from typing import Any

from athanor.kernel.database import Database
from athanor.kernel.permissions import Access, Principal
from athanor.serving.errors import DeploymentNotFound
from athanor.serving.errors.deployments import (
    CanaryUnderWay,
    DeploymentNotReady,
    EndpointIsGraph,
    LastDeployment,
    RuleInvalid,
    SharesInvalid,
)
from athanor.serving.logic.rollouts import check_rules, checked, is_header, shares_by_number
from athanor.serving.ports import Fleet
from athanor.serving.service.traffic import Traffic
from athanor.serving.store import EndpointStore
from athanor.serving.types import RUNNING, Deployment, Endpoint
from athanor.serving.types.rollouts import Scaling, TrafficRules

_DIVISIBLE = frozenset({"live", "standby", "staged"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What `Deployments` works with."""

    traffic: Traffic
    fleet: Fleet


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
