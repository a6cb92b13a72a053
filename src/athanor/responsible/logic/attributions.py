"""Exact additive attributions of single predictions: native for trees, closed form for lines.

For each row, base + sum of attributions = the model's raw score (log-odds; one a class where there
are more than two). Trees: LightGBM's `pred_contrib`, path-dependent TreeSHAP (Lundberg et al.
2018). Linear: coefficient x (value - mean), which is SHAP's value for independent columns
(Štrumbelj and Kononenko 2014). Encoded columns are summed back to the raw column they come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from athanor.responsible.logic.intervals import Floats

Estimator: TypeAlias = Any
"""A fitted estimator; scikit-learn is published without types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributions:
    """Additive parts of raw scores."""

    method: str
    columns: list[str]
    """The raw columns."""
    base: Floats
    """Shape (classes,): what the score is with nothing known. One class where there are two."""
    parts: Floats
    """Shape (rows, columns, classes)."""


def attributions(
    pipeline: Estimator, rows: pd.DataFrame, background: pd.DataFrame
) -> Attributions | None:
    """Attributions of `rows`, or None where the final step knows no exact ones.

    Args:
        pipeline: an encoder (a ColumnTransformer) and a final LightGBM or logistic model.
        rows: the raw rows to be explained.
        background: raw rows whose mean is "nothing known" for linear models.
    """
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline[0], ColumnTransformer):
        return None
    encoder, model = pipeline[:-1], pipeline[-1]
    encoded = _dense(encoder.transform(rows))
    if isinstance(model, LGBMClassifier):
        method, (base, values) = "TreeSHAP (LightGBM)", _tree(model, encoded)
    elif isinstance(model, LogisticRegression):
        mean = _dense(encoder.transform(background)).mean(axis=0)
        method, (base, values) = "linear SHAP", _linear(model, encoded, mean)
    else:
        return None
    columns, sums = to_raw(values, sources(pipeline[0]))
    return Attributions(method=method, columns=columns, base=base, parts=sums)


def sources(encoder: ColumnTransformer) -> list[str]:
    """The raw column behind each encoded column, in the encoder's order.

    A block whose encoded columns can't be told apart is named after all of its raw columns.
    """
    found: dict[int, str] = {}
    for name, part, columns in encoder.transformers_:
        block = encoder.output_indices_[name]
        raw = [columns] if isinstance(columns, str) else [str(column) for column in columns]
        width = block.stop - block.start
        found.update(zip(range(block.start, block.stop), _spread(part, raw, width), strict=True))
    return [found[index] for index in sorted(found)]


def to_raw(values: Floats, behind: Sequence[str]) -> tuple[list[str], Floats]:
    """Sum over encoded columns, shape (rows, encoded, classes), into (rows, raw, classes)."""
    columns = list(dict.fromkeys(behind))
    sums = np.zeros((values.shape[0], len(columns), values.shape[2]))
    for index, column in enumerate(behind):
        sums[:, columns.index(column), :] += values[:, index, :]
    return columns, sums


def _spread(part: Estimator, raw: list[str], width: int) -> list[str]:
    steps = [step for _, step in part.steps] if isinstance(part, Pipeline) else [part]
    if width == len(raw):
        return raw
    if len(raw) == 1:
        return raw * width
    for step in steps:
        names = getattr(step, "get_feature_names_out", None)
        if hasattr(step, "categories_") and names is not None:
            counts = [len(known) for known in step.categories_]
            if sum(counts) == width:
                return [name for name, count in zip(raw, counts, strict=True) for _ in range(count)]
    return [", ".join(raw)] * width


def _tree(model: LGBMClassifier, encoded: Floats) -> tuple[Floats, Floats]:
    told = np.asarray(model.booster_.predict(encoded, pred_contrib=True, num_threads=1))
    parts = told.reshape(len(encoded), -1, encoded.shape[1] + 1).transpose(0, 2, 1)
    return parts[0, -1, :].copy(), parts[:, :-1, :]


def _linear(model: LogisticRegression, encoded: Floats, mean: Floats) -> tuple[Floats, Floats]:
    values = (encoded - mean)[:, :, np.newaxis] * model.coef_.T[np.newaxis, :, :]
    base = (model.coef_ * mean).sum(axis=1) + model.intercept_
    return np.asarray(base, dtype=np.float64), values


def _dense(matrix: Estimator) -> Floats:
    plain = matrix.toarray() if hasattr(matrix, "toarray") else matrix
    return np.ascontiguousarray(plain, dtype=np.float64)
