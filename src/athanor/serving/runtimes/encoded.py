"""A model of scikit-learn whose steps before the last one, if any, are a generated program.

The last step is the model's own. Most of what a single row costs such a model goes into frames
and checks on the way to it, which the program does without: the last step reads a bare matrix.
`encoding` writes the program and shows that it hands over what the steps do, bit for bit. Rows that
it declines take the model's own way, and so does whatever is refused.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import Pipeline

from athanor.registry.packaging import LoadedModel
from athanor.serving.logic.frames import Reply
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.compiled import refuse

if TYPE_CHECKING:
    from athanor.serving.runtimes.native import NativeRuntime

_MOST_ROWS = 512
"""More go the model's own way, which is quicker by then."""
_LARGEST = float(np.finfo(np.float32).max)
"""Libraries differ in what they make of more than this in a frame, and in a matrix."""
_NUMBERS: frozenset[type] = frozenset({float, int, type(None)})
_TAKEN: Mapping[str, frozenset[type]] = {
    **dict.fromkeys(("double", "float", "long", "integer"), _NUMBERS),
    "string": frozenset({str, type(None)}),
    "boolean": frozenset({bool, type(None)}),
}
"""By a column's type: what the program reads as the model's own frame does."""


class Encoded:
    """A native runtime with a quick way for few rows."""

    def __init__(self, native: "NativeRuntime", model: LoadedModel, program: str) -> None:
        names: dict[str, Any] = {"__name__": "athanor_encoded", "refuse": refuse}
        exec(program, names)  # noqa: S102 - our own compiler wrote it, into a folder of ours
        self.hello = native.hello
        self._native = native
        self._features: Callable[[Row], list[float]] = names["features"]
        self._kinds = [_TAKEN[column.type] for column in model.signature]
        whole = model.estimator
        self._last = native.ending_in(
            Pipeline(whole.steps[-1:]) if isinstance(whole, Pipeline) else whole
        )
        # Said for each row otherwise. That the columns are in their order was shown.
        warnings.filterwarnings("ignore", "X does not have valid feature names")

    def predict(self, rows: list[Row]) -> Reply:
        """The model's answers for these rows. Raises: as the model's own way."""
        reply = self.quick(rows) if len(rows) <= _MOST_ROWS else None
        return self._native.predict(rows) if reply is None else reply

    def quick(self, rows: list[Row]) -> Reply | None:
        """The same by the program; None where it, or the last step, declines."""
        kinds = self._kinds
        try:
            for row in rows:
                for kind, value in zip(kinds, row, strict=True):
                    if type(value) not in kind:
                        return None
            made = np.array([self._features(row) for row in rows], dtype=np.float64)
            return None if (np.abs(made) > _LARGEST).any() else self._last(made)
        except Exception:  # noqa: BLE001 - the model's own way says what is wrong
            return None
