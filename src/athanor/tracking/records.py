"""Runs as they travel from one store to another: whole, with their ids and their times.

A reader of a store makes these records, `Arrivals` takes them in, and `Departures` gives them out.
Times of points are packed, as a history has many of them; all others are aware datetimes.
"""

from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from sys import byteorder
from typing import Any, Literal

from athanor.kernel import DEFAULT_PROJECT
from athanor.lineage import RunState
from athanor.tracking.inputs import RunInputs
from athanor.tracking.types import Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRecord:
    """An experiment of some store."""

    id: str
    """In the store that it comes from."""
    name: str
    project: str = DEFAULT_PROJECT
    location: str = ""
    """Where that store keeps its artifacts."""
    lifecycle: Lifecycle = "active"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentHere:
    """Where an experiment that arrived is kept."""

    id: str
    """That of its record."""
    here: str
    """Its id here."""
    location: str
    """Where its artifacts lie here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRecord:
    """All points of one metric of a run, packed.

    Each column is base64 of little-endian numbers of 8 bytes, so that every float travels as it is.
    """

    key: str
    values: str
    """Floats; NaN and infinities too."""
    steps: str
    """Signed integers."""
    times: str
    """Signed integers: microseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """A run with all that it told, except the bytes of its files."""

    id: str
    experiment: str
    """The id of its `ExperimentRecord`."""
    project: str = DEFAULT_PROJECT
    kind: str = "mlflow"
    """What opened it; the runs of MLflow's stores say nothing else."""
    name: str = ""
    state: RunState = "done"
    user: str = ""
    lifecycle: Lifecycle = "active"
    location: str = ""
    """Where the store that it comes from keeps its artifacts."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    deleted_at: datetime | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    points: list[PointsRecord] = field(default_factory=list)
    used: RunInputs = field(default_factory=RunInputs)
    parent: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPoint:
    """A measured value of a logged model."""

    key: str
    value: float | str
    """JSON has no NaN and no infinities: these are `nan`, `inf`, `-inf`."""
    step: int
    at: datetime
    run: str
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModelRecord:
    """A model that a run logged, registered or not."""

    id: str
    """As MLflow makes them: `m-` and 32 hex digits."""
    experiment: str
    project: str = DEFAULT_PROJECT
    name: str = ""
    location: str = ""
    status: Literal["pending", "ready", "failed"] = "ready"
    status_message: str = ""
    type: str = ""
    run: str | None = None
    lifecycle: Lifecycle = "active"
    created_at: datetime | None = None
    updated_at: datetime | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[ModelPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """A file of a run or of a logged model."""

    path: str
    """Below its owner's artifacts, with slashes."""
    size: int
    digest: str
    """`sha256:<hex>` of its bytes."""


def packed(key: str, points: Iterable[tuple[float, int, int]]) -> PointsRecord:
    """One metric's points (value, step, microseconds since 1970) as columns."""
    values, steps, times = array("d"), array("q"), array("q")
    for value, step, at in points:
        values.append(value)
        steps.append(step)
        times.append(at)
    return PointsRecord(key=key, values=_out(values), steps=_out(steps), times=_out(times))


def unpacked(record: PointsRecord) -> Iterator[tuple[float, int, int]]:
    """The points of a record: value, step, microseconds since 1970.

    Raises: ValueError if a column is no base64, or they differ in length.
    """
    return zip(_in("d", record.values), _in("q", record.steps), _in("q", record.times), strict=True)


def _out(column: "array[Any]") -> str:
    if byteorder == "big":
        column.byteswap()
    return b64encode(column.tobytes()).decode()


def _in(code: str, data: str) -> "array[Any]":
    column = array(code)
    column.frombytes(b64decode(data, validate=True))
    if byteorder == "big":
        column.byteswap()
    return column
