"""What of a ticket was answered already, as the prediction log tells it.

A server that is killed takes with it what the plane told it, and the plane has logged that. So a
ticket that comes again is asked for what the log does not hold, and its other answers are made of
the log: each row is logged once, and has the id that its caller reads.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson

from athanor.kernel.ids import new_id
from athanor.serving.log import Answered, ServingLog
from athanor.serving.logic.signature import parse
from athanor.serving.store import EndpointStore
from athanor.serving.types import Deployment, Endpoint

_SETTLED_SECONDS = 15.0
"""How long the planes of a server that was killed may take to end."""
_LOOK_SECONDS = 0.1


class Logged:
    """Answers that were given before this server began."""

    def __init__(self, log: ServingLog, endpoints: EndpointStore, began: str = "") -> None:
        self._log = log
        self._endpoints = endpoints
        self._began = began or new_id()
        """What this server's planes write is younger than this id."""

    def answers(
        self,
        endpoint: str,
        ticket: str,
        pieces: Sequence[bytes],
        one_number: Callable[[int], bool],
    ) -> list[bytes]:
        """The answers of a ticket's first pieces, as far as the log tells them whole.

        It does not where a request is logged in part or not at all, and where an answer has more
        than is logged: several numbers a row, values that are no classes, features that were looked
        up. `one_number` says whether a version of the endpoint tells one number a row.

        Raises: EndpointBusy, by `one_number`.
        """
        self._settle()
        found = self._log.answered(endpoint, ticket)
        served = self._endpoints.find(endpoint) if found else None
        return [] if served is None else list(answers_of(served, pieces, found, one_number))

    def _settle(self) -> None:
        """Wait for planes of the server before this one, which write what they have begun."""
        end = time.monotonic() + _SETTLED_SECONDS
        while self._log.written_before(self._began) and time.monotonic() < end:
            time.sleep(_LOOK_SECONDS)


def answers_of(
    endpoint: Endpoint,
    pieces: Sequence[bytes],
    found: Sequence[Answered],
    one_number: Callable[[int], bool],
) -> Iterator[bytes]:
    """The answers of the first pieces, made of what was logged of them."""
    deployments = {item.id: item for item in endpoint.deployments}
    logged = [list(rows) for _, rows in groupby(found, key=attrgetter("at"))]
    for piece, rows in zip(pieces, logged, strict=False):
        deployment = deployments.get(rows[0].deployment)
        if deployment is None or deployment.features is not None:
            return
        body = orjson.loads(piece)
        if not isinstance(body, dict) or len(body.get("records") or ()) != len(rows):
            return
        predictions = _predictions(deployment, rows, one_number)
        if predictions is None:
            return
        told: dict[str, Any] = {
            "predictions": predictions,
            "model": deployment.model,
            "version": deployment.version,
            "deployment": deployment.id,
        }
        parsed = parse(deployment.signature, body, key=endpoint.key, max_rows=len(rows))
        if parsed.ignored:
            told["ignored_columns"] = parsed.ignored
        yield orjson.dumps(told)


def _predictions(
    deployment: Deployment, rows: Sequence[Answered], one_number: Callable[[int], bool]
) -> list[dict[str, Any]] | None:
    """The rows in the words of `predict`; None where the log does not hold all of them."""
    classes = {str(item): item for item in deployment.signature.classes}
    if len(classes) != len(deployment.signature.classes):
        return None
    if classes and any(row.label not in classes for row in rows):
        return None
    if not classes and (
        any(row.label is not None for row in rows) or not one_number(deployment.version)
    ):
        return None
    return [
        {
            "id": row.id,
            "label": classes[str(row.label)] if classes else row.score,
            "probabilities": row.probabilities or {},
            "score": row.score,
        }
        for row in rows
    ]
