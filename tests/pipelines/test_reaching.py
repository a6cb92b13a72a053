"""What a step's own code logs is its run's, with our SDK and with MLflow's client."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from athanor.app.inprocess import InProcessTransport
from athanor.app.running.commands import submission_of
from athanor.app.running.files import training_pipeline
from athanor.client import Client
from athanor.kernel.reaching import Way, variables_of
from athanor.kernel.settings import load_settings
from athanor.pipelines import PipelineRun, Submission, Task
from athanor.pipelines.commands.showing import print_end
from athanor.pipelines.engines.local.exchange import Order, written
from athanor.pipelines.logic.embedding import Embedded
from tests.pipelines.kubeflow import component, dag, document, function, task

TRAIN = """
def train(points: int = 3) -> dict:
    import athanor
    import mlflow

    athanor.log_metric("accuracy", 0.75)
    athanor.log_params({"depth": 4})
    with mlflow.start_run():
        for number in range(points):
            mlflow.log_metric("loss", 1 / (number + 1), step=number)
        mlflow.log_param("rate", 0.1)
        mlflow.log_text("seen", "notes.txt")
    if points == 1:
        raise ValueError("one point is too few")
    return {"points": points}
"""


@pytest.fixture(scope="module")
def transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessTransport]:
    """The way in without a server: steps come in by the side."""
    settings, _ = load_settings({"workspace": tmp_path_factory.mktemp("workspace")})
    found = InProcessTransport(settings)
    yield found
    found.close()


@pytest.fixture
def client(transport: InProcessTransport) -> Client:
    return Client(transport)


def trained(client: Client, folder: Path, points: int) -> PipelineRun:
    file = folder / "fit.py"
    file.write_text(TRAIN)
    written = training_pipeline(file, "train", model="fit", values={"points": points}).compile()
    submission = replace(submission_of(written, ([], {"points": points}), "fit"), cache=False)
    return client.pipelines.wait(client.pipelines.submit(submission).id)


def task_of(run: PipelineRun) -> Task:
    return next(one for one in run.tasks if one.kind == "step")


def test_a_step_logs_to_its_own_run_with_both_clients(client: Client, tmp_path: Path) -> None:
    run = trained(client, tmp_path, 3)
    done = task_of(run)
    assert (run.state, done.error) == ("done", None)
    told = client.tracking.run(done.id)
    assert {key: point.value for key, point in told.metrics.items()} == {
        "accuracy": 0.75,
        "loss": pytest.approx(1 / 3),
    }
    assert told.params == {"depth": "4", "rate": "0.1"}
    assert [point.step for point in client.tracking.history(done.id, "loss")] == [0, 1, 2]
    assert told.info.name == "fit/train"
    folder = told.info.artifact_uri.partition(":/")[2]
    assert b"".join(client.files.read(f"{folder}/notes.txt")) == b"seen"
    kept = client.pipelines.order(run.id, done.name).order
    assert "127.0.0.1" not in kept, "what a step is told of the way is not written down"


def test_mlflows_end_of_a_run_is_not_the_steps(client: Client, tmp_path: Path) -> None:
    run = trained(client, tmp_path, 1)
    done = task_of(run)
    assert run.state == done.state == "failed"
    kept = client.runs.run(done.id)
    assert kept.state == "failed"
    assert kept.error is not None
    assert kept.resources["cpu_seconds"] > 0
    assert client.tracking.run(done.id).metrics["loss"].value == 1.0


EVALUATE = """def evaluate(metrics: Output[Metrics], curve: Output[ClassificationMetrics]) -> str:
    metrics.log_metric("accuracy", 0.875)
    metrics.log_metric("f1 (macro)", 0.5)
    metrics.log_metric("note", "a text")
    curve.log_roc_curve([0.0, 1.0], [0.5, 1.0], [0.9, 0.1])
    curve.log_confusion_matrix(["cat", "a/dog"], [[3, 1], [0, 4]])
    return "no champion is beaten"
"""


def test_figures_of_kubeflows_artifacts_are_metrics_of_the_task(
    transport: InProcessTransport,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outputs = {
        "metrics": "system.Metrics",
        "curve": "system.ClassificationMetrics",
        "reason": "STRING",
    }
    body = (
        EVALUATE.replace("-> str", "-> NamedTuple('Told', [('reason', str)])")
        .replace('return "', 'return ("')
        .replace('beaten"', 'beaten",)')
    )
    text = document(
        dag({"evaluate": task("evaluate", cachingOptions={"enableCache": True})}),
        {"evaluate": component("evaluate", outputs=outputs)},
        {"evaluate": function("evaluate", body)},
    )
    shown = []
    monkeypatch.setattr("athanor.pipelines.commands.showing.transport", lambda: transport)
    for state in ("done", "cached"):
        run = client.pipelines.wait(client.pipelines.submit(Submission(yaml=text)).id)
        assert [one.state for one in run.tasks] == [state], run.error
        print_end(run)
        shown.append(capsys.readouterr().out)
        if state == "done":
            told = client.tracking.run(run.tasks[0].id).metrics
    assert {key: point.value for key, point in told.items()} == {
        "accuracy": 0.875,
        "f1 _macro_": 0.5,
        "confidenceMetrics/confidenceThreshold": 0.1,
        "confidenceMetrics/falsePositiveRate": 1.0,
        "confidenceMetrics/recall": 1.0,
        "confusionMatrix/cat/cat": 3.0,
        "confusionMatrix/cat/a_dog": 1.0,
        "confusionMatrix/a_dog/cat": 0.0,
        "confusionMatrix/a_dog/a_dog": 4.0,
    }
    for page in shown:
        assert "no champion is beaten" in page
        assert "accuracy" in page
        assert "0.875" in page


def test_a_step_that_is_debugged_logs_nowhere(tmp_path: Path) -> None:
    lines = ["def noted() -> bool:", "    import athanor", "    athanor.log_metric('loss', 1.0)"]
    source = "\n".join([*lines, "    return athanor.should_stop()", ""])
    order = Order(
        step="noted",
        run="",
        task="",
        embedded=Embedded(function="noted", source=source),
        output_parameters={"Output": "BOOLEAN"},
        storage_url=str(tmp_path / "storage"),
    )
    (tmp_path / "task.json").write_bytes(written(order))
    words = [sys.executable, "-P", "-m", "athanor.pipelines.engines.local.debugging", str(tmp_path)]
    done = subprocess.run(words, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-> Output = false" in done.stdout


def test_another_mlflow_server_that_somebody_chose_stays() -> None:
    way = Way(url="http://127.0.0.1:9500", token="hush")
    ours = {"ATHANOR_URL": way.url, "ATHANOR_RUN_ID": "ab", "ATHANOR_TOKEN": "hush"}
    theirs = {
        "MLFLOW_TRACKING_URI": way.url,
        "MLFLOW_RUN_ID": "ab",
        "MLFLOW_TRACKING_TOKEN": "hush",
    }
    assert variables_of(way, "ab", {}) == ours | theirs
    assert variables_of(way, "ab", {"MLFLOW_TRACKING_URI": way.url + "/"}) == ours | theirs
    assert variables_of(way, "ab", {"MLFLOW_TRACKING_URI": "http://elsewhere"}) == ours
    assert "ATHANOR_TOKEN" not in variables_of(Way(url=way.url), "ab", {})
