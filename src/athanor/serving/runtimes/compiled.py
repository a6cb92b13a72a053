"""Compiled runtimes: models that answer inside the data plane, without a process of their own.

A folder holds `runtime.json`, a generated `program.py` and, for trees, `model.onnx`. All of it was
written by `athanor.serving.runtimes.compiling` after the proof that its answers are the model's
own. Nothing here imports scikit-learn, pandas or mlflow; ONNX Runtime comes with the first model
that needs it.
"""

import importlib
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType
from typing import Any, Protocol, TypeAlias

import msgspec

from athanor.serving.errors.runtimes import RowRefused, RuntimeUnusable
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.signature import Row

FORMAT_VERSION = 1
DESCRIPTION = "runtime.json"
PROGRAM = "program.py"

Answer: TypeAlias = tuple[int, Sequence[float]]
"""One row's class, as its place in `hello.classes` (-1 for a regressor), and its numbers: the
probabilities, or its values (one for each of `hello.outputs`)."""


class Description(msgspec.Struct):
    """The content of `runtime.json`."""

    kind: str
    """`folded`, `onnx` or `trees`."""
    classes: list[Any]
    outputs: list[str] = []
    """Of a regressor with several targets: their names."""
    settings: dict[str, Any] = {}
    """What the kind's own loader wants."""
    format_version: int = FORMAT_VERSION


class CompiledRuntime(Protocol):
    """A compiled model."""

    hello: Hello
    """Its classes and outputs; `batching` is always `whole`."""

    def predict(self, rows: list[Row]) -> Reply:
        """Predict rows given in the order of the signature's columns.

        The values may be null or NaN where data is missing. An answer does not depend on the rows
        beside it. Raises: RowRefused (a 4xx that names row and column).
        """
        ...

    def one(self, row: Row) -> Answer:
        """Predict one row: the same, without the cost of a `Reply`.

        Raises: RowRefused, with row 0.
        """
        ...


def load(folder: Path) -> CompiledRuntime:
    """The runtime that this folder holds, ready to answer.

    Raises: RuntimeUnusable; the native worker is the way back.
    """
    try:
        told = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Description)
        if told.format_version > FORMAT_VERSION:
            raise RuntimeUnusable(folder.name, "a newer Athanor wrote it")
        if told.kind == "folded":
            return Folded(told, program_of(folder))
        # Named by its path: it imports ONNX Runtime, which folded models do without.
        ensemble = importlib.import_module("athanor.serving.runtimes.ensemble")
        loaded: CompiledRuntime = ensemble.load(folder, told)
    except (OSError, msgspec.MsgspecError, SyntaxError, KeyError, ImportError) as error:
        raise RuntimeUnusable(folder.name, str(error)) from error
    return loaded


def program_of(folder: Path) -> dict[str, Any]:
    """The names that a folder's generated program defines."""
    path = folder / PROGRAM
    code: CodeType = compile(path.read_text("utf-8"), str(path), "exec")
    names: dict[str, Any] = {"__name__": "athanor_compiled", "refuse": refuse}
    exec(code, names)  # noqa: S102 - our own compiler wrote it, into a folder of ours
    return names


class Folded:
    """A model that is one generated function."""

    def __init__(self, told: Description, names: dict[str, Any]) -> None:
        self.hello = Hello(told.classes, "whole", told.outputs)
        self.one: Callable[[Row], Answer] = names["one"]
        self._many: Callable[[list[Row]], list[Answer]] = names["many"]

    def predict(self, rows: list[Row]) -> Reply:
        """Predict rows given in the order of the signature's columns.

        Raises: RowRefused.
        """
        try:
            answers = self._many(rows)
        except RowRefused:
            for place, row in enumerate(rows):
                refused_at(place, self.one, row)
            raise
        return reply_of(answers, classifies=bool(self.hello.classes))


def refuse(column: str, problem: str) -> None:
    """What programs call for a value that the model can't read. Raises: RowRefused."""
    raise RowRefused(0, column, problem)


def refused_at(place: int, ask: Callable[[Row], object], row: Row) -> None:
    """Ask for one row, and name its place where it is refused. Raises: RowRefused."""
    try:
        ask(row)
    except RowRefused as refused:
        raise RowRefused(place, refused.column, refused.problem) from None


def reply_of(answers: list[Answer], *, classifies: bool) -> Reply:
    """Answers as the worker's protocol carries them."""
    labels = [label for label, _ in answers] if classifies else []
    numbers = array("d", [value for _, values in answers for value in values])
    if sys.byteorder == "big":
        numbers.byteswap()
    return Reply(labels, numbers.tobytes())
