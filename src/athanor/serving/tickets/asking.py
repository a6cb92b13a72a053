"""Asking the plane for what a ticket holds, in pieces where it is more than one request may be."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import orjson

from athanor.kernel.errors import AthanorError, error_from_dict
from athanor.serving.errors.tickets import EndpointBusy
from athanor.serving.tickets.logged import Logged

_AGAIN = frozenset({429, 502, 503, 504})
_ROWS = 2_000
"""Rows of one request to the plane at most."""
_SECONDS = 120.0
_HALF_DONE = 16
"""Tickets whose first answers are kept while the rest is busy."""
JSON = "application/json"


def packed(content_type: str, body: bytes) -> bytes:
    """A request as it is kept: its type, an empty line, its bytes."""
    return content_type.encode("latin-1", "replace") + b"\n\n" + body


def unpacked(kept: bytes) -> tuple[str, bytes]:
    """The type and the bytes of a kept request."""
    head, _, body = kept.partition(b"\n\n")
    return head.decode("latin-1"), body


class _Begun(NamedTuple):
    """What a ticket had."""

    answers: list[bytes]
    """Of its first pieces."""
    sure: bool
    """Whether that is all that was answered."""


class _Unheard(EndpointBusy):
    """The plane went away: what it did of the piece, only its log tells."""


class Asker:
    """A client of the plane."""

    def __init__(self, url: Callable[[], str], token: str, logged: Logged | None = None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._logged = logged
        self._begun: dict[str, _Begun] = {}
        """What tickets had before their endpoint was busy."""

    @cached_property
    def _http(self) -> httpx.Client:
        """Made when first needed: it reads all certificates, which a start need not wait for."""
        return httpx.Client(timeout=_SECONDS, trust_env=False)

    def ask(
        self,
        endpoint: str,
        route: str,
        ticket: str,
        kept: bytes,
        check: Callable[[], None],
        *,
        again: bool = False,
    ) -> bytes:
        """The answer's body. `check` is called before each piece and may raise.

        A ticket that comes again is asked from the piece on that has no answer yet: what was
        answered is logged already. `again` says that it was asked before, by whatever server.

        Raises: EndpointBusy (ask again later); what the plane refuses.
        """
        content_type, body = unpacked(kept)
        in_pieces = route == "predict" and content_type == JSON
        pieces = list(_pieces(body)) if in_pieces else [body]
        begun = self._begun.pop(ticket, _Begun([], sure=not again))
        answers = begun.answers
        if in_pieces and not begun.sure:
            answers = self._told(endpoint, ticket, pieces, answers)
        for piece in pieces[len(answers) :]:
            check()
            try:
                answers.append(self._send(endpoint, route, ticket, content_type, piece))
            except EndpointBusy as error:
                self._keep(ticket, _Begun(answers, sure=not isinstance(error, _Unheard)))
                raise
        return answers[0] if len(answers) == 1 else _joined(answers)

    def _told(
        self, endpoint: str, ticket: str, pieces: list[bytes], heard: list[bytes]
    ) -> list[bytes]:
        """The first pieces' answers: those that were heard, and what the log has beyond them.

        Raises: EndpointBusy, where only a model that is not loaded can tell.
        """
        if self._logged is None:
            return heard
        found = self._logged.answers(
            endpoint, ticket, pieces, lambda version: self._one_number(endpoint, version)
        )
        return [*heard, *found[len(heard) :]]

    def _one_number(self, endpoint: str, version: int) -> bool:
        """Whether this version, whose answers are no classes, tells one number a row.

        Raises: EndpointBusy, where its model is not there to tell.
        """
        base, name = self._url(), quote(endpoint, safe="")
        model = f"{base}/v2/models/{name}/versions/{version}"
        try:
            ready = self._http.get(f"{model}/ready", headers=self._headers)
            told = self._http.get(model, headers=self._headers)
        except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
            raise EndpointBusy(endpoint, str(error) or type(error).__name__) from error
        if ready.status_code in _AGAIN or told.status_code in _AGAIN:
            raise EndpointBusy(endpoint, "its model is not loaded yet")
        outputs = orjson.loads(told.content).get("outputs") if told.is_success else None
        return outputs is not None and [item["shape"] for item in outputs] == [[-1]]

    def _keep(self, ticket: str, begun: _Begun) -> None:
        """Keep a ticket's first answers; where many wait so, the log is asked for the oldest's."""
        self._begun[ticket] = begun
        while len(self._begun) > _HALF_DONE:
            self._begun.pop(next(iter(self._begun)), None)

    def close(self) -> None:
        """Hang up."""
        if "_http" in vars(self):
            self._http.close()

    def _send(
        self, endpoint: str, route: str, ticket: str, content_type: str, body: bytes
    ) -> bytes:
        base = self._url()
        if not base:
            raise EndpointBusy(endpoint, "no data plane runs yet")
        name = quote(endpoint, safe="")
        path = f"/v2/models/{name}/infer" if route == "infer" else f"/endpoints/{name}/{route}"
        headers = {"Content-Type": content_type, "X-Request-Id": ticket, **self._headers}
        try:
            answer = self._http.post(f"{base}{path}", content=body, headers=headers)
        except httpx.TransportError as error:
            raise _Unheard(endpoint, str(error) or type(error).__name__) from error
        if answer.status_code in _AGAIN:
            raise EndpointBusy(endpoint, answer.text[:300])
        if answer.is_error:
            raise _refused(answer)
        return answer.content


_SERVER_FAULT = 500


def _refused(answer: httpx.Response) -> AthanorError:
    """What the plane said, in whatever protocol it said it."""
    try:
        told = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        told = {}
    if isinstance(told, dict) and isinstance(told.get("status"), int):
        return error_from_dict(told)
    message = told.get("message") or told.get("error") if isinstance(told, dict) else None
    said = {"status": answer.status_code, "message": str(message or answer.text[:500])}
    error = error_from_dict(said)
    if answer.is_client_error and error.status >= _SERVER_FAULT:  # 415, say, which is no kind
        return error_from_dict(said | {"status": 400})
    return error


def _pieces(body: bytes) -> Iterator[bytes]:
    """The same request in parts of at most `_ROWS` rows."""
    told = orjson.loads(body)
    for name in ("records", "instances"):
        rows = told.get(name) if isinstance(told, dict) else None
        if isinstance(rows, list) and len(rows) > _ROWS:
            for start in range(0, len(rows), _ROWS):
                yield orjson.dumps(told | {name: rows[start : start + _ROWS]})
            return
    split = told.get("dataframe_split") if isinstance(told, dict) else None
    if isinstance(split, dict) and len(split.get("data") or ()) > _ROWS:
        for start in range(0, len(split["data"]), _ROWS):
            part = split | {"data": split["data"][start : start + _ROWS]}
            part.pop("index", None)
            yield orjson.dumps(told | {"dataframe_split": part})
        return
    yield body


def _joined(answers: list[bytes]) -> bytes:
    told: list[dict[str, Any]] = [orjson.loads(answer) for answer in answers]
    whole = dict(told[0])
    whole["predictions"] = [item for answer in told for item in answer["predictions"]]
    return orjson.dumps(whole)
