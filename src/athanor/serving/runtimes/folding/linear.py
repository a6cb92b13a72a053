"""Linear models: what they weigh, and how their sums become answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from athanor.serving.runtimes.folding.nodes import Unfoldable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last step of a model that is linear in its columns."""

    weights: Floats
    """Shape (sums, columns)."""
    plus: Floats
    """Shape (sums,)."""
    link: str
    """`expit`, `softmax`, `each` (expit of each, made to sum to 1), `huber`, `margin` (labels
    alone), `identity`, `exp`, or `affine`."""
    after: tuple[float, float] = (1.0, 0.0)
    """Of `affine`: what the sum is multiplied with and what is added."""


def head_of(estimator: Any) -> Head:
    """The weights and the link of a fitted linear model.

    Raises: Unfoldable.
    """
    name = type(estimator).__name__
    if not type(estimator).__module__.startswith("sklearn."):
        raise Unfoldable(f"{name} is not scikit-learn's own")
    if name in _WRAPPED:
        return _WRAPPED[name](estimator)
    if not hasattr(estimator, "coef_") or not hasattr(estimator, "intercept_"):
        raise Unfoldable(f"{name} is no linear model")
    weights = estimator.coef_
    if hasattr(weights, "toarray"):
        weights = weights.toarray()
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    plus = np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64))
    if len(plus) != len(weights):
        plus = np.full(len(weights), plus[0])
    return Head(weights=weights, plus=plus, link=_link(estimator, name, len(weights)))


def _link(estimator: Any, name: str, sums: int) -> str:
    if not hasattr(estimator, "classes_"):
        if name in {"PoissonRegressor", "GammaRegressor"}:
            return "exp"
        if name == "TweedieRegressor":
            logs = estimator.link == "log" or (estimator.link == "auto" and estimator.power > 0)
            return "exp" if logs else "identity"
        if name in _NOT_PLAIN:
            raise Unfoldable(f"{name} is more than a weighted sum")
        return "identity"
    if np.ndim(estimator.classes_[0]) or len(estimator.classes_) < 2:
        raise Unfoldable(f"{name} has unusual classes")
    if not hasattr(estimator, "predict_proba"):
        return "margin"
    if name in {"LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"}:
        return "expit" if sums == 1 else "softmax"
    if name == "SGDClassifier":
        if estimator.loss == "log_loss":
            return "expit" if sums == 1 else "each"
        if sums == 1:
            return "huber"
    raise Unfoldable(f"{name} tells probabilities in a way that is not known")


_NOT_PLAIN = frozenset({"PLSRegression", "CCA", "PLSCanonical", "SVR", "NuSVR", "OneClassSVM"})


def _one_vs_rest(estimator: Any) -> Head:
    heads = [head_of(item) for item in estimator.estimators_]
    if any(head.link != "expit" for head in heads):
        raise Unfoldable("OneVsRestClassifier wraps something else than logistic regressions")
    link = "expit" if len(heads) == 1 else "each"
    return _stacked(heads, link)


def _multi_output(estimator: Any) -> Head:
    heads = [head_of(item) for item in estimator.estimators_]
    if any(head.link != "identity" or len(head.weights) != 1 for head in heads):
        raise Unfoldable("MultiOutputRegressor wraps something else than linear regressions")
    return _stacked(heads, "identity")


def _stacked(heads: list[Head], link: str) -> Head:
    return Head(
        weights=np.concatenate([head.weights for head in heads]),
        plus=np.concatenate([head.plus for head in heads]),
        link=link,
    )


def _transformed_target(estimator: Any) -> Head:
    head, inside = head_of(estimator.regressor_), estimator.transformer_
    if head.link != "identity" or len(head.weights) != 1:
        raise Unfoldable("TransformedTargetRegressor wraps something else than a weighted sum")
    name = type(inside).__name__
    if name == "FunctionTransformer" and inside.inverse_func in {np.exp, np.expm1}:
        link = "exp" if inside.inverse_func is np.exp else "expm1"
        return Head(weights=head.weights, plus=head.plus, link=link)
    if name == "StandardScaler":
        scale = float(inside.scale_[0]) if inside.with_std else 1.0
        mean = float(inside.mean_[0]) if inside.with_mean else 0.0
        return Head(weights=head.weights, plus=head.plus, link="affine", after=(scale, mean))
    raise Unfoldable(f"TransformedTargetRegressor undoes {name}")


def _ransac(estimator: Any) -> Head:
    return head_of(estimator.estimator_)


_WRAPPED: dict[str, Callable[[Any], Head]] = {
    "OneVsRestClassifier": _one_vs_rest,
    "MultiOutputRegressor": _multi_output,
    "TransformedTargetRegressor": _transformed_target,
    "RANSACRegressor": _ransac,
}
