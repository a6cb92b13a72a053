"""Models of any MLflow flavour, through MLflow's own loader, in whatever environment they need.

Run as `python -m athanor.serving.runtimes.foreign FOLDER SOCKET` by the Python of a model's own
environment, it imports nothing of ours but the worker's loop; that environment has MLflow (skinny
suffices), numpy, pandas and msgspec.
"""

import base64
import ctypes
import json
import logging
import math
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from athanor.serving.logic.frames import EVERY, Body, Hello, Reply
from athanor.serving.runtimes import python
from athanor.serving.runtimes.answers import column_of, numbers_of, values_of
from athanor.serving.runtimes.bodies import Bodies
from athanor.serving.runtimes.port import Runtime
from athanor.serving.runtimes.serving import serve

logger = logging.getLogger(__name__)

Row = list[Any]
_SEPARATE = "none"
_WHOLE = "whole"
_PROBES = 3
_TABLE = 2
"""Dimensions of an array of several values a row."""
_PARENT_DIES = 1
"""PR_SET_PDEATHSIG."""


class ForeignRuntime:
    """A model that MLflow loaded."""

    def __init__(self, model: Any, sample: list[Row]) -> None:
        """Ask it about a few rows, to see what its answers look like."""
        self._model = model
        schema = model.metadata.get_input_schema()
        self._tensors = schema.inputs if schema is not None and schema.is_tensor_spec() else []
        self._columns = [] if schema is None or self._tensors else schema.inputs
        self._nested = _nested(self._columns)
        self.hello = Hello([], _SEPARATE)
        self._plain = False
        if schema is not None and sample:
            self._look(sample)
        self._bodies: Bodies | None = None
        with suppress(ImportError, AttributeError):  # an MLflow without such a reader
            self._bodies = Bodies(model)
            self.hello.bodies = self._bodies.read if self._plain else EVERY

    def predict(self, rows: list[Row]) -> Reply:
        """The model's answers: numbers where they are, whatever they are otherwise.

        Raises: whatever the model raises.
        """
        found = self._model.predict(self._asked(rows))
        numbers = numbers_of(found, len(rows))
        if numbers is not None:
            return Reply([], np.ascontiguousarray(numbers, dtype="<f8").tobytes())
        return Reply([], b"", "", values_of(found, len(rows)))

    def answer(self, body: Body) -> Reply:
        """What MLflow's scoring server answers."""
        if self._bodies is None:
            return Reply([], b"", "this model's MLflow reads no bodies")
        return self._bodies.answer(body)

    def _look(self, sample: list[Row]) -> None:
        try:
            found = self._model.predict(self._asked(sample))
            numbers = numbers_of(found, len(sample))
            width = 1 if numbers is None or numbers.ndim == 1 else numbers.shape[1]
            texts = numbers is None
            self._plain = _plain(found, len(sample))
            self.hello = Hello([], self._batching(sample), _names(found, width), texts)
        except Exception:
            logger.exception("The model failed on rows of its own sample")

    def _batching(self, sample: list[Row]) -> str:
        if len(sample) < 2:
            return _SEPARATE
        together = self.predict(sample)
        alone = [self.predict([row]) for row in sample]
        same = together.numbers == b"".join(reply.numbers for reply in alone)
        return _WHOLE if same and together.numbers else _SEPARATE

    def _asked(self, rows: list[Row]) -> Any:
        if self._tensors:
            return self._as_tensors(rows)
        if self._nested or not self._columns:
            return pd.DataFrame.from_records([row[0] for row in rows])  # records as they were sent
        columns = {}
        for place, column in enumerate(self._columns):
            values = [row[place] for row in rows]
            kind = getattr(column.type, "name", "")
            if kind == "binary":  # as MLflow's JSON holds bytes
                values = [v if v is None else base64.b64decode(v, validate=True) for v in values]
            texts = kind == "string" and any(isinstance(value, str) for value in values)
            # As a reader of JSON makes it: of pandas' own type for texts, where it has one.
            made = pd.Series(values) if texts else column_of(kind, values)
            columns[column.name or place] = made
        return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))

    def _as_tensors(self, rows: list[Row]) -> Any:
        made, start = {}, 0
        if rows and isinstance(rows[0][0], dict):  # shapes are open: tensors as they were sent
            for tensor in self._tensors:
                parts = [row[0][tensor.name or "value"] for row in rows]
                made[tensor.name] = np.array(parts).astype(tensor.type)
            return next(iter(made.values())) if list(made) == [None] else made
        for tensor in self._tensors:
            size = math.prod(tensor.shape[1:])
            values = [
                [np.nan if value is None else value for value in row[start : start + size]]
                for row in rows
            ]
            start += size
            shape = (len(rows), *tensor.shape[1:])
            made[tensor.name] = np.array(values).astype(tensor.type).reshape(shape)
        return next(iter(made.values())) if list(made) == [None] else made


def _nested(columns: list[Any]) -> bool:
    """Whether records come as they were sent: some column holds more than a value."""
    return any(getattr(item.type, "name", "any") == "any" for item in columns)


def _plain(found: Any, count: int) -> bool:
    """Whether the plane tells such answers as MLflow does: texts or doubles, one a row or several.

    Of frames it tells objects, and of whole numbers and truths no doubles.
    """
    if not isinstance(found, np.ndarray | list) or len(found) != count:
        return False
    if isinstance(found, list):
        return {type(item) for item in found} in ({str}, {float})
    if found.ndim == 1:
        return found.dtype.kind == "f" or {type(item) for item in found.tolist()} == {str}
    return found.ndim == _TABLE and found.shape[1] > 1 and found.dtype.kind == "f"


def _names(found: Any, width: int) -> list[str]:
    if width == 1:
        return []
    if isinstance(found, pd.DataFrame) and len(found.columns) == width:
        return [str(name) for name in found.columns]
    return [f"output_{place}" for place in range(width)]


def load(folder: Path) -> Runtime:
    """The model in this folder, by MLflow's loader; a user's own Python by ours.

    Raises: CodeFailed; whatever the model's library raises.
    """
    if python.is_code(folder):
        return python.load(folder)
    model = loaded(folder)
    return ForeignRuntime(model, _sample(folder, model))


def loaded(folder: Path) -> Any:
    """The model itself.

    Raises: whatever the model's library raises.
    """
    # MLflow warns of each version that differs: what is installed was chosen by its pins.
    warnings.simplefilter("ignore")
    from mlflow import pyfunc  # noqa: PLC0415 - this module is also read where there is no MLflow

    return pyfunc.load_model(str(folder))


def _sample(folder: Path, model: Any) -> list[Row]:
    """A few rows of the model's example; zeros where there is none."""
    schema = model.metadata.get_input_schema()
    if schema is None:
        return []
    if schema.is_tensor_spec():
        size = sum(math.prod(tensor.shape[1:]) for tensor in schema.inputs)
        return [[float(place % 3)] * size for place in range(_PROBES)] if size > 0 else []
    try:
        told = json.loads((folder / "input_example.json").read_text("utf-8"))
        if _nested(schema.inputs):
            return [[dict(zip(told["columns"], row, strict=True))] for row in told["data"]]
        places = [told["columns"].index(column.name) for column in schema.inputs]
        return [[row[place] for place in places] for row in told["data"][:_PROBES]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        if _nested(schema.inputs):
            return []
        texts = {"string": "a", "datetime": "2026-01-01T00:00:00", "boolean": True}
        texts["binary"] = "YQ=="
        row = [texts.get(getattr(c.type, "name", ""), 1) for c in schema.inputs]
        return [list(row) for _ in range(_PROBES)]


def main() -> None:
    """Answer planes at a socket with the model of a folder; ends with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGTERM)
    folder, path = sys.argv[1:3]
    runtime = load(Path(folder))
    serve(runtime, path)


if __name__ == "__main__":
    main()
