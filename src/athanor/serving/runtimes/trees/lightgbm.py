"""LightGBM's models as ensembles, by its own dump.

Its rules (src/io/tree.h, src/c_api.cpp): a value of at most 1e-35 in size counts as 0; where
training saw nothing missing, so does a missing value; a category goes left where it is in the set.
"""

import math
from typing import Any

from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.runtimes.trees.types import Ensemble, Membership, Tree

_ZERO = 1.0000000180025095e-35
"""kZeroThreshold: 1e-35 in single precision."""


def ensemble(model: Any) -> Ensemble:
    """The ensemble of an LGBMClassifier, an LGBMRegressor or a Booster.

    Raises: Unfoldable.
    """
    booster = getattr(model, "booster_", model)
    told = booster.dump_model()
    outputs = int(told["num_tree_per_iteration"])
    reader = _Reader(len(told["feature_names"]))
    trees = [
        reader.tree(item["tree_structure"], place % outputs)
        for place, item in enumerate(told["tree_info"])
    ]
    if told.get("average_output"):
        raise Unfoldable("LightGBM averages its trees (boosting=rf)")
    return Ensemble(
        trees=trees,
        base=(0.0,) * outputs,
        finish=_finish(str(told.get("objective", "")), model, outputs),
        features=reader.features,
        memberships=reader.memberships,
    )


class _Reader:
    def __init__(self, features: int) -> None:
        self.features = features
        self.memberships: list[Membership] = []
        self._places: dict[Membership, int] = {}

    def tree(self, root: dict[str, Any], output: int) -> Tree:
        tree = Tree()
        waiting: list[tuple[dict[str, Any], int, bool]] = [(root, -1, True)]
        while waiting:
            node, parent, left = waiting.pop()
            if "split_feature" in node:
                place = self._inner(tree, node)
                waiting.append((node["right_child"], place, False))
                waiting.append((node["left_child"], place, True))
            else:
                if "leaf_coeff" in node:
                    raise Unfoldable("LightGBM's leaves are linear")
                place = tree.add_leaf(((output, float(node["leaf_value"])),))
            if parent >= 0:
                (tree.left if left else tree.right)[parent] = place
        return tree

    def _inner(self, tree: Tree, node: dict[str, Any]) -> int:
        feature = int(node["split_feature"])
        if node["decision_type"] == "==":
            known = frozenset(int(text) for text in str(node["threshold"]).split("||"))
            made = Membership(feature, known)
            if made not in self._places:
                self._places[made] = self.features + len(self.memberships)
                self.memberships.append(made)
            return tree.add_node(self._places[made], 0.5, missing_left=False)
        threshold = float(node["threshold"])
        match node["missing_type"]:
            case "None":
                missing_left = threshold >= 0.0
            case "NaN":
                missing_left = bool(node["default_left"])
            case other:
                raise Unfoldable(f"LightGBM has {other} as missing")
        return tree.add_node(feature, _beside_zero(threshold), missing_left=missing_left)


def _beside_zero(threshold: float) -> float:
    """The threshold that decides for the value itself as LightGBM does for 0 in its place."""
    if 0.0 <= threshold < _ZERO:
        return _ZERO
    if -_ZERO <= threshold < 0.0:
        return math.nextafter(-_ZERO, -math.inf)
    return threshold


def _finish(objective: str, model: Any, outputs: int) -> list[str]:
    name, *settings = objective.split() or [""]
    told = dict(item.split(":", 1) for item in settings if ":" in item)
    classifies = hasattr(model, "classes_")
    sigmoid = float(told.get("sigmoid", 1.0))
    expit = f"1.0 / (1.0 + power(-{sigmoid!r} * x))"
    if classifies and name == "binary":
        return [
            "x = z[0]",
            f"p = {expit}",
            "q = 1.0 - p",
            "return (1, (q, p)) if p > q else (0, (q, p))",
        ]
    if classifies and name == "multiclass":
        return [
            "m = max(z)",
            "e = [exp(x - m) for x in z]",
            "s = 0.0",
            "for x in e: s += x",
            "p = [x / s for x in e]",
            "return p.index(max(p)), p",
        ]
    if classifies and name == "multiclassova":
        return [f"p = [{expit} for x in z]", "return p.index(max(p)), p"]
    if classifies:
        raise Unfoldable(f"LightGBM classifies with the objective {name!r}")
    return _values(name, settings, expit, outputs)


def _values(name: str, settings: list[str], expit: str, outputs: int) -> list[str]:
    if name in {"poisson", "gamma", "tweedie"}:
        return ["return -1, [power(x) for x in z]"]
    if name in {"binary", "cross_entropy", "xentropy", "multiclassova"}:
        return [f"return -1, [{expit} for x in z]"]
    if name == "multiclass":
        return [
            "m = max(z)",
            "e = [exp(x - m) for x in z]",
            "s = 0.0",
            "for x in e: s += x",
            "return -1, [x / s for x in e]",
        ]
    if "sqrt" in settings:
        return ["return -1, [copysign(x * x, x) for x in z]"]
    plain = {"regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank"}
    if name in plain | {"rank_xendcg", "custom", "none", ""}:
        return ["return -1, z"]
    raise Unfoldable(f"LightGBM has the objective {name!r} with {outputs} outputs")
