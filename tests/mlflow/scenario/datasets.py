"""Data sets that runs used: logged, found again, searched by."""

import json

import mlflow
import numpy as np
import pandas as pd
import requests

from tests.mlflow.scenario.book import Book


def _table() -> pd.DataFrame:
    return pd.DataFrame({"x": [1.0, 2.0, 3.0], "name": ["a", "b", "c"], "y": [0, 1, 0]})


def inputs_of_a_run(book: Book) -> None:
    experiment = book.experiment()
    mlflow.set_experiment(experiment_id=experiment)
    train = mlflow.data.from_pandas(
        _table(), source="s3://lake/train.csv", name="train", targets="y"
    )
    test = mlflow.data.from_numpy(np.arange(6.0).reshape(3, 2), name="test")
    with mlflow.start_run() as run:
        mlflow.log_input(train, context="training", tags={"slice": "all"})
        mlflow.log_input(test, context="testing")
        mlflow.log_input(train, context="training")
    inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    book.same("two", sorted(i.dataset.name for i in inputs), ["test", "train"])
    first = next(i for i in inputs if i.dataset.name == "train")
    book.same("digest", first.dataset.digest, train.digest)
    book.same("source type", first.dataset.source_type, "s3")
    book.same("source", json.loads(first.dataset.source), {"uri": "s3://lake/train.csv"})
    book.same(
        "columns",
        [c["name"] for c in json.loads(first.dataset.schema)["mlflow_colspec"]],
        ["x", "name", "y"],
    )
    book.same("rows", json.loads(first.dataset.profile)["num_rows"], 3)
    book.same(
        "tags",
        {t.key: t.value for t in first.tags},
        {"mlflow.data.context": "training", "slice": "all"},
    )
    again = mlflow.data.get_source(first.dataset)
    book.same("the source itself", again.uri, "s3://lake/train.csv")
    with mlflow.start_run() as other:
        mlflow.log_inputs([train, test], ["a", "b"], [None, {"k": "v"}])
    names = [i.dataset.name for i in mlflow.get_run(other.info.run_id).inputs.dataset_inputs]
    book.same("several at once", sorted(names), ["test", "train"])


def runs_by_their_data(book: Book) -> None:
    experiment = book.experiment()
    mlflow.set_experiment(experiment_id=experiment)
    for name, context in (("old", "training"), ("new", "training"), ("new", "testing")):
        data = mlflow.data.from_pandas(_table().head(2 if name == "old" else 3), name=name)
        with mlflow.start_run(run_name=f"{name} {context}"):
            mlflow.log_input(data, context=context)
    digest = mlflow.data.from_pandas(_table(), name="new").digest

    def found(text: str) -> list[str]:
        return sorted(run.info.run_name for run in book.client.search_runs([experiment], text))

    book.same("by name", found("datasets.name = 'new'"), ["new testing", "new training"])
    book.same("by context", found("dataset.context = 'testing'"), ["new testing"])
    book.same("by digest", found(f"datasets.digest = '{digest}'"), ["new testing", "new training"])
    book.same(
        "by both",
        found("datasets.name = 'new' AND datasets.context = 'training'"),
        ["new training"],
    )
    book.same("like", found("datasets.name LIKE 'o%'"), ["old training"])
    book.same("one of", found("datasets.name IN ('old', 'older')"), ["old training"])
    answer = requests.post(
        f"{book.url}/ajax-api/2.0/mlflow/experiments/search-datasets",
        json={"experiment_ids": [experiment]},
        timeout=60,
    ).json()
    rows = sorted([r["name"], r["context"]] for r in answer["dataset_summaries"])
    book.same(
        "of the experiment", rows, [["new", "testing"], ["new", "training"], ["old", "training"]]
    )


SCENES = (inputs_of_a_run, runs_by_their_data)
