"""Hundreds of searches find what MLflow's own store finds, in its order, on both databases."""

import json
import math
import random
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import Database
from athanor.lineage import RunState
from athanor.lineage.store import SqlLineageStore
from athanor.testing.lineage import a_run
from athanor.testing.tracking import an_experiment
from athanor.tracking import KeyedPoint, RunSearch, SqlExperimentStore, SqlTrackedRunStore
from athanor.tracking.errors import BadSearch
from athanor.tracking.logic.search import run_filter, run_orders
from athanor.tracking.store.runs import Membership

MLFLOW = Path(__file__).parents[2] / ".venvs" / "mlflow" / "bin" / "python"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = 1_700_000_000_000
STATES: dict[str, RunState] = {
    "RUNNING": "running",
    "SCHEDULED": "waiting",
    "FINISHED": "done",
    "FAILED": "failed",
    "KILLED": "stopped",
}
NUMBERS = [0.0, -0.0, 0.5, 0.5, 1.0, -1.0, 1e308, math.inf, -math.inf, math.nan]
TEXTS = ["0.1", "0.01", "10", "adam", "adamw", "sgd", "a_b", "a%b", "", "x y"]


def made_runs() -> list[dict[str, Any]]:
    dice = random.Random(5)
    runs = []
    for number in range(60):
        status = dice.choice(list(STATES))
        name = dice.choice(["first", "second", "first try", f"run {number}"])
        start = NOON + 1000 * dice.randrange(20)
        runs.append(
            {
                "id": f"{dice.getrandbits(128):032x}",
                "name": name,
                "user": dice.choice(["ann", "ben", "Ann"]),
                "status": status,
                "start_time": start,
                "end_time": None if status == "RUNNING" else start + dice.randrange(5000),
                "metrics": {
                    key: dice.choice(NUMBERS)
                    for key in ("loss", "acc", "a b")
                    if dice.random() < 0.7
                },
                "params": {
                    key: dice.choice([*TEXTS, "Adam", "ADAM"])
                    for key in ("lr", "opt")
                    if dice.random() < 0.7
                },
                "tags": {"mlflow.runName": name}
                | {key: dice.choice(TEXTS) for key in ("team", "a.b") if dice.random() < 0.7},
            }
        )
    return runs


def made_searches(count: int) -> Iterator[tuple[str, list[str]]]:
    dice = random.Random(6)
    for _ in range(count):
        conditions = [_condition(dice) for _ in range(dice.choice([0, 1, 1, 2, 3]))]
        named = ["metrics.loss", "metrics.acc", "metrics.`a b`", "params.lr", "tags.team"]
        named += ["start_time", "end_time", "status", "run_id", "tags.`a.b`", "metrics.none"]
        chosen = dice.sample(named, dice.choice([0, 1, 1, 2]))
        yield (
            " AND ".join(conditions),
            [f"{name} {dice.choice(['ASC', 'DESC'])}" for name in chosen],
        )


def _condition(dice: random.Random) -> str:
    kind = dice.randrange(5)
    if kind == 0:
        key = dice.choice(["loss", "acc", "`a b`", "none"])
        # Infinities are kept here; MLflow keeps the greatest float instead.
        number = dice.choice(["0", "0.5", "1", "-1", "1e308", "-1e307", "-2"])
        return f"metrics.{key} {dice.choice(['=', '!=', '<', '<=', '>', '>='])} {number}"
    if kind in {1, 2}:
        name = dice.choice(["params.lr", "params.opt", "tags.team", "tags.`a.b`", "params.none"])
        if dice.random() < 0.15:
            return f"{name} {dice.choice(['IS NULL', 'IS NOT NULL'])}"
        text = dice.choice([*TEXTS, "a%", "%a%", "A%", "_dam", "0%", "%", "a\\_b"])
        return f"{name} {dice.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{text}'"
    if kind == 3:
        name = dice.choice(["start_time", "end_time", "Created"])
        sign = dice.choice(["=", "!=", "<", "<=", ">", ">="])
        return f"{name} {sign} {NOON + 1000 * dice.randrange(20)}"
    name = dice.choice(["status", "run_name", "user_id", "artifact_uri"])
    text = dice.choice(["RUNNING", "FAILED", "first", "%first%", "F%", "ann", "a%", "mlflow-art%"])
    return f"{name} {dice.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{text}'"


RUNS = made_runs()
SEARCHES = list(made_searches(400))


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[list[str] | None]:
    """What MLflow finds."""
    if not MLFLOW.exists():
        pytest.skip("no MLflow of its own to compare with")
    done = subprocess.run(
        [
            *(str(MLFLOW), str(Path(__file__).with_name("mlflow_searches.py"))),
            str(tmp_path_factory.mktemp("mlflow")),
        ],
        input=json.dumps({"runs": RUNS, "searches": SEARCHES}),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return list(json.loads(done.stdout))


@pytest.mark.timeout(900)
def test_searches_find_what_mlflow_finds(
    database: Database, theirs: list[list[str] | None]
) -> None:
    experiment = SqlExperimentStore(database).add(an_experiment("searched")).id
    fill(database, experiment)
    search = RunSearch(database)
    differing = []
    for (text, orders), mlflow in zip(SEARCHES, theirs, strict=True):
        try:
            found: list[str] | None = search.find(
                [experiment], ["active"], run_filter(text), run_orders(orders), page=(1001, 0)
            )
        except BadSearch:
            found = None
        if found != mlflow:
            differing.append((text, orders, mlflow, found))
    assert [(text, orders) for text, orders, *_ in differing] == []
    assert differing == []
    assert sum(bool(found) for found in theirs) > len(SEARCHES) // 4


def fill(database: Database, experiment: str) -> None:
    store, lineage = SqlTrackedRunStore(database), SqlLineageStore(database)
    for run in RUNS:
        kept = lineage.add_run(
            a_run(
                id=run["id"],
                name=run["name"],
                state=STATES[run["status"]],
                started_at=moment(run["start_time"]),
                ended_at=None if run["end_time"] is None else moment(run["end_time"]),
            )
        )
        uri = f"mlflow-artifacts:/1/{run['id']}/artifacts"
        store.add(Membership(run["id"], experiment, "active", run["user"], uri, kept.started_at))
        store.add_params(run["id"], run["params"])
        store.set_tags({run["id"]: run["tags"]})
        points = [KeyedPoint(key, 1000, 0, value) for key, value in run["metrics"].items()]
        if points:
            store.add_points({run["id"]: points})


def moment(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)
