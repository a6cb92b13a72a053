"""Probabilities that don't depend on how many rows are asked for at once.

BLAS sums a matrix product in an order that follows the number of rows, so scikit-learn's linear
models answer one row and the same row in a batch with last bits that differ. Where the final step
is linear, its product is therefore summed row by row (numpy's pairwise sum over a contiguous row);
trees give equal bits already.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.utils import assert_all_finite

from athanor.registry.types import Estimator

Floats = NDArray[np.float64]


def probabilities(estimator: Estimator, frame: Floats | pd.DataFrame | pd.Series) -> Floats:
    """Class probabilities, shape (rows, classes), float64, in the order of `classes_`."""
    if isinstance(estimator, Pipeline) and isinstance(estimator[-1], LogisticRegression):
        return _logistic(estimator[-1], encoded(estimator, frame))
    return np.asarray(estimator.predict_proba(frame), dtype=np.float64)


def encoded(pipeline: Pipeline, frame: Floats | pd.DataFrame | pd.Series) -> Floats:
    """What the final step reads: shape (rows, encoded columns), dense, contiguous, float64."""
    matrix: Estimator = pipeline[:-1].transform(frame) if len(pipeline.steps) > 1 else frame
    if hasattr(matrix, "toarray"):
        matrix = matrix.toarray()
    return np.ascontiguousarray(matrix, dtype=np.float64)


def _logistic(model: LogisticRegression, matrix: Floats) -> Floats:
    assert_all_finite(matrix, input_name="X")  # as the estimator's own predict_proba
    raw = np.stack(
        [
            (matrix * row).sum(axis=1) + bias
            for row, bias in zip(model.coef_, model.intercept_, strict=True)
        ],
        axis=1,
    )
    if raw.shape[1] == 1:
        positive = expit(raw[:, 0])
        return np.stack([1.0 - positive, positive], axis=1)
    return np.asarray(softmax(raw, axis=1), dtype=np.float64)
