"""scikit-learn's trees, forests and boosted trees as ensembles."""

from collections.abc import Callable
from typing import Any

import numpy as np

from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.runtimes.trees.types import Ensemble, Tree

_BINARY = ["q = 1.0 - p", "return (1, (q, p)) if p > q else (0, (q, p))"]
_EXPIT = "1.0 / (1.0 + power(-z[0]))"
_SOFTMAX = [
    "m = max(z)",
    "e = [exp(x - m) for x in z]",
    "s = sum(e)",
    "p = [x / s for x in e]",
    "return p.index(max(p)), p",
]
_ROUNDED = 1e-12
"""Sums of the same numbers in another order, and another exp, differ by less."""


def ensemble(model: Any) -> Ensemble:
    """The ensemble of a tree, a forest, or boosted trees of scikit-learn.

    Raises: Unfoldable.
    """
    name = type(model).__name__
    read = _READERS.get(name)
    if read is None:
        raise Unfoldable(f"{name} is no ensemble of trees that is known")
    return read(model)


def _forest(model: Any) -> Ensemble:
    members = getattr(model, "estimators_", None)
    trees = [model] if members is None else list(members)
    classifies = hasattr(model, "classes_")
    if classifies and not isinstance(model.n_classes_, int | np.integer):
        raise Unfoldable(f"{type(model).__name__} tells several labels")
    outputs = int(model.n_classes_) if classifies else int(model.n_outputs_)
    made = [
        _grown(item.tree_, _all_of(item.tree_, outputs, classifies=classifies)) for item in trees
    ]
    if len(trees) > 1 or members is not None:
        lines = [f"p = [x / {len(trees)} for x in z]"]
    else:
        lines = ["p = z"]
    lines.append("return p.index(max(p)), p" if classifies else "return -1, p")
    return Ensemble(
        trees=made,
        base=(0.0,) * outputs,
        finish=lines,
        features=int(model.n_features_in_),
        narrow=True,
        finite=True,
        missing=model.monotonic_cst is None,
        tolerance=_ROUNDED,
    )


def _all_of(tree: Any, outputs: int, *, classifies: bool) -> Callable[[int], Any]:
    values = tree.value[:, 0, :outputs] if classifies else tree.value[:, :outputs, 0]
    return lambda node: tuple((place, float(value)) for place, value in enumerate(values[node]))


def _grown(tree: Any, adds: Callable[[int], Any]) -> Tree:
    made = Tree()
    missing = getattr(tree, "missing_go_to_left", None)
    for node in range(tree.node_count):
        if tree.children_left[node] < 0:
            made.add_leaf(adds(node))
            continue
        left = bool(missing[node]) if missing is not None else False
        made.add_node(int(tree.feature[node]), float(tree.threshold[node]), missing_left=left)
        made.left[node] = int(tree.children_left[node])
        made.right[node] = int(tree.children_right[node])
    return made


def _boosted(model: Any) -> Ensemble:
    raw = model._raw_predict_init(np.zeros((2, model.n_features_in_), dtype=np.float32))  # noqa: SLF001 - no public name
    if not np.array_equal(raw[0], raw[1]) or type(model.init_).__name__ not in {
        "DummyClassifier",
        "DummyRegressor",
        "str",
    }:
        raise Unfoldable("GradientBoosting begins with a model of its own")
    rate = float(model.learning_rate)
    trees = []
    for stage in model.estimators_:
        for output, member in enumerate(stage):
            tree = member.tree_
            values = tree.value[:, 0, 0]
            trees.append(
                _grown(
                    tree,
                    lambda node, values=values, output=output: (  # type: ignore[misc]
                        (output, rate * float(values[node])),
                    ),
                )
            )
    base = tuple(map(float, raw[0]))
    return Ensemble(
        trees=trees,
        base=base,
        finish=_boosted_finish(model, len(base)),
        features=int(model.n_features_in_),
        narrow=True,
        finite=True,
        missing=False,
        tolerance=_ROUNDED,
    )


def _boosted_finish(model: Any, outputs: int) -> list[str]:
    if not hasattr(model, "classes_"):
        return ["return -1, z"]
    if outputs > 1:
        return _SOFTMAX
    twice = getattr(model, "loss", "") == "exponential"
    return [f"p = {_EXPIT.replace('-z[0]', '-2.0 * z[0]') if twice else _EXPIT}", *_BINARY]


def _histograms(model: Any) -> Ensemble:
    if model.is_categorical_ is not None and any(model.is_categorical_):
        raise Unfoldable("HistGradientBoosting reads categories")
    base = tuple(map(float, np.ravel(model._baseline_prediction)))  # noqa: SLF001 - no public name
    trees = []
    for stage in model._predictors:  # noqa: SLF001 - no public name
        for output, predictor in enumerate(stage):
            made = Tree()
            for node in predictor.nodes:
                if node["is_leaf"]:
                    made.add_leaf(((output, float(node["value"])),))
                    continue
                left = bool(node["missing_go_to_left"])
                place = made.add_node(
                    int(node["feature_idx"]), float(node["num_threshold"]), missing_left=left
                )
                made.left[place], made.right[place] = int(node["left"]), int(node["right"])
            trees.append(made)
    if not hasattr(model, "classes_"):
        link = {"poisson": "[power(x) for x in z]", "gamma": "[power(x) for x in z]"}
        finish = [f"return -1, {link.get(model.loss, 'z')}"]
    else:
        finish = _SOFTMAX if len(base) > 1 else [f"p = {_EXPIT}", *_BINARY]
    return Ensemble(
        trees=trees,
        base=base,
        finish=finish,
        features=int(model.n_features_in_),
        tolerance=_ROUNDED,
    )


_READERS: dict[str, Callable[[Any], Ensemble]] = {
    **dict.fromkeys(
        (
            "DecisionTreeClassifier",
            "DecisionTreeRegressor",
            "ExtraTreeClassifier",
            "ExtraTreeRegressor",
            "RandomForestClassifier",
            "RandomForestRegressor",
            "ExtraTreesClassifier",
            "ExtraTreesRegressor",
        ),
        _forest,
    ),
    **dict.fromkeys(("GradientBoostingClassifier", "GradientBoostingRegressor"), _boosted),
    **dict.fromkeys(
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"), _histograms
    ),
}
