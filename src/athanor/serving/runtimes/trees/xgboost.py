"""XGBoost's models as ensembles, by its own JSON.

All of it is of single precision: features, thresholds, leaves, sums, and the functions behind them
(src/common/math.h). A value goes left where it is below the threshold.
"""

import json
import math
from typing import Any

import numpy as np

from athanor.serving.runtimes.folding.nodes import Unfoldable
from athanor.serving.runtimes.trees.types import Ensemble, Tree

_ROUNDED = 2.4e-7
"""Two ulps of single precision: where the C library has no expf."""


def ensemble(model: Any) -> Ensemble:
    """The ensemble of an XGBClassifier, an XGBRegressor or a Booster.

    Raises: Unfoldable.
    """
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    learner = json.loads(booster.save_raw("json"))["learner"]
    gradient = learner["gradient_booster"]
    if gradient["name"] != "gbtree":
        raise Unfoldable(f"XGBoost's booster is {gradient['name']}")
    missing = getattr(model, "missing", np.nan)
    if not (missing is None or np.isnan(missing)):
        raise Unfoldable(f"XGBoost has {missing!r} as missing")
    told = learner["learner_model_param"]
    if int(told.get("num_target", 1)) > 1:
        raise Unfoldable("XGBoost tells several values")
    outputs = max(1, int(told["num_class"]))
    objective = learner["objective"]["name"]
    trees = gradient["model"]["trees"]
    groups = gradient["model"]["tree_info"]
    best = _best(model, booster)
    if best is not None:
        parallel = int(gradient["model"]["gbtree_model_param"].get("num_parallel_tree", 1))
        trees = trees[: (best + 1) * outputs * max(1, parallel)]
    return Ensemble(
        trees=[_tree(item, group) for item, group in zip(trees, groups, strict=False)],
        base=_base(told["base_score"], objective, outputs),
        finish=_finish(objective, outputs, classifies=hasattr(model, "classes_")),
        features=int(told["num_feature"]),
        single=True,
        strict=True,
        # A bare booster reads a DMatrix, which refuses infinity; the others read rows in place.
        finite=not hasattr(model, "get_booster"),
        zeros_missing=True,
        tolerance=_ROUNDED,
    )


def _best(model: Any, booster: Any) -> int | None:
    """The last round that counts, where training stopped early."""
    try:
        return int(
            model.best_iteration if hasattr(model, "get_booster") else booster.best_iteration
        )
    except AttributeError:
        return None


def _tree(told: dict[str, Any], output: int) -> Tree:
    if any(told.get("categories_nodes", ())) or any(told.get("split_type", ())):
        raise Unfoldable("XGBoost splits by categories")
    tree = Tree()
    for node, left in enumerate(told["left_children"]):
        number = float(np.float32(told["split_conditions"][node]))
        if left < 0:
            tree.add_leaf(((output, number),))
            continue
        tree.add_node(
            int(told["split_indices"][node]), number, missing_left=bool(told["default_left"][node])
        )
        tree.left[node], tree.right[node] = int(left), int(told["right_children"][node])
    return tree


def _base(text: str, objective: str, outputs: int) -> tuple[float, ...]:
    told = json.loads(text)
    scores = [np.float32(item) for item in (told if isinstance(told, list) else [told])]
    one = np.float32(1.0)
    if objective in {"binary:logistic", "reg:logistic", "binary:logitraw"}:
        scores = [np.float32(-math.log(float(one / score - one))) for score in scores]
    elif objective in {"count:poisson", "reg:gamma", "reg:tweedie"}:
        scores = [np.float32(math.log(float(score))) for score in scores]
    if len(scores) == 1:
        scores *= outputs
    return tuple(map(float, scores))


_SIGMOID = "single(1.0 / single(expf(min(-x, 88.69999694824219)) + 1.0))"


def _finish(objective: str, outputs: int, *, classifies: bool) -> list[str]:
    if objective in {"binary:logistic", "reg:logistic"}:
        lines = ["x = z[0]", f"p = {_SIGMOID}"]
        if not classifies:
            return [*lines, "return -1, (p,)"]
        return [*lines, "q = single(1.0 - p)", "return (1, (q, p)) if p > q else (0, (q, p))"]
    if objective == "multi:softprob":
        lines = [
            "m = max(z)",
            "e = [expf(single(x - m)) for x in z]",
            "s = 0.0",
            "for x in e: s += x",
            "s = single(s)",
            "p = [single(x / s) for x in e]",
        ]
        return [*lines, "return p.index(max(p)), p" if classifies else "return -1, p"]
    if classifies:
        raise Unfoldable(f"XGBoost classifies with the objective {objective}")
    if objective in {"count:poisson", "reg:gamma", "reg:tweedie"}:
        return ["return -1, [expf(x) for x in z]"]
    plain = {
        "reg:squarederror",
        "reg:absoluteerror",
        "reg:squaredlogerror",
        "reg:pseudohubererror",
        "reg:quantileerror",
        "binary:logitraw",
        "rank:pairwise",
        "rank:ndcg",
        "rank:map",
    }
    if objective in plain and outputs == 1:
        return ["return -1, z"]
    raise Unfoldable(f"XGBoost has the objective {objective}")
