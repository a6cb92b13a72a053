"""The native runtime: a model folder, loaded by its own library in a forked worker.

Needs scikit-learn, pandas and numpy: named by its path, never imported by the server.
"""

import importlib
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import sklearn

from athanor.registry import UnsafeModel
from athanor.registry.packaging import LoadedModel, opened
from athanor.serving.errors.runtimes import ForeignModelFailed
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes import python
from athanor.serving.runtimes.encoded import Encoded
from athanor.serving.runtimes.environments import here, pins_of, python_for, search_path
from athanor.serving.runtimes.port import Runtime
from athanor.serving.runtimes.serving import WHOLE, serve

logger = logging.getLogger(__name__)

_PROBE_ROWS = 33
_TAIL = 4_000
_ALONE = "none"
_LIBRARIES = f"scikit-learn {sklearn.__version__}, numpy {np.__version__}"


class _Shown(msgspec.Struct):
    """What was shown of a model, and by which libraries."""

    batching: str
    program: str
    """Of its steps before the last (`athanor.serving.runtimes.encoded`); "" where they run."""
    libraries: str
    format_version: Literal[2] = 2


class NativeRuntime:
    """A model that the registry packaged."""

    def __init__(self, model: LoadedModel, batching: str = "") -> None:
        """`batching` is what was shown before of this model; "" has it shown now."""
        self._model = model
        self._names = [column.name for column in model.signature]
        self._places = {label: place for place, label in enumerate(model.classes)}
        self.hello = Hello(list(model.classes), _ALONE)
        self.hello = Hello(list(model.classes), batching or self._batching(), self._outputs())

    def predict(self, rows: list[Row]) -> Reply:
        """The registry's answers for these rows.

        Raises: RecordRefused, ValueError where it gives more or fewer than one for each, and
        whatever the estimator raises.
        """
        records = [self._record(row) for row in rows]
        answers = self._model.predict_records(records)
        if len(answers) != len(rows):
            text = f"it gave {len(answers)} answers for {len(rows)} rows"
            raise ValueError(text)
        return self._reply(answers)

    def ending_in(self, last: Any) -> Callable[[Any], Reply]:
        """The same for what the model's last step reads, a row each."""
        model = replace(self._model, estimator=last)
        return lambda matrix: self._reply(model.predict_encoded(matrix))

    def _reply(self, answers: list[dict[str, Any]]) -> Reply:
        if not self._places:
            numbers = [answer["score"] for answer in answers]
            return Reply([], np.asarray(numbers, dtype="<f8").tobytes())
        numbers = [list(answer["probabilities"].values()) for answer in answers]
        labels = [self._places[answer["label"]] for answer in answers]
        return Reply(labels, np.asarray(numbers, dtype="<f8").tobytes())

    def _batching(self) -> str:
        """Whether rows of several requests may share a call: shown on random rows, bit for bit."""
        rows = [self._random_row(random.Random(seed)) for seed in range(_PROBE_ROWS)]
        try:
            together = self.predict(rows)
            alone = [self.predict([row]) for row in rows]
        except Exception:
            logger.exception("The model failed on random rows; its requests are not batched")
            return _ALONE
        same = together.numbers == b"".join(reply.numbers for reply in alone)
        return WHOLE if same else _ALONE

    def _outputs(self) -> list[str]:
        """The names of several values of one row."""
        if self._places:
            return []
        try:
            values = self._model.predict_records([self._record(self._random_row(random.Random(0)))])
        except Exception:
            logger.exception("The model failed on a random row; it counts as one of one value")
            return []
        score = values[0]["score"]
        count = len(score) if isinstance(score, list) else 1
        name = self._model.target or "output"
        return [f"{name}_{place}" for place in range(count)] if count > 1 else []

    def _record(self, row: Row) -> dict[str, Any]:
        return dict(zip(self._names, row, strict=True))

    def _random_row(self, source: random.Random) -> Row:
        return [_random_value(column.type, source) for column in self._model.signature]


def _random_value(kind: str, source: random.Random) -> Any:
    match kind:
        case "string":
            return source.choice("abcdefgh")
        case "boolean":
            return source.random() < 0.5
        case "datetime":
            return f"20{source.randrange(10, 40)}-0{source.randrange(1, 10)}-15T00:00:00"
        case "long" | "integer":
            return source.randrange(100)
        case _:
            return source.gauss(0.0, 10.0)


def main(folder: str, path: str, *, pickles: bool = False) -> None:
    """Load the model folder and answer planes at `path` until told to leave.

    What this process does not load itself is loaded by MLflow: here where the model's pins suit,
    else by an interpreter that has them. `pickles` says that somebody agreed to load this model
    although that runs code.

    Raises: BadModelFolder, UnsafeModel, CodeFailed, NoEnvironment, ForeignModelFailed.
    """
    place = Path(folder)
    if python.is_code(place) and not pickles and not python.is_recipe(place):
        raise UnsafeModel(f"Model folder {place.name}", ["a user's own Python"])
    model = None if python.is_code(place) else opened(place, pickles=pickles)
    if model is not None:
        serve(_runtime(model, place.parent / f"{place.name}.batching"), path)
    elif here(pins_of(place)):
        # By its path: it takes MLflow with it.
        foreign = importlib.import_module("athanor.serving.runtimes.foreign")
        serve(foreign.load(place), path)
    else:
        _elsewhere(place, path)


def _runtime(model: LoadedModel, note: Path) -> Runtime:
    """What answers for a model; what was shown of it is kept in the note."""
    shown = _noted(note)
    if shown is None:
        native = NativeRuntime(model)
        # By its path: it imports the compiler of steps, which a model wakes without.
        encoding = importlib.import_module("athanor.serving.runtimes.encoding")
        shown = _Shown(native.hello.batching, encoding.proved(native, model), _LIBRARIES)
        _note(note, shown)
    else:
        native = NativeRuntime(model, shown.batching)
    return Encoded(native, model, shown.program) if shown.program else native


def _noted(note: Path) -> _Shown | None:
    """What was shown of this model by these libraries."""
    with suppress(OSError, msgspec.MsgspecError):
        shown = msgspec.json.decode(note.read_bytes(), type=_Shown)
        if shown.libraries == _LIBRARIES:
            return shown
    return None


def _note(note: Path, shown: _Shown) -> None:
    """Keep it: showing it costs more than all else that a worker does before it answers."""
    with suppress(OSError):
        passing = note.with_name(f".{note.name}.{os.getpid()}")
        passing.write_bytes(msgspec.json.encode(shown))
        passing.replace(note)


def _elsewhere(folder: Path, path: str) -> None:
    """Have another interpreter answer at `path`, and end when it does."""
    cache = folder.parent.parent / "environments"
    interpreter = python_for(folder, cache)
    command = [str(interpreter), "-m", "athanor.serving.runtimes.foreign", str(folder), path]
    environment = {**os.environ, "PYTHONPATH": search_path(cache), "PYTHONNOUSERSITE": "1"}
    environment.pop("VIRTUAL_ENV", None)
    with tempfile.TemporaryFile("w+b") as said:
        child = subprocess.Popen(command, env=environment, stderr=said, cwd=folder)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        code = child.wait()
        said.seek(max(0, said.seek(0, os.SEEK_END) - _TAIL))
        text = said.read().decode("utf-8", "replace").strip()
    sys.stderr.write(text + "\n")
    if code > 0:
        raise ForeignModelFailed(folder.name, (text.splitlines() or ["it ended"])[-1])
    if code < 0 and code != -signal.SIGTERM:
        os.kill(os.getpid(), -code)
