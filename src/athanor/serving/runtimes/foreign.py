"""Models of any MLflow flavour, through MLflow's own loader, in whatever environment they need.

Run as `python -m athanor.serving.runtimes.foreign FOLDER SOCKET` by the Python of a model's own
environment, it imports nothing of ours but the worker's loop; that environment has MLflow (skinny
suffices), numpy, pandas and msgspec.
"""

import ctypes
import json
import logging
import math
import signal
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.runtimes.serving import serve

logger = logging.getLogger(__name__)

Row = list[Any]
_SEPARATE = "none"
_WHOLE = "whole"
_PROBES = 3
_DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}
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
        self.hello = Hello([], _SEPARATE)
        if schema is not None and sample:
            self._look(sample)

    def predict(self, rows: list[Row]) -> Reply:
        """The model's answers: numbers where they are, whatever they are otherwise.

        Raises: whatever the model raises.
        """
        found = self._model.predict(self._asked(rows))
        numbers = _numbers(found, len(rows))
        if numbers is not None:
            return Reply([], np.ascontiguousarray(numbers, dtype="<f8").tobytes())
        return Reply([], b"", "", _values(found, len(rows)))

    def _look(self, sample: list[Row]) -> None:
        try:
            found = self._model.predict(self._asked(sample))
            numbers = _numbers(found, len(sample))
            width = 1 if numbers is None or numbers.ndim == 1 else numbers.shape[1]
            self.hello = Hello([], self._batching(sample), _names(found, width))
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
        columns = {}
        for place, column in enumerate(self._columns):
            values = [row[place] for row in rows]
            columns[column.name or place] = _column(getattr(column.type, "name", ""), values)
        return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))

    def _as_tensors(self, rows: list[Row]) -> Any:
        made, start = {}, 0
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


def _column(kind: str, values: list[Any]) -> Any:
    if kind == "datetime":
        return pd.to_datetime(pd.Series(values, dtype=object))
    dtype = _DTYPES.get(kind)
    if dtype is None:
        return pd.Series(values, dtype=object)
    if None in values:
        if kind in {"long", "integer", "boolean"}:
            return pd.Series(values, dtype="float64" if kind != "boolean" else object)
        values = [math.nan if value is None else value for value in values]
    return np.array(values).astype(dtype)


def _numbers(found: Any, count: int) -> Any:
    """The answers as numbers, shape (rows,) or (rows, outputs); None where they are none."""
    if isinstance(found, pd.DataFrame | pd.Series):
        array = found.to_numpy()
        if array.dtype == object:
            return None
    elif isinstance(found, Mapping):
        parts = [_numbers(part, count) for part in found.values()]
        if not parts or any(part is None for part in parts):
            return None
        return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
    else:
        found = found.detach().cpu().numpy() if hasattr(found, "detach") else found
        try:
            array = np.asarray(found)
        except ValueError:  # lists of several lengths
            return None
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.shape[0] != count:
        return None
    array = array.astype(np.float64)
    flat = array.reshape(count, -1)
    return flat[:, 0] if flat.shape[1] == 1 else flat


def _names(found: Any, width: int) -> list[str]:
    if width == 1:
        return []
    if isinstance(found, pd.DataFrame) and len(found.columns) == width:
        return [str(name) for name in found.columns]
    return [f"output_{place}" for place in range(width)]


def _values(found: Any, count: int) -> list[Any]:
    """Each row's answer as JSON."""
    if isinstance(found, pd.DataFrame):
        told: list[Any] = json.loads(found.to_json(orient="records", date_format="iso"))
        if len(found.columns) == 1:
            told = [next(iter(row.values())) for row in told]
    elif isinstance(found, pd.Series | np.ndarray):
        told = [_plain(item) for item in found.tolist()]
    elif isinstance(found, Mapping):
        parts = {name: _values(part, count) for name, part in found.items()}
        told = [{name: part[place] for name, part in parts.items()} for place in range(count)]
    elif isinstance(found, list | tuple):
        told = [_plain(item) for item in found]
    else:
        told = [_plain(found)]
    if len(told) != count:
        text = f"it gave {len(told)} answers for {count} rows"
        raise ValueError(text)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    known = value is None or isinstance(value, str | int | float | bool)
    return value if known else str(value)


def load(folder: Path) -> ForeignRuntime:
    """The model in this folder, by MLflow's loader.

    Raises: whatever the model's library raises.
    """
    # MLflow warns of each version that differs: what is installed was chosen by its pins.
    warnings.simplefilter("ignore")
    from mlflow import pyfunc  # noqa: PLC0415 - this module is also read where there is no MLflow

    model = pyfunc.load_model(str(folder))
    return ForeignRuntime(model, _sample(folder, model))


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
        places = [told["columns"].index(column.name) for column in schema.inputs]
        return [[row[place] for place in places] for row in told["data"][:_PROBES]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        texts = {"string": "a", "datetime": "2026-01-01T00:00:00", "boolean": True}
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
