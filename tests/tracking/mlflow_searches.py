"""What MLflow's own store finds: run by MLflow's interpreter, never by ours.

    python mlflow_searches.py FOLDER < {"runs": [...], "searches": [[filter, [order, ...]], ...]}

Prints, for each search, the ids of the runs in order, or null where it is refused.
"""

# mypy: disable-error-code="no-untyped-call,attr-defined,arg-type"
import json
import math
import sys
from typing import Any

from mlflow.entities import ViewType
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert

_GREATEST = 1.7976931348623157e308


def main(folder: str) -> None:
    """Fill a store and search it."""
    store = SqlAlchemyStore(f"sqlite:///{folder}/mlflow.db", f"{folder}/artifacts")
    given = json.load(sys.stdin)
    number = store.create_experiment("searched")
    rows: dict[Any, list[dict[str, Any]]] = {
        models.SqlRun: [],
        models.SqlLatestMetric: [],
        models.SqlParam: [],
        models.SqlTag: [],
    }
    for run in given["runs"]:
        rows[models.SqlRun].append(
            {
                "run_uuid": run["id"],
                "name": run["name"],
                "source_type": "LOCAL",
                "user_id": run["user"],
                "status": run["status"],
                "start_time": run["start_time"],
                "end_time": run["end_time"],
                "lifecycle_stage": "active",
                "artifact_uri": f"mlflow-artifacts:/1/{run['id']}/artifacts",
                "experiment_id": int(number),
            }
        )
        for key, value in run["metrics"].items():
            nan = math.isnan(value)
            kept = 0.0 if nan else min(max(value, -_GREATEST), _GREATEST)
            point = {"key": key, "value": kept, "is_nan": nan, "timestamp": 1, "step": 0}
            rows[models.SqlLatestMetric].append(point | {"run_uuid": run["id"]})
        for model, items in ((models.SqlParam, run["params"]), (models.SqlTag, run["tags"])):
            for key, value in items.items():
                rows[model].append({"run_uuid": run["id"], "key": key, "value": value})
    with store.engine.begin() as connection:
        for model, some in rows.items():
            connection.execute(insert(model), some)
    answers = []
    for text, orders in given["searches"]:
        try:
            found = store.search_runs([number], text, ViewType.ACTIVE_ONLY, 1000, orders)
            answers.append([run.info.run_id for run in found])
        except Exception:  # noqa: BLE001 - whatever it is, it is a refusal
            answers.append(None)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
