"""One request for predictions, from its rows to its logged answer."""

import logging
import math
import re
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.serving.errors import (
    LogUnwritable,
    ModelRefusedInput,
    TooManyRecords,
    WorkerUnavailable,
)
from athanor.serving.errors.protocols import InvocationRefused
from athanor.serving.logic import exposition
from athanor.serving.logic.frames import TOO_MANY, Hello, Reply
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import fraction_of
from athanor.serving.logic.rows import PredictionRow, line
from athanor.serving.logic.signature import scored
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.exchange import Answer, Exchange, guarded
from athanor.serving.plane.http import Request

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane
    from athanor.serving.plane.served import Served

logger = logging.getLogger(__name__)

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")


class Asking:
    """A request whose rows are at the model."""

    __slots__ = ("_asked", "_dialect", "_exchange", "_plane", "_request", "_request_id", "_served")

    def __init__(
        self,
        plane: "Plane",
        served: "Served",
        request_id: str,
        request: Request,
        dialect: Dialect,
        asked: Asked,
        exchange: Exchange,
    ) -> None:
        self._plane = plane
        self._served = served
        self._request_id = request_id
        self._request = request
        self._dialect = dialect
        self._asked = asked
        self._exchange = exchange

    def replied(self, result: Reply | AthanorError, hello: Hello | None) -> None:
        """The model answered, or nobody will."""
        guarded(self._exchange, lambda: self._finish(result, hello), self._failed)

    def _failed(self, message: str) -> None:
        logger.error(message)
        self._end(500)

    def _finish(self, result: Reply | AthanorError, hello: Hello | None) -> None:
        if isinstance(result, Reply):
            result = self._read(result)
        if isinstance(result, AthanorError) or hello is None:
            failure = result if isinstance(result, AthanorError) else WorkerUnavailable("no hello")
            self._end(failure.status)
            self._exchange.refuse(failure)
            return
        hello.texts = hello.texts or bool(result.values)
        predicted = self._predicted(result, hello)
        answer = self._dialect.write(self._served.target, self._asked, predicted)
        rows = self._rows(predicted)
        if self._served.route.mirrored and self._plane.shadows is not None:
            self._plane.copy(self._served, self._request_id, self._asked.rows, rows)
        sound = not predicted.numbers or all(_sound(row.score, row.probabilities) for row in rows)
        release = self._released(answer, len(rows), sound=sound)
        policy = self._served.route.log
        if policy.sample < 1.0 and fraction_of(self._request_id) >= policy.sample:
            release(None)
            return
        append = self._plane.log.appender(policy.durability)
        append(b"".join(map(line, rows)), release)

    def _read(self, reply: Reply) -> Reply | AthanorError:
        """The reply, with the rows of a body that a worker read; or why there is none."""
        asked = self._asked
        if reply.code == TOO_MANY and asked.body is not None:
            return TooManyRecords(int(reply.error), asked.body.most)
        if reply.code:
            message = reply.error if asked.refusal is None else asked.refusal.message
            return InvocationRefused(message, name=reply.code)
        if reply.error:
            return ModelRefusedInput(reply.error)
        if asked.body is not None:
            asked.rows = reply.rows
            key, names = self._served.route.key, asked.body.names
            if key and key in names:
                asked.keys = [_text(row[names.index(key)]) for row in reply.rows]
            elif key and not names:
                asked.keys = [_text(row[0].get(key)) for row in reply.rows]
        return reply

    def _predicted(self, reply: Reply, hello: Hello) -> Predicted:
        rows = len(self._asked.rows)
        return Predicted(
            ids=[new_id() for _ in range(rows)],
            classes=hello.classes,
            labels=reply.labels,
            numbers=struct.unpack(f"<{len(reply.numbers) // 8}d", reply.numbers),
            positive=scored(self._served.target.signature, hello.classes),
            outputs=hello.outputs,
            values=reply.values,
            text=reply.text,
        )

    def _released(
        self, answer: Answer, rows: int, *, sound: bool
    ) -> Callable[[OSError | None], None]:
        def release(failure: OSError | None) -> None:
            if failure is not None:
                self._end(503)
                self._exchange.refuse(LogUnwritable(failure.strerror or str(failure)))
                return
            series = self._end(200)
            series.rows += rows
            series.nonsense += not sound
            self._exchange.send(answer, self._request.header("accept-encoding"))

        return release

    def _end(self, status: int) -> exposition.Series:
        self._plane.ended(self._served.route.name)
        seconds = time.monotonic() - self._request.arrived
        return self._plane.figures.observe(self._served.labels, status, seconds)

    def _rows(self, predicted: Predicted) -> list[PredictionRow]:
        """Each record's line for the log."""
        served, target = self._served, self._served.target
        seconds = time.monotonic() - self._request.arrived
        now = datetime.now(UTC)
        trace = _trace(self._request.header("traceparent"))
        rows: list[PredictionRow] = []
        beside = self._asked.beside
        for place, values in enumerate(self._asked.rows):
            features = served.recorder.features(values)
            score = predicted.score(place)
            label = predicted.label(place)
            rows.append(
                PredictionRow(
                    id=predicted.ids[place],
                    request=self._request_id,
                    predicted_at=now,
                    endpoint=served.route.name,
                    deployment=target.id,
                    model=target.model,
                    version=target.version,
                    latency=seconds,
                    key=self._asked.keys[place] if self._asked.keys else None,
                    features=features if beside is None else features | beside[place],
                    label=None if label is None else str(label),
                    score=score if score is not None and math.isfinite(score) else None,
                    probabilities=predicted.probabilities(place),
                    trace=trace,
                )
            )
        return rows


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _trace(parent: str) -> str | None:
    """The trace id of a W3C traceparent header."""
    found = _TRACEPARENT.fullmatch(parent) if parent else None
    return found[1] if found is not None and found[1].strip("0") else None


def _sound(score: float | None, probabilities: dict[str, float] | None) -> bool:
    """Whether a score can be one: finite, and for a class a probability."""
    return score is not None and (probabilities is None or 0.0 <= score <= 1.0)
