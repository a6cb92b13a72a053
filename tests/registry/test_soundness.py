"""Trees that came in a file are walked only where they lead somewhere."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from athanor.registry.packaging.soundness import unsound

_SOURCE = np.random.default_rng(0)
_X = _SOURCE.random((80, 3))
_Y = (_X[:, 0] > 0.5).astype(int)


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(3),
        make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=3)),
        HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2),
    ],
)
def test_what_scikit_learn_grew_is_sound(estimator: Any) -> None:
    assert unsound(estimator.fit(_X, _Y)) == ""


def _bent(**changes: Any) -> Any:
    forest = RandomForestClassifier(3, random_state=0).fit(_X, _Y)
    state = forest.estimators_[1].tree_.__getstate__()
    nodes = state["nodes"].copy()
    for name, value in changes.items():
        nodes[name][0] = value
    forest.estimators_[1].tree_.__setstate__(state | {"nodes": nodes})
    return forest


@pytest.mark.parametrize("changes", [{"left_child": 10**6}, {"right_child": 0}, {"feature": 99}])
def test_a_tree_that_leads_nowhere_is_named(changes: dict[str, int]) -> None:
    assert "a tree" in unsound(_bent(**changes))


def test_a_predictor_that_leads_nowhere_is_named() -> None:
    model = HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2).fit(_X, _Y)
    model._predictors[1][0].nodes["left"][0] = 10**6
    assert "a tree" in unsound(model)
