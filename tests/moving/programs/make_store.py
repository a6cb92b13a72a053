"""Makes an MLflow store by MLflow itself: runs, points, files, logged models, versions.

Run it with the Python of an environment that has mlflow:
make_store.py URI RUNS VERSIONS [FOLDER OF ARTIFACTS]
"""

import os
import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)

START = 1_700_000_000_000
ODD = ("nan", "inf", "-inf")


class Maker:
    """Fills one store."""

    def __init__(self, uri: str, root: str) -> None:
        # Its stores ask for logged models where the program as a whole says.
        mlflow.set_tracking_uri(uri)
        self.client = MlflowClient(uri, uri)
        self.root = root
        self.place = Path(tempfile.mkdtemp())
        self.runs: list[str] = []
        self.models: list[str] = []

    def experiment(self, name: str, tags: dict[str, str]) -> str:
        location = f"{self.root}/{len(name)}" if self.root else None
        return str(self.client.create_experiment(name, artifact_location=location, tags=tags))

    def run(self, number: int, experiment: str) -> None:
        client, at = self.client, START + number * 1000
        tags = {"mlflow.user": "ada", "é": "ü\n", "kind": "big" if number % 3 else "small"}
        if number % 4 == 3:
            tags["mlflow.parentRunId"] = self.runs[-1]
        run = client.create_run(experiment, start_time=at, run_name=f"run {number}", tags=tags)
        run_id = run.info.run_id
        self.runs.append(run_id)
        points = [Metric("loss", 1 / (step + 1) + number, at + step, step) for step in range(10)]
        points += [Metric("odd", float(odd), START, step) for step, odd in enumerate(ODD, -1)]
        points += [Metric("val/acc", number * 1e-4, at, 0), Metric("n e g", -1e-300, 5, -7)]
        params = [Param("lr", str(0.1 * number)), Param("text", "x" * 200), Param("p/q", "")]
        client.log_batch(run_id, points, params, [RunTag("t", str(number))])
        if number % 5 == 0:
            self.use(run_id, f"d{number % 3}")
        if number % 2 == 0:
            (self.place / "a.txt").write_text(f"artifact of {number}")
            (self.place / "b.bin").write_bytes(os.urandom(100))
            client.log_artifact(run_id, str(self.place / "a.txt"))
            client.log_artifact(run_id, str(self.place / "b.bin"), "deep/er")
        client.set_terminated(run_id, ("FINISHED", "FAILED", "KILLED")[number % 3], at + 500)
        if number % 10 == 7:
            client.delete_run(run_id)

    def use(self, run_id: str, digest: str) -> None:
        dataset = Dataset(
            name="wine",
            digest=digest,
            source_type="local",
            source='{"uri": "/data/wine.csv"}',
            schema='{"a": 1}',
            profile='{"rows": 10}',
        )
        tags = [InputTag("mlflow.data.context", "training")]
        self.client.log_inputs(run_id, [DatasetInput(dataset, tags)])

    def logged_model(self, number: int, experiment: str) -> None:
        client, run_id = self.client, self.runs[0]
        model = client.create_logged_model(
            experiment,
            name=f"lm{number}",
            source_run_id=run_id,
            tags={"a": "b"},
            params={"depth": str(number)},
            model_type="classifier",
        )
        folder = Path(tempfile.mkdtemp())
        flavors = f"flavors:\n  python_function:\n    loader_module: x{number}\n"
        (folder / "MLmodel").write_text(f"artifact_path: m{number}\n{flavors}")
        (folder / "model.bin").write_bytes(os.urandom(300))
        client.log_model_artifacts(model.model_id, str(folder))
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, number)])
        client.log_metric(
            run_id,
            "auc",
            0.9 + number * 0.01,
            step=number,
            timestamp=START + number,
            model_id=model.model_id,
            dataset_name="wine",
            dataset_digest="d0",
        )
        self.models.append(model.model_id)

    def registered(self, versions: int) -> None:
        client, names = self.client, ("churn", "fraud model")
        for name in names:
            client.create_registered_model(name, {"owner": "ada"}, f"about {name}")
        for number in range(versions):
            tags, description = {"v": str(number)}, f"version {number}"
            if number < len(self.models):
                source, run_id = f"models:/{self.models[number]}", self.runs[0]
            else:
                run_id = self.runs[number * 2 % len(self.runs)]
                source = f"{client.get_run(run_id).info.artifact_uri}/deep"
            client.create_model_version(
                names[number % 2], source, run_id, tags=tags, description=description
            )
        client.delete_model_version("churn", "2")
        last = max(int(v.version) for v in client.search_model_versions("name='fraud model'"))
        client.delete_model_version("fraud model", str(last))
        client.set_registered_model_alias("churn", "champion", "1")
        client.set_registered_model_alias("churn", "best", "3")
        client.transition_model_version_stage("churn", "1", "Production")
        client.transition_model_version_stage("churn", "3", "Production")
        client.create_registered_model("empty")


def main(uri: str, runs: int, versions: int, root: str = "") -> None:
    maker = Maker(uri, root)
    note = {"team": "risk", "mlflow.note.content": "all about churn\nand more"}
    experiments = [maker.experiment("churn", note), maker.experiment("a b/ç é", {})]
    gone = maker.experiment("to go", {})
    for number in range(runs):
        maker.run(number, experiments[number % 2])
    maker.client.create_run(experiments[0], run_name="still going")
    last = maker.client.create_run(gone)
    maker.client.log_metric(last.info.run_id, "x", 1)
    maker.client.delete_experiment(gone)
    for number in range(3):
        maker.logged_model(number, experiments[0])
    maker.client.log_inputs(maker.runs[2], models=[LoggedModelInput(maker.models[0])])
    maker.registered(versions)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
