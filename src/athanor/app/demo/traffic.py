"""Real HTTP requests to an endpoint, over a few connections kept open."""

import json
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from athanor.kernel import Unavailable

_CONNECTIONS = 8
_OK = 200
_TRIES = 3


class RequestFailed(Unavailable):
    """An endpoint did not answer a request as it must."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(
            f"The endpoint answered {status}: {said[:500]}",
            hint="See the endpoint: athanor endpoint show NAME",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One request's answer."""

    row: dict[str, Any]
    prediction: dict[str, Any]
    """`id`, `label`, `probabilities`, `score`."""
    version: int


def send(url: str, rows: Sequence[dict[str, Any]], *, token: str = "") -> list[Answered]:
    """Send one request a row; the answers in the rows' order.

    Raises: RequestFailed.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(rows)):
        waiting.put(number)
    answers: list[Answered | None] = [None] * len(rows)
    failures: list[Exception] = []
    threads = [
        threading.Thread(
            target=_work, args=(url, token, rows, waiting, answers, failures), daemon=True
        )
        for _ in range(_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [answer for answer in answers if answer is not None]


def _work(
    url: str,
    token: str,
    rows: Sequence[dict[str, Any]],
    waiting: "queue.SimpleQueue[int]",
    answers: list[Answered | None],
    failures: list[Exception],
) -> None:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=60)
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    try:
        while not failures:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            body = json.dumps({"records": [rows[number]]}, default=str).encode()
            answers[number] = _ask(connection, parts.path, body, headers, rows[number])
    except (RequestFailed, HTTPException, OSError) as error:
        failures.append(error)
    finally:
        connection.close()


def _ask(
    connection: HTTPConnection,
    path: str,
    body: bytes,
    headers: dict[str, str],
    row: dict[str, Any],
) -> Answered:
    for attempt in range(_TRIES):
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
        except (HTTPException, OSError):
            connection.close()
            if attempt == _TRIES - 1:
                raise
            continue
        if answer.status != _OK:
            raise RequestFailed(answer.status, said.decode("utf-8", "replace"))
        told = json.loads(said)
        return Answered(
            row=row, prediction=told["predictions"][0], version=int(told.get("version") or 0)
        )
    raise RequestFailed(0, "no answer")
