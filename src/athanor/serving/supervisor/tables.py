"""Deployments as the planes see them, and as callers ask what runs of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from athanor.serving.errors.deployments import GraphInvalid
from athanor.serving.logic.graphs import read_by, signature_of_graph
from athanor.serving.logic.routing import Cold, Route, Rule, Target
from athanor.serving.supervisor.crew import Crew
from athanor.serving.supervisor.headcount import Headcount
from athanor.serving.types import RUNNING, Deployment, Endpoint, Signature
from athanor.serving.types.rollouts import ColdStart, DeploymentStatus

_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class Manning:
    """Who answers for deployments by now."""

    crew: Crew
    headcount: Headcount
    runtime_of: Callable[[str], dict[str, str]]
    """What answers inside the planes, by deployment: see `Target.runtime`."""


def routes_of(endpoints: Sequence[Endpoint], manning: Manning) -> list[Route]:
    """Every endpoint as planes see it."""
    live = {item.name: read_by(item.live) for item in endpoints if item.live is not None}
    return [_route(item, manning, live) for item in endpoints]


def _route(endpoint: Endpoint, manning: Manning, live: Mapping[str, Signature]) -> Route:
    """The endpoint as planes see it: who has traffic, and who may be asked by name."""
    targets = [
        _target(item, manning) if item.rollout.graph is None else _graph_target(item, live)
        for item in endpoint.deployments
        if item.state in RUNNING and item.state != "starting"
    ]
    ids = {target.number: target.id for target in targets}
    rules = [
        Rule(header=rule.header.lower(), value=rule.value, target=ids[rule.deployment])
        for rule in endpoint.rules
        if rule.deployment in ids
    ]
    return Route(
        name=endpoint.name,
        targets=targets,
        key=endpoint.key,
        rules=rules,
        sticky=endpoint.sticky.lower(),
        problem="" if targets else endpoint.problem,
        log=endpoint.log,
        mirrored=any(target.mirror > 0 for target in targets),
    )


def _target(deployment: Deployment, manning: Manning) -> Target:
    cold = manning.headcount.cold_start(deployment.id)
    asleep = manning.headcount.asleep(deployment.id)
    sockets = [] if asleep else manning.crew.sockets(deployment.id)
    return Target(
        id=deployment.id,
        number=deployment.number,
        model=deployment.model,
        version=deployment.version,
        weight=deployment.share,
        sockets=sockets,
        signature=deployment.signature,
        runtime=manning.runtime_of(deployment.id),
        features=deployment.features,
        mirror=deployment.rollout.share if deployment.state == "shadow" else 0.0,
        member=deployment.state == "member",
        asleep=asleep,
        cold=Cold(
            count=cold.count,
            last=cold.last_seconds or 0.0,
            total=(cold.mean_seconds or 0.0) * cold.count,
        ),
    )


def _graph_target(deployment: Deployment, live: Mapping[str, Signature]) -> Target:
    """A graph reads and answers what its endpoints do by now."""
    signature, broken = deployment.signature, ""
    if deployment.rollout.graph is not None:
        try:
            signature = signature_of_graph(deployment.rollout.graph, live.get)
        except GraphInvalid as error:
            broken = error.message
    return Target(
        id=deployment.id,
        number=deployment.number,
        model=deployment.model,
        version=deployment.version,
        weight=deployment.share,
        sockets=[],
        signature=signature,
        graph=deployment.rollout.graph,
        broken=broken,
    )


def unmanned(deployment: Deployment) -> DeploymentStatus:
    """A deployment of which nothing runs."""
    return DeploymentStatus(
        number=deployment.number,
        model=deployment.model,
        version=deployment.version,
        state=deployment.state,
        share=deployment.share,
        problem=deployment.reason if deployment.state == "failed" else "no server runs",
    )


def _runtime(deployment: Deployment) -> str:
    if deployment.rollout.graph is not None:
        return "graph"
    return deployment.runtime.kind if deployment.runtime is not None else "native"


def _compiled(deployment: Deployment) -> bool:
    return deployment.runtime is not None and deployment.runtime.kind != "native"


def status_of(
    deployment: Deployment, crew: Crew, headcount: Headcount, stats: Iterable[Any]
) -> DeploymentStatus:
    """What runs of a deployment at this moment; `stats` are the planes' figures."""
    series = list(stats)
    codes = [(int(code), int(count)) for item in series for code, count in item["codes"].items()]
    pids = tuple(crew.pids(deployment.id))
    running = deployment.state in RUNNING
    wanted = crew.size(deployment.id)
    return DeploymentStatus(
        number=deployment.number,
        model=deployment.model,
        version=deployment.version,
        state=deployment.state,
        share=deployment.share,
        runtime=_runtime(deployment),
        workers=len(pids),
        wanted=wanted,
        asleep=running and headcount.asleep(deployment.id),
        pids=pids,
        in_flight=sum(int(item.get("in_flight", 0)) for item in series),
        requests=sum(count for _, count in codes),
        errors=sum(count for code, count in codes if code >= _SERVER_FAULT),
        idle_seconds=headcount.idle_seconds(deployment.id) if running else None,
        cold_start=_loads(series) if _compiled(deployment) else headcount.cold_start(deployment.id),
        problem=crew.trouble(deployment.id) if running else deployment.reason,
    )


def _loads(series: list[Any]) -> ColdStart:
    """The cold starts of what answers inside the planes."""
    told = [item for item in series if item.get("wakes")]
    if not told:
        return ColdStart()
    count = sum(int(item["wakes"]) for item in told)
    return ColdStart(
        count=count,
        last_seconds=max(told, key=lambda item: float(item["used"]))["wakes_last"],
        mean_seconds=sum(float(item["wakes_total"]) for item in told) / count,
    )
