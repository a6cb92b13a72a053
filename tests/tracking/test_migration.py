"""A workspace of before experiments existed keeps its parameters and points."""

import math
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from athanor.kernel.database import Database
from athanor.kernel.ids import new_id
from athanor.kernel.schema import alembic_config, migrate
from athanor.testing.database import Postgres
from athanor.tracking import HistoryQuery, KeyedPoint, Point, SqlTrackedRunStore

_RUN = """
INSERT INTO lineage_run (id, project, kind, name, state, created_by, started_at, labels, resources,
                         environment, code)
VALUES (:id, 'default', 'script', 'train', 'done', 'ann', 5, '{}', '{}', '{}', '{}')
"""
_POINT = "INSERT INTO tracking_metric (run, key, step, at, value) VALUES (:run, :key, :step, 7, :v)"
_PARAM = "INSERT INTO tracking_param (run, key, value) VALUES (:run, 'lr', '0.1')"


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database as the first release left it."""
    if request.param == "sqlite":
        database = Database.open(f"sqlite:///{tmp_path / 'old.db'}")
    else:
        server: Postgres = request.getfixturevalue("postgres")
        name = f"old_{tmp_path.name}".lower().replace("-", "_")
        database = Database.open(server.create(name))
    with database.transaction() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    return database


def test_parameters_and_points_are_moved(old: Database) -> None:
    told, silent = new_id(), new_id()
    nan = None if old.dialect == "sqlite" else math.nan
    with old.transaction() as connection:
        for run in (told, silent):
            connection.execute(text(_RUN), {"id": run})
        connection.execute(text(_PARAM), {"run": told})
        for key, step, value in (
            ("loss", 1, 0.5),
            ("loss", 2, 0.25),
            ("odd", 1, nan),
            ("odd", 0, math.inf),
        ):
            row = {"run": told, "key": key, "step": step, "v": value}
            connection.execute(text(_POINT), row)
    migrate(old)
    store = SqlTrackedRunStore(old)
    assert store.lifecycle(silent) is None
    info = store.infos([told])[told]
    assert (info.experiment, info.user, info.lifecycle) == ("0", "ann", "active")
    assert info.artifact_uri == f"mlflow-artifacts:/0/{told}/artifacts"
    assert [(param.key, param.value) for param in store.params(told)] == [("lr", "0.1")]
    assert store.latest(told)["loss"] == Point(7, 2, 0.25)
    assert math.isnan(store.latest(told)["odd"].value)
    points = store.history(told, "loss", HistoryQuery())
    assert points == [Point(7, 1, 0.5), Point(7, 2, 0.25)]
    first, last = store.history(told, "odd", HistoryQuery())
    assert (first.value, math.isnan(last.value)) == (math.inf, True)
    # What is logged from now on gets series of its own.
    store.add_points({told: [KeyedPoint("new", 9, 3, 1.0), KeyedPoint("loss", 9, 3, 0.1)]})
    assert store.history(told, "new", HistoryQuery()) == [Point(9, 3, 1.0)]
    assert len(store.history(told, "loss", HistoryQuery())) == 3
    old.close()
