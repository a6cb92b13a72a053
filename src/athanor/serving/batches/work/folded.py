"""Scoring by column: a pipeline's own steps without its frames.

What folds (see `athanor.serving.runtimes.folding`) is computed on whole columns; a linear last step
is summed there, any other one is the library's own and gets the encoded matrix. Labels are the
model's own, since rows whose best classes are nearly level are asked of the model itself;
probabilities are within 1e-9. Whatever is refused, and a model that differs on rows that try it, is
left to the model itself.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from athanor.registry.packaging import LoadedModel
from athanor.serving.batches.work.columns import numbers_of, words_of
from athanor.serving.runtimes.folding.linear import Head, head_of
from athanor.serving.runtimes.folding.nodes import Bag, Raw, Unfoldable, everything, sources
from athanor.serving.runtimes.folding.programs import Sums
from athanor.serving.runtimes.folding.steps import encoded, hints_of
from athanor.serving.runtimes.folding.vectors import Column, Refused, Texts, Vectors
from athanor.serving.runtimes.proof import proof_rows
from athanor.serving.types import Signature

Floats: TypeAlias = NDArray[np.float64]

TOLERANCE = 1e-9
_WIDEST = 2_000
"""Encoded columns of a last step that is not linear: the matrix is dense."""
_MOST_SUMMED = 5_000
"""Terms of a linear last step, over all its sums."""
_TWO = 2


class Folded:
    """A pipeline that is computed by column."""

    def __init__(self, model: LoadedModel, signature: Signature) -> None:
        """Raises: Unfoldable."""
        self._signature = signature
        self._made, self._final = encoded(model.estimator, signature.columns)
        if any(isinstance(node, Bag) for node in everything(self._made)):
            raise Unfoldable("it counts words")
        self._classes = len(model.classes)
        self._chances = hasattr(self._final, "predict_proba")
        try:
            self._head: Head | None = head_of(self._final)
        except Unfoldable:
            self._head = None
        if self._head is not None:
            self._sums = self._summed(self._head)
        else:
            self._fit_for_library(len(getattr(model.estimator, "steps", ())))
        self._before = model.estimator[:-1] if self._head is None else None
        self._raws = {raw.place: raw for raw in sources(self._made)}

    def _fit_for_library(self, steps: int) -> None:
        if steps < _TWO or len(self._made) > _WIDEST:
            raise Unfoldable("there is nothing to gain before its last step")
        if hasattr(self._final, "feature_names_in_") or (self._classes and not self._chances):
            raise Unfoldable("its last step is asked with frames")

    def _summed(self, head: Head) -> Sums:
        sums = Sums(head.plus)
        if head.weights.shape[1] != len(self._made):
            raise Unfoldable("its last step reads something else")
        for place, node in enumerate(self._made):
            sums.add(node, head.weights[:, place])
        if len(sums.plain) * len(sums.plus) > _MOST_SUMMED or sums.bags:
            raise Unfoldable("it is too wide")
        if not self._classes and len(sums.plus) > 1:
            raise Unfoldable("it tells several values")
        return sums

    def sample(self) -> pa.RecordBatch:
        """Rows that try it: ordinary ones, nulls, unseen categories, extremes."""
        groups = proof_rows(self._signature.columns, [], hints_of(self._made, {}))
        rows = [row for group in groups.values() for row in group]
        types = {"string": pa.string(), "boolean": pa.bool_()}
        return pa.record_batch(
            {
                column.name: pa.array(
                    [row[place] for row in rows], types.get(column.type, pa.float64())
                )
                for place, column in enumerate(self._signature.columns)
            }
        )

    def matrix(self, batch: pa.RecordBatch) -> Floats:
        """What a last step that is not linear reads. Raises: Refused."""
        vectors = self._vectors(batch)
        return np.column_stack([vectors.numbers(node) for node in self._made])

    def encodes_as(self, frame: Any, batch: pa.RecordBatch) -> bool:
        """Whether the pipeline's own steps make the same matrix of these rows, bit for bit."""
        if self._before is None:
            return True
        own = self._before.transform(frame)
        if hasattr(own, "toarray"):
            return False  # a sparse matrix may mean something else to the last step
        own = np.asarray(own)
        mine = self.matrix(batch)
        return own.dtype == np.float64 and own.shape == mine.shape and _same(own, mine)

    def score(self, batch: pa.RecordBatch) -> tuple[Floats, NDArray[np.bool_]]:
        """Probabilities, margins or values, and the rows that are too close to tell their label.

        Shapes (rows, classes) of a classifier with probabilities, (rows, sums) of one without,
        (rows, 1) of a regressor; and (rows,). Raises: Refused.
        """
        with np.errstate(all="ignore"):
            if self._head is None:
                return self._by_library(self.matrix(batch))
            sums = self._totals(self._vectors(batch))
            if not np.isfinite(sums).all():
                raise Refused
            found = _finished(self._head, sums)
        if not self._classes:
            return found, np.zeros(len(found), np.bool_)
        return found, _close(found)

    def _by_library(self, matrix: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        ask = self._final.predict_proba if self._classes else self._final.predict
        found = np.asarray(ask(matrix), np.float64).reshape(len(matrix), -1)
        return found, np.zeros(len(found), np.bool_)

    def _vectors(self, batch: pa.RecordBatch) -> Vectors:
        columns: dict[int, Column] = {}
        for place, raw in self._raws.items():
            columns[place] = self._column(batch, raw)
        return Vectors([columns.get(p, np.empty(0)) for p in range(len(self._signature.columns))],
                       batch.num_rows)  # fmt: skip

    def _column(self, batch: pa.RecordBatch, raw: Raw) -> Column:
        place = batch.schema.get_field_index(raw.name)
        values = batch.column(place) if place >= 0 else pa.nulls(batch.num_rows)
        if not raw.text:
            return numbers_of(values)
        words, places = words_of(values)
        return Texts(places, [*words, None])

    def _totals(self, vectors: Vectors) -> Floats:
        """The weighted sums, term by term, so that no row's depends on those beside it."""
        sums, count = self._sums, len(self._sums.plus)
        for node in sums.guards:
            vectors.value(node)
        totals = None
        for node, weights in sums.plain.values():
            values = vectors.numbers(node)
            if totals is None:
                totals = np.repeat(sums.plus[:, None], len(values), axis=1)
                term = np.empty_like(values)
            for place in range(count):
                np.multiply(values, weights[place], out=term)
                totals[place] += term
        for table in sums.tables.values():
            found = vectors.looked_up(table.of, table.known, table.unseen, table.null, count).T
            if totals is None:
                totals = sums.plus[:, None] + found
            else:
                totals += found
        if totals is None:
            raise Refused
        return totals.T


def proved(folded: Folded, answers: Any) -> bool:
    """Whether it answers as the model does, on rows that try it.

    `answers(batch)` are the model's own: an array as `Folded.score` gives, or None where it refuses
    one of the rows.
    """
    rows = folded.sample()
    taken = list(_taken(folded, rows))
    if not taken:
        return False
    tried = pa.concat_batches(taken)
    own = answers(tried)
    return own is not None and agree(folded.score(tried)[0], own)


def agree(found: Floats, own: Floats) -> bool:
    """Whether numbers are within the tolerance: absolutely below 1, relatively above."""
    if found.shape != own.shape:
        return False
    with np.errstate(all="ignore"):
        apart = np.abs(found - own) / np.maximum(1.0, np.abs(own))
    return bool(((apart <= TOLERANCE) | (found == own)).all())


def _taken(folded: Folded, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Those of these rows that it does not refuse."""
    try:
        folded.score(rows)
        yield rows
    except Refused:
        half = rows.num_rows // 2
        if half:
            yield from _taken(folded, rows.slice(0, half))
            yield from _taken(folded, rows.slice(half))


def _same(one: Floats, other: Floats) -> bool:
    return bool(((one == other) | (np.isnan(one) & np.isnan(other))).all())


def _close(found: Floats) -> NDArray[np.bool_]:
    """Rows whose two best are nearly level."""
    if found.shape[1] == 1:  # a margin
        return np.asarray(np.abs(found[:, 0]) < TOLERANCE)
    if found.shape[1] == _TWO:
        apart = np.abs(found[:, 0] - found[:, 1])
    else:
        best = np.partition(found, -2, axis=1)[:, -2:]
        apart = best[:, 1] - best[:, 0]
    largest = np.abs(found[:, 0])
    for place in range(1, found.shape[1]):
        np.maximum(largest, np.abs(found[:, place]), out=largest)
    return np.asarray(apart < TOLERANCE * np.maximum(1.0, largest))


def _finished(head: Head, sums: Floats) -> Floats:
    """From the sums to the answer."""
    match head.link:
        case "identity" | "margin":
            return sums
        case "exp":
            return np.exp(sums)
        case "expm1":
            return np.expm1(sums)
        case "affine":
            return sums * head.after[0] + head.after[1]
        case "expit" | "huber":
            z = sums[:, 0]
            p = 1.0 / (1.0 + np.exp(-z)) if head.link == "expit" else (z.clip(-1.0, 1.0) + 1.0) / 2
            return np.stack([1.0 - p, p]).T  # each class's in one piece
        case "softmax":
            e = np.exp(sums - sums.max(axis=1, keepdims=True))
        case _:
            e = 1.0 / (1.0 + np.exp(-sums))
            e[e.sum(axis=1) == 0.0] = 1.0
    made: Floats = e / e.sum(axis=1, keepdims=True)
    return made
