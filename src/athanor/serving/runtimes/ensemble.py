"""Compiled trees: a program before and behind an ensemble that ONNX Runtime walks.

Loads ONNX Runtime and numpy: named by its path, with the first model that needs it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from athanor.serving.errors.runtimes import RowRefused, RuntimeUnusable
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.compiled import (
    Answer,
    Description,
    program_of,
    refused_at,
    reply_of,
)

MODEL, LEAVES = "model.onnx", "leaves.npy"


class Trees:
    """An ensemble of trees."""

    def __init__(
        self,
        told: Description,
        names: dict[str, Any],
        session: Any,
        leaves: NDArray[np.float64] | None,
    ) -> None:
        self.hello = Hello(told.classes, "whole", told.outputs)
        self._features: Callable[[Row], list[float]] = names["features"]
        self._finish: Callable[[list[float]], Answer] = names["finish"]
        self._plain = bool(told.settings["plain"])
        self._single, self._narrow = bool(told.settings["single"]), bool(told.settings["narrow"])
        self._run: Callable[..., Any] = session.run
        self._leaves = leaves
        self._trees = None if leaves is None else np.arange(len(leaves))

    def one(self, row: Row) -> Answer:
        """Predict one row. Raises: RowRefused."""
        made = row if self._plain else self._features(row)
        return self._finish(self._sums([made])[0].tolist())

    def predict(self, rows: list[Row]) -> Reply:
        """Predict rows given in the order of the signature's columns. Raises: RowRefused."""
        try:
            made = rows if self._plain else [self._features(row) for row in rows]
        except RowRefused:
            for place, row in enumerate(rows):
                refused_at(place, self._features, row)
            raise
        sums = self._sums(made).tolist()
        finish = self._finish
        return reply_of([finish(item) for item in sums], classifies=bool(self.hello.classes))

    def _sums(self, rows: list[Any]) -> NDArray[Any]:
        found: NDArray[Any] = self._run(None, {"x": self._matrix(rows)})[0]
        if self._leaves is None:
            return found
        # Added tree after tree, as the library does: numpy's sum over them would pair them.
        values = self._leaves[self._trees, found.astype(np.intp)]
        return np.add.accumulate(values, axis=1)[:, -1]

    def _matrix(self, rows: list[Any]) -> NDArray[Any]:
        matrix = np.array(rows, np.float64)
        if self._single:
            with np.errstate(over="ignore"):  # what single precision does not hold is infinite
                return matrix.astype(np.float32)
        return matrix.astype(np.float32).astype(np.float64) if self._narrow else matrix


def load(folder: Path, told: Description) -> Trees:
    """The ensemble in this folder.

    Raises: RuntimeUnusable.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(folder / MODEL), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        raise RuntimeUnusable(folder.name, str(error)) from error
    leaves = np.load(folder / LEAVES) if told.settings.get("gathers") else None
    return Trees(told, program_of(folder), session, leaves)
