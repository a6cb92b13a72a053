"""At most one at a time, on SQLite and Postgres."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from athanor.data.store.datasets import writers_table
from athanor.kernel.clock import SystemClock
from athanor.kernel.database import Database
from athanor.kernel.errors import Conflict
from athanor.kernel.leases import OneAtATime, SqlLeases

AT = datetime(2026, 6, 1, tzinfo=UTC)
LATER = AT + timedelta(seconds=15)
SECOND = timedelta(seconds=1)


@pytest.fixture
def leases(database: Database) -> SqlLeases:
    return SqlLeases(database, writers_table)


def alone(leases: SqlLeases, patience: float) -> OneAtATime:
    return OneAtATime(leases, SystemClock(), lease=timedelta(seconds=30), patience=patience)


def test_a_lease_has_one_holder(leases: SqlLeases) -> None:
    assert leases.take("default/churn", "a", AT, LATER)
    assert not leases.take("default/churn", "b", AT, LATER)
    assert leases.take("default/adult", "b", AT, LATER)
    assert leases.holds("default/churn", "a")
    assert not leases.holds("default/churn", "b")


def test_a_lease_is_prolonged_by_its_holder(leases: SqlLeases) -> None:
    leases.take("churn", "a", AT, LATER)
    assert leases.take("churn", "a", AT, LATER + 15 * SECOND)
    assert not leases.take("churn", "b", LATER + SECOND, LATER)


def test_a_lease_that_ended_goes_to_another(leases: SqlLeases) -> None:
    leases.take("churn", "a", AT, LATER)
    assert leases.take("churn", "b", LATER + SECOND, LATER + 16 * SECOND)
    assert not leases.holds("churn", "a")
    leases.end("churn", "a")
    assert leases.holds("churn", "b")


def test_leases_that_were_let_go_are_free(leases: SqlLeases) -> None:
    leases.take("churn", "a", AT, LATER)
    leases.end("churn", "a")
    assert leases.take("churn", "b", AT, LATER)
    leases.take("adult", "a", AT, LATER)
    assert leases.end_all() == 2
    assert leases.take("churn", "c", AT, LATER)


def test_whoever_waits_is_next_or_is_told_why_not(leases: SqlLeases) -> None:
    entered = threading.Event()

    def wait() -> None:
        with alone(leases, 60.0).of("churn", lambda: Conflict("busy")):
            entered.set()

    with alone(leases, 60.0).of("churn", lambda: Conflict("busy")) as holder:
        assert leases.holds("churn", holder)
        with (
            pytest.raises(Conflict, match="busy"),
            alone(leases, 0.0).of("churn", lambda: Conflict("busy")),
        ):
            pass
        other = threading.Thread(target=wait)
        other.start()
        assert not entered.wait(0.2)
    other.join(60)
    assert entered.is_set()
