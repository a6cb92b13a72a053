"""A model that scores Arrow batches: the packaged estimator on whole columns."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from athanor.registry.packaging import LoadedModel, as_read, opened, probabilities
from athanor.serving.batches.work.classes import Floats, Places, class_arrays, made_schema
from athanor.serving.batches.work.columns import frame, input_types
from athanor.serving.batches.work.folded import Folded, agree, proved
from athanor.serving.batches.work.rows import RowScorer, elsewhere
from athanor.serving.logic.outputs import PREDICTION
from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.runtimes.folding.vectors import Refused
from athanor.serving.types import Signature

logger = logging.getLogger(__name__)

Probe: TypeAlias = Callable[[], pa.RecordBatch]
"""A few rows of the input, for models whose answers nobody knows beforehand."""

_TRIED_ROWS = 4_096
_FEW_ROWS = 50_000
_TWO = 2


class Scorer(Protocol):
    """What turns rows into the columns of predictions."""

    @property
    def columns(self) -> Sequence[str]:
        """What it reads."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The columns that it makes."""
        ...

    def score(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The made columns, one value a row.

        Raises: whatever the model raises on these rows.
        """
        ...


def load_scorer(model: Mapping[str, Any], probe: Probe, rows: int) -> Scorer:
    """The scorer of a model folder.

    Args:
        model: `folder`, `signature` (plain) and `pickles`: whether somebody agreed to load it
            although that runs code.
        probe: gives a few rows of the input.
        rows: how many there are in all: for few, the way by column is not worth its proof.

    Raises: BadModelFolder, UnsafeModel, NoEnvironment, ForeignModelFailed.
    """
    folder, signature = Path(model["folder"]), input_types(model["signature"])
    loaded = opened(folder, pickles=bool(model.get("pickles")))
    if loaded is None:
        return RowScorer(elsewhere(folder), signature, probe)
    frames = FrameScorer(loaded, signature)
    if rows < _FEW_ROWS:
        return frames
    try:
        return ColumnScorer(Folded(loaded, signature), frames)
    except Unfoldable:
        return frames
    except Exception:  # the frames are there whatever happens here
        logger.exception("A model could not be computed by column")
        return frames


class FrameScorer:
    """A scikit-learn model, asked with frames: equal to the online answers, bit for bit."""

    def __init__(self, model: LoadedModel, signature: Signature) -> None:
        self._model = model
        self._signature = signature
        self._classes = list(model.classes)
        self._chances = bool(self._classes) and hasattr(model.estimator, "predict_proba")
        self._labels = pa.array(self._classes) if self._classes else None
        self.columns = signature.names
        self.schema = made_schema(self._classes, chances=self._chances)

    def score(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The made columns, one value a row.

        Raises: whatever the model raises on these rows.
        """
        if self._labels is not None and not self._chances:
            told = self._model.estimator.predict(self.frame(batch))
            return [pa.array(np.asarray(told).tolist(), self.schema.field(PREDICTION).type)]
        return self.arrays(self.numbers(batch))

    def frame(self, batch: pa.RecordBatch) -> Any:
        """The rows as the estimator reads them."""
        return as_read(self._model.estimator, frame(self._signature, batch))

    def numbers(self, batch: pa.RecordBatch) -> Floats:
        """Probabilities, shape (rows, classes); margins or values, shape (rows, outputs).

        Raises: whatever the model raises on these rows.
        """
        rows, estimator = self.frame(batch), self._model.estimator
        if self._chances:
            return probabilities(estimator, rows)
        ask = estimator.predict if self._labels is None else estimator.decision_function
        return np.asarray(ask(rows), dtype=np.float64).reshape(batch.num_rows, -1)

    def arrays(self, numbers: Floats) -> list[pa.Array]:
        """The made columns of what `numbers` gives."""
        if self._labels is None:
            return [pa.array(numbers.reshape(len(numbers)))]
        best = _best(numbers)
        chances = numbers if self._chances else None
        return class_arrays(self._signature, self._classes, best, chances)


def _best(numbers: Floats) -> Places:
    """The place of each row's best class, the first of equal ones; of margins, whether it is 1."""
    if numbers.shape[1] == 1:
        return (numbers[:, 0] > 0.0).astype(np.intp)
    if numbers.shape[1] == _TWO and not np.isnan(numbers).any():
        return (numbers[:, 1] > numbers[:, 0]).astype(np.intp)
    best: Places = numbers.argmax(axis=1)
    return best


class ColumnScorer:
    """The same, by column where that was seen to be the same."""

    def __init__(self, folded: Folded, frames: FrameScorer) -> None:
        self._frames = frames
        self._folded: Folded | None = folded if proved(folded, self._own) else None
        self._tried = False
        self.columns, self.schema = frames.columns, frames.schema

    def score(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """The made columns, one value a row.

        Raises: whatever the model raises on these rows.
        """
        if self._folded is None:
            return self._frames.score(batch)
        try:
            found, close = self._folded.score(batch)
            if not self._tried and not self._fits(self._folded, batch, found):
                self._folded = None
                return self._frames.score(batch)
        except Refused:
            return self._frames.score(batch)
        self._tried = True
        if close.any():
            found[close] = self._frames.numbers(batch.filter(pa.array(close)))
        return self._frames.arrays(found)

    def _fits(self, folded: Folded, batch: pa.RecordBatch, found: Floats) -> bool:
        """Whether the first rows are answered as the model answers them."""
        first = batch.slice(0, _TRIED_ROWS)
        return agree(found[: first.num_rows], self._frames.numbers(first)) and folded.encodes_as(
            self._frames.frame(first), first
        )

    def _own(self, batch: pa.RecordBatch) -> Floats | None:
        try:
            return self._frames.numbers(batch)
        except Exception:  # noqa: BLE001 - whatever a model raises is a refusal of these rows
            return None
