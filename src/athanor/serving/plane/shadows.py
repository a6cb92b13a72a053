"""Copies of requests for shadows: asked beside the answer that is returned, and written down."""

import asyncio
import logging
import math
import struct
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.serving.logic import routing
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.predictions import Predicted
from athanor.serving.logic.routing import Route, Target
from athanor.serving.logic.shadowing import ShadowRow
from athanor.serving.logic.signature import Row, scored
from athanor.serving.plane.served import Then
from athanor.serving.segments import SEAL_BYTES, Segment
from athanor.serving.types import Signature

logger = logging.getLogger(__name__)

_MOST_UNDER_WAY = 256
_encode = msgspec.json.Encoder().encode


class Answerer(Protocol):
    """A deployment that can be asked."""

    target: Target

    def submit(self, rows: list[Row], then: Then, seconds: float) -> None:
        """Have these rows predicted, within so many seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What was answered to a request."""

    request_id: str
    target: Target
    rows: list[Row]
    """In the order of its signature's columns."""
    ids: list[str]
    labels: list[str]
    """Row by row; of a regressor none."""
    scores: Sequence[float | None]
    seconds: float


class Shadows:
    """The shadows of one plane process."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder = folder
        self._seconds = seconds
        self._segment: Segment | None = None
        self._lines: list[bytes] = []
        self._under_way: Counter[str] = Counter()

    def copy(self, route: Route, returned: Returned, served: Mapping[str, Answerer]) -> None:
        """Ask the endpoint's shadows what was asked; nobody waits for them."""
        for target in routing.mirrors(route, returned.request_id):
            answerer = served.get(target.id)
            if answerer is None or target.id == returned.target.id:
                continue
            if self._under_way[target.id] >= _MOST_UNDER_WAY:
                self._write(_row(route, target, returned, skipped=True))
                continue
            self._under_way[target.id] += 1
            asyncio.get_running_loop().call_soon(self._ask, route, returned, answerer)

    def _ask(self, route: Route, returned: Returned, answerer: Answerer) -> None:
        target, began = answerer.target, time.monotonic()

        def answered(result: Reply | AthanorError, hello: Hello | None) -> None:
            self._under_way[target.id] -= 1
            row = _row(route, target, returned)
            row.shadow_seconds = time.monotonic() - began
            failure = result.message if isinstance(result, AthanorError) else result.error
            if failure or hello is None or isinstance(result, AthanorError):
                row.failure = (failure or "it did not answer").splitlines()[0][:300]
            else:
                _fill(row, result, hello, target.signature)
            self._write(row)

        rows, missing = _rows_for(target.signature, returned)
        if missing:
            row = _row(route, target, returned)
            row.failure = f"requests do not carry the column {missing!r} that it reads"
            self._under_way[target.id] -= 1
            self._write(row)
            return
        answerer.submit(rows, answered, self._seconds)

    def _write(self, row: ShadowRow) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(_encode(row) + b"\n")

    def flush(self) -> None:
        """Write what was gathered; what can't be written is left out of the reports."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            if self._segment is None:
                self._segment = Segment(self._folder)
            self._segment.append(b"".join(lines))
            if self._segment.size >= SEAL_BYTES:
                self.close()
        except OSError:
            logger.exception("The shadows' log can't be written")

    def close(self) -> None:
        """End the segment under way."""
        self.flush()
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.seal()


def _rows_for(signature: Signature, returned: Returned) -> tuple[list[Row], str]:
    """The rows in the order of this signature, and the first needed column that they lack."""
    names = returned.target.signature.names
    if names == signature.names:
        return returned.rows, ""
    if not signature.names:  # it reads records as they are
        return [[dict(zip(names, row, strict=True))] for row in returned.rows], ""
    if not names:
        return [[row[0].get(name) for name in signature.names] for row in returned.rows], ""
    places = {name: place for place, name in enumerate(names)}
    for column in signature.columns:
        if column.required and column.name not in places:
            return [], column.name
    wanted = [places.get(name) for name in signature.names]
    return [
        [None if place is None else row[place] for place in wanted] for row in returned.rows
    ], ""


def _row(route: Route, target: Target, returned: Returned, *, skipped: bool = False) -> ShadowRow:
    return ShadowRow(
        at=datetime.now(UTC),
        endpoint=route.name,
        shadow=target.id,
        answered_by=returned.target.number,
        ids=returned.ids,
        labels=returned.labels,
        scores=list(returned.scores),
        seconds=returned.seconds,
        skipped=skipped,
    )


def _fill(row: ShadowRow, reply: Reply, hello: Hello, signature: Signature) -> None:
    count = len(row.ids)
    numbers = struct.unpack(f"<{len(reply.numbers) // 8}d", reply.numbers)
    width = len(numbers) // count
    place = scored(signature, hello.classes)
    if hello.classes:
        row.shadow_labels = [str(hello.classes[label]) for label in reply.labels]
        row.shadow_scores = [
            _finite(numbers[at * width + (reply.labels[at] if place < 0 else place)])
            if width
            else None
            for at in range(count)
        ]
    elif reply.values:
        told = Predicted(ids=row.ids, values=reply.values)
        labels = [told.label(at) for at in range(count)]
        row.shadow_labels = ["" if label is None else str(label) for label in labels]
        row.shadow_scores = [None] * count
    else:
        row.shadow_scores = [_finite(numbers[at * width]) for at in range(count)]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
