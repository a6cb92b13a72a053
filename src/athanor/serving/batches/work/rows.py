"""Models that are asked row by row: those of other libraries, wherever they are loaded."""

import importlib
import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from athanor.serving.batches.work.classes import class_arrays, made_schema
from athanor.serving.errors import WorkerUnavailable
from athanor.serving.errors.runtimes import ForeignModelFailed
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.outputs import PREDICTION
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.caller import Caller
from athanor.serving.runtimes.environments import here, pins_of, python_for, search_path
from athanor.serving.runtimes.port import Runtime
from athanor.serving.types import Signature

_AT_ONCE = 8_192
"""Rows of one call."""
_START_SECONDS, _CALL_SECONDS = 600.0, 3_600.0
_TAIL = 4_000


class RowScorer:
    """A runtime that reads rows.

    It makes the columns of a classifier where it tells classes, and else one column: a number, a
    text, or JSON.
    """

    def __init__(
        self, runtime: Runtime, signature: Signature, probe: Callable[[], pa.RecordBatch]
    ) -> None:
        self._runtime = runtime
        self._signature = signature
        self._classes = list(runtime.hello.classes)
        self.columns = signature.names
        rows = self._rows(probe())
        if self._classes:
            chances = self._replied(rows).numbers
            self.schema = made_schema(self._classes, chances=bool(chances))
        else:
            self.schema = pa.schema([(PREDICTION, self._kind(rows))])

    def score(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The predictions. Raises: whatever the model raises on these rows."""
        if self._classes:
            return self._classed(batch)
        kind = self.schema.field(PREDICTION).type
        found: list[Any] = []
        for start in range(0, batch.num_rows, _AT_ONCE):
            found += self._answers(self._rows(batch.slice(start, _AT_ONCE)))
        if pa.types.is_string(kind):
            found = [
                item if item is None or isinstance(item, str) else json.dumps(item)
                for item in found
            ]
        return [pa.array(found, kind)]

    def _classed(self, batch: pa.RecordBatch) -> list[pa.Array]:
        places: list[int] = []
        numbers: list[bytes] = []
        for start in range(0, batch.num_rows, _AT_ONCE):
            reply = self._replied(self._rows(batch.slice(start, _AT_ONCE)))
            places += reply.labels
            numbers.append(reply.numbers)
        whole = np.frombuffer(b"".join(numbers), dtype="<f8")
        chances = whole.reshape(batch.num_rows, -1) if len(self.schema) > 1 else None
        best = np.asarray(places, dtype=np.intp)
        return class_arrays(self._signature, self._classes, best, chances)

    def _replied(self, rows: list[Row]) -> Reply:
        reply = self._runtime.predict(rows)
        if reply.error:
            raise ValueError(reply.error)
        return reply

    def _kind(self, rows: list[Row]) -> pa.DataType:
        """What its answers are, as a few rows show."""
        found = self._answers(rows)
        if any(isinstance(item, list) for item in found):
            return pa.list_(pa.float64()) if not self._told else pa.string()
        return pa.string() if self._told else pa.float64()

    def _answers(self, rows: list[Row]) -> list[Any]:
        reply = self._replied(rows)
        self._told = bool(reply.values)
        if reply.values:
            return list(reply.values)
        numbers = np.frombuffer(reply.numbers, dtype="<f8").reshape(len(rows), -1)
        plain: list[Any] = (numbers[:, 0] if numbers.shape[1] == 1 else numbers).tolist()
        return plain

    def _rows(self, batch: pa.RecordBatch) -> list[Row]:
        columns = []
        for name in self.columns:
            place = batch.schema.get_field_index(name)
            values = batch.column(place) if place >= 0 else pa.nulls(batch.num_rows)
            columns.append([_plain(item) for item in values.to_pylist()])
        return [list(row) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if value is None or isinstance(value, str | int | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else float(value)


class _Worker:
    """A model in another interpreter, which ends with this process."""

    def __init__(self, folder: Path) -> None:
        cache = folder.parent.parent / "environments"
        python = python_for(folder, cache)
        self._place = tempfile.TemporaryDirectory(prefix="athanor-batch-")
        path = f"{self._place.name}/socket"
        environment = {**os.environ, "PYTHONPATH": search_path(cache), "PYTHONNOUSERSITE": "1"}
        environment.pop("VIRTUAL_ENV", None)
        self._said = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - kept as long as the process
        self._child = subprocess.Popen(
            [str(python), "-m", "athanor.serving.runtimes.foreign", str(folder), path],
            env=environment,
            stderr=self._said,
            cwd=folder,
        )
        end = time.monotonic() + _START_SECONDS
        while not Path(path).exists():
            if self._child.poll() is not None or time.monotonic() > end:
                self._child.kill()
                raise ForeignModelFailed(folder.name, self._last_words())
            time.sleep(0.02)
        self._caller = Caller(path, _CALL_SECONDS)
        self.hello: Hello = self._caller.hello

    def predict(self, rows: list[Row]) -> Reply:
        """The model's answers. Raises: WorkerUnavailable."""
        try:
            return self._caller.predict([rows])[0].reply
        except WorkerUnavailable as error:
            # It died, and this process with it: rows of which nobody knows are not to blame.
            raise SystemExit(self._last_words()) from error

    def _last_words(self) -> str:
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - _TAIL))
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it ended"


def elsewhere(folder: Path) -> Runtime:
    """A model that MLflow loads: here where its pins suit, else by an interpreter that has them.

    Raises: NoEnvironment, ForeignModelFailed.
    """
    if here(pins_of(folder)):
        # By its path: it takes MLflow with it.
        foreign = importlib.import_module("athanor.serving.runtimes.foreign")
        runtime: Runtime = foreign.load(folder)
        return runtime
    return _Worker(folder)
