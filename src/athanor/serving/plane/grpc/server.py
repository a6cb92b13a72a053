"""`inference.GRPCInferenceService`: the plane's gRPC door, with the answers of its HTTP one.

Needs grpcio (the extra `grpc`): loaded by its path where a port for it is set.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import grpc  # type: ignore[import-untyped, unused-ignore]
import orjson

from athanor.kernel.errors import AthanorError
from athanor.serving.logic.doors import Doors
from athanor.serving.plane.exchange import Answer, Exchange
from athanor.serving.plane.grpc import messages, wire
from athanor.serving.plane.http import Request

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane

_SERVICE = "inference.GRPCInferenceService"
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_CARRIED = frozenset({"x-request-id", "traceparent", "x-athanor-deployment", "x-athanor-model"})


class _Held(Exchange, kw_only=True, eq=False):
    """An answer that is waited for, and goes over no connection."""

    told: asyncio.Future[Answer]

    def answer(
        self, status: int, body: bytes, content_type: bytes = b"", headers: bytes = b""
    ) -> None:
        """Keep the answer."""
        if not self.answered:
            self.answered = True
            if not self.told.done():
                self.told.set_result(Answer(status, body, content_type, headers))


class Refused(Exception):
    """What ends a call."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class GrpcDoor:
    """The service of one plane process."""

    def __init__(self, plane: "Plane", doors: Doors) -> None:
        self._plane = plane
        self._doors = doors
        self._server: grpc.aio.Server | None = None

    async def open(self, address: str, limit: int) -> int:
        """Listen at `host:port`; the port. Messages of more than `limit` bytes are refused."""
        server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
            )
        )
        unary = {
            "ServerLive": self._flag("/v2/health/live", "live"),
            "ServerReady": self._flag("/v2/health/ready", "ready"),
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "RepositoryIndex": self._index,
            "ModelInfer": self._infer,
        }
        handlers: dict[str, grpc.RpcMethodHandler] = {
            name: grpc.unary_unary_rpc_method_handler(self._guarded(act))
            for name, act in unary.items()
        }
        handlers["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(self._stream)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        port = server.add_insecure_port(address)
        await server.start()
        self._server = server
        return int(port)

    async def close(self, seconds: float) -> None:
        """Answer what was begun, and end."""
        if self._server is not None:
            await self._server.stop(seconds)

    def _guarded(self, act: Callable[..., Any]) -> Callable[..., Any]:
        async def call(data: bytes, context: Any) -> bytes:
            headers = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
            try:
                self._admit(headers)
                return cast("bytes", await act(data, headers))
            except Refused as refused:
                await context.abort(refused.code, str(refused))
            except AthanorError as error:
                code = _CODES.get(error.status, grpc.StatusCode.INTERNAL)
                await context.abort(code, str(error))
            raise AssertionError  # abort raises

        return call

    def _admit(self, headers: dict[str, str]) -> None:
        """Check the token. Raises: TokenNeeded."""
        self._doors.check(["localhost"], [], headers.get("authorization", ""))

    async def _asked(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        """The answer of the same request over HTTP.

        Raises: Refused.
        """
        exchange = _Held(cast("Any", None), told=asyncio.get_running_loop().create_future())
        carried = {name: [value] for name, value in headers.items() if name in _CARRIED}
        if "inference-header-content-length" in headers:
            length = headers["inference-header-content-length"]
            carried["inference-header-content-length"] = [length]
        try:
            self._plane.handle(Request(method, path, carried, body, time.monotonic()), exchange)
        except AthanorError as error:
            exchange.refuse(error)
        answer = await exchange.told
        if answer.status != 200:
            told = orjson.loads(answer.body) if answer.body[:1] == b"{" else {}
            reason = str(told.get("error", answer.body.decode(errors="replace")))
            raise Refused(_CODES.get(answer.status, grpc.StatusCode.INTERNAL), reason)
        return answer

    def _flag(self, path: str, name: str) -> Callable[..., Any]:
        async def told(_data: bytes, headers: dict[str, str]) -> bytes:
            return await self._whether(path, name, headers)

        return told

    async def _whether(self, path: str, name: str, headers: dict[str, str]) -> bytes:
        try:
            answer = await self._asked("GET", path, headers)
        except Refused as refused:
            if refused.code is grpc.StatusCode.UNAVAILABLE:
                return b""  # false is the default
            raise
        return wire.put(1, True) if orjson.loads(answer.body)[name] else b""

    async def _model_ready(self, data: bytes, headers: dict[str, str]) -> bytes:
        return await self._whether(f"{_path(*messages.named(data))}/ready", "ready", headers)

    async def _server_metadata(self, _data: bytes, headers: dict[str, str]) -> bytes:
        answer = await self._asked("GET", "/v2", headers)
        return messages.server_answer(orjson.loads(answer.body))

    async def _model_metadata(self, data: bytes, headers: dict[str, str]) -> bytes:
        answer = await self._asked("GET", _path(*messages.named(data)), headers)
        return messages.metadata_answer(orjson.loads(answer.body))

    async def _index(self, _data: bytes, headers: dict[str, str]) -> bytes:
        answer = await self._asked("POST", "/v2/repository/index", headers)
        return messages.index_answer(orjson.loads(answer.body))

    async def _infer(self, data: bytes, headers: dict[str, str]) -> bytes:
        asked = messages.infer_request(data)
        told = headers | {"inference-header-content-length": str(len(asked.head))}
        path = f"{_path(asked.model, asked.version)}/infer"
        answer = await self._asked("POST", path, told, asked.head + asked.tail)
        length = answer.headers.lower().partition(b"inference-header-content-length:")[2]
        return messages.infer_answer(answer.body, int(length.split(b"\r\n")[0]))

    async def _stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """ModelStreamInfer: each request's answer, in order; a failure ends its request alone."""
        headers = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        async for data in requests:
            try:
                self._admit(headers)
                yield wire.put(2, await self._infer(data, headers))
            except (Refused, AthanorError) as error:
                yield wire.put(1, str(error))


def _path(model: str, version: str) -> str:
    path = f"/v2/models/{quote(model, safe='')}"
    return f"{path}/versions/{quote(version, safe='')}" if version else path
