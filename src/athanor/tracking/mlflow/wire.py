"""The MLflow protocol's own small web server, mounted inside the doors of the API.

A protocol module registers its routes in a function that the app's wiring calls once::

    class SetTag(Record):                       # a request's form: see `records`
        run_id: Required = ...                  # no default: required; Required: and not empty
        key: Required
        value: str = ""
        step: int = 0                           # int64, as a number or a text

    def add_routes(routes: MlflowRoutes, tracking: Tracking) -> None:
        def set_tag(call: Call) -> Answered:
            asked = call.read(SetTag)
            tracking.set_tag(call.who, asked.run_id, asked.key, asked.value)
            return {}

        routes.add("POST", "runs/set-tag", set_tag)
        routes.add("GET", "logged-models/{model_id}", get_model)      # call.path["model_id"]
        routes.add("POST", "runs/search", search, writes=False)       # runs on a full disk too
        routes.add("PUT", "artifacts/{path:path}", put, base="mlflow-artifacts", streams=True)
        routes.add_at("GET", "/get-artifact", get_artifact)
        routes.translate(RunNotFound, "RESOURCE_DOES_NOT_EXIST", lambda e: e.message)

`add` answers under /api and /ajax-api, in versions 2.0 and 3.0. A plain `def` handler runs in a
thread; an `async def` one on the event loop, where it must never block. It returns a dict, a
msgspec Struct (`omit_defaults` leaves out what is unset), `bytes` of JSON, or an `Answer`. It
raises `MlflowError(code, message)`, or an error of our own, which is translated. JSON has no NaN:
pass doubles through `double()`. A route with `streams=True` gets its body by `call.chunks()`
(async) instead of `call.body`.
"""

import asyncio
import inspect
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from athanor.kernel import DEFAULT_PROJECT, AthanorError, Principal
from athanor.tracking.mlflow.failures import Failures, MlflowError, Say
from athanor.tracking.mlflow.records import R, read_json, read_query

if TYPE_CHECKING:
    from athanor.tracking.mlflow.borders import Borders

_log = logging.getLogger("athanor.mlflow")

VERSION = "3.17.2"
"""The release of MLflow whose protocol is spoken."""

_BASES = ("mlflow", "mlflow-artifacts")
_PREFIXES = {
    f"/{api}/{version}/{base}/": base
    for api in ("api", "ajax-api")
    for version in ("2.0", "3.0")
    for base in _BASES
}
_SHORTEST = min(map(len, _PREFIXES))
_BODY_LIMIT = 64 << 20
_THREADS = 16
GREATEST = 1.7976931348623157e308
"""What stands for infinity among MLflow's metrics."""
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientLeft(Exception):
    """The client went away in the middle of its request."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """An answer that is no JSON of status 200."""

    body: bytes | Iterable[bytes] | AsyncIterator[bytes] = b""
    """Whole, or in pieces; those of a plain iterator are taken in a thread."""
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Answered = Answer | bytes | Mapping[str, Any] | msgspec.Struct
Handler = Callable[["Call"], Answered] | Callable[["Call"], Awaitable[Answered]]


class Head:
    """What stands before a request's body; many requests may have the same."""

    __slots__ = ("headers", "method", "project", "query", "url")

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.url: str = scope["path"]
        """The path, decoded once."""
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        """Names in lower case."""
        query = scope["query_string"]
        self.query: Mapping[str, list[str]] = (
            parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {}
        )
        self.project = project_of(self.headers.get("x-mlflow-workspace", ""))
        """MLflow's workspace is a project."""


class Call:
    """One request."""

    __slots__ = (
        *("_borders", "_receive", "body", "headers", "method", "path", "project", "query", "url"),
        "who",
    )

    def __init__(
        self,
        head: Head,
        receive: Receive | None,
        who: Principal,
        borders: "Borders | None" = None,
    ) -> None:
        self.who = who
        self.method = head.method
        self.url = head.url
        self.path: Mapping[str, str] = {}
        """What the route's template names."""
        self.headers = head.headers
        self.query = head.query
        self.project = head.project
        self.body = b""
        self._receive = receive
        self._borders = borders

    def read(self, form: type[R]) -> R:
        """The request as a record: a GET's query, anything else's body.

        Raises: MlflowError.
        """
        if self.query and self.method in {"GET", "HEAD"}:
            return read_query(self.query, form)
        return read_json(self.body, form)

    def own_run(self, run_id: str) -> str:
        """A run's id, which is none of another project's. Asks the database: never on the loop.

        Raises: TrackedRunNotFound.
        """
        if self._borders is not None:
            self._borders.check_run(self.who, run_id, self.project)
        return run_id

    def own_model(self, model_id: str) -> str:
        """A logged model's id, likewise.

        Raises: LoggedModelNotFound.
        """
        if self._borders is not None:
            self._borders.check_model(self.who, model_id, self.project)
        return model_id

    def own_experiments(self, experiment_ids: list[str]) -> list[str]:
        """Those of the experiments that the project has."""
        if self._borders is None:
            return experiment_ids
        return self._borders.own_experiments(self.who, experiment_ids, self.project)

    def has(self, name: str) -> bool:
        """Whether a field was sent at all, be it empty."""
        if self.query and self.method in {"GET", "HEAD"}:
            return name in self.query
        try:
            sent = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, RecursionError):
            return False
        return isinstance(sent, dict) and name in sent

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces, as it comes.

        Raises: ClientLeft.
        """
        while self._receive:
            message = await self._receive()
            if message["type"] != "http.request":
                raise ClientLeft
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body"):
                return

    async def take_body(self) -> None:
        """Read the whole body, where it is not there already.

        Raises: ClientLeft; MlflowError where it is larger than any request of the protocol.
        """
        if self._receive is None:
            return
        pieces, size = [], 0
        async for piece in self.chunks():
            size += len(piece)
            if size > _BODY_LIMIT:
                raise MlflowError(
                    "INVALID_PARAMETER_VALUE",
                    f"A request has at most {_BODY_LIMIT:,} bytes.",
                    status=413,
                )
            pieces.append(piece)
        self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Route:
    """What answers requests of one path."""

    path: str
    """As the meters name it."""
    handler: Any
    waits: bool
    writes: bool
    streams: bool
    pattern: re.Pattern[str] | None = None


class MlflowRoutes:
    """The protocol's routes; every room adds its own."""

    def __init__(self) -> None:
        self.failures = Failures()
        self.borders: Borders | None = None
        """What knows where a project ends."""
        self._exact: dict[tuple[str, str], Route] = {}
        self._templates: list[tuple[str, Route]] = []
        self._paths: set[str] = set()

    def add(
        self,
        method: str,
        template: str,
        handler: Handler,
        *,
        base: str = "mlflow",
        writes: bool | None = None,
        streams: bool = False,
    ) -> None:
        """Answer `method` at `template` under every prefix of `base`.

        `writes` says whether it wants room on the disk: by default all but GET and DELETE do.
        """
        self._add(method, f"{base}/{template}", handler, writes=writes, streams=streams)

    def add_at(self, method: str, path: str, handler: Handler) -> None:
        """Answer `method` at one absolute path."""
        self._add(method, path, handler, writes=None, streams=False)

    def translate(self, kind: type[AthanorError], code: str, say: Say | None = None) -> None:
        """Tell errors of a class under an MLflow code; see `Failures.translate`."""
        self.failures.translate(kind, code, say)

    def owns(self, path: str) -> bool:
        """Whether a path is the protocol's business."""
        return path in self._paths or _base_of(path) is not None

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a request and what its template names.

        Raises: MlflowError where there is none.
        """
        wanted = "GET" if method == "HEAD" else method
        tail = _tail(path)
        route = self._exact.get((wanted, tail))
        if route is not None:
            return route, {}
        for known, templated in self._templates:
            found = templated.pattern.fullmatch(tail) if templated.pattern else None
            if found is not None and known == wanted:
                return templated, found.groupdict()
        raise MlflowError(
            "ENDPOINT_NOT_FOUND", f"{method} {path} is not supported by this tracking server."
        )

    def _add(
        self, method: str, template: str, handler: Handler, *, writes: bool | None, streams: bool
    ) -> None:
        route = Route(
            template if template.startswith("/") else f"/{template}",
            handler,
            waits=not inspect.iscoroutinefunction(handler),
            writes=method not in {"GET", "DELETE"} if writes is None else writes,
            streams=streams,
            pattern=_compiled(template) if "{" in template else None,
        )
        if route.pattern is not None:
            self._templates.append((method, route))
            return
        self._exact[method, template] = route
        if template.startswith("/"):
            self._paths.add(template)


class MlflowApp:
    """The protocol as an ASGI application."""

    def __init__(
        self,
        routes: MlflowRoutes,
        *,
        check_space: Callable[[], None],
        explain: Callable[[Exception], AthanorError],
    ) -> None:
        self.routes = routes
        self._check_space = check_space
        self._explain = explain
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mlflow")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that the doors have let in."""
        answer = await self._told(self._answer(scope, receive))
        with suppress(ClientLeft):
            await self._send(answer, _to_whoever_is_there(send), scope["method"])

    def plain_route(self, head: Head) -> Route | None:
        """The route of a POST that has all it says in its body, and wants no streams."""
        if head.method != "POST" or head.query:
            return None
        try:
            route, named = self.routes.find(head.method, head.url)
        except MlflowError:
            return None
        return None if route.streams or named else route

    async def answer(self, route: Route, head: Head, who: Principal, body: bytes) -> Answer:
        """Answer a request that is there whole, of a plain route, as `__call__` would; in bytes."""
        call = Call(head, None, who, self.routes.borders)
        call.body = body
        answer = await self._told(self._handled(route, call))
        if not isinstance(answer.body, bytes):
            answer.body = b"".join([piece async for piece in self._pieces(answer.body)])
        return answer

    def refusal(self, error: AthanorError) -> Answer:
        """An error of ours as the protocol's answer."""
        return _failed(self.routes.failures.told(error))

    def refused(self, error: AthanorError) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """What answers with an error of ours."""

        async def answering(scope: Scope, _receive: Receive, send: Send) -> None:
            await self._send(self.refusal(error), send, scope["method"])

        return answering

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        route, named = self.routes.find(scope["method"], scope["path"])
        scope["route"] = route
        call = Call(Head(scope), receive, scope["state"]["who"], self.routes.borders)
        call.path = named
        return await self._handled(route, call)

    async def _told(self, answering: Awaitable[Answer]) -> Answer:
        """An answer; what failed as the answer that tells it."""
        try:
            return await answering
        except MlflowError as failure:
            return _failed(failure)
        except AthanorError as error:
            return self.refusal(error)
        except ClientLeft:
            return Answer(status=499)
        except Exception as error:  # noqa: BLE001 - told to the client as a fault of ours
            return self.refusal(self._explain(error))

    async def _handled(self, route: Route, call: Call) -> Answer:
        if route.writes:
            self._check_space()
        if not route.streams:
            await call.take_body()
        if route.waits:
            loop = asyncio.get_running_loop()
            answered = await loop.run_in_executor(self._threads, route.handler, call)
        else:
            answered = await route.handler(call)
        if isinstance(answered, Answer):
            return answered
        if not isinstance(answered, bytes):
            answered = msgspec.json.encode(answered)
        return Answer(body=answered)

    async def _send(self, answer: Answer, send: Send, method: str) -> None:
        headers, body = headers_of(answer), answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if method == "HEAD" or isinstance(body, bytes):
            sent = body if isinstance(body, bytes) and method != "HEAD" else b""
            await send({"type": "http.response.body", "body": sent})
            return
        async for piece in self._pieces(body):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _pieces(self, body: Iterable[bytes] | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if isinstance(body, AsyncIterator):
            async for piece in body:
                yield piece
            return
        loop, rest = asyncio.get_running_loop(), iter(body)
        while (taken := await loop.run_in_executor(self._threads, next, rest, None)) is not None:
            yield taken


def headers_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    """An answer's headers, as they are sent."""
    headers = [(b"content-type", answer.media_type.encode("latin-1"))]
    headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    if isinstance(answer.body, bytes):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return headers


def _to_whoever_is_there(send: Send) -> Send:
    """As `send`, and ClientLeft where the connection is closed: nobody's fault."""

    async def sending(message: Message) -> None:
        try:
            await send(message)
        except (OSError, RuntimeError) as error:
            raise ClientLeft from error

    return sending


def add_server_routes(routes: MlflowRoutes) -> None:
    """What the server says of itself."""

    async def health(_call: Call) -> Answer:
        return Answer(body=b"OK", media_type="text/html; charset=utf-8")

    async def version(_call: Call) -> Answer:
        return Answer(body=VERSION.encode(), media_type="text/html; charset=utf-8")

    async def server_info(_call: Call) -> Answered:
        return {
            "store_type": "SqlStore",
            "workspaces_enabled": True,
            "trace_archival_enabled": False,
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
            "presigned_upload_run_id_supported": False,
            "presigned_upload_model_id_supported": False,
            "features_enabled": {"gateway": False},
        }

    async def graphql(_call: Call) -> Answered:
        raise MlflowError("ENDPOINT_NOT_FOUND", "GraphQL is not supported by this tracking server.")

    async def traces(_call: Call) -> Answered:
        raise MlflowError("ENDPOINT_NOT_FOUND", "Traces are not supported by this tracking server.")

    routes.add_at("GET", "/health", health)
    routes.add_at("GET", "/version", version)
    routes.add_at("POST", "/graphql", graphql)
    routes.add_at("POST", "/v1/traces", traces)
    routes.add("GET", "server-info", server_info)


def double(value: float) -> float | str:
    """A double for JSON, as MLflow sends it: NaN a text, infinities the greatest finite numbers."""
    if value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return "NaN"
    return min(max(value, -GREATEST), GREATEST)


def _failed(failure: MlflowError) -> Answer:
    headers = {"retry-after": "1"} if failure.status in {429, 503} else {}
    if failure.status == 401:
        headers["www-authenticate"] = 'Basic realm="athanor"'
    return Answer(body=failure.body(), status=failure.status, headers=headers)


def _base_of(path: str) -> str | None:
    for prefix, base in _PREFIXES.items():
        if path.startswith(prefix):
            return base
    return None


def _tail(path: str) -> str:
    """A path without its prefix, beginning with its base; others as they are."""
    for prefix, base in _PREFIXES.items():
        if path.startswith(prefix):
            return f"{base}/{path[len(prefix) :]}"
    return path


def _compiled(template: str) -> re.Pattern[str]:
    """A template as a pattern: `{name}` is one segment, `{name:path}` any number of them."""
    parts = re.split(r"\{(\w+)(:path)?\}", template)
    out = []
    for index in range(0, len(parts), 3):
        out.append(re.escape(parts[index]))
        if index + 1 < len(parts):
            out.append(f"(?P<{parts[index + 1]}>{'.*' if parts[index + 2] else '[^/]+'})")
    return re.compile("".join(out), re.DOTALL)


def project_of(workspace: str) -> str:
    """The project that a workspace is.

    Raises: MlflowError where its name is none.
    """
    if not workspace:
        return DEFAULT_PROJECT
    if not _PROJECT.fullmatch(workspace):
        raise MlflowError(
            "INVALID_PARAMETER_VALUE",
            f"Workspace name {workspace[:100]!r} has to be 1 to 63 letters, digits, '.', '_', '-'.",
        )
    return workspace
