"""The HTTP app: doors, errors, health, metrics, the live stream, and every room's routes."""

import errno
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from sqlalchemy.exc import DataError, DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from athanor.app.doors import Doors
from athanor.app.keeping.routes import keeping_routes
from athanor.app.persons.routes import person_routes
from athanor.app.shelves import Api
from athanor.kernel import (
    OWNER,
    AthanorError,
    Event,
    Internal,
    Invalid,
    NotFound,
    Principal,
    error_to_dict,
    new_id,
)
from athanor.kernel.http import Caller, room_router
from athanor.kernel.outages import DatabaseUnavailable, is_damaged
from athanor.kernel.sought import Sought
from athanor.kernel.storage import DiskFull
from athanor.kernel.transport import PREFIX
from athanor.tracking import Answer, Head, MlflowApp, MlflowError, Route

if TYPE_CHECKING:
    from athanor.app.house import House

_log = logging.getLogger("athanor.api")

_WRITES = frozenset({"POST", "PUT", "PATCH"})
_QUESTIONS = frozenset({f"{PREFIX}/sql", f"{PREFIX}/pipelines/compile", f"{PREFIX}/clean"})
"""POSTs that a full disk does not stop: questions too long for a URL, and what frees space."""
_SINGLE = (b"host", b"origin", b"authorization")
"""Headers that the doors look at: of two, a proxy might believe the other one."""
_SERVER_FAULT = 500
_NOT_READY = 503
_CLIENT_LEFT = 499
"""What the meters count for a client that went away in the middle of its request."""
_UNSTORABLE = (OverflowError, UnicodeEncodeError, DataError)
"""What drivers and encoders raise for values that they can't hold."""


class NoSuchRoute(NotFound):
    """Nothing is at this path."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(
            f"There is nothing at {method} {path}.", hint="All routes stand in /openapi.json."
        )


class MethodNotAllowed(NotFound):
    """What is at this path does not take this method."""

    status = 405

    def __init__(self, method: str, path: str, allowed: str) -> None:
        super().__init__(
            f"{path} does not take {method}.",
            hint=f"It takes {allowed}. All routes stand in /openapi.json.",
        )


class Unstorable(Invalid):
    """A value of the request is beyond what the database or a worker can hold."""

    def __init__(self) -> None:
        super().__init__(
            "A value in the request is too large, or is text that is no valid Unicode.",
            hint="Whole numbers have 64 bits; text has no NUL and no lone surrogate.",
        )


class Malformed(Invalid):
    """The request can't be parsed."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The request can't be read: {said}.", hint="The forms stand in /openapi.json."
        )


class UnfitRequest(Invalid):
    """The request does not fit the route's form."""

    def __init__(self, problems: Sequence[Any]) -> None:
        said = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in problems[:5]
        )
        super().__init__(
            f"The request does not fit: {said}.", hint="The forms stand in /openapi.json."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What there is, in numbers."""

    version: str
    workspace: str
    who: str
    pool_warm: bool
    serving_url: str
    counts: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class _Meters:
    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    warm: Gauge
    events: Gauge


def make_app(house: "House", doors: Doors) -> FastAPI:
    """The app over a house's services."""
    app = Api(house.version)
    app.state.services = house.services
    app.state.house = house
    meters = _make_meters()
    for router in (_platform_routes(house), keeping_routes(house), person_routes(house)):
        app.router.routes.extend(router.routes)
    _health_routes(app, house, meters)
    app.add_exception_handler(AthanorError, _on_named)
    app.add_exception_handler(RequestValidationError, _on_unfit)
    app.add_exception_handler(HTTPException, _on_http)
    house.mount_studio(app)
    mlflow = MlflowApp(house.mlflow, check_space=house.storage.check_space, explain=_explained)
    app.add_middleware(_Entrance, house=house, doors=doors, meters=meters, mlflow=mlflow)
    app.state.protocol = _Entrance(app, house=house, doors=doors, meters=meters, mlflow=mlflow)
    return app


def front_of(app: FastAPI) -> ASGIApp:
    """The app as it is served: MLflow's protocol goes past the framework, through the same doors.

    The framework's own layers cost more than a point takes to be written down.
    """
    protocol: _Entrance = app.state.protocol

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        shorter = scope["type"] == "http" and protocol.owns(scope["path"])
        await (protocol if shorter else app)(scope, receive, send)

    return front


@dataclass(frozen=True, slots=True)
class Known:
    """A request's header that was let in: what follows with the same one needs not be."""

    head: Head
    route: Route
    who: Principal


class _Entrance:
    """The outermost layer: checks the doors, names the caller, counts, and hides our own faults."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        house: "House",
        doors: Doors,
        meters: _Meters,
        mlflow: MlflowApp,
    ) -> None:
        self._app = app
        self._mlflow = mlflow
        self._house = house
        self._doors = doors
        self._meters = meters
        self._counted: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        """The meters of each kind of request: finding them costs more than moving them."""

    def owns(self, path: str) -> bool:
        """Whether a path is that of MLflow's protocol."""
        return self._mlflow.routes.owns(path)

    def know(self, scope: Scope) -> Known | None:
        """A request of the protocol that may go the short way if it comes again."""
        if not self.owns(scope["path"]):
            return None
        try:
            self._admit(scope)
            head = Head(scope)
        except (AthanorError, MlflowError):
            return None
        route = self._mlflow.plain_route(head)
        return None if route is None else Known(head, route, scope["state"]["who"])

    async def answer(self, known: Known, body: bytes) -> Answer:
        """Answer a request on the short way."""
        return await self._mlflow.answer(known.route, known.head, known.who, body)

    def count(self, known: Known, status: int, seconds: float) -> None:
        """Have the meters count it."""
        self._count(known.head.method, known.head.url, known.route.path, status, seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        mlflow = self._mlflow if self.owns(scope["path"]) else None
        try:
            self._admit(scope)
            if mlflow is None:
                self._check_space(scope)
            await (mlflow or self._app)(scope, receive, sending)
        except AthanorError as error:
            status = error.status
            answering = _as_response(error) if mlflow is None else mlflow.refused(error)
            await answering(scope, receive, send)
        except ClientDisconnect:
            status = _CLIENT_LEFT
        except Exception as error:
            if not status and isinstance(error, _UNSTORABLE):
                unstorable = Unstorable()
                status = unstorable.status
                await _as_response(unstorable)(scope, receive, send)
                return
            request_id = new_id()
            _log.exception("a request failed", extra={"request": request_id, "path": scope["path"]})
            if status:
                raise
            fault = _fault(error, request_id)
            status = fault.status
            await _as_response(fault)(scope, receive, send)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - started
            self._count(scope["method"], scope["path"], route, status, seconds)

    def _admit(self, scope: Scope) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if len(headers) < len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            if any(names.count(single) > 1 for single in _SINGLE):
                raise Malformed("Host, Origin and Authorization are each sent once at most")
        self._doors.check(scope["path"], headers)
        scope.setdefault("state", {})["who"] = OWNER

    def _check_space(self, scope: Scope) -> None:
        path = scope["path"]
        if scope["method"] in _WRITES and path.startswith("/api/") and path not in _QUESTIONS:
            self._house.storage.check_space()

    def _count(self, method: str, path: str, route: str, status: int, seconds: float) -> None:
        kind = method, route, status
        counted = self._counted.get(kind)
        if counted is None:
            counted = self._counted[kind] = (
                self._meters.requests.labels(method, route, str(status)),
                self._meters.seconds.labels(route),
            )
        counted[0].inc()
        counted[1].observe(seconds)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "request",
                extra={
                    "method": method,
                    "path": path,
                    "status": status,
                    "ms": round(seconds * 1000, 3),
                },
            )


def _make_meters() -> _Meters:
    registry = CollectorRegistry()
    return _Meters(
        registry,
        Counter(
            "athanor_http_requests",
            "Requests to the API.",
            ("method", "route", "code"),
            registry=registry,
        ),
        Histogram(
            "athanor_http_request_duration_seconds",
            "Time to answer a request to the API.",
            ("route",),
            registry=registry,
        ),
        Gauge("athanor_pool_warm", "1 when the worker pool is warm.", registry=registry),
        Gauge("athanor_last_event_seq", "Number of the last event.", registry=registry),
    )


def _health_routes(app: FastAPI, house: "House", meters: _Meters) -> None:
    @app.get("/healthz", tags=["platform"])
    def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok", "version": house.version}

    @app.get("/readyz", tags=["platform"])
    def readyz(response: Response) -> dict[str, Any]:
        """The database answers and there is room to write; otherwise 503, with the reason.

        Whether the pool is warm is said beside it.
        """
        told: dict[str, Any] = {"status": "ready", "pool_warm": house.workers.warm}
        try:
            house.events.last()
            house.storage.check_space()
        except (AthanorError, DBAPIError) as error:
            response.status_code = _NOT_READY
            told |= {"status": "not ready", "reason": str(getattr(error, "orig", error))}
        return told

    @app.get("/openapi.json", include_in_schema=False)
    def description() -> Response:
        """What all routes take and answer (OpenAPI 3.1)."""
        return Response(msgspec.json.encode(app.openapi()), media_type="application/json")

    @app.get("/metrics", tags=["platform"], response_class=PlainTextResponse)
    def metrics() -> Response:
        """Prometheus' exposition."""
        meters.warm.set(1 if house.workers.warm else 0)
        meters.events.set(house.events.last())
        return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


def _platform_routes(house: "House") -> APIRouter:
    router = room_router("platform")

    @router.get("/status")
    def status(who: Caller) -> Status:
        """What there is, in numbers."""
        return Status(
            version=house.version,
            workspace=str(house.settings.workspace),
            who=who.name,
            pool_warm=house.workers.warm,
            serving_url=house.serving_url(),
            counts=house.counts(who),
        )

    @router.get("/projects")
    def projects() -> list[Project]:
        """The projects of this workspace."""
        return [Project(id="default", name="default")]

    @router.get("/events")
    def events(
        after: EventNumber = 0,
        limit: int = 100,
        *,
        latest: bool = False,
        action: str = "",
        subject: str = "",
    ) -> list[Event]:
        """Events behind number `after`, or with `latest` the last ones; the newest at the end.

        With `latest`, those of an action or what it begins with (`registry`), and of a subject.
        """
        limit = max(1, min(limit, 1000))
        if latest:
            return house.events.latest(limit, Sought(action=action, subject=subject))[::-1]
        return house.events.since(after, limit)

    @router.get("/events/stream", response_class=StreamingResponse)
    async def stream(request: Request, after: EventNumber | None = None) -> StreamingResponse:
        """Events as they happen (text/event-stream), behind number `after` or from now on."""
        last = request.headers.get("last-event-id", "")
        start = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else after
        return StreamingResponse(
            house.live.stream(start),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return router


EventNumber = Annotated[int, Query(ge=-1, lt=1 << 63)]

Handler = Callable[[Request, Any], Awaitable[Response]]


def _fault(error: Exception, request_id: str) -> AthanorError:
    """What the caller is told of an error that nobody named."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DiskFull(str(error.filename or "the workspace's"))
    if isinstance(error, DBAPIError) and (is_damaged(error) or error.connection_invalidated):
        return DatabaseUnavailable(error)
    return Internal(
        "Something went wrong inside Athanor; nothing of the request was kept.",
        hint=f"The server's log tells more under request {request_id}.",
    )


def _explained(error: Exception) -> AthanorError:
    """What an MLflow client is told of an error that nobody named."""
    if isinstance(error, _UNSTORABLE):
        return Unstorable()
    request_id = new_id()
    _log.error("a request failed", exc_info=error, extra={"request": request_id})
    return _fault(error, request_id)


def _as_response(error: AthanorError) -> Response:
    headers = {"retry-after": "1"} if error.status in {429, 503} else {}
    return Response(
        msgspec.json.encode(error_to_dict(error)),
        status_code=error.status,
        media_type="application/json",
        headers=headers,
    )


async def _on_named(request: Request, error: Any) -> Response:
    if error.status >= _SERVER_FAULT:
        _log.warning("%s: %s", error.code, error, extra={"path": request.url.path})
    return _as_response(error)


async def _on_unfit(_request: Request, error: Any) -> Response:
    return _as_response(UnfitRequest(error.errors()))


async def _on_http(request: Request, error: Any) -> Response:
    method, path = request.method, request.url.path
    if error.status_code == NoSuchRoute.status:
        return _as_response(NoSuchRoute(method, path))
    if error.status_code == MethodNotAllowed.status:
        allowed = error.headers["Allow"]
        answer = _as_response(MethodNotAllowed(method, path, allowed))
        answer.headers["Allow"] = allowed
        return answer
    answer = _as_response(Malformed(str(error.detail)))
    answer.status_code = error.status_code
    return answer


__all__ = ["PREFIX", "Known", "front_of", "make_app"]
