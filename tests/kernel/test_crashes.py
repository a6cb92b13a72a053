"""kill -9 at random moments: nothing acknowledged is lost, nothing is seen twice."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from athanor.kernel.database import Database
from athanor.kernel.ids import new_id
from athanor.kernel.jobs import Job, SqlJobStore
from athanor.testing.database import Databases

PROGRAM = Path(__file__).with_name("crashing.py")
SEEDS = [
    *range(3),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 20)),
]
KILLS = 3


@pytest.fixture(params=["sqlite", "postgres"])
def disk(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """A database that other processes can open, with a table for effects."""
    if request.param == "sqlite":
        opened = databases.sqlite()
    else:
        opened = databases.postgres(request.getfixturevalue("postgres"))
    serial = "SERIAL" if request.param == "postgres" else "INTEGER"
    with opened as database:
        with database.transaction() as connection:
            connection.execute(text(f"CREATE TABLE effect (n {serial} PRIMARY KEY, word TEXT)"))
        yield database


def command(database: Database, program: str, *numbers: int) -> list[str]:
    url = database.engine.url.render_as_string(hide_password=False)
    return [sys.executable, str(PROGRAM), program, url, *map(str, numbers)]


def run_until_killed(database: Database, after: float, program: str, *numbers: int) -> list[str]:
    """What a program acknowledged before it was killed, `after` seconds from its first word."""
    process = subprocess.Popen(
        command(database, program, *numbers), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    first = process.stdout.readline()
    time.sleep(after)
    process.kill()
    rest = process.stdout.read()
    process.stdout.close()
    process.wait()
    return f"{first}{rest}".split()


def run_to_the_end(database: Database, program: str, *numbers: int) -> list[str]:
    done = subprocess.run(
        command(database, program, *numbers),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.split()


def effects(database: Database) -> list[str]:
    with database.connection() as connection:
        return list(connection.execute(text("SELECT word FROM effect ORDER BY n")).scalars())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_subscriber_sees_each_event_once_across_kills(disk: Database, seed: int) -> None:
    chance = random.Random(seed)
    told: list[str] = []
    for generation in range(KILLS):
        told += run_until_killed(disk, chance.uniform(0, 0.4), "tell_and_copy", generation, 0)
    told += run_to_the_end(disk, "tell_and_copy", KILLS, 20)
    with disk.connection() as connection:
        order = "tx, seq" if disk.dialect == "postgresql" else "seq"
        found = connection.execute(text(f"SELECT subject FROM kernel_event ORDER BY {order}"))
        events = list(found.scalars())
    assert len(told) > 20
    assert set(told) <= set(events)
    assert effects(disk) == events


@pytest.mark.parametrize("seed", SEEDS)
def test_jobs_of_the_dead_are_done_by_the_next(disk: Database, seed: int) -> None:
    chance = random.Random(seed)
    store = SqlJobStore(disk)
    now = datetime.now(UTC)
    jobs = [queue(store, number, now) for number in range(150)]
    finished: set[str] = set()
    for generation in range(KILLS):
        before = Counter(effects(disk))
        words = run_until_killed(disk, chance.uniform(0, 0.3), "work_off", generation)
        after = Counter(effects(disk))
        assert not [job for job in finished if after[job] != before[job]]
        finished |= set(words)
    # Retries wait for some seconds, leases of the last one killed for half a minute.
    for generation in range(KILLS, KILLS + 2):
        run_to_the_end(disk, "work_off", generation)
    ended = [store.find(job_id) for job_id in jobs]
    assert {job.state for job in ended if job} == {"done"}
    counts = Counter(effects(disk))
    assert set(counts) == set(jobs)
    # A job is run once, plus once for a failure, plus once for each process that died on it.
    attempts = {job.id: job.attempts for job in ended if job}
    assert all(counts[job] <= attempts[job] for job in jobs)
    assert sum(attempts.values()) <= len(jobs) + len(jobs[::7]) + 2 * KILLS


def test_two_processes_lease_each_job_once(disk: Database) -> None:
    store = SqlJobStore(disk)
    now = datetime.now(UTC) - timedelta(seconds=1)
    jobs = [queue(store, number, now) for number in range(200)]
    racers = [
        subprocess.Popen(
            command(disk, "lease_all", number),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    taken = [racer.communicate(timeout=120)[0].split() for racer in racers]
    assert sorted(taken[0] + taken[1]) == sorted(jobs)
    assert all(taken)


def queue(store: SqlJobStore, number: int, now: datetime) -> str:
    job = Job(id=new_id(), kind="count", payload={"number": number}, run_at=now, created_at=now)
    return store.append(job).id
