"""Deployments over HTTP: shares and rules, workers, shadows, canaries."""

from typing import Annotated

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.serving.service import Deployments, Graphs
from athanor.serving.types import Deployment, Endpoint
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.rollouts import (
    CanaryStatus,
    DeploymentOutput,
    EndpointStatus,
    Scaling,
    ShadowReport,
    TrafficRules,
)

router = room_router("serving")
TheDeployments = Annotated[Deployments, provide(Deployments)]
TheGraphs = Annotated[Graphs, provide(Graphs)]


@router.get("/endpoints/{name}/traffic")
def traffic(name: str, who: Caller, serving: TheDeployments) -> TrafficRules:
    """How the endpoint's traffic is divided: shares by deployment number, header rules."""
    return serving.traffic(who, name)


@router.put("/endpoints/{name}/traffic")
def split(name: str, rules: TrafficRules, who: Caller, serving: TheDeployments) -> TrafficRules:
    """Divide the endpoint's traffic: by shares, by headers, sticky or not; at once."""
    return serving.split(who, name, rules)


@router.delete("/endpoints/{name}/deployments/{number}")
def retire(name: str, number: int, who: Caller, serving: TheDeployments) -> Endpoint:
    """End one deployment; its share goes to the others."""
    return serving.retire(who, name, number)


@router.put("/endpoints/{name}/deployments/{number}/scaling")
def scale(
    name: str, number: int, scaling: Scaling, who: Caller, serving: TheDeployments
) -> Deployment:
    """Change how many workers a deployment has by its load; 0 at least lets it sleep."""
    return serving.scale(who, name, number, scaling)


@router.get("/endpoints/{name}/status")
def status(name: str, who: Caller, serving: TheDeployments) -> EndpointStatus:
    """What runs of an endpoint at this moment: workers, sleep, cold starts, requests."""
    return serving.status(who, name)


@router.post("/endpoints/{name}/wake")
def wake(name: str, who: Caller, serving: TheDeployments) -> EndpointStatus:
    """Have a worker for each deployment with traffic that sleeps, before a request comes."""
    return serving.wake(who, name)


@router.get("/endpoints/{name}/shadow")
def shadow(
    name: str, who: Caller, serving: TheDeployments, *, number: int | None = None
) -> ShadowReport:
    """A shadow's answers compared with those that were returned; the newest one, unless said."""
    return serving.shadow(who, name, number)


@router.get("/endpoints/{name}/canary")
def canary(name: str, who: Caller, serving: TheDeployments) -> CanaryStatus:
    """How the canary under way does: its step, the evidence, what it says so far."""
    return serving.canary(who, name)


@router.get("/endpoints/{name}/output")
def output(
    name: str,
    who: Caller,
    serving: TheDeployments,
    *,
    number: int | None = None,
    lines: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> DeploymentOutput:
    """What a deployment's workers printed last, traces too; the newest one's, unless said."""
    return serving.output(who, name, number, lines)


@router.get("/endpoints/{name}/graph")
def graph(name: str, who: Caller, graphs: TheGraphs) -> InferenceGraph:
    """How an endpoint answers through others."""
    return graphs.graph(who, name)


@router.put("/endpoints/{name}/graph", status_code=201)
def compose(name: str, graph: InferenceGraph, who: Caller, graphs: TheGraphs) -> Deployment:
    """Have an endpoint answer through others: a chain, an ensemble, a router."""
    return graphs.compose(who, name, graph)
