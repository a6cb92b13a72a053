"""The plane's routes: predictions, health, metrics."""

import logging
import math
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import orjson

from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.serving.errors import (
    BadPrediction,
    EndpointNotFound,
    LogUnwritable,
    ModelRefusedInput,
    Overloaded,
    RouteUnknown,
    WorkerUnavailable,
)
from athanor.serving.logic import exposition, routing
from athanor.serving.logic.doors import Doors
from athanor.serving.logic.exposition import Figures, Labels
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.logic.rows import PredictionRow, Recorder, line
from athanor.serving.logic.signature import Parsed, parse, scored
from athanor.serving.plane.http import Connection, Exchange, Limits, Request, guarded
from athanor.serving.plane.links import Call, Pool, deadline_in
from athanor.serving.plane.log import PredictionLog

logger = logging.getLogger(__name__)

_REQUEST_ID = "x-request-id"
_LONGEST_ID = 128
_PREFIX = "/endpoints/"
_METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Served:
    """One deployment that the plane answers from."""

    def __init__(self, route: Route, target: Target) -> None:
        self.pool = Pool(target.sockets)
        self.update(route, target)

    def update(self, route: Route, target: Target) -> None:
        """Take a new table's word for it."""
        self.route = route
        self.target = target
        self.recorder = Recorder(target.signature)
        self.labels: Labels = (route.name, target.id, target.model, str(target.version))


class Plane:
    """Everything that one plane process knows."""

    def __init__(self, limits: Limits, doors: Doors, log: PredictionLog) -> None:
        self.limits = limits
        self.connections: set[Connection] = set()
        self.figures = Figures()
        self.log = log
        self.revision = -1
        self._doors = doors
        self._routes: dict[str, Route] = {}
        self._served: dict[str, Served] = {}
        self._in_flight: dict[str, int] = {}

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
                    served = self._served[target.id] = Served(route, target)
                    served.pool.connect()
                else:
                    served.update(route, target)
                    served.pool.retarget(target.sockets)
        for name, served in gone.items():
            del self._served[name]
            served.pool.close()
        self._routes = {route.name: route for route in table.routes}

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
        self.log.tend()

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, now or when the model has answered.

        Raises: AthanorError.
        """
        path = request.path.partition("?")[0]
        name, slash, verb = path.removeprefix(_PREFIX).partition("/")
        match request.method, path:
            case "POST", _ if verb == "predict" and path.startswith(_PREFIX):
                guarded(
                    exchange,
                    lambda: self._predict(unquote(name), request, exchange),
                    logger.exception,
                )
            case "GET", "/healthz":
                exchange.answer(200, b'{"status":"alive"}')
            case "GET", "/readyz":
                self._ready(exchange)
            case "GET", "/metrics":
                page = exposition.render(self.figures, self._gauges())
                exchange.answer(200, page.encode(), _METRICS_TYPE)
            case "GET", _ if path.startswith(_PREFIX) and name and not slash:
                route = self._route(unquote(name))
                exchange.answer(200, orjson.dumps(routing.described(route)))
            case _:
                raise RouteUnknown(request.method, path)

    def _ready(self, exchange: Exchange) -> None:
        if self.revision < 0:
            exchange.answer(503, b'{"status":"no routing table yet"}')
        else:
            exchange.answer(200, b'{"status":"ready"}')

    def _route(self, name: str) -> Route:
        route = self._routes.get(name)
        if route is None:
            raise EndpointNotFound(name, self._routes)
        return route

    def _predict(self, name: str, request: Request, exchange: Exchange) -> None:
        route = self._route(name)
        request_id = request.header(_REQUEST_ID)[:_LONGEST_ID] or new_id()
        target = routing.pick(route, request.header, request_id)
        served = self._served[target.id]
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            self.figures.observe(served.labels, 400, 0.0)
            raise BadPrediction(f"The body is no valid JSON: {error}.") from None
        try:
            parsed = parse(target.signature, body, key=route.key, max_rows=self.limits.rows)
        except AthanorError as error:
            self.figures.observe(served.labels, error.status, 0.0)
            raise
        if self._in_flight.get(name, 0) >= self.limits.waiting:
            self.figures.observe(served.labels, 429, 0.0)
            raise Overloaded(name)
        self._in_flight[name] = self._in_flight.get(name, 0) + 1
        pending = _Pending(self, served, request_id, request.arrived, parsed, exchange)
        deadline = deadline_in(self.limits.answer_seconds)
        served.pool.submit(Call(parsed.rows, pending.replied, deadline))

    def ended(self, name: str) -> None:
        """A request of this endpoint has its answer."""
        self._in_flight[name] -= 1

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


class _Pending:
    """One request for predictions between its parsing and its answer."""

    __slots__ = ("_arrived", "_exchange", "_parsed", "_plane", "_request_id", "_served")

    def __init__(
        self,
        plane: Plane,
        served: Served,
        request_id: str,
        arrived: float,
        parsed: Parsed,
        exchange: Exchange,
    ) -> None:
        self._plane = plane
        self._served = served
        self._request_id = request_id
        self._arrived = arrived
        self._parsed = parsed
        self._exchange = exchange

    def replied(self, result: Reply | AthanorError, hello: Hello | None) -> None:
        """The worker answered, or nobody will."""
        guarded(self._exchange, lambda: self._finish(result, hello), self._failed)

    def _failed(self, message: str) -> None:
        logger.error(message)
        self._end(500)

    def _finish(self, result: Reply | AthanorError, hello: Hello | None) -> None:
        if isinstance(result, Reply) and result.error:
            result = ModelRefusedInput(result.error)
        if isinstance(result, AthanorError) or hello is None:
            failure = result if isinstance(result, AthanorError) else WorkerUnavailable("no hello")
            self._end(failure.status)
            self._exchange.refuse(failure)
            return
        seconds = time.monotonic() - self._arrived
        rows, answers = self._rows(result, hello, seconds)
        sound = all(_sound(row.score, row.probabilities) for row in rows)
        body: dict[str, Any] = {
            "predictions": answers,
            "model": self._served.target.model,
            "version": self._served.target.version,
            "deployment": self._served.target.id,
        }
        if self._parsed.ignored:
            body["ignored_columns"] = self._parsed.ignored
        encoded = orjson.dumps(body)
        self._plane.log.append(
            b"".join(map(line, rows)), self._released(encoded, len(rows), sound=sound)
        )

    def _released(
        self, encoded: bytes, rows: int, *, sound: bool
    ) -> Callable[[OSError | None], None]:
        def release(failure: OSError | None) -> None:
            if failure is not None:
                self._end(503)
                self._exchange.refuse(LogUnwritable(failure.strerror or str(failure)))
                return
            series = self._end(200)
            series.rows += rows
            series.nonsense += not sound
            self._exchange.answer(200, encoded)

        return release

    def _end(self, status: int) -> exposition.Series:
        self._plane.ended(self._served.route.name)
        seconds = time.monotonic() - self._arrived
        return self._plane.figures.observe(self._served.labels, status, seconds)

    def _rows(
        self, reply: Reply, hello: Hello, seconds: float
    ) -> tuple[list[PredictionRow], list[dict[str, Any]]]:
        """Each record's line for the log and its part of the answer."""
        target, classes, parsed = self._served.target, hello.classes, self._parsed
        width = len(classes) or 1
        numbers = struct.unpack(f"<{len(parsed.rows) * width}d", reply.numbers)
        names, positive = [str(item) for item in classes], scored(target.signature, classes)
        now = datetime.now(UTC)
        rows: list[PredictionRow] = []
        answers: list[dict[str, Any]] = []
        for place, values in enumerate(parsed.rows):
            mine = numbers[place * width : (place + 1) * width]
            score = mine[0]
            label: Any = score
            if classes:
                chosen = reply.labels[place]
                label = classes[chosen]
                score = mine[chosen if positive < 0 else positive]
            answer = {
                "id": new_id(),
                "label": label,
                "probabilities": dict(zip(names, mine, strict=True)) if classes else {},
                "score": score,
            }
            answers.append(answer)
            rows.append(
                PredictionRow(
                    id=answer["id"],
                    request=self._request_id,
                    predicted_at=now,
                    endpoint=self._served.route.name,
                    deployment=target.id,
                    model=target.model,
                    version=target.version,
                    latency=seconds,
                    key=parsed.keys[place],
                    features=self._served.recorder.features(values),
                    label=str(label) if classes else None,
                    score=score if math.isfinite(score) else None,
                    probabilities=answer["probabilities"] or None,
                )
            )
        return rows, answers


def _sound(score: float | None, probabilities: dict[str, float] | None) -> bool:
    """Whether a score can be one: finite, and for a class a probability."""
    return score is not None and (probabilities is None or 0.0 <= score <= 1.0)
