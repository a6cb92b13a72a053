"""TensorBoard's event files: scalars out of them, and into them.

A scalar is a `simple_value` (TensorFlow 1, PyTorch) or a tensor of one number (TensorFlow 2); which
messages carry them is public (tensorflow/core/util/event.proto, tensorflow/core/framework/
summary.proto and tensor.proto).
"""

import math
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from athanor.tracking.logic.boards.frames import BrokenRecord, framed, masked, read_records
from athanor.tracking.logic.boards.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    BadMessage,
    bytes_field,
    double_field,
    fields,
    float_field,
    number_field,
    signed,
    varints,
)

_MARK = "tfevents"
_PLUGIN = "scalars"
_FLOAT, _DOUBLE, _INT32, _HALF, _INT64 = 1, 2, 3, 19, 9
_SHAPES = {_FLOAT: "<f", _DOUBLE: "<d", _INT32: "<i", _HALF: "<e", _INT64: "<q"}
_MEMBERS = {5: ("<f", FIXED32), 6: ("<d", FIXED64)}
_NOT_IN_KEYS = re.compile(r"[^\w.\- :/]")
_LONGEST_KEY = 250
_COMMON = {"tensorboard", "tensorboard_logs", "tb", "tb_logs", "logs", "log", "runs", "events"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """One point of an event file."""

    tag: str
    value: float
    step: int
    at: int
    """Microseconds since 1970."""


@dataclass(slots=True, kw_only=True)
class Reading:
    """What became of a file that was read."""

    damaged: int = 0
    """Records that were passed over, as their checksum is wrong."""
    cut: bool = False
    """Whether the rest of the file could not be read."""


def is_event_file(path: str) -> bool:
    """Whether TensorBoard would read a file, by its name."""
    return _MARK in path.rpartition("/")[2]


def key_of(path: str, tag: str) -> str:
    """The metric that a tag becomes: its folder leads it where several writers have a folder each.

    `logs/train/events.out.tfevents.1` and the tag `loss` are `train/loss`. What can't stand in a
    metric's name is a `_`.
    """
    folders = path.split("/")[:-1]
    while folders and folders[0].casefold() in _COMMON:
        del folders[0]
    joined = _NOT_IN_KEYS.sub("_", "/".join((*folders, tag)))
    parts = [part for part in joined.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts)[:_LONGEST_KEY].rstrip("/") or "_"


def read_scalars(stream: IO[bytes], reading: Reading | None = None) -> Iterator[Scalar]:
    """The scalars of an event file, as they stand in it.

    A damaged record is passed over; behind a damaged length nothing can be found. A file whose last
    record is half-written is read up to there.
    """
    reading = Reading() if reading is None else reading
    plugins: dict[str, str] = {}
    try:
        for data, checksum in read_records(stream):
            try:
                found = list(_scalars(data, plugins))
            except (BadMessage, struct.error, UnicodeDecodeError):
                reading.damaged += 1
                continue
            if found and masked(data) != checksum:
                reading.damaged += 1
                continue
            yield from found
    except BrokenRecord:
        reading.cut = True


def event_file(scalars: Iterable[Scalar], *, started: float) -> Iterator[bytes]:
    """The bytes of an event file, record by record; `started` is in seconds since 1970.

    A value that 4 bytes hold exactly is a `simple_value`, which every reader takes; the others
    are tensors of 8 bytes, so that nothing is lost.
    """
    yield framed(double_field(1, started) + bytes_field(3, b"brain.Event:2"))
    described: set[str] = set()
    for scalar in scalars:
        value = bytes_field(1, scalar.tag.encode())
        if _fits(scalar.value):
            value += float_field(2, scalar.value)
        else:
            if scalar.tag not in described:
                plugin = bytes_field(1, bytes_field(1, _PLUGIN.encode()))
                value += bytes_field(9, plugin + number_field(4, 1))
                described.add(scalar.tag)
            tensor = number_field(1, _DOUBLE) + bytes_field(2, b"")
            tensor += bytes_field(4, struct.pack("<d", scalar.value))
            value += bytes_field(8, tensor)
        event = double_field(1, scalar.at / 1e6)
        if scalar.step:
            event += number_field(2, scalar.step)
        yield framed(event + bytes_field(5, bytes_field(1, value)))


def _fits(value: float) -> bool:
    try:
        return math.isnan(value) or struct.unpack("<f", struct.pack("<f", value))[0] == value
    except OverflowError:
        return False


def _scalars(event: bytes, plugins: dict[str, str]) -> Iterator[Scalar]:
    at = step = 0
    summaries = []
    for number, kind, value in fields(event):
        if number == 1 and isinstance(value, bytes) and kind == FIXED64:
            at = _microseconds(struct.unpack("<d", value)[0])
        elif number == 2 and isinstance(value, int):
            step = signed(value)
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, _, value in fields(summary):
            if number == 1 and isinstance(value, bytes):
                yield from _scalar(value, at, step, plugins)


def _scalar(data: bytes, at: int, step: int, plugins: dict[str, str]) -> Iterator[Scalar]:
    tag = ""
    found: float | None = None
    for number, kind, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode()
        elif number == 2 and isinstance(value, bytes) and kind == FIXED32:
            found = struct.unpack("<f", value)[0]
        elif number == 8 and isinstance(value, bytes):
            found = _tensor(value)
        elif number == 9 and isinstance(value, bytes):
            plugins[tag] = _plugin(value)
    if tag and found is not None and plugins.get(tag, _PLUGIN) in {"", _PLUGIN}:
        yield Scalar(tag=tag, value=found, step=step, at=at)


def _plugin(metadata: bytes) -> str:
    for number, _, value in fields(metadata):
        if number == 1 and isinstance(value, bytes):
            for inner, _, name in fields(value):
                if inner == 1 and isinstance(name, bytes):
                    return name.decode()
    return ""


def _tensor(data: bytes) -> float | None:
    """The number that a tensor holds; None if it holds none, or several."""
    dtype, content = 0, b""
    numbers: list[float] = []
    for number, kind, value in fields(data):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, bytes) and value:
            # A shape with a dimension: one number may still be in it, but no scalar is written so.
            return None
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in _MEMBERS and isinstance(value, bytes):
            shape = _MEMBERS[number][0]
            numbers += [item[0] for item in struct.iter_unpack(shape, value)]
        elif number in {7, 10}:
            whole = varints(value) if isinstance(value, bytes) and kind == BYTES else ()
            numbers += [float(signed(item)) for item in whole]
            if isinstance(value, int) and kind == VARINT:
                numbers.append(float(signed(value)))
    if content and dtype in _SHAPES:
        numbers = [float(item[0]) for item in struct.iter_unpack(_SHAPES[dtype], content)]
    elif not numbers and dtype in _SHAPES:
        # Protocol buffers leave a zero out.
        return 0.0
    return numbers[0] if len(numbers) == 1 else None


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6) if abs(seconds) < 9e12 else 0
