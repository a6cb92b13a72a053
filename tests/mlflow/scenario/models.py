"""Models: signatures, examples, loading by every address, logged models and their metrics."""

from typing import Any

import mlflow
import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LogisticRegression

from tests.mlflow.scenario.book import Book


def data() -> tuple[pd.DataFrame, pd.Series]:
    """Sixty rows that one column separates."""
    numbers = np.random.default_rng(7)
    x = pd.DataFrame({"a": numbers.normal(size=60), "b": numbers.normal(size=60)})
    return x, pd.Series((x["a"] > 0).astype(int), name="y")


def fitted() -> LogisticRegression:
    """A model of that data."""
    return LogisticRegression(random_state=0).fit(*data())


class Shift(mlflow.pyfunc.PythonModel):
    """Adds what its file and its caller say."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        with open(context.artifacts["shift"], encoding="utf-8") as file:  # noqa: PTH123 - a str
            self.shift = float(file.read())

    def predict(
        self,
        context: mlflow.pyfunc.PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.Series:
        return model_input["a"] * (params or {}).get("times", 1) + self.shift


def a_scikit_learn_model(book: Book) -> None:
    x, _ = data()
    model = fitted()
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(x, model.predict(x)),
            input_example=x.head(2),
            metadata={"owner": "risk"},
            params={"depth": 3},
            tags={"team": "risk"},
        )
    book.holds("an id of its own", logged.model_id.startswith("m-"))
    book.same("address", logged.model_uri, f"models:/{logged.model_id}")
    for uri in (logged.model_uri, f"runs:/{run.info.run_id}/model"):
        back = mlflow.sklearn.load_model(uri)
        book.same(f"equal from {uri.split(':')[0]}", list(back.predict(x)), list(model.predict(x)))
    general = mlflow.pyfunc.load_model(logged.model_uri)
    book.same("as pyfunc", list(general.predict(x)), list(model.predict(x)))
    book.same("inputs", general.metadata.get_input_schema().input_names(), ["a", "b"])
    book.same("metadata", general.metadata.metadata, {"owner": "risk"})
    try:
        general.predict(x[["a"]])
    except MlflowException as refusal:
        book.holds("a missing column", "Model is missing inputs ['b']" in str(refusal.message))
    info = mlflow.models.get_model_info(logged.model_uri)
    book.same("flavors", sorted(info.flavors), ["python_function", "sklearn"])
    book.same("run", info.run_id, run.info.run_id)
    book.same("example", info.saved_input_example_info["type"], "dataframe")
    outputs = mlflow.get_run(run.info.run_id).outputs.model_outputs
    book.same("output of the run", [o.model_id for o in outputs], [logged.model_id])
    book.same("last logged", mlflow.last_logged_model().model_id, logged.model_id)
    listed = book.client.list_artifacts(run.info.run_id, "model")
    book.holds("its files under the run", "model/MLmodel" in [f.path for f in listed])
    folder = mlflow.artifacts.download_artifacts(logged.model_uri)
    book.same("downloaded", mlflow.models.Model.load(folder).model_id, logged.model_id)
    kept = mlflow.get_logged_model(logged.model_id)
    book.same("status", kept.status, "READY")
    book.same("name", kept.name, "model")
    book.same("parameters", kept.params, {"depth": "3"})
    book.same("tag", kept.tags["team"], "risk")
    book.same("its run", kept.source_run_id, run.info.run_id)
    book.holds("its place", kept.artifact_location.endswith(f"{logged.model_id}/artifacts"))


def a_function_of_ones_own(book: Book) -> None:
    x, _ = data()
    file = book.folder / "shift.txt"
    file.write_text("2.5", encoding="utf-8")
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a"), ColSpec("double", "b")]),
        outputs=Schema([ColSpec("double")]),
        params=ParamSchema([ParamSpec("times", DataType.double, 1.0)]),
    )
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="shifted",
            python_model=Shift(),
            artifacts={"shift": str(file)},
            signature=signature,
            pip_requirements=["numpy"],
        )
    model = mlflow.pyfunc.load_model(logged.model_uri)
    book.same("with its file", list(model.predict(x)), list(x["a"] + 2.5))
    book.same(
        "with a parameter", list(model.predict(x, params={"times": 2.0})), list(x["a"] * 2 + 2.5)
    )
    book.same("kept parameter", model.metadata.get_params_schema().to_dict()[0]["name"], "times")
    inner = model.unwrap_python_model()
    book.same("unwrapped", inner.shift, 2.5)
    needs = mlflow.pyfunc.get_model_dependencies(logged.model_uri)
    with open(needs, encoding="utf-8") as lines:  # noqa: PTH123 - a str
        book.holds("requirements", "numpy" in lines.read())


def saved_and_logged_as_files(book: Book) -> None:
    x, _ = data()
    model, folder = fitted(), book.folder / "saved model"
    mlflow.sklearn.save_model(model, str(folder))
    mlflow.set_experiment(experiment_id=book.experiment())
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), "old-style")
    back = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/old-style")
    book.same("loaded", list(back.predict(x)), list(model.predict(x)))


def logged_models_by_hand(book: Book) -> None:
    client, experiment = book.client, book.experiment()
    made = client.create_logged_model(
        experiment, name="by-hand", tags={"a": "1"}, params={"p": "x"}, model_type="Agent"
    )
    book.same("pending", made.status, "PENDING")
    book.same("type", made.model_type, "Agent")
    client.finalize_logged_model(made.model_id, LoggedModelStatus.READY)
    client.set_logged_model_tags(made.model_id, {"a": "2", "b": "3"})
    client.delete_logged_model_tag(made.model_id, "b")
    client.log_model_params(made.model_id, {"q": "y"})
    kept = client.get_logged_model(made.model_id)
    book.same("ready", kept.status, "READY")
    book.same("tags", kept.tags, {"a": "2"})
    book.same("parameters", kept.params, {"p": "x", "q": "y"})
    client.log_model_artifact(made.model_id, str(_file(book)))
    listed = client.list_logged_model_artifacts(made.model_id)
    book.same("files", [f.path for f in listed], ["some.txt"])
    book.refused(
        "tag deleted twice",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.delete_logged_model_tag(made.model_id, "b"),
    )
    client.delete_logged_model(made.model_id)
    book.refused(
        "deleted", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_logged_model(made.model_id)
    )
    outside = mlflow.create_external_model(name="outside", experiment_id=experiment)
    book.same("an external one", outside.status, "READY")


def _file(book: Book) -> object:
    path = book.folder / "some.txt"
    path.write_text("x", encoding="utf-8")
    return path


def metrics_of_models(book: Book) -> None:
    client, experiment = book.client, book.experiment()
    mlflow.set_experiment(experiment_id=experiment)
    test = mlflow.data.from_pandas(data()[0], name="test")
    ids = {}
    for name, value in (("one", 0.5), ("two", 0.9), ("three", 0.7)):
        with mlflow.start_run():
            model = mlflow.initialize_logged_model(
                name=name, params={"rate": value}, tags={"n": name}
            )
            mlflow.log_metric("auc", value - 0.1, step=1, model_id=model.model_id)
            mlflow.log_metric("auc", value, step=2, model_id=model.model_id, dataset=test)
            mlflow.finalize_logged_model(model.model_id, "READY")
            ids[name] = model.model_id
    kept = client.get_logged_model(ids["two"])
    seen = sorted([m.key, m.value, m.dataset_name] for m in kept.metrics if m.dataset_name)
    book.same("metric with its data", seen, [["auc", 0.9, "test"]])

    def found(text: str, **how: object) -> list[str]:
        return [
            m.name
            for m in client.search_logged_models([experiment], text, **how)  # type: ignore[arg-type]
        ]

    book.same("newest first", found(""), ["three", "two", "one"])
    book.same("by name", found("name = 'two'"), ["two"])
    book.same(
        "by metric",
        found("metrics.auc > 0.65", order_by=[{"field_name": "creation_time", "ascending": True}]),
        ["two", "three"],
    )
    book.same("by parameter", found("params.rate = '0.5'"), ["one"])
    book.same("by tag", found("tags.n = 'three'"), ["three"])
    book.same(
        "best first",
        found("", order_by=[{"field_name": "metrics.auc", "ascending": False}]),
        ["two", "three", "one"],
    )
    book.same(
        "on that data",
        found(
            "metrics.auc > 0.8",
            datasets=[{"dataset_name": "test", "dataset_digest": test.digest}],
        ),
        ["two"],
    )
    book.same(
        "on other data",
        found("metrics.auc > 0.8", datasets=[{"dataset_name": "other", "dataset_digest": "x"}]),
        [],
    )
    page = client.search_logged_models([experiment], max_results=2)
    rest = client.search_logged_models([experiment], max_results=2, page_token=page.token)
    book.same("pages", [len(page), len(rest)], [2, 1])
    table = mlflow.search_logged_models(experiment_ids=[experiment])
    book.same("as a table", sorted(table["name"]), ["one", "three", "two"])
    book.refused(
        "a model that is not",
        "RESOURCE_DOES_NOT_EXIST",
        lambda: client.get_logged_model("m-" + "0" * 32),
    )


SCENES = (
    a_scikit_learn_model,
    a_function_of_ones_own,
    saved_and_logged_as_files,
    logged_models_by_hand,
    metrics_of_models,
)
