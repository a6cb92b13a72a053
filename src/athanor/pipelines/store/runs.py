"""Where runs, tasks and the cache are kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from athanor.kernel import Database, Principal
from athanor.pipelines.store.tables import cache_table, run_table, spec_table, task_table
from athanor.pipelines.types import ACTIVE, PipelineRun, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A run with what only the engine needs to know of it."""

    run: PipelineRun
    spec: str
    """The digest of its specification."""
    who: Principal
    cache: bool = True
    cancelled: bool = False
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """What an equal task made before."""

    task: str
    outputs: dict[str, Any] = field(default_factory=dict)
    made: dict[str, list[str]] = field(default_factory=dict)


class RunStore(Protocol):
    """Runs and their tasks."""

    def add_spec(self, digest: str, body: str) -> None:
        """Keep a specification; the same one twice is one."""
        ...

    def find_spec(self, digest: str) -> str:
        """The specification with this digest."""
        ...

    def add_run(self, ordered: Ordered) -> Ordered:
        """Add a run; one with the same project and key is returned as it stands."""
        ...

    def find_run(self, run_id: str) -> Ordered | None:
        """The run with this id, without its tasks."""
        ...

    def list_runs(
        self, *, project: str | None, trigger: str | None, pipeline: str | None, limit: int
    ) -> list[PipelineRun]:
        """Runs, newest first."""
        ...

    def active_runs(self) -> list[Ordered]:
        """Runs that go on, oldest first."""
        ...

    def change_run(self, run_id: str, changes: Mapping[str, Any]) -> bool:
        """Set fields of a run that goes on; False if it has ended."""
        ...

    def reopen_run(self, run_id: str) -> None:
        """Let an ended run go on: tasks that failed or did not come to run are forgotten."""
        ...

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Add tasks; those that exist stay as they are."""
        ...

    def tasks_of(self, run_id: str) -> list[Task]:
        """The tasks of a run, in the order of their making."""
        ...

    def change_task(
        self, task_id: str, changes: Mapping[str, Any], *, attempt: int | None = None
    ) -> bool:
        """Set fields of a task; with `attempt`, only while that attempt is running."""
        ...

    def failures_of(self, task_id: str) -> int:
        """How often a task has failed."""
        ...

    def key_parts_of(self, task_id: str) -> dict[str, str] | None:
        """The parts of a task's cache key."""
        ...

    def earlier_task(self, run: PipelineRun, name: str) -> Task | None:
        """The task of the same name in the last run of this pipeline before `run`, with a key."""
        ...

    def cached(self, project: str, key: str) -> CacheEntry | None:
        """What an equal task made."""
        ...

    def remember(self, project: str, key: str, entry: CacheEntry, at: datetime) -> None:
        """Keep what a task made, for equal ones."""
        ...


_RUN_FIELDS = tuple(name for name in PipelineRun.__dataclass_fields__ if name in run_table.c)
_TASK_FIELDS = tuple(Task.__dataclass_fields__)
_TASK_COLUMNS = tuple(task_table.c[name] for name in _TASK_FIELDS)


class SqlRunStore:
    """Runs and tasks in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_spec(self, digest: str, body: str) -> None:
        """Keep a specification."""
        query = self._insert(spec_table).values(digest=digest, body=body)
        with self._database.connection() as connection:
            connection.execute(query.on_conflict_do_nothing())

    def find_spec(self, digest: str) -> str:
        """The specification with this digest."""
        query = select(spec_table.c.body).where(spec_table.c.digest == digest)
        with self._database.connection() as connection:
            return str(connection.execute(query).scalar_one())

    def add_run(self, ordered: Ordered) -> Ordered:
        """Add a run, or find the one with the same key."""
        run = ordered.run
        row = {name: getattr(run, name) for name in _RUN_FIELDS if name != "created_by"}
        row |= {
            "spec": ordered.spec,
            "who": {"id": ordered.who.id, "name": ordered.who.name, "kind": ordered.who.kind},
            "cache": ordered.cache,
            "cancelled": ordered.cancelled,
            "key": ordered.key,
        }
        query = self._insert(run_table).values(row).on_conflict_do_nothing()
        with self._database.connection() as connection:
            if connection.execute(query.returning(run_table.c.id)).first() is not None:
                return ordered
            twin = select(run_table).where(
                run_table.c.project == run.project, run_table.c.key == ordered.key
            )
            return _ordered(connection.execute(twin).mappings().one())

    def find_run(self, run_id: str) -> Ordered | None:
        """The run with this id."""
        with self._database.connection() as connection:
            query = select(run_table).where(run_table.c.id == run_id)
            row = connection.execute(query).mappings().first()
        return _ordered(row) if row else None

    def list_runs(
        self, *, project: str | None, trigger: str | None, pipeline: str | None, limit: int
    ) -> list[PipelineRun]:
        """Runs, newest first."""
        query = select(run_table).order_by(run_table.c.id.desc()).limit(limit)
        for column, value in (("project", project), ("trigger", trigger), ("pipeline", pipeline)):
            if value is not None:
                query = query.where(run_table.c[column] == value)
        with self._database.connection() as connection:
            return [_ordered(row).run for row in connection.execute(query).mappings()]

    def active_runs(self) -> list[Ordered]:
        """Runs that go on."""
        query = select(run_table).where(run_table.c.state.in_(ACTIVE)).order_by(run_table.c.id)
        with self._database.connection() as connection:
            return [_ordered(row) for row in connection.execute(query).mappings()]

    def change_run(self, run_id: str, changes: Mapping[str, Any]) -> bool:
        """Set fields of a run that goes on."""
        query = update(run_table).where(run_table.c.id == run_id, run_table.c.state.in_(ACTIVE))
        with self._database.connection() as connection:
            return bool(connection.execute(query.values(dict(changes))).rowcount)

    def reopen_run(self, run_id: str) -> None:
        """Let an ended run go on."""
        again = {"state": "running", "ended_at": None, "error": None, "cancelled": False}
        forgotten = delete(task_table).where(
            task_table.c.run == run_id,
            task_table.c.state.in_(("failed", "skipped", "stopped", "waiting")),
        )
        dags = delete(task_table).where(task_table.c.run == run_id, task_table.c.kind == "dag")
        with self._database.transaction() as connection:
            connection.execute(forgotten)
            connection.execute(dags)
            connection.execute(update(run_table).where(run_table.c.id == run_id).values(again))

    def add_tasks(self, tasks: Iterable[Task]) -> None:
        """Add tasks."""
        rows = [{name: getattr(task, name) for name in _TASK_FIELDS} for task in tasks]
        if not rows:
            return
        with self._database.connection() as connection:
            connection.execute(self._insert(task_table).on_conflict_do_nothing(), rows)

    def tasks_of(self, run_id: str) -> list[Task]:
        """The tasks of a run."""
        query = select(*_TASK_COLUMNS).where(task_table.c.run == run_id).order_by(task_table.c.id)
        with self._database.connection() as connection:
            return [Task(**row) for row in connection.execute(query).mappings()]

    def change_task(
        self, task_id: str, changes: Mapping[str, Any], *, attempt: int | None = None
    ) -> bool:
        """Set fields of a task."""
        query = update(task_table).where(task_table.c.id == task_id)
        if attempt is not None:
            query = query.where(task_table.c.state == "running", task_table.c.attempt == attempt)
        with self._database.connection() as connection:
            return bool(connection.execute(query.values(dict(changes))).rowcount)

    def failures_of(self, task_id: str) -> int:
        """How often a task has failed."""
        query = select(task_table.c.failures).where(task_table.c.id == task_id)
        with self._database.connection() as connection:
            return int(connection.execute(query).scalar() or 0)

    def key_parts_of(self, task_id: str) -> dict[str, str] | None:
        """The parts of a task's cache key."""
        query = select(task_table.c.key_parts).where(task_table.c.id == task_id)
        with self._database.connection() as connection:
            return connection.execute(query).scalar()

    def earlier_task(self, run: PipelineRun, name: str) -> Task | None:
        """The task of the same name in the last earlier run that has a key for it."""
        query = (
            select(*_TASK_COLUMNS)
            .join(run_table, run_table.c.id == task_table.c.run)
            .where(
                run_table.c.project == run.project,
                run_table.c.pipeline == run.pipeline,
                run_table.c.id < run.id,
                task_table.c.name == name,
                task_table.c.key != "",
            )
            .order_by(run_table.c.id.desc())
            .limit(1)
        )
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return Task(**row) if row else None

    def cached(self, project: str, key: str) -> CacheEntry | None:
        """What an equal task made."""
        query = select(cache_table.c.task, cache_table.c.outputs, cache_table.c.made).where(
            cache_table.c.project == project, cache_table.c.key == key
        )
        with self._database.connection() as connection:
            row = connection.execute(query).mappings().first()
        return CacheEntry(**row) if row else None

    def remember(self, project: str, key: str, entry: CacheEntry, at: datetime) -> None:
        """Keep what a task made."""
        row = {"task": entry.task, "outputs": entry.outputs, "made": entry.made, "created_at": at}
        query = self._insert(cache_table).values(project=project, key=key, **row)
        with self._database.connection() as connection:
            connection.execute(
                query.on_conflict_do_update(index_elements=["project", "key"], set_=row)
            )

    def _insert(self, table: Any) -> Any:
        dialect = postgresql if self._database.dialect == "postgresql" else sqlite
        return dialect.insert(table)


def _ordered(row: RowMapping) -> Ordered:
    who = Principal(**row["who"])
    fields = {name: row[name] for name in _RUN_FIELDS if name != "created_by"}
    return Ordered(
        run=PipelineRun(**fields, created_by=who.name),
        spec=row["spec"],
        who=who,
        cache=row["cache"],
        cancelled=row["cancelled"],
        key=row["key"],
    )
