"""The `mlflow` command line, and projects that it runs."""

import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mlflow
import mlflow.cli
from click.testing import CliRunner

from tests.mlflow.scenario.book import Book
from tests.mlflow.scenario.models import data, fitted

_PROJECT = Path(__file__).parents[1] / "projects" / "trees"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    returncode: int
    stdout: str
    stderr: str


def _mlflow(*words: str) -> _Done:
    """One command, in this process: importing the client anew takes it seconds each time."""
    done = CliRunner().invoke(mlflow.cli.cli, list(words))
    told = "" if done.exception is None else repr(done.exception)
    return _Done(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr + told)


def _mlflow_by_itself(book: Book, *words: str) -> _Done:
    """One command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=book.folder,
    )
    return _Done(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)


def experiments(book: Book) -> None:
    made = _mlflow_by_itself(book, "experiments", "create", "-n", "by command")
    book.same("create", made.returncode, 0)
    experiment = mlflow.get_experiment_by_name("by command")
    book.holds("it says the id", experiment.experiment_id in made.stdout)
    found = _mlflow("experiments", "search")
    book.holds("search", "by command" in found.stdout)
    for words, name, stage in (
        (["rename", "--new-name", "by terminal"], "by terminal", "active"),
        (["delete"], "by terminal", "deleted"),
        (["restore"], "by terminal", "active"),
    ):
        done = _mlflow("experiments", words[0], "-x", experiment.experiment_id, *words[1:])
        now = mlflow.get_experiment(experiment.experiment_id)
        book.same(words[0], [done.returncode, now.name, now.lifecycle_stage], [0, name, stage])
    run = book.client.create_run(experiment.experiment_id, run_name="one")
    book.client.log_metric(run.info.run_id, "auc", 0.75)
    table = book.folder / "table.csv"
    out = _mlflow("experiments", "csv", "-x", experiment.experiment_id, "-o", str(table))
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    book.same("csv", [out.returncode, rows[0]["metrics.auc"]], [0, "0.75"])
    twice = _mlflow("experiments", "create", "-n", "by terminal")
    book.same(
        "a taken name", [twice.returncode != 0, "already exists" in twice.stderr], [True, True]
    )


def runs(book: Book) -> None:
    experiment = book.experiment("of the terminal")
    run_id = book.client.create_run(experiment, run_name="listed").info.run_id
    listed = _mlflow("runs", "list", "--experiment-id", experiment)
    book.holds("list", run_id in listed.stdout and "listed" in listed.stdout)
    told = _mlflow("runs", "describe", "--run-id", run_id)
    book.holds("describe", f'"run_id": "{run_id}"' in told.stdout)
    book.same("delete", _mlflow("runs", "delete", "--run-id", run_id).returncode, 0)
    book.same("deleted", mlflow.get_run(run_id).info.lifecycle_stage, "deleted")
    book.same("restore", _mlflow("runs", "restore", "--run-id", run_id).returncode, 0)
    book.same("restored", mlflow.get_run(run_id).info.lifecycle_stage, "active")


def artifacts(book: Book) -> None:
    run_id = book.client.create_run(book.experiment("files")).info.run_id
    folder = book.folder / "files"
    folder.mkdir()
    (folder / "one.txt").write_text("one", encoding="utf-8")
    one = _mlflow(
        "artifacts", "log-artifact", "-l", str(folder / "one.txt"), "-r", run_id, "-a", "in"
    )
    book.same("log-artifact", one.returncode, 0)
    several = _mlflow("artifacts", "log-artifacts", "-l", str(folder), "-r", run_id)
    book.same("log-artifacts", several.returncode, 0)
    listed = _mlflow("artifacts", "list", "-r", run_id)
    book.holds("list", '"path": "one.txt"' in listed.stdout and '"path": "in"' in listed.stdout)
    place = book.folder / "got"
    got = _mlflow("artifacts", "download", "-r", run_id, "-a", "in", "-d", str(place))
    book.same("download", got.returncode, 0)
    book.same("its content", (place / "in" / "one.txt").read_text(encoding="utf-8"), "one")


def models(book: Book) -> None:
    x, _ = data()
    mlflow.set_experiment(experiment_id=book.experiment("for prediction"))
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(fitted(), name="m", registered_model_name="commanded")
    rows = book.folder / "rows.csv"
    x.head(3).to_csv(rows, index=False)
    answer = book.folder / "answer.json"
    done = _mlflow(
        "models", "predict", "-m", "models:/commanded/1", "-i", str(rows), "-t", "csv",
        "-o", str(answer), "--env-manager", "local",
    )  # fmt: skip
    book.same("predict", [done.returncode, answer.exists()], [0, True])
    want = [int(v) for v in mlflow.sklearn.load_model(logged.model_uri).predict(x.head(3))]
    seen = answer.read_text(encoding="utf-8") if answer.exists() else ""
    book.same("predictions", seen.strip(), f'{{"predictions": {want}}}')


def _python_first() -> None:
    """Projects call `python`: it is this one."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    os.environ["PATH"] = os.pathsep.join(places)


def projects(book: Book) -> None:
    experiment = mlflow.create_experiment("project")
    _python_first()
    done = _mlflow(
        "run", str(_PROJECT), "-P", "depth=3", "--experiment-id", experiment,
        "--env-manager", "local", "--run-name", "from a project",
    )  # fmt: skip
    book.same("run", [done.returncode, "" if done.returncode == 0 else done.stderr[-400:]], [0, ""])
    run = mlflow.search_runs([experiment], output_format="list")[0]
    book.same("parameters", run.data.params, {"depth": "3", "kind": "tree"})
    book.same("metric", run.data.metrics, {"depth seen": 3.0})
    book.same("status", run.info.status, "FINISHED")
    book.same("entry point", run.data.tags["mlflow.project.entryPoint"], "main")
    book.same("source", run.data.tags["mlflow.source.type"], "PROJECT")
    book.same("file", mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/trained.txt"), "trained")
    ran = mlflow.projects.run(
        str(_PROJECT), entry_point="other", experiment_id=experiment, env_manager="local"
    )
    book.same("from Python", ran.get_status(), "FINISHED")
    book.same("its tag", mlflow.get_run(ran.run_id).data.tags["kind seen"], "other")
    failed = _mlflow(
        "run", str(_PROJECT), "-e", "failing", "--experiment-id", experiment,
        "--env-manager", "local",
    )  # fmt: skip
    book.same("a project that fails", failed.returncode, 1)
    last = mlflow.search_runs([experiment], output_format="list")[0]
    book.same("its run", last.info.status, "FAILED")


SCENES = (experiments, runs, artifacts, models, projects)
