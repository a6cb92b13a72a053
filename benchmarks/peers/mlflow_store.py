"""Fills the database of MLflow's server with runs: by its own interpreter, before it starts.

    python mlflow_store.py sqlite:///mlflow.db < RUNS

RUNS is a JSON list of experiments: {"name": ..., "runs": [{"run_id", "start_time", "metrics": {},
"params": {}, "tags": {}}], "history": {"run_id": ..., "key": ..., "points": number}}. Through its
API the same would take most of an hour.
"""

# mypy: disable-error-code="no-untyped-call,attr-defined"
import json
import sys
from typing import Any

from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert

_ROWS = 5_000


def main(url: str) -> None:
    """Make the tables and fill them."""
    store = SqlAlchemyStore(url, "./artifacts")
    experiments = {}
    for experiment in json.load(sys.stdin):
        experiments[experiment["name"]] = store.create_experiment(experiment["name"])
        with store.engine.begin() as connection:
            for model, rows in _rows(experiment, experiments[experiment["name"]]):
                for at in range(0, len(rows), _ROWS):
                    connection.execute(insert(model), rows[at : at + _ROWS])
    json.dump(experiments, sys.stdout)


def _rows(experiment: dict[str, Any], number: str) -> list[tuple[Any, list[dict[str, Any]]]]:
    runs: list[dict[str, Any]] = experiment["runs"]
    infos = [
        {
            "run_uuid": run["run_id"],
            "name": run["run_id"][:8],
            "source_type": "LOCAL",
            "user_id": "bench",
            "status": "FINISHED",
            "start_time": run["start_time"],
            "lifecycle_stage": "active",
            "artifact_uri": f"mlflow-artifacts:/{number}/{run['run_id']}/artifacts",
            "experiment_id": int(number),
        }
        for run in runs
    ]
    points = [
        {
            "run_uuid": run["run_id"],
            "key": key,
            "value": value,
            "timestamp": run["start_time"],
            "step": 0,
            "is_nan": False,
        }
        for run in runs
        for key, value in run["metrics"].items()
    ]
    filled = [(models.SqlRun, infos), (models.SqlMetric, points), (models.SqlLatestMetric, points)]
    for model, field in ((models.SqlParam, "params"), (models.SqlTag, "tags")):
        rows = [
            {"run_uuid": run["run_id"], "key": key, "value": value}
            for run in runs
            for key, value in run[field].items()
        ]
        filled.append((model, rows))
    return filled


if __name__ == "__main__":
    main(sys.argv[1])
