"""The plane's routes: predictions in every protocol, health, metrics."""

import logging
import time
from collections.abc import Callable

import orjson

from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.serving.errors import (
    EndpointNotFound,
    Overloaded,
    RouteUnknown,
)
from athanor.serving.errors.protocols import EndpointUnnamed, MethodRefused, ServedModelNotFound
from athanor.serving.logic import exposition, routing
from athanor.serving.logic.doors import Doors
from athanor.serving.logic.exposition import Figures
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.logic.rows import PredictionRow
from athanor.serving.logic.signature import Row
from athanor.serving.plane import encodings, telling
from athanor.serving.plane.asking import Asking
from athanor.serving.plane.dialects.mlflow import HANDED_OVER, Invocations
from athanor.serving.plane.dialects.oip import OpenInference
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.dialects.records import Records
from athanor.serving.plane.enrich import Enrichments
from athanor.serving.plane.exchange import Exchange, guarded
from athanor.serving.plane.gauges import fleet_page
from athanor.serving.plane.graphs import GraphServed, Neighbours
from athanor.serving.plane.http import Block, Connection, Limits, Request
from athanor.serving.plane.lanes import Lane
from athanor.serving.plane.log import PredictionLog
from athanor.serving.plane.paths import Aim, aim_of
from athanor.serving.plane.served import Served
from athanor.serving.plane.shadows import Returned, Shadows
from athanor.serving.plane.waking import Bell

logger = logging.getLogger(__name__)

_ENDPOINT = "x-athanor-endpoint"
_REQUEST_ID = "x-request-id"
_LONGEST_ID = 128
_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_PATHS_KEPT = 4_096
_JSON = "application/json"
_SHORT = frozenset({"predict", "invocations"})

_DIALECTS: dict[str, Dialect] = {
    "predict": Records(),
    "invocations": Invocations(),
    "infer": OpenInference(),
}
_IN_OIP = frozenset(
    {"infer", "server", "live", "ready", "model", "model_ready", "config", "stats", "index"}
    | {"load", "unload"}
)


class Plane:
    """Everything that one plane process knows."""

    def __init__(self, limits: Limits, doors: Doors, log: PredictionLog) -> None:
        self.limits = limits
        self.connections: set[Connection] = set()
        self.figures = Figures()
        self.log = log
        self.revision = -1
        self.routes: dict[str, Route] = {}
        self.bell = Bell("")
        self.shadows: Shadows | None = None
        self.features = Enrichments("")
        self._doors = doors
        self._served: dict[str, Served] = {}
        self._in_flight: dict[str, int] = {}
        self._aims: dict[str, Aim | None] = {}
        self.blocks: dict[bytes, Block] = {}

    def admit(self, headers: dict[str, list[str]]) -> None:
        """Check the doors.

        Raises: ForeignHost, ForeignOrigin, TokenNeeded, BadPrediction.
        """
        authorization = headers.get("authorization", [""])
        self._doors.check(headers.get("host", []), headers.get("origin", []), authorization[-1])

    def apply(self, table: Table) -> None:
        """Serve by this table from now on. Requests under way end where they began."""
        if table.revision < self.revision:
            return
        self.revision = table.revision
        gone = dict(self._served)
        for route in table.routes:
            for target in route.targets:
                served = gone.pop(target.id, None)
                if served is None:
                    served = self._served[target.id] = self._made(route, target)
                else:
                    served.update(route, target)
                    served.pool.retarget(target.sockets)
                served.connect()
        for name, served in gone.items():
            del self._served[name]
            served.close()
        self.routes = {route.name: route for route in table.routes}
        for block in self.blocks.values():
            block.lane, block.era = None, -1

    def _made(self, route: Route, target: Target) -> Served:
        if target.graph is not None:
            around = Neighbours(lambda: self.routes, self._served, self.features.of)
            return GraphServed(route, target, around)
        return Served(route, target, self.bell.ring)

    def hello(self, target: Target) -> Hello | None:
        """What the model of a target says about itself, if it is loaded."""
        return self._served[target.id].described

    def in_flight(self) -> int:
        """Requests for predictions that wait for their answers."""
        return sum(self._in_flight.values())

    def tend(self) -> None:
        """Each second: let go of silent clients and of calls that took too long."""
        now = time.monotonic()
        for connection in list(self.connections):
            connection.expire(now)
        for served in self._served.values():
            served.pool.expire(now, self.limits.answer_seconds)
            if served.target.asleep and served.pool.in_flight:
                self.bell.ring(served.target.id)
        self.log.tend()
        self.figures.settle()

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, now or when the model has answered.

        Raises: AthanorError.
        """
        path = request.path.partition("?")[0]
        aim = self._aim(path)
        if aim is None:
            if path.startswith("/v2/"):
                exchange.refusal = _DIALECTS["infer"].refuse
            raise RouteUnknown(request.method, path)
        dialect = _DIALECTS.get(aim.verb)
        if dialect is not None:
            exchange.refusal = dialect.refuse
        elif aim.verb in _IN_OIP:
            exchange.refusal = _DIALECTS["infer"].refuse
        if request.method != aim.method and (request.method, aim.method) != ("HEAD", "GET"):
            raise MethodRefused(request.method, path, aim.method)
        if dialect is None:
            guarded(exchange, lambda: self._tell(aim, request, exchange), logger.exception)
        else:
            guarded(
                exchange, lambda: self._predict(aim, dialect, request, exchange), logger.exception
            )

    def _aim(self, path: str) -> Aim | None:
        try:
            return self._aims[path]
        except KeyError:
            if len(self._aims) >= _PATHS_KEPT:
                self._aims.clear()
            found = self._aims[path] = aim_of(path)
            return found

    def route(self, aim: Aim, request: Request) -> Route:
        """The endpoint that a request is for.

        Raises: EndpointNotFound, EndpointUnnamed, ServedModelNotFound.
        """
        name = aim.endpoint or aim.model
        if aim.model and aim.endpoint not in {"", aim.model}:
            raise ServedModelNotFound(aim.model, "", [aim.endpoint])
        if not name:
            name = request.header(_ENDPOINT)
            if not name and len(self.routes) == 1:
                return next(iter(self.routes.values()))
            if not name:
                raise EndpointUnnamed(sorted(self.routes))
        route = self.routes.get(name)
        if route is not None:
            return route
        if aim.model:
            raise ServedModelNotFound(name, "", sorted(self.routes))
        raise EndpointNotFound(name, self.routes)

    def ready(self, route: Route, target: Target | None = None) -> bool:
        """Whether an endpoint, or one deployment of it, would answer at once."""
        asked = [target] if target is not None else [t for t in route.targets if t.weight > 0]
        found = (self._served.get(item.id) for item in asked)
        return any(item is not None and (item.ready or item.target.asleep) for item in found)

    def _tell(self, aim: Aim, request: Request, exchange: Exchange) -> None:
        match aim.verb:
            case "metrics":
                page = exposition.render(self.figures, self._gauges())
                page += fleet_page(self.routes.values(), self._served)
                exchange.answer(200, page.encode(), _METRICS_TYPE)
            case "endpoint":
                exchange.answer(200, orjson.dumps(routing.described(self.route(aim, request))))
            case _:
                exchange.answer(*telling.TELLERS[aim.verb](self, aim, request))

    def target(
        self, aim: Aim, route: Route, request_id: str, header: Callable[[str], str]
    ) -> Target:
        """The deployment that answers a request.

        Raises: DeploymentNotFound, ServedModelNotFound, ModelNotNamed, WorkerUnavailable.
        """
        if not aim.version:
            return routing.pick(route, header, request_id)
        found = routing.of_version(route.targets, request_id, aim.version)
        if found is None:
            known = [str(number) for number in routing.versions(route)]
            raise ServedModelNotFound(route.name, aim.version, known)
        return found

    def _predict(self, aim: Aim, dialect: Dialect, request: Request, exchange: Exchange) -> None:
        route = self.route(aim, request)
        request_id = request.header(_REQUEST_ID)[:_LONGEST_ID] or new_id()
        target = self.target(aim, route, request_id, request.header)
        served = self._served[target.id]
        if aim.verb == "invocations":
            if served.unheard:
                self._meet(served, exchange, lambda: self._predict(aim, dialect, request, exchange))
                return
            if served.hello is not None:
                dialect = HANDED_OVER.get(served.hello.bodies, dialect)
        try:
            encoding = request.header("content-encoding")
            if encoding:
                request.body = encodings.plain(request.body, encoding, self.limits.body_bytes)
            enriched = self.features.of(target)
            if enriched is None:
                asked = dialect.read(route, target, request, self.limits)
            else:
                asked = enriched.read(_DIALECTS[aim.verb], route, request, self.limits)
        except AthanorError as error:
            self.figures.observe(served.labels, error.status, 0.0)
            raise
        try:
            self.begin(route.name)
        except Overloaded:
            self.figures.observe(served.labels, 429, 0.0)
            raise
        asking = Asking(self, served, request_id, request, dialect, asked, exchange)
        served.submit(asked.rows, asking.replied, self.limits.answer_seconds, asked.body)

    def _meet(self, served: Served, exchange: Exchange, then: Callable[[], None]) -> None:
        """Go on once a worker has said which bodies it reads itself.

        Raises: Overloaded.
        """
        arrived = time.monotonic()
        self.begin(served.route.name)

        def heard(result: Reply | AthanorError, hello: Hello | None) -> None:  # noqa: ARG001
            self.ended(served.route.name)
            if isinstance(result, AthanorError):
                self.figures.observe(served.labels, result.status, time.monotonic() - arrived)
                exchange.refuse(result)
            else:
                guarded(exchange, then, logger.exception)

        served.submit([], heard, self.limits.answer_seconds)

    def handle_known(self, block: Block, body: bytes, now: float, exchange: Exchange) -> None:
        """Answer a request whose header came before, by the short way where there is one.

        Raises: AthanorError.
        """
        if block.era != self.revision:
            block.era, block.lane = self.revision, self._lane(block)
            if block.lane is not None and block.lane.take(body, now, exchange):
                return
        self.handle(Request(block.method, block.path, block.headers, body, now), exchange)

    def _lane(self, block: Block) -> Lane | None:
        """The short way for requests with this header."""
        aim = self._aim(block.path.partition("?")[0])
        if aim is None or aim.verb not in _SHORT or block.method != aim.method or not block.plain:
            return None
        mlflow = aim.verb == "invocations"
        if mlflow and block.headers.get("content-type", [_JSON])[-1] != _JSON:
            return None
        route = self.routes.get(aim.endpoint)
        if route is None and not aim.endpoint and len(self.routes) == 1:
            (route,) = self.routes.values()
        if route is None or len(route.targets) != 1 or route.targets[0].features is not None:
            return None
        served = self._served[route.targets[0].id]
        return Lane(self, served, _DIALECTS[aim.verb], mlflow=mlflow) if Lane.fits(served) else None

    def begin(self, name: str) -> None:
        """A request of this endpoint waits for its answer.

        Raises: Overloaded.
        """
        under_way = self._in_flight.get(name, 0)
        if under_way >= self.limits.waiting:
            raise Overloaded(name)
        self._in_flight[name] = under_way + 1

    def finish(
        self, served: Served, request: Request, rest: tuple[Dialect, Asked, Exchange]
    ) -> Asking:
        """The long way's end for a request that began the short one."""
        return Asking(self, served, new_id(), request, *rest)

    def ended(self, name: str) -> None:
        """A request of this endpoint has its answer."""
        self._in_flight[name] -= 1

    def copy(
        self, served: Served, request_id: str, rows: list[Row], answered: list[PredictionRow]
    ) -> None:
        """Ask the endpoint's shadows what was asked, and compare."""
        if self.shadows is None:
            return
        returned = Returned(
            request_id=request_id,
            target=served.target,
            rows=rows,
            ids=[row.id for row in answered],
            labels=[row.label for row in answered if row.label is not None],
            scores=[row.score for row in answered],
            seconds=answered[0].latency if answered else 0.0,
        )
        self.shadows.copy(served.route, returned, self._served)

    def uses(self) -> dict[str, dict[str, float]]:
        """By deployment: calls without a reply yet, and time.monotonic() of the last request."""
        return {
            name: {
                "in_flight": served.pool.in_flight,
                "used": served.used,
                "wakes": served.wakes.count,
                "wakes_last": served.wakes.last,
                "wakes_total": served.wakes.total,
            }
            for name, served in self._served.items()
        }

    def _gauges(self) -> dict[str, tuple[str, float]]:
        waiting = sum(served.pool.in_flight for served in self._served.values())
        return {
            "athanor_predict_in_flight": (
                "Requests for predictions without an answer yet.",
                self.in_flight(),
            ),
            "athanor_predict_queue_length": ("Calls of model workers under way.", waiting),
            "athanor_prediction_log_oldest_unflushed_seconds": (
                "Age of the oldest logged row that a power cut would lose.",
                self.log.oldest_unsynced_seconds,
            ),
        }
