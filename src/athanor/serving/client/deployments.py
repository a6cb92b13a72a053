"""Deployments over a transport: shares and rules, workers, shadows, canaries."""

from collections.abc import Mapping, Sequence

from athanor.kernel.transport import Transport, segment
from athanor.serving.types import Deployment, Endpoint
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.rollouts import (
    CanaryStatus,
    DeploymentOutput,
    EndpointStatus,
    HeaderRule,
    Scaling,
    ShadowReport,
    TrafficRules,
)


class DeploymentsClient:
    """Several model versions behind one endpoint: their shares, rules, workers."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def traffic(self, name: str) -> TrafficRules:
        """How the endpoint's traffic is divided."""
        return self._transport.send("GET", f"{_path(name)}/traffic").read(TrafficRules)

    def split(
        self,
        name: str,
        shares: Mapping[int, float] | None = None,
        *,
        rules: Sequence[HeaderRule] | None = None,
        sticky: str | None = None,
    ) -> TrafficRules:
        """Divide the traffic: `split("churn", {1: 0.7, 2: 0.3})`; what is None stays."""
        body = TrafficRules(
            shares=None if shares is None else {str(name): part for name, part in shares.items()},
            rules=None if rules is None else tuple(rules),
            sticky=sticky,
        )
        path = f"{_path(name)}/traffic"
        return self._transport.send("PUT", path, body=body).read(TrafficRules)

    def retire(self, name: str, number: int) -> Endpoint:
        """End one deployment; its share goes to the others."""
        path = f"{_path(name)}/deployments/{number}"
        return self._transport.send("DELETE", path).read(Endpoint)

    def scale(self, name: str, number: int, scaling: Scaling) -> Deployment:
        """Change how many workers a deployment has by its load."""
        path = f"{_path(name)}/deployments/{number}/scaling"
        return self._transport.send("PUT", path, body=scaling).read(Deployment)

    def status(self, name: str) -> EndpointStatus:
        """What runs of an endpoint at this moment: workers, sleep, cold starts, requests."""
        return self._transport.send("GET", f"{_path(name)}/status").read(EndpointStatus)

    def wake(self, name: str) -> EndpointStatus:
        """Have workers for what sleeps before a request comes."""
        return self._transport.send("POST", f"{_path(name)}/wake").read(EndpointStatus)

    def shadow(self, name: str, number: int | None = None) -> ShadowReport:
        """A shadow's answers compared with those that were returned."""
        query = {} if number is None else {"number": number}
        path = f"{_path(name)}/shadow"
        return self._transport.send("GET", path, query=query).read(ShadowReport)

    def canary(self, name: str) -> CanaryStatus:
        """How the canary under way does."""
        return self._transport.send("GET", f"{_path(name)}/canary").read(CanaryStatus)

    def output(self, name: str, number: int | None = None, lines: int = 100) -> DeploymentOutput:
        """What a deployment's workers printed last, traces too; the newest one's, unless said."""
        query = {"lines": lines} | ({} if number is None else {"number": number})
        return self._transport.send("GET", f"{_path(name)}/output", query=query).read(
            DeploymentOutput
        )

    def compose(self, name: str, graph: InferenceGraph) -> Deployment:
        """Have an endpoint answer through others: a chain, an ensemble, a router."""
        return self._transport.send("PUT", f"{_path(name)}/graph", body=graph).read(Deployment)

    def graph(self, name: str) -> InferenceGraph:
        """How an endpoint answers through others."""
        return self._transport.send("GET", f"{_path(name)}/graph").read(InferenceGraph)


def _path(name: str) -> str:
    return f"/endpoints/{segment(name)}"
