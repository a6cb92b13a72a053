"""Stores that tests read: written by hand where MLflow itself is not needed."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from athanor.app.inprocess import InProcessTransport
from athanor.app.moving.journey import Journey, Route, Tally
from athanor.app.moving.receiver import Platform
from athanor.app.moving.source import Source
from athanor.client import Client
from athanor.kernel.settings import load_settings

ROOT = Path(__file__).parents[2]
MLFLOW = ROOT / ".venvs" / "mlflow" / "bin" / "python"
PROGRAMS = Path(__file__).with_name("programs")


def mlflow(program: str, *args: str, env: dict[str, str] | None = None) -> str:
    """What a program of this folder prints, run where MLflow is installed."""
    if not MLFLOW.exists():
        pytest.skip("no .venvs/mlflow here, the environment of the peer: make peers")
    # Where nobody says otherwise, MLflow keeps things in the folder that it is started in: a
    # database there that others make at the same time, or that another release made, fails it.
    with TemporaryDirectory(prefix="mlflow-") as cwd:
        ended = subprocess.run(
            [str(MLFLOW), str(PROGRAMS / program), *args],
            check=False,
            capture_output=True,
            text=True,
            cwd=cwd,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(Path.home()),
                "MLFLOW_ALLOW_FILE_STORE": "true",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
                "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
                **(env or {}),
            },
        )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def seen(uri: str, *, token: str = "") -> dict[str, Any]:
    """What MLflow's own client sees of a store, without the times of the experiment Default."""
    told: dict[str, Any] = json.loads(
        mlflow("dump_store.py", uri, env={"MLFLOW_TRACKING_TOKEN": token} if token else None)
    )
    for name in ("created", "updated"):
        told["experiments"]["0"].pop(name)
    return told


def file_store(folder: Path, runs: int, *, points: int = 5) -> Path:
    """An mlruns folder as MLflow 2 wrote them, with one experiment."""
    experiment = folder / "123"
    (experiment / "tags").mkdir(parents=True)
    (experiment / "meta.yaml").write_text(
        "artifact_location: /elsewhere/mlruns/123\ncreation_time: 1700000000000\n"
        "experiment_id: '123'\nlast_update_time: 1700000000001\nlifecycle_stage: active\n"
        "name: by hand\n"
    )
    (experiment / "tags" / "team").write_text("risk")
    for number in range(runs):
        place = experiment / f"{number:032x}"
        for name in ("metrics", "params", "tags", "artifacts/deep"):
            (place / name).mkdir(parents=True)
        (place / "meta.yaml").write_text(
            f"artifact_uri: /elsewhere/mlruns/123/{place.name}/artifacts\n"
            f"end_time: {1_700_000_000_500 + number}\nentry_point_name: ''\n"
            f"experiment_id: '123'\nlifecycle_stage: active\nrun_id: '{place.name}'\n"
            f"run_name: run {number}\nstart_time: {1_700_000_000_000 + number}\nstatus: 3\n"
            "user_id: ada\n"
        )
        lines = (f"{1_700_000_000_000 + step} {number + step / 7} {step}" for step in range(points))
        (place / "metrics" / "loss").write_text("\n".join(lines) + "\n")
        (place / "params" / "lr").write_text(str(number))
        (place / "tags" / "mlflow.runName").write_text(f"run {number}")
        (place / "artifacts" / "deep" / "a.txt").write_text(f"artifact {number}")
    return folder


def opened(workspace: Path) -> InProcessTransport:
    """A workspace without a server."""
    settings, _ = load_settings({"workspace": workspace})
    return InProcessTransport(settings)


def bring_in(source: Source, client: Client, *names: str, dry_run: bool = False) -> Tally:
    """Import a source."""
    journey = Journey(source, Platform(client), told=lambda _tally: None)
    return journey.go(Route(experiments=names, dry_run=dry_run))
