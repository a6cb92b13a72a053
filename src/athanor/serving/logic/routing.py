"""The table that tells the data plane what answers where, and the choice among deployments."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from athanor.serving.errors import DeploymentNotFound, WorkerUnavailable
from athanor.serving.errors.deployments import ModelNotNamed
from athanor.serving.types import Signature
from athanor.serving.types.features import FeatureUse
from athanor.serving.types.graphs import InferenceGraph
from athanor.serving.types.recording import LogPolicy

FORMAT_VERSION = 1
PIN = "x-athanor-deployment"
"""The header that names a deployment by its number or id."""
MODEL = "x-athanor-model"
"""The header that names one of many models: `churn`, `churn@3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """The cold starts of a deployment so far, in seconds."""

    count: int = 0
    last: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One deployment as the plane sees it."""

    id: str
    number: int
    """1, 2, 3 ... within its endpoint."""
    model: str
    version: int
    weight: float
    """Its share of the requests that pin no deployment, 0 to 1."""
    sockets: list[str]
    """Unix sockets of its workers."""
    signature: Signature
    mirror: float = 0.0
    """The part of the requests that is copied to it, its answers compared and never returned."""
    graph: InferenceGraph | None = None
    """How it answers through other endpoints, where it does."""
    member: bool = False
    """Whether it is one of many models, which requests name."""
    asleep: bool = False
    """Whether it has no worker: a request is held, and the server told."""
    cold: Cold = field(default_factory=Cold)
    broken: str = ""
    """Why it can't answer, or ""."""
    runtime: dict[str, str] = field(default_factory=dict)
    """What answers inside the plane: {"kind": "folded" | "onnx" | "trees", "folder": path}, loaded
    by `athanor.serving.runtimes.compiled.load`; empty where workers do."""
    features: FeatureUse | None = None
    """What of its inputs the plane looks up by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Requests with this header go to one target."""

    header: str
    """In small letters."""
    value: str
    """With `*` for any text and `?` for one character."""
    target: str
    """The target's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint as the plane sees it."""

    name: str
    targets: list[Target]
    key: str = ""
    """The column whose value is kept in the log as the key that labels join by, or ""."""
    rules: list[Rule] = field(default_factory=list)
    """The first that holds decides, before the shares."""
    sticky: str = ""
    """The header, in small letters, whose equal values stay with one target; or ""."""
    problem: str = ""
    """Why there is no target, or ""."""
    mirrored: bool = False
    """Whether a target of it is a shadow."""
    log: LogPolicy = field(default_factory=LogPolicy)
    """What is kept of its predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Everything that the plane serves. A later revision replaces an earlier one whole."""

    revision: int = 0
    routes: list[Route] = field(default_factory=list)
    format_version: int = FORMAT_VERSION


def fraction_of(request_id: str) -> float:
    """A number from 0 up to 1, the same for the same request id, spread evenly over ids."""
    digest = blake2b(request_id.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) / (1 << 64)


def pick(route: Route, header: Callable[[str], str], request_id: str) -> Target:
    """The deployment that answers a request; `header` gives a header's value, or "".

    Raises: DeploymentNotFound (of a pin), ModelNotNamed, WorkerUnavailable.
    """
    found = _picked(route, header, request_id)
    if found.broken:
        raise WorkerUnavailable(found.broken)
    return found


def _picked(route: Route, header: Callable[[str], str], request_id: str) -> Target:
    pin = header(PIN)
    if pin:
        named = choose(route.targets, request_id, pin)
        if named is None:
            raise DeploymentNotFound(route.name, pin)
        return named
    for rule in route.rules:
        value = header(rule.header)
        if value and _pattern(rule.value)(value):
            ruled = next((item for item in route.targets if item.id == rule.target), None)
            if ruled is not None:
                return ruled
    model = header(MODEL)
    if model:
        return _member(route, model)
    point = header(route.sticky) if route.sticky else ""
    found = choose(route.targets, point or request_id)
    if found is None:
        if any(item.member for item in route.targets):
            return _member(route, "")
        raise WorkerUnavailable(
            f"no deployment of endpoint {route.name!r} is ready"
            + (f": {route.problem}" if route.problem else " yet")
        )
    return found


def mirrors(route: Route, request_id: str) -> list[Target]:
    """The targets that a request is copied to, besides the one that answers it."""
    return [
        item
        for item in route.targets
        if item.mirror > 0 and fraction_of(f"{item.id}{request_id}") < item.mirror
    ]


def _member(route: Route, model: str) -> Target:
    """The newest member for a model's name, or for its name and version."""
    members = [item for item in route.targets if item.member]
    if not model and len(members) == 1:
        return members[0]
    named = [item for item in members if model in {item.model, f"{item.model}@{item.version}"}]
    if not named:
        known = [f"{item.model}@{item.version}" for item in members]
        raise ModelNotNamed(route.name, model, known)
    return max(named, key=lambda item: item.number)


@lru_cache(maxsize=1_024)
def _pattern(text: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(translate(text)).match


def choose(targets: Sequence[Target], request_id: str, pin: str = "") -> Target | None:
    """The deployment that answers a request, or None where the pin names none.

    Weights need not sum to one; targets of weight 0 are reached by their pin alone, or by rules.
    """
    if pin:
        return next((item for item in targets if pin in {item.id, str(item.number)}), None)
    if len(targets) == 1 and not targets[0].member:
        return targets[0]
    total = sum(item.weight for item in targets)
    point = fraction_of(request_id) * total
    for item in targets:
        if item.weight > 0:
            if point < item.weight:
                return item
            point -= item.weight
    return next((item for item in reversed(targets) if item.weight > 0), None)


def of_version(targets: Sequence[Target], request_id: str, version: str) -> Target | None:
    """The deployment of a model's version that answers, or None where none serves it.

    Several share by their weights; where none has traffic it is the newest.
    """
    named = [item for item in targets if str(item.version) == version]
    found = choose(named, request_id)
    return found or max(named, key=lambda item: item.number, default=None)


def versions(route: Route) -> dict[int, list[Target]]:
    """An endpoint's deployments by the version of the model that they serve."""
    found: dict[int, list[Target]] = {}
    for item in sorted(route.targets, key=lambda item: item.version):
        found.setdefault(item.version, []).append(item)
    return found


def described(route: Route) -> dict[str, Any]:
    """What GET /endpoints/{name} on the plane tells."""
    return {
        "endpoint": route.name,
        "key": route.key or None,
        "problem": route.problem or None,
        "deployments": [
            {
                "id": item.id,
                "number": item.number,
                "model": item.model,
                "version": item.version,
                "share": item.weight,
                "shadow": item.mirror > 0,
                "member": item.member,
                "asleep": item.asleep,
                "inputs": [
                    {"name": column.name, "type": column.type}
                    for column in (item.features.asks if item.features else item.signature.columns)
                ],
                "classes": list(item.signature.classes),
                "target": item.signature.target or None,
            }
            for item in route.targets
        ],
    }
