"""Real trainings under MLflow's own autologging: some with a fault built in, some sound.

A program for an environment with the whole of MLflow, scikit-learn, LightGBM and XGBoost:
`python trainings.py NAME...` trains each by name against MLFLOW_TRACKING_URI and prints a JSON
object of the names and their run ids. Nothing here logs a metric itself.
"""

import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import mlflow
import numpy as np
import xgboost as xgb
from sklearn import datasets as toys
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    LogisticRegression,
    Ridge,
    SGDRegressor,
)
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

Training = Callable[[], Any]
FAULTS: dict[str, Training] = {}
SOUND: dict[str, Training] = {}


def fault(name: str) -> Callable[[Training], Training]:
    """A training whose fault should be named so."""

    def add(training: Training) -> Training:
        FAULTS[f"{name}:{training.__name__}"] = training
        return training

    return add


def sound(training: Training) -> Training:
    """A training with nothing wrong."""
    SOUND[f"sound:{training.__name__}"] = training
    return training


def split(X: Any, y: Any) -> list[Any]:
    return list(train_test_split(X, y, random_state=0, test_size=0.25))


def made(rows: int = 1000, **options: Any) -> list[Any]:
    """A table of two classes that can be told apart, not perfectly."""
    settings = {"n_features": 20, "n_informative": 8, "flip_y": 0.05, "random_state": 1} | options
    return split(*toys.make_classification(rows, **settings))


def noise(rows: int = 400) -> list[Any]:
    """Labels that have nothing to do with the columns."""
    random = np.random.default_rng(3)
    return split(random.normal(size=(rows, 20)), random.integers(0, 2, rows))


def rare(rows: int = 3000, share: float = 0.02) -> list[Any]:
    """One class in fifty rows."""
    return split(
        *toys.make_classification(
            rows, n_features=10, weights=[1 - share], flip_y=0.0, class_sep=0.5, random_state=2
        )
    )


def leaking(rows: int = 1200) -> list[Any]:
    """One column is the answer, in other units."""
    X, y = toys.make_classification(
        rows, n_features=15, n_informative=3, flip_y=0.3, random_state=4
    )
    X[:, 7] = y * 2.5 + 1
    return split(X, y)


def boosted_lgb(parts: list[Any], rounds: int = 60, **params: Any) -> None:
    X, X_held, y, w = parts
    train = lgb.Dataset(X, y)
    held_out = lgb.Dataset(X_held, w, reference=train)
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1} | params
    lgb.train(settings, train, rounds, valid_sets=[train, held_out], valid_names=["train", "valid"])


def boosted_xgb(parts: list[Any], rounds: int = 60, **params: Any) -> None:
    X, X_held, y, w = parts
    train, held_out = xgb.DMatrix(X, y), xgb.DMatrix(X_held, w)
    settings = {"objective": "binary:logistic", "nthread": 1} | params
    evals = [(train, "train"), (held_out, "eval")]
    xgb.train(settings, train, rounds, evals=evals, verbose_eval=False)


def fitted(model: Any, parts: list[Any]) -> None:
    X, X_held, y, w = parts
    model.fit(X, y)
    model.score(X_held, w)


# --- twelve faults ------------------------------------------------------------------------------


@fault("loss_not_falling")
def xgboost_that_hardly_learns() -> None:
    boosted_xgb(made(), eta=1e-6)


@fault("loss_not_falling")
def lightgbm_that_hardly_learns() -> None:
    boosted_lgb(made(), learning_rate=1e-7)


@fault("overfit")
def lightgbm_on_noise() -> None:
    boosted_lgb(noise(), 150, num_leaves=63, min_data_in_leaf=1, learning_rate=0.3)


@fault("overfit")
def a_tree_on_noise() -> None:
    fitted(DecisionTreeClassifier(random_state=0), noise())


@fault("exploding_gradient")
def descent_with_giant_steps() -> None:
    X, X_held, y, w = split(*toys.make_regression(500, 10, noise=5, random_state=0))
    fitted(
        SGDRegressor(eta0=5.0, learning_rate="constant", max_iter=5, tol=None), [X, X_held, y, w]
    )


@fault("not_a_number")
def counts_that_overflow() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(500, 5))
    y = random.poisson(3, 500).astype(float)
    boosted_xgb(split(X, y), 40, objective="count:poisson", eta=500.0, max_delta_step=0)


@fault("class_imbalance")
def one_class_in_fifty() -> None:
    fitted(LogisticRegression(C=1e-4), rare())


@fault("class_imbalance")
def boosting_on_a_rare_class() -> None:
    boosted_lgb(rare(), 30)


@fault("perfect_score")
def xgboost_with_the_answer_in_a_column() -> None:
    boosted_xgb(leaking(), 80)


@fault("plateau")
def trees_that_may_not_split() -> None:
    boosted_lgb(made(), 80, min_gain_to_split=60.0)


@fault("vanishing_gradient")
def ten_layers_of_sigmoids() -> None:
    X, X_held, y, w = made(600)
    model = MLPClassifier(
        (16,) * 10, activation="logistic", solver="sgd", max_iter=30, random_state=0
    )
    fitted(model, [X, X_held, y, w])


@fault("dead_units")
def a_network_that_one_step_killed() -> None:
    X, X_held, y, w = made(600)
    model = MLPClassifier(
        (32, 32), solver="sgd", learning_rate_init=30.0, max_iter=25, random_state=0, alpha=0.0
    )
    fitted(model, [X, X_held, y, w])


# --- twenty sound ones --------------------------------------------------------------------------


@sound
def xgboost_on_a_made_table() -> None:
    boosted_xgb(made(2000), 60, eta=0.1, max_depth=4)


@sound
def xgboost_on_tumours() -> None:
    boosted_xgb(split(*toys.load_breast_cancer(return_X_y=True)), 40, eta=0.1)


@sound
def xgboost_regression() -> None:
    parts = split(*toys.make_regression(800, 10, noise=10, random_state=0))
    boosted_xgb(parts, 60, objective="reg:squarederror", eta=0.1, max_depth=3)


@sound
def xgboost_of_many_classes() -> None:
    parts = split(*toys.load_digits(return_X_y=True))
    boosted_xgb(parts, 25, objective="multi:softprob", num_class=10, eta=0.3)


@sound
def xgboost_as_an_estimator() -> None:
    X, X_held, y, w = made(1500)
    model = xgb.XGBClassifier(n_estimators=50, learning_rate=0.1, max_depth=3, n_jobs=1)
    model.fit(X, y, eval_set=[(X, y), (X_held, w)], verbose=False)
    model.score(X_held, w)


@sound
def lightgbm_on_a_made_table() -> None:
    boosted_lgb(made(2000), 80, learning_rate=0.05, num_leaves=15)


@sound
def lightgbm_on_tumours() -> None:
    boosted_lgb(split(*toys.load_breast_cancer(return_X_y=True)), 60)


@sound
def lightgbm_regression() -> None:
    parts = split(*toys.load_diabetes(return_X_y=True))
    boosted_lgb(parts, 40, objective="regression", learning_rate=0.05, num_leaves=7)


@sound
def lightgbm_with_weights_for_a_rare_class() -> None:
    boosted_lgb(rare(4000, 0.05), 40, is_unbalance=True, learning_rate=0.03, num_leaves=7)


@sound
def lightgbm_as_an_estimator() -> None:
    X, X_held, y, w = made(1500)
    model = lgb.LGBMClassifier(n_estimators=60, learning_rate=0.05, verbose=-1, n_jobs=1)
    model.fit(X, y, eval_set=[(X_held, w)])
    model.score(X_held, w)


@sound
def a_logistic_regression() -> None:
    fitted(make_pipeline(StandardScaler(), LogisticRegression()), made())


@sound
def a_forest() -> None:
    fitted(
        RandomForestClassifier(50, random_state=0),
        split(*toys.load_breast_cancer(return_X_y=True)),
    )


@sound
def a_forest_of_numbers() -> None:
    fitted(RandomForestRegressor(50, random_state=0), split(*toys.load_diabetes(return_X_y=True)))


@sound
def flowers() -> None:
    fitted(SVC(), split(*toys.load_iris(return_X_y=True)))


@sound
def neighbours() -> None:
    fitted(KNeighborsClassifier(), split(*toys.load_digits(return_X_y=True)))


@sound
def a_ridge() -> None:
    fitted(Ridge(), split(*toys.load_diabetes(return_X_y=True)))


@sound
def bayes() -> None:
    fitted(GaussianNB(), split(*toys.load_wine(return_X_y=True)))


@sound
def a_network() -> None:
    X, X_held, y, w = made(1000)
    scale = StandardScaler().fit(X)
    model = MLPClassifier((32, 16), max_iter=60, random_state=0)
    fitted(model, [scale.transform(X), scale.transform(X_held), y, w])


@sound
def a_network_for_numbers() -> None:
    X, X_held, y, w = split(*toys.make_regression(600, 8, noise=5, random_state=0))
    scale = StandardScaler().fit(X)
    model = MLPRegressor(
        hidden_layer_sizes=(32,), max_iter=80, learning_rate_init=0.01, random_state=0
    )
    fitted(model, [scale.transform(X), scale.transform(X_held), y / 100, w / 100])


@sound
def histograms() -> None:
    fitted(HistGradientBoostingClassifier(max_iter=40, random_state=0), made(1500))


def main() -> None:
    """Train what is named; everything where nothing is."""
    warnings.simplefilter("ignore")
    every = FAULTS | SOUND
    mlflow.autolog(silent=True)
    runs = {}
    for name in sys.argv[1:] or every:
        with mlflow.start_run(run_name=name) as run:
            every[name]()
        runs[name] = run.info.run_id
        print(name, run.info.run_id, file=sys.stderr, flush=True)
    mlflow.flush_async_logging()
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
