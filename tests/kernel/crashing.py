"""Programs that a test starts, kills at random, and starts again. Run by their path.

They write what was acknowledged, and nothing else, to their standard output.
"""

import itertools
import sys
import threading
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from athanor.kernel.database import Database
from athanor.kernel.errors import Unavailable
from athanor.kernel.events import Event, Events, SqlEventStore
from athanor.kernel.jobs import Job, Jobs, SqlJobStore
from athanor.kernel.permissions import OWNER


class ShiftedClock:
    """The system's time, moved ahead so that leases of the dead have ended."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


_speaking = threading.Lock()


def acknowledge(word: object) -> None:
    with _speaking:
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()


def tell_and_copy(url: str, generation: int, last: int) -> None:
    """Tell events in one thread and copy each into a table in two; `last` > 0 ends in order."""
    database = Database.open(url)
    events = Events(SqlEventStore(database), database, ShiftedClock(timedelta(0)))

    def copy(event: Event) -> None:
        with database.connection() as connection:
            connection.execute(text("INSERT INTO effect (word) VALUES (:w)"), {"w": event.subject})

    events.subscribe("copy", copy)
    events.settle()

    def tell() -> None:
        for number in itertools.count():
            with database.transaction():
                events.tell(OWNER, "a.b.made", f"{generation}-{number}")
            acknowledge(f"{generation}-{number}")
            if number + 1 == last:
                return

    def follow() -> None:
        place = events.last()
        while teller.is_alive() or not last:
            events.deliver()
            place = max([place, *(event.seq for event in events.wait(place, 0.05))])

    teller = threading.Thread(target=tell)
    followers = [threading.Thread(target=follow) for _ in range(2)]
    for thread in (teller, *followers):
        thread.start()
    for thread in (teller, *followers):
        thread.join()
    events.deliver()
    database.close()


def work_off(url: str, generation: int) -> None:
    """Do jobs until none is left; each start is a minute later than the one before."""
    database = Database.open(url)
    jobs = Jobs(SqlJobStore(database), ShiftedClock(timedelta(minutes=generation)))

    def run(job: Job) -> dict[str, int]:
        with database.connection() as connection:
            connection.execute(text("INSERT INTO effect (word) VALUES (:w)"), {"w": job.id})
        if job.payload["number"] % 7 == 0 and job.attempts == 1:
            raise Unavailable("Not at the first attempt.")
        return {"attempt": job.attempts}

    jobs.handle("count", run, max_attempts=1000)

    def work(name: str) -> None:
        while True:
            if not jobs.run_next(f"{generation}-{name}"):
                return
            with database.connection() as connection:
                done = connection.execute(
                    text("SELECT id FROM kernel_job WHERE state = 'done' ORDER BY finished_at DESC")
                )
                acknowledge(done.scalar())

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()


def lease_all(url: str, worker: int) -> None:
    """Lease jobs until there are none, as fast as one can."""
    database = Database.open(url)
    store = SqlJobStore(database)
    acknowledge("ready")
    sys.stdin.readline()
    empty = 0
    while empty < 20:
        job = store.lease(f"worker {worker}", ("count",), datetime.now(UTC))
        empty = empty + 1 if job is None else 0
        if job is not None:
            acknowledge(job.id)
    database.close()


PROGRAMS = {program.__name__: program for program in (tell_and_copy, work_off, lease_all)}

if __name__ == "__main__":
    name, url, *numbers = sys.argv[1:]
    PROGRAMS[name](url, *map(int, numbers))
