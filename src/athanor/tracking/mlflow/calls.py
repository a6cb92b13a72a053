"""One request of the MLflow protocol, and its answer."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.tracking.mlflow.failures import MlflowError
from athanor.tracking.mlflow.records import R, read_json, read_query

if TYPE_CHECKING:
    from athanor.tracking.mlflow.borders import Borders

_BODY_LIMIT = 64 << 20
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


def double(value: float) -> float | str:
    """A double for JSON, as MLflow sends it: NaN a text, infinities the greatest finite numbers."""
    if value != value:  # noqa: PLR0124 - NaN is what differs from itself
        return "NaN"
    return min(max(value, -GREATEST), GREATEST)


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
