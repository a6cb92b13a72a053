"""The short way through the plane: one record, decoded strictly, predicted, logged, answered.

A lane is made for an address whose endpoint has one deployment and nothing special about it. It
writes the same bytes as `Records`, `Invocations` and `Asking` do, from templates; whatever it can't
take (several records, coercions, secrets to be masked) it leaves to them.
"""

import json
import logging
import math
import os
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.serving.logic import decoders
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import Row, scored
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.http import Exchange, Request, guarded, wire_of
from athanor.serving.plane.served import Served

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_astuple = msgspec.structs.astuple


class Ids:
    """Prediction ids: 32 hex digits in the form of UUID version 7, in the order of their making."""

    def __init__(self) -> None:
        tag = os.urandom(4).hex()
        self._middle = f"7{tag[:3]}8{tag[3:]}"
        self._count = 0

    def next(self, seconds: float) -> str:
        """An id made at this time (time.time())."""
        self._count = (self._count + 1) & 0xFFFFFFFFFF
        return f"{int(seconds * 1000):012x}{self._middle}{self._count:010x}"


class Moments:
    """Times as the log writes them."""

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def text(self, seconds: float) -> str:
        """time.time() in ISO 8601, UTC, microseconds."""
        whole = int(seconds)
        if whole != self._second:
            self._second = whole
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        return f"{self._prefix}.{int((seconds - whole) * 1e6):06d}Z"


_ids, _moments = Ids(), Moments()

_Waiting: TypeAlias = tuple[float, str, str, Exchange]
"""When the request arrived, its key and its features as JSON, and where its answer goes."""


class Lane:
    """The short way to one deployment."""

    def __init__(self, plane: "Plane", served: Served, dialect: Dialect, *, mlflow: bool) -> None:
        route, target = served.route, served.target
        signature = target.signature
        make = decoders.frame_records if mlflow else decoders.records
        self._decode = make(signature, route.key)
        self._mlflow = mlflow
        self.dialect = dialect
        self._plane = plane
        self._served = served
        self._series = plane.figures.of(served.labels)
        self._append = plane.log.appender(route.log.durability)
        self._width = len(signature.columns)
        self._key = _place_of_key(route, target)
        self._texts = [
            place for place, column in enumerate(signature.columns) if column.type == "string"
        ]
        self._head = (
            f'","endpoint":{json.dumps(route.name)},"deployment":"{target.id}",'
            f'"model":{json.dumps(target.model)},"version":{target.version},"latency":'
        )
        self._tail = (
            f'],"model":{json.dumps(target.model)},"version":{target.version},'
            f'"deployment":"{target.id}"}}'
        )
        self._hello: Hello | None = None
        self._one: Callable[[list[Any]], tuple[int, Any]] | None = None
        self._names: list[str] = []
        self._labels: list[str] = []
        self._texts_of_labels: list[str] = []
        self._positive = -1

    @staticmethod
    def fits(served: Served) -> bool:
        """Whether nothing about the endpoint asks for the long way."""
        route = served.route
        plain = not (route.rules or route.sticky or route.mirrored or served.target.graph or route.problem)
        return plain and len(route.targets) == 1 and served.recorder.plain and _usual(route)

    def take(self, body: bytes, arrived: float, exchange: Exchange) -> bool:
        """Answer a request, now or when the model has; False leaves it to the long way."""
        decode, served = self._decode, self._served
        if decode is None or served.target.broken:
            return False
        records = decode(body)
        if records is None or len(records) != 1:
            return False
        record = records[0]
        row = list(_astuple(record))
        key = "null"
        if self._key >= 0:
            found = row[self._key]
            if found is not None and found is not msgspec.UNSET:
                key = json.dumps(str(found))
            if self._key >= self._width:
                row.pop()
                record.key = msgspec.UNSET  # type: ignore[attr-defined]  # decoders put it there
        clean = served.recorder.clean
        for place in self._texts:
            text = row[place]
            if text is not None and len(text) > 6 and not clean(text):
                return False
        features = _encode(record).decode()
        if served.compiled is None or served.batched:
            self._submit(row, (arrived, key, features, exchange))
            return True
        if self._one is None:
            self._learn(served.compiled.hello)
            self._one = served.compiled.one
        served.used = arrived
        try:
            label, numbers = self._one(row)
        except AthanorError:
            return False
        if len(numbers) != 1 and label < 0:
            return False
        self._answer(label, numbers, arrived, key, features, exchange)
        return True

    def _submit(self, row: Row, waiting: "_Waiting") -> None:
        """Have workers, or a batch, predict the row.

        Raises: Overloaded.
        """
        plane, name = self._plane, self._served.route.name
        plane.begin(name)
        self._served.submit(
            [row],
            lambda result, hello: guarded(
                waiting[3], lambda: self._replied(row, result, hello, waiting), logger.error
            ),
            plane.limits.answer_seconds,
        )

    def _learn(self, hello: Hello) -> None:
        """What a model tells about itself, as text for the templates."""
        self._hello = hello
        self._names = [f"{json.dumps(str(item))}:" for item in hello.classes]
        self._labels = [_encode(item).decode() for item in hello.classes]
        self._texts_of_labels = [json.dumps(str(item)) for item in hello.classes]
        self._positive = scored(self._served.target.signature, hello.classes)

    def _replied(
        self, row: Row, result: Reply | AthanorError, hello: Hello | None, waiting: "_Waiting"
    ) -> None:
        """The model answered, or nobody will."""
        arrived, key, features, exchange = waiting
        if (
            isinstance(result, AthanorError)
            or hello is None
            or result.error
            or result.values
            or hello.outputs
        ):
            keys = [None if key == "null" else json.loads(key)]
            request = Request("POST", "", {}, b"", arrived)
            asked = Asked([row], keys, None)
            asking = self._plane.finish(self._served, request, (self.dialect, asked, exchange))
            asking.replied(result, hello)
            return
        self._plane.ended(self._served.route.name)
        if hello is not self._hello:
            self._learn(hello)
        numbers = struct.unpack(f"<{len(result.numbers) // 8}d", result.numbers)
        label = result.labels[0] if result.labels else -1
        self._answer(label, numbers, arrived, key, features, exchange)

    def _answer(
        self, label: int, numbers: Any, arrived: float, key: str, features: str, exchange: Exchange
    ) -> None:
        wall, now = time.time(), time.monotonic()
        seconds = now - arrived
        id_ = _ids.next(wall)
        series = self._series
        score = "null"
        chances = ""
        if label >= 0:
            told, logged = self._labels[label], self._texts_of_labels[label]
            if numbers:
                sound = True
                parts = []
                for name, number in zip(self._names, numbers, strict=True):
                    if not 0.0 <= number <= 1.0:
                        sound = False
                    parts.append(f"{name}{number!r}" if number - number == 0.0 else f"{name}null")
                chances = ",".join(parts)
                value = numbers[label if self._positive < 0 else self._positive]
                score = repr(value) if value - value == 0.0 else "null"
                if not sound:
                    series.nonsense += 1
            logged_chances = f"{{{chances}}}" if numbers else "null"
        else:
            value = numbers[0]
            if math.isfinite(value):
                score = repr(float(value))
            else:
                series.nonsense += 1
            told, logged, logged_chances = score, "null", "null"
        line = (
            f'{{"id":"{id_}","request":"{id_}","predicted_at":"{_moments.text(wall)}{self._head}'
            f'{seconds!r},"key":{key},"features":{features},"label":{logged},"score":{score},'
            f'"probabilities":{logged_chances}}}\n'
        )
        if self._mlflow:
            body = f'{{"predictions":[{told}]}}'.encode()
            wire = wire_of(body, b"X-Prediction-Id: %b\r\n" % id_.encode())
        else:
            body = (
                f'{{"predictions":[{{"id":"{id_}","label":{told},"probabilities":{{{chances}}},'
                f'"score":{score}}}{self._tail}'
            ).encode()
            wire = wire_of(body)
        series.count(seconds)
        exchange.wire = wire
        exchange.series = series
        self._append(line.encode(), exchange.release)


def _usual(route: Route) -> bool:
    """Whether its rows are logged as they are, every one."""
    return route.log.sample >= 1.0 and not route.log.redact


def _place_of_key(route: Route, target: Target) -> int:
    """Where a decoded record holds the key; -1 where the endpoint has none."""
    names = target.signature.names
    if not route.key:
        return -1
    return names.index(route.key) if route.key in names else len(names)
