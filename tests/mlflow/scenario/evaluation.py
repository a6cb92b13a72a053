"""Evaluation of models by the client, with the tables that it leaves."""

import mlflow
import pandas as pd
from mlflow.metrics import MetricValue
from mlflow.models import MetricThreshold, make_metric

from tests.mlflow.scenario.book import Book
from tests.mlflow.scenario.models import data, fitted


def a_classifier(book: Book) -> None:
    x, y = data()
    table = x.assign(y=y)
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(fitted(), name="clf", input_example=x.head(1))
        result = mlflow.models.evaluate(
            logged.model_uri,
            mlflow.data.from_pandas(table, targets="y", name="holdout"),
            model_type="classifier",
            evaluators="default",
            evaluator_config={"log_model_explainability": False},
            extra_metrics=[make_metric(eval_fn=_share, greater_is_better=True, name="share")],
        )
    kept = book.client.get_run(run.info.run_id)
    book.holds("accuracy", result.metrics["accuracy_score"] > 0.9)
    book.same("as logged", kept.data.metrics["accuracy_score"], result.metrics["accuracy_score"])
    book.holds("its own metric", "share" in kept.data.metrics)
    book.holds("curves", any("roc_curve" in name for name in result.artifacts))
    names = {f.path for f in book.client.list_artifacts(run.info.run_id)}
    book.holds("pictures", {"confusion_matrix.png", "roc_curve_plot.png"} <= names)
    book.holds("its data", "holdout" in [d.dataset.name for d in kept.inputs.dataset_inputs])
    model = mlflow.get_logged_model(logged.model_id)
    measured = {m.key: m.dataset_name for m in model.metrics or []}
    book.same("metrics of the model", measured.get("accuracy_score"), "holdout")
    passed = mlflow.validate_evaluation_results(
        {"accuracy_score": MetricThreshold(threshold=0.5, greater_is_better=True)}, result
    )
    book.holds("a threshold that holds", passed is None)
    try:
        mlflow.validate_evaluation_results(
            {"accuracy_score": MetricThreshold(threshold=1.1, greater_is_better=True)}, result
        )
    except mlflow.models.evaluation.validation.ModelValidationFailedException:
        book.holds("one that does not", True)
    else:
        book.holds("one that does not", False)


def _share(predictions: pd.Series, targets: pd.Series, metrics: object) -> float:
    return float((predictions == targets).mean())


def _lengths(predictions: pd.Series, targets: pd.Series, metrics: object) -> MetricValue:
    scores = [float(len(text)) for text in predictions]
    return MetricValue(scores=scores, aggregate_results={"mean": sum(scores) / len(scores)})


def a_static_table(book: Book) -> None:
    table = pd.DataFrame({"y": [1.0, 2.0, 3.0, 4.0], "predicted": [1.1, 1.9, 3.2, 3.8]})
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        result = mlflow.evaluate(
            data=table, targets="y", predictions="predicted", model_type="regressor"
        )
    kept = book.client.get_run(run.info.run_id).data.metrics
    book.holds("error", abs(kept["mean_absolute_error"] - 0.15) < 1e-9)
    book.same("the same", kept["r2_score"], result.metrics["r2_score"])


def an_evaluation_table(book: Book) -> None:
    def answer(inputs: pd.DataFrame) -> list[str]:
        return [text.upper() for text in inputs["q"]]

    table = pd.DataFrame({"q": ["a", "b", "c"], "truth": ["A", "B", "X"]})
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            answer,
            table,
            targets="truth",
            extra_metrics=[
                mlflow.metrics.exact_match(),
                make_metric(eval_fn=_lengths, greater_is_better=True, name="length"),
            ],
        )
    share = book.client.get_run(run.info.run_id).data.metrics["exact_match/v1"]
    book.holds("two of three", abs(share - 2 / 3) < 1e-9)
    rows = next(iter(result.tables.values()))
    book.same("table", list(rows["outputs"]), ["A", "B", "C"])
    book.same("scores", list(rows["length/score"]), [1.0, 1.0, 1.0])
    kept = mlflow.load_table("eval_results_table.json", run_ids=[run.info.run_id])
    book.same("kept", sorted(kept.columns), sorted(rows.columns))
    book.same("rows", len(kept), 3)


SCENES = (a_classifier, a_static_table, an_evaluation_table)
