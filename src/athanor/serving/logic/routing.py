"""The table that tells the data plane what answers where, and the choice among deployments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from athanor.serving.types import Signature

FORMAT_VERSION = 1


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
    runtime: dict[str, str] = field(default_factory=dict)
    """What answers inside the plane: {"kind": "folded" | "onnx" | "trees", "folder": path}, loaded
    by `athanor.serving.runtimes.compiled.load`; empty where workers do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint as the plane sees it."""

    name: str
    targets: list[Target]
    key: str = ""
    """The column whose value is kept in the log as the key that labels join by, or ""."""


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


def choose(targets: Sequence[Target], request_id: str, pin: str = "") -> Target | None:
    """The deployment that answers a request, or None where the pin names none.

    Weights need not sum to one; targets of weight 0 are reached by their pin alone.
    """
    if pin:
        return next((item for item in targets if pin in {item.id, str(item.number)}), None)
    if len(targets) == 1:
        return targets[0]
    total = sum(item.weight for item in targets)
    point = fraction_of(request_id) * total
    for item in targets:
        if item.weight > 0:
            if point < item.weight:
                return item
            point -= item.weight
    return next((item for item in reversed(targets) if item.weight > 0), None)


def described(route: Route) -> dict[str, Any]:
    """What GET /endpoints/{name} on the plane tells."""
    return {
        "endpoint": route.name,
        "key": route.key or None,
        "deployments": [
            {
                "id": item.id,
                "number": item.number,
                "model": item.model,
                "version": item.version,
                "share": item.weight,
                "inputs": [
                    {"name": column.name, "type": column.type} for column in item.signature.columns
                ],
                "classes": list(item.signature.classes),
                "target": item.signature.target or None,
            }
            for item in route.targets
        ],
    }
