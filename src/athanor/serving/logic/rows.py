"""The lines of the prediction log and of the label log."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from athanor.kernel.redaction import MASK, redact
from athanor.serving.logic.signature import Row
from athanor.serving.types import Signature

_SHORTEST_SECRET = 7
"""Shorter texts hold no secret that the filter knows (`://a:b@` is the shortest)."""
_TEXTS_KEPT = 10_000
_LONGEST_KEPT = 200


class PredictionRow(msgspec.Struct, omit_defaults=False):
    """One predicted row, as one line of a segment."""

    id: str
    """The prediction's id, 32 hex digits."""
    request: str
    """The request's id: the caller's X-Request-Id, or 32 hex digits."""
    predicted_at: datetime
    endpoint: str
    deployment: str
    model: str
    version: int
    latency: float
    """Seconds from the request's last byte to the model's answer."""
    key: str | None
    """The value of the endpoint's key column, as text."""
    features: dict[str, Any]
    """What the model read, by column; secrets masked."""
    label: str | None
    """Of a classifier: the predicted class, as text."""
    score: float | None
    """The probability of the positive class (two classes) or of the predicted one (more); of a
    regressor the value. None where it is no finite number."""
    probabilities: dict[str, float] | None
    trace: str | None = None
    """The id of the trace that the request was a part of, 32 hex digits (W3C traceparent)."""


class LabelRow(msgspec.Struct):
    """One label that came, as one line of a segment. The latest one for a prediction counts."""

    endpoint: str
    id: str | None
    """The prediction that it belongs to, or None where it names a key."""
    key: str | None
    label: str
    happened_at: datetime
    """When the truth held, as the sender says."""
    received_at: datetime


_encode = msgspec.json.Encoder().encode
_decode_prediction = msgspec.json.Decoder(PredictionRow).decode
_decode_label = msgspec.json.Decoder(LabelRow).decode


def line(row: PredictionRow | LabelRow) -> bytes:
    """The row as one line, its end included."""
    return _encode(row) + b"\n"


def predictions_in(data: bytes) -> Iterator[PredictionRow]:
    """The rows of a segment; a last line that its writer did not finish is left out."""
    return (_decode_prediction(text) for text in whole_lines(data))


def labels_in(data: bytes) -> Iterator[LabelRow]:
    """The rows of a segment of labels; a torn last line is left out."""
    return (_decode_label(text) for text in whole_lines(data))


def whole_lines(data: bytes) -> Iterator[bytes]:
    """The lines of a segment; a torn last one is left out."""
    return (text for text in data[: data.rfind(b"\n") + 1].split(b"\n") if text)


class Recorder:
    """Turns a signature's rows into what the log may keep of them."""

    def __init__(self, signature: Signature, redacted: Collection[str] = ()) -> None:
        self._names = signature.names
        self._redacted = redacted
        named = redact(dict.fromkeys(signature.names, 0))
        self._masked = [
            place
            for place, name in enumerate(self._names)
            if named[name] == MASK or name in redacted
        ]
        self._clean: set[str | None] = {None}

    @property
    def plain(self) -> bool:
        """Whether no column is masked whatever it holds."""
        return not self._masked

    def clean(self, text: str) -> bool:
        """Whether a text holds no secret. Those that hold none are remembered, up to a bound."""
        if text in self._clean:
            return True
        if len(text) >= _SHORTEST_SECRET and redact(text) != text:
            return False
        if len(text) <= _LONGEST_KEPT:
            if len(self._clean) >= _TEXTS_KEPT:
                self._clean.clear()
                self._clean.add(None)
            self._clean.add(text)
        return True

    def clean_all(self, texts: Iterable[str | None]) -> bool:
        """Whether none of them holds a secret."""
        return self._clean.issuperset(texts) or all(
            text is None or self.clean(text) for text in texts
        )

    def features(self, row: Row) -> dict[str, Any]:
        """The row by column, with secrets masked."""
        if not self._names:  # the record itself
            found: dict[str, Any] = redact(dict(row[0]))
            return found | {name: MASK for name in self._redacted if found.get(name) is not None}
        kept = [
            redact(value) if type(value) is str and not self.clean(value) else value
            for value in row
        ]
        for place in self._masked:
            if kept[place] is not None:
                kept[place] = MASK
        return dict(zip(self._names, kept, strict=True))


def flat(row: PredictionRow) -> Mapping[str, Any]:
    """The row as the Delta table keeps it: nested parts as JSON text."""
    return {
        **{name: getattr(row, name) for name in FLAT_COLUMNS},
        "features": _encode(row.features).decode(),
        "probabilities": None if row.probabilities is None else _encode(row.probabilities).decode(),
    }


FLAT_COLUMNS = (
    "id",
    "request",
    "predicted_at",
    "endpoint",
    "deployment",
    "model",
    "version",
    "latency",
    "key",
    "label",
    "score",
    "trace",
)
