"""Health and metadata, in the words of each protocol."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypeAlias

import orjson

from athanor.serving.errors.protocols import (
    InferenceRefused,
    ServedModelNotFound,
    UnloadRefused,
)
from athanor.serving.logic import oip
from athanor.serving.logic.routing import Route, Target, versions
from athanor.serving.plane.exchange import Answer
from athanor.serving.plane.http import Request
from athanor.serving.plane.paths import Aim

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane

Teller: TypeAlias = Callable[["Plane", Aim, Request], Answer]


def _version() -> str:
    try:
        return version("athanor-ml")
    except PackageNotFoundError:  # run from its sources
        return "0"


_VERSION = _version()


def _mlflow_version() -> str:
    for name in ("mlflow-skinny", "mlflow"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "0"


_MLFLOW = _mlflow_version().encode()


def _healthz(plane: "Plane", aim: Aim, request: Request) -> Answer:  # noqa: ARG001 - Teller's form
    return Answer(200, b'{"status":"alive"}')


def _readyz(plane: "Plane", aim: Aim, request: Request) -> Answer:  # noqa: ARG001 - Teller's form
    if plane.revision < 0:
        return Answer(503, b'{"status":"no routing table yet"}')
    return Answer(200, b'{"status":"ready"}')


def _ping(plane: "Plane", aim: Aim, request: Request) -> Answer:
    """MLflow's and SageMaker's health: 200 and a newline, 503 while nothing could answer."""
    if not aim.endpoint and len(plane.routes) != 1:
        return Answer(200, b"\n")
    up = plane.ready(plane.route(aim, request))
    return Answer(200 if up else 503, b"\n")


def _mlflow(plane: "Plane", aim: Aim, request: Request) -> Answer:
    if aim.endpoint:
        plane.route(aim, request)
    return Answer(200, _MLFLOW)


def _server(plane: "Plane", aim: Aim, request: Request) -> Answer:
    if aim.endpoint:
        plane.route(aim, request)
    told = {"name": "athanor", "version": _VERSION, "extensions": list(oip.EXTENSIONS)}
    return Answer(200, orjson.dumps(told))


def _live(plane: "Plane", aim: Aim, request: Request) -> Answer:
    if aim.endpoint:
        plane.route(aim, request)
    return Answer(200, b'{"live":true}')


def _ready(plane: "Plane", aim: Aim, request: Request) -> Answer:
    """Whether every endpoint with traffic would answer."""
    routes = [plane.route(aim, request)] if aim.endpoint else list(plane.routes.values())
    up = plane.revision >= 0 and all(map(plane.ready, routes))
    return Answer(200 if up else 503, orjson.dumps({"ready": up}))


def _model_ready(plane: "Plane", aim: Aim, request: Request) -> Answer:
    route = plane.route(aim, request)
    up = plane.ready(route, _target(route, aim) if aim.version else None)
    return Answer(200 if up else 503, orjson.dumps({"name": route.name, "ready": up}))


def _model(plane: "Plane", aim: Aim, request: Request) -> Answer:
    route = plane.route(aim, request)
    target = _target(route, aim)
    named = [str(number) for number in versions(route)]
    told = oip.metadata(route.name, named, target.signature, plane.hello(target))
    return Answer(200, orjson.dumps(told))


def _config(plane: "Plane", aim: Aim, request: Request) -> Answer:
    route = plane.route(aim, request)
    target = _target(route, aim)
    told = oip.configuration(route.name, target.signature, plane.limits.rows, plane.hello(target))
    return Answer(200, orjson.dumps(told))


def _stats(plane: "Plane", aim: Aim, request: Request) -> Answer:
    """Counts in the words of Triton's statistics extension."""
    routes = [plane.route(aim, request)] if aim.model or aim.endpoint else plane.routes.values()
    told = [
        _counted(plane, route, number, targets)
        for route in routes
        for number, targets in versions(route).items()
        if aim.version in {"", str(number)}
    ]
    if aim.version and not told:
        raise ServedModelNotFound(aim.model, aim.version, [])
    return Answer(200, orjson.dumps({"model_stats": told}))


def _counted(
    plane: "Plane", route: Route, number: int, targets: Sequence[Target]
) -> dict[str, object]:
    codes: Counter[int] = Counter()
    rows, seconds = 0, 0.0
    for target in targets:
        labels = (route.name, target.id, target.model, str(target.version))
        series = plane.figures.series.get(labels)
        if series is not None:
            codes.update(series.codes)
            rows += series.rows
            seconds += series.seconds
    good = codes[200]
    return {
        "name": route.name,
        "version": str(number),
        "inference_count": rows,
        "execution_count": good,
        "inference_stats": {
            "success": {"count": good, "ns": int(seconds * 1e9)},
            "fail": {"count": sum(codes.values()) - good, "ns": 0},
        },
    }


def _index(plane: "Plane", aim: Aim, request: Request) -> Answer:
    routes = [plane.route(aim, request)] if aim.endpoint else list(plane.routes.values())
    told = [
        {
            "name": route.name,
            "version": str(number),
            "state": "READY" if any(plane.ready(route, item) for item in served) else "UNAVAILABLE",
            "reason": "",
        }
        for route in routes
        for number, served in versions(route).items()
    ]
    if _only_ready(request.body):
        told = [item for item in told if item["state"] == "READY"]
    return Answer(200, orjson.dumps(told))


def _only_ready(body: bytes) -> bool:
    """Whether a request for the index asks for what is ready alone. Raises: InferenceRefused."""
    if not body:
        return False
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InferenceRefused(f"The body is no valid JSON: {error}.") from None
    return isinstance(asked, dict) and asked.get("ready") is True


def _load(plane: "Plane", aim: Aim, request: Request) -> Answer:
    """Endpoints are loaded by themselves; what is known is, or is about to be."""
    plane.route(aim, request)
    return Answer(200, b"{}")


def _unload(plane: "Plane", aim: Aim, request: Request) -> Answer:
    raise UnloadRefused(plane.route(aim, request).name)


def _target(route: Route, aim: Aim) -> Target:
    """The version that an address names, or the one with most of the traffic.

    Raises: ServedModelNotFound.
    """
    targets = [item for item in route.targets if aim.version in {"", str(item.version)}]
    if not targets:
        known = [str(number) for number in versions(route)]
        raise ServedModelNotFound(route.name, aim.version, known)
    return max(targets, key=lambda item: (item.weight, item.number))


TELLERS: Mapping[str, Teller] = {
    "healthz": _healthz,
    "readyz": _readyz,
    "ping": _ping,
    "version": _mlflow,
    "server": _server,
    "live": _live,
    "ready": _ready,
    "model_ready": _model_ready,
    "model": _model,
    "config": _config,
    "stats": _stats,
    "index": _index,
    "load": _load,
    "unload": _unload,
}
