"""Endpoints as the planes see them."""

from collections.abc import Callable

from athanor.serving.logic.routing import Route, Rule, Target
from athanor.serving.types import RUNNING, Deployment, Endpoint


def route_of(endpoint: Endpoint, sockets: Callable[[str], list[str]]) -> Route:
    """The endpoint as planes see it: who has traffic, and who may be asked by name."""
    targets = [
        _target(item, sockets)
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
        graph=endpoint.graph,
    )


def _target(deployment: Deployment, sockets: Callable[[str], list[str]]) -> Target:
    return Target(
        id=deployment.id,
        number=deployment.number,
        model=deployment.model,
        version=deployment.version,
        weight=deployment.share,
        sockets=sockets(deployment.id),
        signature=deployment.signature,
        mirror=deployment.rollout.share if deployment.state == "shadow" else 0.0,
        member=deployment.state == "member",
    )
