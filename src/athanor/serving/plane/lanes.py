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
from collections.abc import Callable, Iterator
from operator import itemgetter
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import orjson

from athanor.kernel.errors import AthanorError
from athanor.serving.logic import decoders
from athanor.serving.logic.frames import EVERY, Hello, Reply
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.signature import Row, scored
from athanor.serving.plane.dialects.port import Asked, Dialect
from athanor.serving.plane.exchange import Exchange, guarded, head_of
from athanor.serving.plane.http import Request
from athanor.serving.plane.served import Served

if TYPE_CHECKING:
    from athanor.serving.plane.app import Plane

logger = logging.getLogger(__name__)

_LEAST, _MOST = 1.0 - 1e-6, 1.0 + 1e-6
"""The bounds of what probabilities sum to."""

_ONE = 8
"""Bytes of one value."""
_LEFT = (*decoders.UNDECODED, ValueError)
"""What says that a body is none of one record."""
_HEADS_KEPT = 4_096
_BYTES = [f"{place:02x}".encode() for place in range(256)]
_MICROSECONDS = [b"0.%06d" % place for place in range(2_000)]

_encode = msgspec.json.Encoder().encode
_dumps = orjson.dumps
_astuple = msgspec.structs.astuple


class Stamps:
    """Prediction ids and times as the log writes them, with what they share kept."""

    def __init__(self) -> None:
        tag = os.urandom(4).hex()
        self._middle = f"7{tag[:3]}8{tag[3:]}"
        self._count = 0
        """Of ids, in lots of 256."""
        self._places = iter(_BYTES)
        self._second = self._millisecond = -1
        self._text = b""
        self.ids: Iterator[bytes] = iter(())
        """Ids: 32 hex digits in the form of UUID version 7, in the order of their making. Where it
        ends, `renew` begins the next lot."""
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
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)).encode()
        millisecond = int(seconds * 1000)
        if millisecond != self._millisecond:  # ids tell no finer time
            self._millisecond = millisecond
            self._time = f"{millisecond:012x}{self._middle}"
            self._begin()
        self.moment = b"%b.%06dZ" % (self._text, int((seconds - whole) * 1e6))

    def next(self) -> bytes:
        """The first id of the next lot."""
        self._count = (self._count + 1) & 0xFFFFFFFF
        self._places = iter(_BYTES)
        self._begin()
        return next(self.ids)

    def _begin(self) -> None:
        self.ids = map(f"{self._time}{self._count:08x}".encode().__add__, self._places)


_stamps = Stamps()
_heads: dict[int, bytes] = {}

_Waiting: TypeAlias = tuple[float, bytes, bytes, Exchange]
"""When the request arrived, its key and its features as JSON, and where its answer goes."""


class Lane:
    """The short way to one deployment."""

    def __init__(self, plane: "Plane", served: Served, dialect: Dialect, *, mlflow: bool) -> None:
        route, target = served.route, served.target
        signature = target.signature
        make = decoders.frame_records if mlflow else decoders.records
        self._decode: Any = make(signature, route.key) or _nothing
        self._mlflow = mlflow
        self.dialect = dialect
        self._refuse = dialect.refuse
        self._plane = plane
        self._served = served
        self._series = plane.figures.of(served.labels)
        self._passed = self._series.passed.append
        self._log = plane.log
        self._append = plane.log.appender(route.log.durability)
        self._width = len(signature.columns)
        self._key = _place_of_key(route, target)
        texts = [place for place, item in enumerate(signature.columns) if item.type == "string"]
        self._texts = _getter(texts)
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
        self._chances = b""
        self._labels: list[tuple[bytes, bytes]] = []
        """Each class as the answer and as the log tell it."""
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
            try:
                (record,) = self._decode(body).records
            except _LEFT:
                return False
            row: Any = _astuple(record)
            key = b"null"
            if self._key >= 0:
                key, row = self._keyed(record, row)
            texts, served = self._texts, self._served
            if texts is not None and not served.recorder.clean_all(texts(row)):
                return False
            if self._mlflow:
                exchange.refusal = self._refuse
            features = _encode(record)
            if served.compiled is None or served.batched:
                if self._mlflow and _reads(served.hello):
                    return False
                self._submit(list(row), (arrived, key, features, exchange))
                return True
            if self._one is None:
                self._learn(served.compiled.hello)
                self._one = served.compiled.one
            served.used = arrived
            try:
                label, numbers = self._one(row)
            except (AthanorError, TypeError, ValueError, OverflowError):
                return False  # a value that a step can't read: the long way tells its sender
            if label < 0 and len(numbers) != 1:
                return False
            self._answer(label, numbers, arrived, key, features, exchange)
        except AthanorError:
            exchange.refusal = self._refuse
            raise
        except Exception:
            # The long way says what became of it.
            logger.exception("The short way failed on a request")
            return False
        return True

    def _keyed(self, record: Any, row: Any) -> tuple[bytes, Any]:
        """The key by which labels join later, as JSON, and the row without it."""
        key, found = b"null", row[self._key]
        if found is not None and found is not msgspec.UNSET:
            key = json.dumps(str(found)).encode()
        if self._key >= self._width:
            row = row[:-1]
            record.key = msgspec.UNSET  # decoders put it there
        return key, row

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
        names = [json.dumps(str(item)) for item in hello.classes]
        chances = ",".join(name.replace("%", "%%") + ":%b" for name in names)
        self._chances = f"{{{chances}}}".encode()
        self._labels = [
            (_encode(item), name.encode()) for item, name in zip(hello.classes, names, strict=True)
        ]
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
            or (len(result.numbers) != _ONE and not result.labels)
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
        log = self._log
        if not log.scheduled or _stamps.tick != log.flushed:  # the long way may have been first
            _stamps.renew()
            _stamps.tick = log.flushed
        id_ = next(_stamps.ids, None) or _stamps.next()
        series = self._series
        chances, logged_chances = b"{}", b"null"
        if numbers:
            texts = _dumps(numbers)[1:-1].split(b",")
            if label < 0:
                score = texts[0]
                series.nonsense += score == b"null"
            else:
                if not (min(numbers) >= 0.0 and _LEAST < sum(numbers) < _MOST):
                    series.nonsense += 1
                logged_chances = chances = self._chances % (*texts,)
                score = texts[self._scored[label]]
        else:
            score = b"null"
        told, logged = (score, b"null") if label < 0 else self._labels[label]
        seconds = monotonic() - arrived
        passed = int(seconds * 1e6)
        latency = _MICROSECONDS[passed] if passed < len(_MICROSECONDS) else b"%.6f" % seconds
        line = b"".join((
            b'{"id":"', id_, b'","request":"', id_, b'","predicted_at":"', _stamps.moment,
            self._head, latency, b',"key":', key, b',"features":', features,
            b',"label":', logged, b',"score":', score,
            b',"probabilities":', logged_chances, b"}\n",
        ))  # fmt: skip
        if self._mlflow:
            body = b'{"predictions":[%b]}' % told
            head = head_of(len(body), b"X-Prediction-Id: %b\r\n" % id_)
        else:
            body = b"".join((
                b'{"predictions":[{"id":"', id_, b'","label":', told, b',"probabilities":',
                chances, b',"score":', score, self._tail,
            ))  # fmt: skip
            length = len(body)
            head = _heads.get(length) or _head_of(length)
        exchange.wire = head + body
        self._passed(seconds)
        exchange.series = series
        self._append(line, exchange.release)


def _head_of(length: int) -> bytes:
    """The same as always, kept by its length: answers of one endpoint have few of them."""
    if len(_heads) >= _HEADS_KEPT:
        _heads.clear()
    head = _heads[length] = head_of(length)
    return head


def _nothing(body: bytes) -> Any:
    """What decodes the bodies of a signature that only the lenient reader knows."""
    raise ValueError(len(body))


def _reads(hello: Hello | None) -> bool:
    """Whether a worker reads every body of `/invocations`, as far as it has said."""
    return hello is None or hello.bodies == EVERY


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
