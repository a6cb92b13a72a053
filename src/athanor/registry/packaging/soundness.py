"""Whether trees that came in a file can be walked.

Their libraries do not look, and would read memory that is not theirs.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree


def unsound(estimator: Any) -> str:
    """What is wrong with a tree of scikit-learn somewhere in an estimator; "" where nothing is."""
    for tree, features in _trees(estimator):
        problem = (
            _of_tree(tree, features) if isinstance(tree, Tree) else _of_predictor(tree, features)
        )
        if problem:
            return problem
    return ""


def _trees(root: Any) -> Iterator[tuple[Any, int | None]]:
    """Every tree, and how many columns its owner checks rows for."""
    seen: set[int] = set()
    waiting: list[tuple[Any, int | None]] = [(root, None)]
    while waiting:
        item, features = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tree | TreePredictor):
            yield item, features
        elif isinstance(item, dict):
            waiting += [(value, features) for value in item.values()]
        elif isinstance(item, list | tuple | set):
            waiting += [(value, features) for value in item]
        elif isinstance(item, np.ndarray):
            if item.dtype == object:
                waiting += [(value, features) for value in item.ravel()]
        elif hasattr(item, "__dict__") and type(item).__module__.startswith("sklearn."):
            told = item.__dict__.get("n_features_in_", features)
            waiting += [(value, told) for value in item.__dict__.values()]


def _of_tree(tree: Any, features: int | None) -> str:
    count = int(tree.node_count)
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    if tree.value.shape[0] != count or (features is not None and tree.n_features != features):
        return "a tree is of another size than it says"
    inner = left != -1
    return _walkable(left, right, inner, np.asarray(tree.feature), int(tree.n_features))


def _of_predictor(tree: Any, features: int | None) -> str:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    categories = inner & (nodes["is_categorical"] != 0)
    if np.any(nodes["bitset_idx"][categories] >= len(tree.raw_left_cat_bitsets)):
        return "a tree decides by categories that it does not have"
    most = np.iinfo(np.int64).max if features is None else features
    return _walkable(left, right, inner, nodes["feature_idx"].astype(np.int64), int(most))


def _walkable(left: Any, right: Any, inner: Any, feature: Any, features: int) -> str:
    places = np.arange(len(left))
    for child in (left, right):
        # Children stand behind their parent, so that every walk ends.
        if np.any((child[inner] <= places[inner]) | (child[inner] >= len(left))):
            return "a tree leads to nodes that it does not have"
    if not len(left) or np.any((feature[inner] < 0) | (feature[inner] >= features)):
        return "a tree decides by columns that it does not read"
    return ""
