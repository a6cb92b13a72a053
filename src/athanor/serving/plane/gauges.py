"""What the metrics page says of each deployment beside its requests: sleep and cold starts."""

from collections.abc import Iterable, Iterator, Mapping

from athanor.serving.logic.exposition import Labels, label_text
from athanor.serving.logic.routing import Route, Target
from athanor.serving.plane.served import Served

_METRICS = (
    ("athanor_deployment_share", "gauge", "Its part of its endpoint's traffic."),
    ("athanor_deployment_workers", "gauge", "Worker processes that requests are sent to."),
    ("athanor_deployment_asleep", "gauge", "1 while no process of it runs until a request comes."),
    ("athanor_cold_starts_total", "counter", "Requests that woke it."),
    ("athanor_cold_start_seconds_total", "counter", "Seconds that its cold starts took together."),
    ("athanor_cold_start_last_seconds", "gauge", "Seconds that its last cold start took."),
)


def fleet_page(routes: Iterable[Route], served: Mapping[str, Served]) -> str:
    """These metrics in Prometheus' text form; `served` by deployment."""
    found = [
        (label_text(_labels(route, target)), _figures(target, served.get(target.id)))
        for route in routes
        for target in route.targets
    ]
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: list[tuple[str, tuple[float, ...]]]) -> Iterator[str]:
    for place, (name, kind, help_) in enumerate(_METRICS):
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} {kind}"
        for labels, figures in found:
            yield f"{name}{{{labels}}} {figures[place]:g}"


def _labels(route: Route, target: Target) -> Labels:
    return (route.name, target.id, target.model, str(target.version))


def _figures(target: Target, served: Served | None) -> tuple[float, ...]:
    inside = bool(target.runtime) and served is not None
    cold = served.wakes if served is not None and inside else target.cold
    return (
        target.weight,
        len(target.sockets),
        int(target.asleep),
        cold.count,
        cold.total,
        cold.last,
    )
