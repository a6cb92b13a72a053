"""Hints are kept by run and rule, on each database."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from athanor.kernel.database import Database
from athanor.lineage.store import run_table as lineage_table
from athanor.testing import FixedClock
from athanor.tracking.hints import Hint
from athanor.tracking.store.hints import SqlHintStore
from athanor.tracking.store.tables import experiment_table, run_table

RUN = "a" * 32


@pytest.fixture
def store(database: Database, clock: FixedClock) -> SqlHintStore:
    """A store of hints, and a run to hint at."""
    now = clock.now()
    with database.transaction() as connection:
        connection.execute(
            insert(experiment_table).values(
                id="7",
                project="p",
                name="n",
                artifact_location="",
                lifecycle="active",
                created_at=now,
                updated_at=now,
            )
        )
        connection.execute(
            insert(lineage_table).values(
                id=RUN,
                project="p",
                kind="mlflow",
                name="r",
                state="running",
                created_by="me",
                started_at=now,
                labels={},
                resources={},
                environment={},
                code={},
            )
        )
        connection.execute(
            insert(run_table).values(
                run=RUN,
                experiment="7",
                lifecycle="active",
                user_name="me",
                artifact_uri="",
                started_at=now,
            )
        )
    return SqlHintStore(database)


def test_hints_are_replaced_as_a_whole(store: SqlHintStore, clock: FixedClock) -> None:
    first = Hint(
        rule="overfit",
        metric="val_loss",
        step=1 << 40,
        message="m",
        advice="a",
        measured={"best": 0.5},
        at=clock.now(),
    )
    second = Hint(
        rule="dead_units",
        metric="",
        step=0,
        message="m",
        advice="a",
        at=clock.now() + timedelta(seconds=1),
    )
    assert store.of(RUN) == []
    store.replace(RUN, [second, first])
    assert store.of(RUN) == [first, second]
    store.replace(RUN, [second])
    assert store.of(RUN) == [second]
    store.replace(RUN, [])
    assert store.of(RUN) == []
    assert not store.logged(RUN)
