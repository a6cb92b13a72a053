"""A durable queue in the metadata database: leases, heartbeats, retries, recovery.

A job is run by whoever leases it. A lease that is not renewed (its process was killed) ends, and
the job is leased again. Handlers must therefore be idempotent: `Job.key` and `Job.id` help.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Column, Index, Integer, String, Table, Text, and_, or_, select, update

from athanor.kernel.clock import Clock
from athanor.kernel.database import Database, Instant, Json, metadata, microseconds
from athanor.kernel.errors import AthanorError, NotFound, error_to_dict
from athanor.kernel.ids import new_id
from athanor.kernel.plain import Plain, marks
from athanor.kernel.projects import DEFAULT_PROJECT
from athanor.kernel.upserts import dialect_of

_log = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
_SERVER_FAULT = 500


class JobNotFound(NotFound):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}.", hint="See what is queued: athanor status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done."""

    id: str
    kind: str
    key: str | None = None
    """At most one unfinished job has this key; submitting again returns it."""
    payload: dict[str, Any] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    state: str = "queued"
    """`queued`, `running`, `done` or `failed`."""
    attempts: int = 0
    max_attempts: int = 3
    run_at: datetime
    """Not before this instant."""
    leased_by: str | None = None
    lease_until: datetime | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    created_at: datetime
    finished_at: datetime | None = None


class JobStore(Protocol):
    """Where jobs are kept."""

    def append(self, job: Job) -> Job:
        """Add a job, or return the unfinished one with the same key."""
        ...

    def find(self, job_id: str) -> Job | None:
        """The job with this id."""
        ...

    def lease(self, worker: str, kinds: tuple[str, ...], now: datetime) -> Job | None:
        """Take the next due job of these kinds for one lease; no two workers get the same."""
        ...

    def renew(self, job_id: str, worker: str, until: datetime) -> bool:
        """Prolong a lease; False if it was lost."""
        ...

    def finish(self, job: Job, worker: str) -> bool:
        """Write the outcome of a job that `worker` still holds; False if it was lost."""
        ...

    def release(self, worker: str | None = None) -> int:
        """Put running jobs back in the queue: those of one worker, or all; how many."""
        ...

    def forget(self, before: datetime) -> int:
        """Remove jobs that finished before an instant; how many."""
        ...


job_table = Table(
    "kernel_job",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(255), nullable=False),
    Column("key", String(255)),
    Column("payload", Json, nullable=False),
    Column("project", String(255), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("run_at", Instant, nullable=False),
    Column("leased_by", String(255)),
    Column("lease_until", Instant),
    Column("result", Json),
    Column("error", Json),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("open_key", Text, unique=True),
)
Index("ix_kernel_job_state_run_at", job_table.c.state, job_table.c.run_at)

_COLUMNS = tuple(job_table.c[name] for name in Job.__dataclass_fields__)


class SqlJobStore:
    """Jobs in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

    def append(self, job: Job) -> Job:
        """Add a job, or return the unfinished one with the same key."""
        row = {name: getattr(job, name) for name in Job.__dataclass_fields__}
        dialect = dialect_of(self._database)
        add = (
            dialect.insert(job_table)
            .values(**row, open_key=job.key)
            .on_conflict_do_nothing(index_elements=["open_key"])
            .returning(job_table.c.id)
        )
        query = select(*_COLUMNS).where(job_table.c.open_key == job.key)
        with self._database.transaction() as connection:
            while True:
                # Look first: most repetitions come long after. Another process may add the same
                # key between the two, or end its job between a refusal and the next look.
                found = connection.execute(query).mappings().first() if job.key else None
                if found is not None:
                    return Job(**found)
                if connection.execute(add).first() is not None:
                    self._database.tell("jobs")
                    return job

    def find(self, job_id: str) -> Job | None:
        """The job with this id."""
        with self._database.connection() as connection:
            query = select(*_COLUMNS).where(job_table.c.id == job_id)
            found = connection.execute(query).mappings().first()
        return None if found is None else Job(**found)

    def lease(self, worker: str, kinds: tuple[str, ...], now: datetime) -> Job | None:
        """Take the next due job of these kinds for one lease."""
        # Most looks find nothing, and there are many of them.
        at = microseconds(now)
        if self._plain.first(_DUE.format(kinds=marks(len(kinds))), (*kinds, at, at)) is None:
            return None
        due = (
            select(job_table.c.id)
            .where(
                job_table.c.kind.in_(kinds),
                or_(
                    and_(job_table.c.state == "queued", job_table.c.run_at <= now),
                    and_(job_table.c.state == "running", job_table.c.lease_until < now),
                ),
            )
            .order_by(job_table.c.run_at)
            .limit(1)
        )
        with self._database.transaction() as connection:
            job_id = connection.execute(due.with_for_update(skip_locked=True)).scalar()
            if job_id is None:
                return None
            taken = connection.execute(
                update(job_table)
                .where(job_table.c.id == job_id)
                .values(
                    state="running",
                    leased_by=worker,
                    lease_until=now + LEASE,
                    attempts=job_table.c.attempts + 1,
                )
                .returning(*_COLUMNS)
            )
            return Job(**taken.mappings().one())

    def renew(self, job_id: str, worker: str, until: datetime) -> bool:
        """Prolong a lease; False if it was lost."""
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(job_table)
                .where(job_table.c.id == job_id, job_table.c.leased_by == worker)
                .where(job_table.c.state == "running")
                .values(lease_until=until)
            )
        return moved.rowcount == 1

    def finish(self, job: Job, worker: str) -> bool:
        """Write the outcome of a job that `worker` still holds; False if it was lost."""
        ended = job.state in {"done", "failed"}
        with self._database.transaction() as connection:
            moved = connection.execute(
                update(job_table)
                .where(job_table.c.id == job.id, job_table.c.leased_by == worker)
                .where(job_table.c.state == "running")
                .values(
                    state=job.state,
                    run_at=job.run_at,
                    leased_by=None,
                    lease_until=None,
                    result=job.result,
                    error=job.error,
                    finished_at=job.finished_at,
                    open_key=None if ended else job.key,
                )
            )
        return moved.rowcount == 1

    def release(self, worker: str | None = None) -> int:
        """Put running jobs back in the queue: those of one worker, or all; how many."""
        moved = update(job_table).where(job_table.c.state == "running")
        if worker is not None:
            moved = moved.where(job_table.c.leased_by == worker)
        with self._database.transaction() as connection:
            done = connection.execute(
                moved.values(state="queued", leased_by=None, lease_until=None)
            )
        return done.rowcount

    def forget(self, before: datetime) -> int:
        """Remove jobs that finished before an instant; how many."""
        with self._database.transaction() as connection:
            done = connection.execute(job_table.delete().where(job_table.c.finished_at < before))
        return done.rowcount


_DUE = """
SELECT 1 FROM kernel_job WHERE kind IN ({kinds})
AND ((state = 'queued' AND run_at <= ?) OR (state = 'running' AND lease_until < ?)) LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Who does a kind of job."""

    kind: str
    run: Callable[[Job], Mapping[str, Any] | None] = field(repr=False)
    max_attempts: int = 3


class Jobs:
    """The queue, and the kinds of job that this process can do."""

    def __init__(self, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._handlers: dict[str, Handler] = {}

    def handle(
        self,
        kind: str,
        run: Callable[[Job], Mapping[str, Any] | None],
        *,
        max_attempts: int = 3,
    ) -> None:
        """Say who does jobs of a kind. The handler runs in a thread of the server."""
        self._handlers[kind] = Handler(kind=kind, run=run, max_attempts=max_attempts)

    def submit(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
        run_at: datetime | None = None,
        project: str = DEFAULT_PROJECT,
    ) -> Job:
        """Queue a job, in the ambient transaction if there is one.

        With a `key`, an unfinished job of the same key is returned instead.
        """
        now = self._clock.now()
        handler = self._handlers.get(kind)
        job = Job(
            id=new_id(),
            kind=kind,
            key=key,
            payload=dict(payload or {}),
            project=project,
            max_attempts=handler.max_attempts if handler else 3,
            run_at=run_at or now,
            created_at=now,
        )
        return self._store.append(job)

    def submit_next(self, kind: str, every: timedelta) -> Job:
        """Queue the next job of a kind that comes again and again, `every` from now.

        The running one calls it before it ends. A restart may leave two such chains: the key is
        that of the time, which no running job has, so they become one, and none ends the other.
        """
        run_at = self._clock.now() + every
        turn = int(run_at.timestamp() / every.total_seconds())
        return self.submit(kind, key=f"{kind}:{turn}", run_at=run_at)

    def get(self, job_id: str) -> Job:
        """The job with this id.

        Raises: JobNotFound.
        """
        job = self._store.find(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    def recover(self) -> int:
        """Take back what a killed process held. Only under the workspace's lock."""
        return self._store.release()

    def run_next(self, worker: str, *, only: tuple[str, ...] = ()) -> bool:
        """Lease and run one due job in this thread; False if there is none."""
        job = self.take(worker, only=only)
        if job is None:
            return False
        self.work(job, worker)
        return True

    def take(self, worker: str, *, only: tuple[str, ...] = ()) -> Job | None:
        """Lease one due job; None if there is none."""
        kinds = only or tuple(self._handlers)
        return self._store.lease(worker, kinds, self._clock.now()) if kinds else None

    def work(self, job: Job, worker: str) -> None:
        """Run a job that `worker` leased, in this thread."""
        handler = self._handlers[job.kind]
        stop = threading.Event()
        beat = threading.Thread(
            target=self._keep, args=(job, worker, stop), name=f"lease-{job.kind}", daemon=True
        )
        beat.start()
        try:
            result = handler.run(job)
            ended = self._ended(job, state="done", result=dict(result) if result else None)
        except AthanorError as error:
            ended = self._after_failure(job, error, error.status >= _SERVER_FAULT)
        except Exception as error:  # noqa: BLE001 - a job's failure is kept with the job
            _log.exception("job %s (%s) failed", job.id, job.kind)
            failure = AthanorError(
                f"The job {job.kind} failed: {type(error).__name__}: {error}",
                hint="The server's log has the whole trace.",
            )
            ended = self._after_failure(job, failure, True)
        finally:
            stop.set()
        if not self._store.finish(ended, worker):
            _log.warning("job %s (%s) was leased by another worker meanwhile", job.id, job.kind)

    def _keep(self, job: Job, worker: str, stop: threading.Event) -> None:
        while not stop.wait(LEASE.total_seconds() / 3):
            try:
                if not self._store.renew(job.id, worker, self._clock.now() + LEASE):
                    return
            except Exception:  # noqa: BLE001 - it may answer again before the lease ends
                _log.exception("the lease of job %s (%s) was not renewed", job.id, job.kind)

    def _after_failure(self, job: Job, error: AthanorError, again: bool) -> Job:  # noqa: FBT001
        if again and job.attempts < job.max_attempts:
            wait = timedelta(seconds=min(60.0, 0.5 * 2**job.attempts))
            return self._changed(
                job, state="queued", error=error_to_dict(error), run_at=self._clock.now() + wait
            )
        return self._ended(job, state="failed", error=error_to_dict(error))

    def _ended(self, job: Job, **changes: Any) -> Job:
        return self._changed(job, finished_at=self._clock.now(), **changes)

    def _changed(self, job: Job, **changes: Any) -> Job:
        values = {name: getattr(job, name) for name in Job.__dataclass_fields__}
        return Job(**(values | changes))
