"""Autologging of the frameworks, without a line changed."""

import json

import lightgbm
import mlflow
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from tests.mlflow.scenario.book import Book
from tests.mlflow.scenario.models import data


def scikit_learn(book: Book) -> None:
    x, y = data()
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.sklearn.autolog(log_input_examples=True, silent=True)
    try:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(x, y)
        run = mlflow.last_active_run()
        assert run is not None
        roc_auc_score(y, model.predict_proba(x)[:, 1])
        with mlflow.start_run():
            fitted = DecisionTreeClassifier(max_depth=2).fit(x, y)
            fitted.score(x, y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    kept = book.client.get_run(run.info.run_id)
    book.same("status", kept.info.status, "FINISHED")
    book.same("parameter", kept.data.params["logisticregression__C"], "0.5")
    book.holds("accuracy", kept.data.metrics["training_accuracy_score"] > 0.9)
    book.holds("more", {"training_f1_score", "training_roc_auc"} <= set(kept.data.metrics))
    book.same("estimator", kept.data.tags["estimator_name"], "Pipeline")
    names = [f.path for f in book.client.list_artifacts(run.info.run_id)]
    book.holds("pictures", "training_confusion_matrix.png" in names)
    book.same("data", [d.dataset.name for d in kept.inputs.dataset_inputs], ["dataset"])
    back = mlflow.pyfunc.load_model(f"models:/{kept.outputs.model_outputs[0].model_id}")
    book.same("the model itself", list(back.predict(x)), list(model.predict(x)))
    tree = mlflow.last_active_run()
    assert tree is not None
    book.same("inside a run", tree.data.params["max_depth"], "2")
    book.holds(
        "scored afterwards",
        "DecisionTreeClassifier_score_x" in tree.data.metrics
        or any("score" in key for key in tree.data.metrics),
    )


def a_grid_search(book: Book) -> None:
    x, y = data()
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.sklearn.autolog(max_tuning_runs=3, silent=True)
    try:
        GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=3).fit(
            x, y
        )
    finally:
        mlflow.sklearn.autolog(disable=True)
    parent = mlflow.last_active_run()
    assert parent is not None
    children = mlflow.search_runs(
        [parent.info.experiment_id],
        f"tags.mlflow.parentRunId = '{parent.info.run_id}'",
        output_format="list",
    )
    depths = sorted(child.data.params["max_depth"] for child in children)
    book.same("children", depths, ["1", "2", "3"])
    book.holds("best", "best_max_depth" in parent.data.params)
    book.holds("score", "best_cv_score" in parent.data.metrics)
    names = [f.path for f in book.client.list_artifacts(parent.info.run_id)]
    book.holds("table of trials", "cv_results.csv" in names)


def light_gbm(book: Book) -> None:
    x, y = data()
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.lightgbm.autolog(silent=True)
    try:
        train = lightgbm.Dataset(x, y)
        with mlflow.start_run() as run:
            model = lightgbm.train(
                {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5},
                train,
                num_boost_round=12,
                valid_sets=[train],
                valid_names=["train"],
            )
    finally:
        mlflow.lightgbm.autolog(disable=True)
    kept = book.client.get_run(run.info.run_id)
    book.same("parameter", kept.data.params["num_boost_round"], "12")
    history = book.client.get_metric_history(run.info.run_id, "train-binary_logloss")
    book.same("a point a round", [m.step for m in history], list(range(12)))
    names = [f.path for f in book.client.list_artifacts(run.info.run_id)]
    book.holds("importances", "feature_importance_gain.json" in names)
    back = mlflow.lightgbm.load_model(f"runs:/{run.info.run_id}/model")
    book.same("the model itself", list(back.predict(x)), list(model.predict(x)))


def xg_boost(book: Book) -> None:
    x, y = data()
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.xgboost.autolog(silent=True)
    try:
        train = xgboost.DMatrix(x, y)
        with mlflow.start_run() as run:
            model = xgboost.train(
                {"objective": "binary:logistic", "nthread": 1, "max_depth": 2},
                train,
                num_boost_round=8,
                evals=[(train, "train")],
                verbose_eval=False,
            )
    finally:
        mlflow.xgboost.autolog(disable=True)
    kept = book.client.get_run(run.info.run_id)
    book.same("parameter", kept.data.params["max_depth"], "2")
    history = book.client.get_metric_history(run.info.run_id, "train-logloss")
    book.same("a point a round", [m.step for m in history], list(range(8)))
    back = mlflow.xgboost.load_model(f"runs:/{run.info.run_id}/model")
    book.same(
        "the model itself",
        back.predict(train).tolist(),
        model.predict(train).tolist(),
    )
    uri = f"runs:/{run.info.run_id}/feature_importance_weight.json"
    book.holds("importances", json.loads(mlflow.artifacts.load_text(uri)))


def all_at_once(book: Book) -> None:
    x, y = data()
    mlflow.set_experiment(experiment_id=book.experiment())
    mlflow.autolog(silent=True, log_models=False, extra_tags={"by": "autolog"})
    try:
        xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(x, y)
        DecisionTreeClassifier().fit(x, y)
    finally:
        mlflow.autolog(disable=True)
    runs = mlflow.search_runs(output_format="list")
    book.same("a run each", len(runs), 2)
    book.same("no models", [len(run.outputs.model_outputs) for run in runs], [0, 0])


# What one framework is told stands above what all are told: this comes first.
SCENES = (all_at_once, scikit_learn, a_grid_search, light_gbm, xg_boost)
