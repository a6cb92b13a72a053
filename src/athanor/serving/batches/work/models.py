"""A model that scores Arrow batches: the packaged estimator on whole columns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from athanor.registry.packaging import LoadedModel, load_model, probabilities
from athanor.serving.batches.work.columns import frame, input_types
from athanor.serving.logic.outputs import PREDICTION, SCORE, class_column, shown_classes
from athanor.serving.logic.signature import scored
from athanor.serving.types import Signature


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


def load_scorer(model: Mapping[str, Any]) -> Scorer:
    """The scorer of a model folder.

    Args:
        model: `folder`, `signature` (plain) and `pickles`: whether somebody agreed to load it
            although that runs code.

    Raises: BadModelFolder, UnsafeModel.
    """
    loaded = load_model(Path(model["folder"]), pickles=bool(model.get("pickles")))
    return FrameScorer(loaded, input_types(model["signature"]))


def made_schema(classes: Sequence[Any], *, chances: bool) -> pa.Schema:
    """The columns that predictions make."""
    if not classes:
        return pa.schema([(PREDICTION, pa.float64())])
    fields = [pa.field(PREDICTION, pa.array(list(classes)).type)]
    if chances:
        fields.append(pa.field(SCORE, pa.float64()))
        fields += [pa.field(class_column(item), pa.float64()) for item in shown_classes(classes)]
    return pa.schema(fields)


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
        rows = frame(self._signature, batch)
        if self._labels is None:
            values = np.asarray(self._model.estimator.predict(rows), dtype=np.float64)
            return [pa.array(values.reshape(batch.num_rows))]
        if not self._chances:
            told = self._model.estimator.predict(rows)
            return [pa.array(np.asarray(told).tolist(), self.schema.field(PREDICTION).type)]
        chances = probabilities(self._model.estimator, rows)
        best = chances.argmax(axis=1)
        positive = scored(self._signature, self._classes)
        score = chances[np.arange(len(best)), best] if positive < 0 else chances[:, positive]
        shown = [self._classes.index(item) for item in shown_classes(self._classes)]
        return [
            self._labels.take(pa.array(best)),
            pa.array(score),
            *(pa.array(np.ascontiguousarray(chances[:, place])) for place in shown),
        ]
