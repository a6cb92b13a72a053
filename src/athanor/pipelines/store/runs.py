"""Where runs, tasks and the cache are kept."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import RowMapping, delete, select, update

from athanor.kernel import Database, Principal
from athanor.kernel.database import microseconds, to_json
from athanor.kernel.plain import Columns, Plain, marks
from athanor.kernel.upserts import dialect_of
from athanor.pipelines.store.tables import run_table, spec_table, task_table
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

    def tasks_of(
        self, run_id: str, *, state: str = "", after: str = "", limit: int | None = None
    ) -> list[Task]:
        """The tasks of a run, in the order of their making.

        Only those in a state, or whose ids come behind another's, where that is said.
        """
        ...

    def tasks_named(self, run_id: str, name: str) -> list[Task]:
        """The task of a run with this name or id, if there is one."""
        ...

    def counts_of(self, run_id: str) -> dict[str, int]:
        """How many tasks of a run are in which state; those that only hold others do not count."""
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
_TASK = Columns(task_table, Task.__dataclass_fields__)
_CHANGED = Columns(task_table, [column.name for column in task_table.c])
_ADD_TASK = (
    f"INSERT INTO pipelines_task (failures, {', '.join(_TASK.names)})"  # noqa: S608 - our own names
    f" VALUES (0, {marks(len(_TASK.names))}) ON CONFLICT DO NOTHING"
)
_TASKS = f"SELECT {_TASK.listed} FROM pipelines_task"  # noqa: S608 - names are our own
_COUNTS = """
SELECT state, COUNT(*) FROM pipelines_task WHERE run = ? AND kind <> 'dag' GROUP BY state
"""
_EARLIER = f"""
{_TASKS} JOIN pipelines_run ON pipelines_run.id = pipelines_task.run
WHERE pipelines_run.project = ? AND pipelines_run.pipeline = ? AND pipelines_run.id < ?
  AND pipelines_task.name = ? AND pipelines_task.key <> ''
ORDER BY pipelines_run.id DESC LIMIT 1
"""
_CACHED = "SELECT task, outputs, made FROM pipelines_cache WHERE project = ? AND key = ?"
_REMEMBER = """
INSERT INTO pipelines_cache (project, key, task, outputs, made, created_at)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (project, key) DO UPDATE SET task = excluded.task, outputs = excluded.outputs,
    made = excluded.made, created_at = excluded.created_at
"""


class SqlRunStore:
    """Runs and tasks in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plain = Plain(database)

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
        self._plain.many(_ADD_TASK, [_TASK.values(task) for task in tasks])

    def tasks_of(
        self, run_id: str, *, state: str = "", after: str = "", limit: int | None = None
    ) -> list[Task]:
        """The tasks of a run."""
        query, values = f"{_TASKS} WHERE run = ?", [run_id]
        for condition, value in (("state = ?", state), ("id > ?", after)):
            if value:
                query += f" AND {condition}"
                values.append(value)
        query += " ORDER BY id"
        if limit is not None:
            query += f" LIMIT {int(limit)}"
        return [Task(**_TASK.read(row)) for row in self._plain.fetch(query, values)]

    def tasks_named(self, run_id: str, name: str) -> list[Task]:
        """The task of a run with this name or id."""
        query = f"{_TASKS} WHERE run = ? AND (name = ? OR id = ?)"
        return [Task(**_TASK.read(row)) for row in self._plain.fetch(query, (run_id, name, name))]

    def counts_of(self, run_id: str) -> dict[str, int]:
        """How many tasks of a run are in which state."""
        return dict(self._plain.fetch(_COUNTS, (run_id,)))

    def change_task(
        self, task_id: str, changes: Mapping[str, Any], *, attempt: int | None = None
    ) -> bool:
        """Set fields of a task."""
        text, values = _CHANGED.changes(changes)
        query = f"UPDATE pipelines_task {text} WHERE id = ?"
        values.append(task_id)
        if attempt is not None:
            query += " AND state = 'running' AND attempt = ?"
            values.append(attempt)
        return bool(self._plain.run(query, values))

    def failures_of(self, task_id: str) -> int:
        """How often a task has failed."""
        row = self._plain.first("SELECT failures FROM pipelines_task WHERE id = ?", (task_id,))
        return 0 if row is None else int(row[0])

    def key_parts_of(self, task_id: str) -> dict[str, str] | None:
        """The parts of a task's cache key."""
        query = select(task_table.c.key_parts).where(task_table.c.id == task_id)
        with self._database.connection() as connection:
            return connection.execute(query).scalar()

    def earlier_task(self, run: PipelineRun, name: str) -> Task | None:
        """The task of the same name in the last earlier run that has a key for it."""
        row = self._plain.first(_EARLIER, (run.project, run.pipeline, run.id, name))
        return None if row is None else Task(**_TASK.read(row))

    def cached(self, project: str, key: str) -> CacheEntry | None:
        """What an equal task made."""
        row = self._plain.first(_CACHED, (project, key))
        if row is None:
            return None
        return CacheEntry(task=row[0], outputs=orjson.loads(row[1]), made=orjson.loads(row[2]))

    def remember(self, project: str, key: str, entry: CacheEntry, at: datetime) -> None:
        """Keep what a task made."""
        values = (to_json(entry.outputs), to_json(entry.made), microseconds(at))
        self._plain.run(_REMEMBER, (project, key, entry.task, *values))

    def _insert(self, table: Any) -> Any:
        dialect = dialect_of(self._database)
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
