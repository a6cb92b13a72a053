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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec

from athanor.kernel import AthanorError, Principal
from athanor.tracking.mlflow.calls import (
    Answer,
    Call,
    ClientLeft,
    Head,
    Message,
    Receive,
    Scope,
    Send,
    headers_of,
)
from athanor.tracking.mlflow.failures import MlflowError
from athanor.tracking.mlflow.routing import MlflowRoutes, Route

_THREADS = 16


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


def _to_whoever_is_there(send: Send) -> Send:
    """As `send`, and ClientLeft where the connection is closed: nobody's fault."""

    async def sending(message: Message) -> None:
        try:
            await send(message)
        except (OSError, RuntimeError) as error:
            raise ClientLeft from error

    return sending


def _failed(failure: MlflowError) -> Answer:
    headers = {"retry-after": "1"} if failure.status in {429, 503} else {}
    if failure.status == 401:
        headers["www-authenticate"] = 'Basic realm="athanor"'
    return Answer(body=failure.body(), status=failure.status, headers=headers)
