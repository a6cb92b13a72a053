"""The short way through the plane: one record, decoded strictly, predicted, logged, answered.

A lane is made for an address whose endpoint has one deployment and nothing special about it. It
writes the same bytes as `Records`, `Invocations` and `Asking` do, from templates; whatever it can't
take (several records, coercions, secrets to be masked) it leaves to them.
"""

import json
import logging
import os
import struct
import time
from collections.abc import Callable
from math import isfinite
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.serving.logic import decoders
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import Row, scored
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.exchange import Exchange, guarded, wire_of
from athanor.serving.plane.http import Request
from athanor.serving.plane.served import Served

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane

logger = logging.getLogger(__name__)

_LEAST, _MOST = 1.0 - 1e-6, 1.0 + 1e-6
"""The bounds of what probabilities sum to."""

_encode = msgspec.json.Encoder().encode
_astuple = msgspec.structs.astuple


class Stamps:
    """Prediction ids and times as the log writes them, with what they share kept."""

    def __init__(self) -> None:
        tag = os.urandom(4).hex()
        self._middle = f"7{tag[:3]}8{tag[3:]}"
        self._count = 0
        self._second = -1
        self._id = ""
        self._text = ""
        self.moment = b""
        """ISO 8601 in UTC, with microseconds."""
        self.tick = -1
        """The log's count of flushes when the time was taken."""
        self.renew()

    def renew(self) -> None:
        """Take the time: once a tick of the loop is often enough."""
        seconds = time.time()
        whole = int(seconds)
        if whole != self._second:
            self._second = whole
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        self._id = f"{int(seconds * 1000):012x}{self._middle}"
        self.moment = f"{self._text}.{int((seconds - whole) * 1e6):06d}Z".encode()

    def next(self) -> bytes:
        """An id: 32 hex digits in the form of UUID version 7, in the order of their making."""
        self._count = count = (self._count + 1) & 0xFFFFFFFFFF
        return f"{self._id}{count:010x}".encode()


_stamps = Stamps()

_Waiting: TypeAlias = tuple[float, bytes, bytes, Exchange]
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
        self._log = plane.log
        self._append = plane.log.appender(route.log.durability)
        self._width = len(signature.columns)
        self._key = _place_of_key(route, target)
        texts = [place for place, item in enumerate(signature.columns) if item.type == "string"]
        self._texts = _getter(texts)
        self._request = b'","request":"'
        self._at = b'","predicted_at":"'
        self._head = (
            f'","endpoint":{json.dumps(route.name)},"deployment":"{target.id}",'
            f'"model":{json.dumps(target.model)},"version":{target.version},"latency":'
        ).encode()
        self._tail = (
            f'}}],"model":{json.dumps(target.model)},"version":{target.version},'
            f'"deployment":"{target.id}"}}'
        ).encode()
        self._hello: Hello | None = None
        self._one: Callable[[list[Any]], tuple[int, Any]] | None = None
        self._chances = ""
        self._labels: list[bytes] = []
        self._logged: list[bytes] = []
        self._scored: list[int] = []

    @staticmethod
    def fits(served: Served) -> bool:
        """Whether nothing about the endpoint asks for the long way."""
        route = served.route
        if served.target.broken:
            return False
        plain = not (
            route.rules or route.sticky or route.mirrored or served.target.graph or route.problem
        )
        return plain and len(route.targets) == 1 and served.recorder.plain and _usual(route)

    def take(self, body: bytes, arrived: float, exchange: Exchange) -> bool:
        """Answer a request, now or when the model has; False leaves it to the long way.

        Raises: Overloaded, in the words of the dialect that asked.
        """
        try:
            return self._take(body, arrived, exchange)
        except AthanorError:
            exchange.refusal = self.dialect.refuse
            raise
        except Exception:
            # The long way says what became of it.
            logger.exception("The short way failed on a request")
            return False

    def _take(self, body: bytes, arrived: float, exchange: Exchange) -> bool:
        decode, served = self._decode, self._served
        if decode is None:
            return False
        records = decode(body)
        if records is None or len(records) != 1:
            return False
        record = records[0]
        row: Any = _astuple(record)
        key = b"null"
        if self._key >= 0:
            found = row[self._key]
            if found is not None and found is not msgspec.UNSET:
                key = json.dumps(str(found)).encode()
            if self._key >= self._width:
                row = row[:-1]
                record.key = msgspec.UNSET  # type: ignore[attr-defined]  # decoders put it there
        texts = self._texts
        if texts is not None and not served.recorder.clean_all(texts(row)):
            return False
        features = _encode(record)
        if served.compiled is None or served.batched:
            self._submit(list(row), (arrived, key, features, exchange))
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
        names = [json.dumps(str(item)).replace("%", "%%") for item in hello.classes]
        self._chances = "{" + ",".join(f"{name}:%s" for name in names) + "}"
        self._labels = [_encode(item) for item in hello.classes]
        self._logged = [json.dumps(str(item)).encode() for item in hello.classes]
        positive = scored(self._served.target.signature, hello.classes)
        self._scored = [place if positive < 0 else positive for place in range(len(hello.classes))]

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
            keys = [None if key == b"null" else json.loads(key)]
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
        self,
        label: int,
        numbers: Any,
        arrived: float,
        key: bytes,
        features: bytes,
        exchange: Exchange,
    ) -> None:
        seconds = time.monotonic() - arrived
        log = self._log
        if not log.scheduled or _stamps.tick != log.flushed:  # the long way may have been first
            _stamps.renew()
            _stamps.tick = log.flushed
        id_ = _stamps.next()
        series = self._series
        logged_chances = chances = score = b"null"
        if label < 0:
            if isfinite(numbers[0]):
                score = repr(float(numbers[0])).encode()
            else:
                series.nonsense += 1
            told, logged, chances = score, b"null", b"{}"
        else:
            told, logged = self._labels[label], self._logged[label]
            if numbers:
                texts = tuple(map(repr, numbers))
                if not (min(numbers) >= 0.0 and _LEAST < sum(numbers) < _MOST):
                    series.nonsense += 1
                    texts = tuple(repr(item) if isfinite(item) else "null" for item in numbers)
                logged_chances = chances = (self._chances % texts).encode()
                score = texts[self._scored[label]].encode()
            else:
                chances = b"{}"
        line = b"".join((
            b'{"id":"', id_, self._request, id_, self._at, _stamps.moment, self._head,
            _latency(seconds), b',"key":', key, b',"features":', features,
            b',"label":', logged, b',"score":', score,
            b',"probabilities":', logged_chances, b"}\n",
        ))  # fmt: skip
        if self._mlflow:
            body = b'{"predictions":[%b]}' % told
            exchange.wire = wire_of(body, b"X-Prediction-Id: %b\r\n" % id_)
        else:
            body = b"".join((
                b'{"predictions":[{"id":"', id_, b'","label":', told, b',"probabilities":',
                chances, b',"score":', score, self._tail,
            ))  # fmt: skip
            exchange.wire = wire_of(body)
        series.count(seconds)
        exchange.series = series
        self._append(line, exchange.release)


def _latency(seconds: float) -> bytes:
    if seconds < 1.0:
        return b"0.%06d" % int(seconds * 1e6)
    return b"%.6f" % seconds


def _getter(places: list[int]) -> Callable[[Row], tuple[Any, ...]] | None:
    """What takes the values at these places, always as a tuple."""
    if not places:
        return None
    if len(places) == 1:
        (place,) = places
        return lambda row: (row[place],)
    return itemgetter(*places)


def _usual(route: Route) -> bool:
    """Whether its rows are logged as they are, every one."""
    return route.log.sample >= 1.0 and not route.log.redact


def _place_of_key(route: Route, target: Target) -> int:
    """Where a decoded record holds the key; -1 where the endpoint has none."""
    names = target.signature.names
    if not route.key:
        return -1
    return names.index(route.key) if route.key in names else len(names)
