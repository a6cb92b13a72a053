"""What engine and step processes tell each other: two lines of `task.json` in the attempt's folder.

The first is the order. The second is the result, which counts once all of it stands there, so that
a step that has it is finished, whoever was killed meanwhile. One file, since to make one costs more
than all that is written into it. It is not synced: what a step made lies in the storage, and its
end counts for good once it stands in the database.
"""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from athanor.kernel.errors import error_to_dict
from athanor.pipelines.errors import BadStep
from athanor.pipelines.logic.containers import Lightweight
from athanor.pipelines.logic.embedding import Embedded
from athanor.pipelines.logic.texts import map_texts

TASK_FILE = "task.json"
LOG_FILE = "log.txt"
LOCK_FILE = TASK_FILE
"""Held by whoever works on the order."""
FORMAT = 1
_PART = 1 << 16
_LONGEST_RESULT = 64 << 20
"""Bytes of values: they stand in the database, and each page of the run shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenArtifact:
    """An input artifact as the step process gets it."""

    id: str
    type: str
    uri: str
    digest: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A step that was written for Kubeflow: a function of its own kind, or a command."""

    function: Lightweight | None = None
    image: str = ""
    command: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    schemas: dict[str, str] = field(default_factory=dict)
    """Titles of artifacts' types, such as `system.Dataset`, by input or output."""
    known: dict[str, str] = field(default_factory=dict)
    """What placeholders such as `.pipeline_job_id` stand for."""
    environments: str = ""
    """Where Python environments are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder that a step finds at a path."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One attempt of one task."""

    format_version: int = FORMAT
    step: str
    """The task's name in its pipeline."""
    run: str
    task: str
    embedded: Embedded
    foreign: Foreign | None = None
    """Given where the step was written for Kubeflow; `embedded` then holds its name alone."""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[GivenArtifact]] = field(default_factory=dict)
    output_parameters: dict[str, str] = field(default_factory=dict)
    """Types of the output parameters by name."""
    output_artifacts: dict[str, str] = field(default_factory=dict)
    """Artifact types of the outputs by name; `any` where the value tells."""
    env: dict[str, str] = field(default_factory=dict)
    """Variables that the component sets; those of secrets are not written down."""
    mounts: list[Mount] = field(default_factory=list)
    cores: float = 0.0
    """How many cores it may use; 0 is all."""
    memory_bytes: int = 0
    """How much memory it may take; 0 is no limit."""
    environments: str = ""
    """Where Python environments are kept."""
    output_lists: list[str] = field(default_factory=list)
    """Outputs that are lists of artifacts."""
    materializers: list[str] = field(default_factory=list)
    storage_url: str
    storage_reserve: int = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeArtifact:
    """An output artifact, stored already."""

    type: str
    uri: str
    digest: str
    size: int
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended."""

    format_version: int = FORMAT
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[MadeArtifact]] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    """The failure as `error_to_dict` tells it."""


def write_order(folder: str, order: Order) -> bytes:
    """Put an order into an attempt's folder; what was written."""
    body = written(order)
    _write(f"{folder}/{TASK_FILE}", body, os.O_TRUNC)
    return body


# Made here, in the zygote: each fork would take a millisecond for it.
_orders = msgspec.json.Decoder(Order)
_results = msgspec.json.Decoder(Result)
_encoder = msgspec.json.Encoder()
_encoder.encode(Result())


def written(told: Order | Result) -> bytes:
    """An order or a result as its file holds it."""
    return _encoder.encode(told)


def read_order(body: bytes) -> Order:
    """The order that a file of an attempt's folder holds."""
    return _orders.decode(body.partition(b"\n")[0])


def write_result(folder: str, result: Result) -> None:
    """Put a result behind its order."""
    try:
        body = written(result)
    except UnicodeEncodeError:  # half a character, in the words of somebody's exception
        body = written(replace(result, error=map_texts(result.error, _valid)))
    if len(body) > _LONGEST_RESULT:
        body = written(Result(error=error_to_dict(_too_large(result, len(body)))))
    _write(f"{folder}/{TASK_FILE}", b"\n" + body, os.O_APPEND)


def _too_large(result: Result, size: int) -> BadStep:
    name = max(result.parameters, key=lambda one: len(_encoder.encode(result.parameters[one])))
    return BadStep(
        f"The step's values have {size >> 20} MB, most of it in {name!r}; "
        f"{_LONGEST_RESULT >> 20} MB is the most that is kept as values.",
        hint="Return what is large as a table, or write a file and return its pathlib.Path.",
    )


def _valid(text: str) -> str:
    """The same as Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()


def _write(path: str, body: bytes, how: int) -> None:
    """Write a file. What pathlib and buffers do costs a fresh fork more than the calls."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o644)
    try:
        view = memoryview(body)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def read_result(folder: str | Path) -> Result | None:
    """The result in an attempt's folder, or None if it did not come to a whole one."""
    try:
        return _results.decode(_read(f"{folder}/{TASK_FILE}").partition(b"\n")[2])
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _read(path: str) -> bytes:
    """Read a file: in three calls and not in eight, each of which lets another thread go first."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(descriptor, _PART)]
        while len(parts[-1]) == _PART:
            parts.append(os.read(descriptor, _PART))
    finally:
        os.close(descriptor)
    return b"".join(parts)
