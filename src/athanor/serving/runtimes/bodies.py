"""Bodies of `/invocations` that MLflow's own scoring server reads, beside the model.

What a body becomes follows from the model's whole signature: nested types, tensors of open shape,
parameters. MLflow knows it; the plane, which never loads MLflow, hands such bodies over. Read by
the Python of any environment that has MLflow.
"""

import base64
import inspect
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from athanor.serving.logic.frames import EVERY, STRANGE, TOO_MANY, Body, Reply
from athanor.serving.runtimes.answers import numbers_of, values_of

Row = list[Any]

_FLAT = frozenset({"double", "float", "long", "integer", "string", "boolean"})
_LONGEST = 2_000
"""Characters of MLflow's messages that are kept: they repeat the data."""
_FAILED = "BAD_REQUEST"
_DIGITS = 19
"""Whole numbers of fewer characters have 64 bits."""


class _TooMany(Exception):
    """A body holds more rows than it may."""


class Bodies:
    """Reads bodies for one model."""

    def __init__(self, model: Any) -> None:
        """Raises: ImportError, AttributeError, where this MLflow has no such reader."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's hints about its own classes
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - where there is MLflow
            from mlflow.pyfunc import scoring_server  # noqa: PLC0415 - the same

        if list(inspect.signature(scoring_server.invocations).parameters) != [
            "data",
            "content_type",
            "model",
            "input_schema",
        ]:
            raise AttributeError("invocations")
        self._invocations: Any = scoring_server.invocations
        self._refused = MlflowException
        self._model = model
        self._schema = model.metadata.get_input_schema()

    @property
    def read(self) -> str:
        """The word of `Hello.bodies`. Times have more forms to pandas than the plane knows."""
        schema = self._schema
        if schema is None or schema.is_tensor_spec():
            return EVERY
        flat = all(getattr(item.type, "name", "") in _FLAT for item in schema.inputs)
        return STRANGE if flat and all(item.name for item in schema.inputs) else EVERY

    def answer(self, body: Body) -> Reply:
        """What MLflow answers, and the rows that it read."""
        watched = _Watched(self._model, body.most)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                told: Any = self._invocations(body.content, body.type, watched, self._schema)
        except self._refused as error:
            if isinstance(watched.failure, _TooMany):
                return Reply([], b"", str(watched.failure), code=TOO_MANY)
            if watched.failure is not None:
                return Reply([], b"", _first_line(watched.failure))
            return Reply([], b"", _shortened(error), code=error.error_code)
        except Exception as error:  # noqa: BLE001 - a body that even MLflow fails on is refused
            return Reply([], b"", _first_line(error), code=_FAILED)
        if told.status != 200:
            return Reply([], b"", str(told.response)[:_LONGEST], code=_FAILED)
        rows = _writable(_rows_of(watched.data, body.names))
        text = told.response.encode("utf-8", "replace")
        if not rows:
            return Reply([], b"", text=text)
        numbers = numbers_of(watched.found, len(rows))
        if numbers is not None:
            return Reply([], _little(numbers), rows=rows, text=text)
        try:
            values = _writable(values_of(watched.found, len(rows)))
        except ValueError:  # MLflow lets a model answer whatever it likes
            values = [None] * len(rows)
        return Reply([], b"", "", values, rows=rows, text=text)


class _Watched:
    """The model, with what it was asked and what it said."""

    def __init__(self, model: Any, most: int) -> None:
        self._model, self._most = model, most
        self._takes = "params" in inspect.signature(model.predict).parameters
        self.metadata = model.metadata
        self.data: Any = None
        self.found: Any = None
        self.failure: Exception | None = None

    def predict(self, data: Any, params: Any = None) -> Any:
        """The model's answers.

        Raises: what the model raises.
        """
        self.data = data
        try:
            count = _count(data)
            if count > self._most:
                raise _TooMany(count)
            given = {"params": params} if self._takes else {}
            self.found = self._model.predict(data, **given)
        except Exception as error:
            enforcing = hasattr(error, "error_code")
            self.failure = None if enforcing else error
            raise
        return self.found


def _count(data: Any) -> int:
    if isinstance(data, Mapping):
        return max((_count(part) for part in data.values()), default=0)
    if isinstance(data, np.ndarray):
        return len(data) if data.ndim else 1
    return len(data) if isinstance(data, pd.DataFrame | list) else 1


def _rows_of(data: Any, names: Sequence[str]) -> list[Row]:
    """What the log keeps of the data: values in the order of these names, or whole records."""
    records = _records_of(data)
    if not names:
        return [[record] for record in records]
    if all(record.keys() & set(names) for record in records):
        return [[record.get(name) for name in names] for record in records]
    flat = [_flattened(list(record.values())) for record in records]
    return [row if len(row) == len(names) else [None] * len(names) for row in flat]


def _records_of(data: Any) -> list[dict[str, Any]]:
    if isinstance(data, pd.DataFrame):
        named = data.set_axis(list(map(str, data.columns)), axis=1)
        if not named.columns.is_unique or not len(named.columns):
            return [{"value": row} for row in named.astype(str).to_numpy().tolist()]
        try:
            text = named.to_json(orient="records", date_format="iso", default_handler=str)
        except (UnicodeError, OverflowError):  # bytes, or half a surrogate pair
            text = json.dumps(named.to_dict("records"), default=_inner)
        told: list[dict[str, Any]] = json.loads(text, parse_int=_whole)
        return told
    if isinstance(data, Mapping):
        count = _count(data)
        parts = {
            str(name): _plain(part) if _count(part) == count else [_plain(part)] * count
            for name, part in data.items()
        }
        return [
            {name: part[place] if isinstance(part, list) else part for name, part in parts.items()}
            for place in range(count)
        ]
    told_plain = _plain(data)
    rows = told_plain if isinstance(told_plain, list) else [told_plain]
    return [row if isinstance(row, dict) else {"value": row} for row in rows]


def _plain(value: Any) -> Any:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return json.loads(json.dumps(plain, default=_inner), parse_int=_whole)


def _writable(values: list[Any]) -> list[Any]:
    """The same, as far as a frame between processes holds it."""
    try:
        msgspec.msgpack.encode(values)
    except (ValueError, TypeError, OverflowError):
        text = json.dumps(values, ensure_ascii=False, default=_inner)
        found: list[Any] = json.loads(text.encode("utf-8", "replace"), parse_int=_whole)
        return found
    return values


def _inner(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _whole(text: str) -> int | str:
    """A number that a frame between processes holds; a longer one as its text."""
    found = int(text) if len(text) < _DIGITS else 0
    return found if found or text == "0" else text


def _flattened(values: list[Any]) -> list[Any]:
    while any(isinstance(value, list) for value in values):
        values = [item for v in values for item in (v if isinstance(v, list) else [v])]
    return values


def _little(numbers: Any) -> bytes:
    return np.ascontiguousarray(numbers, dtype="<f8").tobytes()


def _first_line(error: Exception) -> str:
    return (f"{type(error).__name__}: {error}".splitlines() or [""])[0][:500]


def _shortened(error: Any) -> str:
    text = str(error.message).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
