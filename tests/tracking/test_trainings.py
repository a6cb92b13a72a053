"""Faults of real trainings are named from what MLflow's own autologging logs, and no others are.

The environment with the whole of MLflow is `.venvs/mlflow` (as in tests/mlflow); the soak trains
all of tests/tracking/trainings.py, the suite a few.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor.client import Client
from athanor.testing.server import RunningServer, running_server
from athanor.tracking import Batch

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venvs" / "mlflow" / "bin" / "python"
SOME = (
    "loss_not_falling:xgboost_that_hardly_learns",
    "dead_units:a_network_that_one_step_killed",
    "sound:lightgbm_on_a_made_table",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    if not PYTHON.exists():
        pytest.skip(f"no environment with MLflow: {PYTHON}")
    with running_server(tmp_path_factory.mktemp("trainings") / "workspace") as running:
        yield running


def trained(server: RunningServer, folder: Path, *names: str) -> dict[str, str]:
    """Train by name; the runs' ids."""
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("trainings.py")), *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "MLFLOW_TRACKING_URI": server.url,
            "MPLBACKEND": "agg",
            "OMP_NUM_THREADS": "1",
            # The packages that a model needs are of no interest here, and finding them is slow.
            "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def told(client: Client, run: str, awaited: str = "") -> list[str]:
    """The rules that are told of a run, by itself: nobody asks for a judgement.

    One that is awaited is waited for; else until nothing new comes for a while.
    """
    rules: list[str] = []
    before, same = None, 0
    until = time.monotonic() + 90
    while time.monotonic() < until and (same < 6 or (awaited and awaited not in rules)):
        rules = [hint.rule for hint in client.debug.diagnosis(run).hints]
        same = same + 1 if rules == before else 0
        before = rules
        time.sleep(0.5)
    return rules


def check(server: RunningServer, runs: dict[str, str], *, missed: int) -> None:
    client = server.client()
    found = {
        name: told(client, run, name.split(":")[0] if not name.startswith("sound:") else "")
        for name, run in runs.items()
    }
    faults = {name: rules for name, rules in found.items() if not name.startswith("sound:")}
    sound = {name: rules for name, rules in found.items() if name.startswith("sound:")}
    assert {name: rules for name, rules in sound.items() if rules} == {}
    unnamed = {name: rules for name, rules in faults.items() if name.split(":")[0] not in rules}
    assert len(unnamed) <= missed, unnamed


@pytest.mark.timeout(900)
def test_some_faults_are_named(server: RunningServer, tmp_path: Path) -> None:
    check(server, trained(server, tmp_path, *SOME), missed=0)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_eleven_of_twelve_faults_are_named_and_no_sound_run(
    server: RunningServer, tmp_path: Path
) -> None:
    runs = trained(server, tmp_path)
    assert len(runs) == 32
    check(server, runs, missed=1)


def test_a_hint_is_an_event_and_stops_who_wants_to_be_stopped(server: RunningServer) -> None:
    client = server.client()
    page = client.transport.send("POST", "/tracked-runs", body={"name": "own"}).json()
    run = page["info"]["id"]
    client.tracking.log(run, Batch(tags={"athanor.debug.stop": "not_a_number"}))
    body = {"metrics": [{"key": "loss", "value": "NaN", "step": 0}]}
    client.transport.send("POST", f"/runs/{run}/log", body=body)
    assert told(client, run, "not_a_number") == ["not_a_number"]
    assert client.debug.diagnosis(run).stop
    events = client.transport.send("GET", "/events", query={"limit": 1000}).json()
    hinted = [event for event in events if event["action"] == "tracking.run.hinted"]
    assert [event["subject"] for event in hinted if event["subject"] == run] == [run]
