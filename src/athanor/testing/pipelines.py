"""The pipelines room for tests: a whole one on a database, and the contract of its stores."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from athanor.kernel import (
    OWNER,
    Clock,
    Database,
    Events,
    Jobs,
    Storage,
    SystemClock,
    new_id,
)
from athanor.kernel.events import SqlEventStore
from athanor.kernel.jobs import SqlJobStore
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, NewArtifact, Operation, SqlLineageStore
from athanor.pipelines import (
    LocalEngine,
    Pipeline,
    PipelineRun,
    Pipelines,
    RunStore,
    SqlRunStore,
    SqlTriggerStore,
    Submission,
    Surroundings,
    Task,
    Trigger,
    TriggerStore,
    TriggerWatch,
    local_engine,
)
from athanor.pipelines.ir.text import plain, write_document
from athanor.pipelines.store import CacheEntry, Ordered

OVER = {"done", "failed", "stopped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The pipelines room with all that it stands on."""

    database: Database
    storage: Storage
    lineage: Lineage
    events: Events
    jobs: Jobs
    pipelines: Pipelines
    engine: LocalEngine
    watch: TriggerWatch
    folder: Path

    def submit(self, pipeline: "Pipeline[..., Any]", **parameters: Any) -> PipelineRun:
        """Submit a decorated pipeline with parameters."""
        spec = plain(pipeline.compile().spec)
        return self.pipelines.submit(OWNER, Submission(spec=spec, parameters=parameters))

    def finished(
        self, run: PipelineRun, timeout: float = 60.0, *, look: float = 0.02
    ) -> PipelineRun:
        """Wait for a run's end, looking every so many seconds."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = self.pipelines.run(OWNER, run.id)
            if found.state in OVER:
                return found
            time.sleep(look)
        states = {task.name: task.state for task in found.tasks}
        message = f"the run is {found.state} after {timeout} s: {states}"
        raise TimeoutError(message)

    def run(self, pipeline: "Pipeline[..., Any]", **parameters: Any) -> PipelineRun:
        """Submit a decorated pipeline and wait for its end."""
        return self.finished(self.submit(pipeline, **parameters))

    def file(self, data: bytes, name: str = "data.bin") -> str:
        """The id of an artifact that is one file."""
        blob = self.storage.put_bytes(data)
        metadata = {"blob": blob.digest, "layout": "file", "file": name}
        new = NewArtifact(
            type="file", name=name, uri=blob.uri, digest=blob.digest, metadata=metadata
        )
        return self.lineage.record(OWNER, new).id


@contextmanager
def pipelines_room(
    database: Database,
    folder: Path,
    workers: Workers,
    *,
    operations: Mapping[str, Operation] | None = None,
    materializers: tuple[str, ...] = (),
    clock: Clock | None = None,
    slots: int = 2,
) -> Iterator[Room]:
    """A room whose engine runs until the end."""
    clock = clock or SystemClock()
    access = OwnerAccess()
    events = Events(SqlEventStore(database), database, clock)
    lineage = Lineage(
        SqlLineageStore(database), database, events=events, access=access, clock=clock
    )
    storage = Storage(str(folder / "storage"), reserve_bytes=0)
    runs, triggers = SqlRunStore(database), SqlTriggerStore(database)
    pipelines = Pipelines(
        runs, triggers, database, lineage=lineage, events=events, access=access, clock=clock
    )
    engine = local_engine(
        Surroundings(
            store=runs,
            database=database,
            storage=storage,
            lineage=lineage,
            events=events,
            clock=clock,
            workers=workers,
            folder=folder / "work",
            operations=operations or {},
            materializers=materializers,
            slots=slots,
        )
    )
    pipelines.use_engine(engine)
    jobs = Jobs(SqlJobStore(database), clock)
    watch = TriggerWatch(pipelines, triggers, database, events=events, clock=clock)
    engine.start()
    try:
        yield Room(
            database=database,
            storage=storage,
            lineage=lineage,
            events=events,
            jobs=jobs,
            pipelines=pipelines,
            engine=engine,
            watch=watch,
            folder=folder,
        )
    finally:
        engine.stop()


def yaml_of(pipeline: "Pipeline[..., Any]") -> str:
    """A decorated pipeline as compiled text."""
    return write_document(pipeline.compile())


class RunStoreContract:
    """What every store of runs keeps to. Give it a `store` fixture."""

    def test_a_run_is_found_as_it_was_added(self, store: RunStore) -> None:
        ordered = _ordered(store)
        store.add_run(ordered)
        assert store.find_run(ordered.run.id) == ordered
        assert store.find_run(new_id()) is None
        assert store.find_spec(ordered.spec) == "{}"

    def test_a_key_gives_the_run_that_has_it(self, store: RunStore) -> None:
        first, second = _ordered(store, key="once"), _ordered(store, key="once")
        other = _ordered(store, key="once", project="other")
        store.add_run(first)
        assert store.add_run(second).run.id == first.run.id
        assert store.add_run(other) is other
        assert [store.add_run(_ordered(store)).run.id for _ in range(2)]

    def test_an_ended_run_does_not_change(self, store: RunStore) -> None:
        ordered = _ordered(store)
        store.add_run(ordered)
        assert [item.run.id for item in store.active_runs()] == [ordered.run.id]
        assert store.change_run(ordered.run.id, {"state": "failed", "error": {"message": "x"}})
        assert not store.change_run(ordered.run.id, {"cancelled": True})
        assert store.active_runs() == []
        store.reopen_run(ordered.run.id)
        assert [item.run.state for item in store.active_runs()] == ["running"]

    def test_only_the_running_attempt_may_end_a_task(self, store: RunStore) -> None:
        ordered = _ordered(store)
        store.add_run(ordered)
        task = _task(ordered, "a")
        store.add_tasks([task, task])
        assert store.tasks_of(ordered.run.id) == [task]
        assert not store.change_task(task.id, {"state": "done"}, attempt=1)
        assert store.change_task(task.id, {"state": "running", "attempt": 2})
        assert not store.change_task(task.id, {"state": "done"}, attempt=1)
        assert store.change_task(task.id, {"state": "done"}, attempt=2)
        assert not store.change_task(task.id, {"state": "failed"}, attempt=2)

    def test_tasks_are_given_in_parts_and_counted(self, store: RunStore) -> None:
        ordered = _ordered(store)
        store.add_run(ordered)
        tasks = [_task(ordered, name) for name in "abc"]
        store.add_tasks([*tasks, _task(ordered, "d", kind="dag")])
        store.change_task(tasks[1].id, {"state": "running", "attempt": 1})
        run = ordered.run.id
        assert [task.name for task in store.tasks_of(run, limit=2)] == ["a", "b"]
        assert [task.name for task in store.tasks_of(run, after=tasks[1].id)] == ["c", "d"]
        assert [task.name for task in store.tasks_of(run, state="running")] == ["b"]
        assert store.counts_of(run) == {"waiting": 2, "running": 1}
        assert store.tasks_named(run, "c") == store.tasks_named(run, tasks[2].id) == [tasks[2]]
        assert store.tasks_named(run, "x") == []

    def test_reopening_forgets_what_did_not_come_to_a_good_end(self, store: RunStore) -> None:
        ordered = _ordered(store)
        store.add_run(ordered)
        states = ("done", "cached", "failed", "skipped", "stopped")
        store.add_tasks([_task(ordered, state, state=state) for state in states])
        store.reopen_run(ordered.run.id)
        assert {task.name for task in store.tasks_of(ordered.run.id)} == {"done", "cached"}

    def test_the_cache_keeps_the_latest(self, store: RunStore, clock: Clock) -> None:
        one = CacheEntry(task=new_id(), outputs={"x": 1}, made={"t": ["a"]})
        two = CacheEntry(task=new_id(), outputs={"x": 2})
        assert store.cached("default", "k") is None
        store.remember("default", "k", one, clock.now())
        assert store.cached("default", "k") == one
        store.remember("default", "k", two, clock.now())
        assert store.cached("default", "k") == two
        assert store.cached("other", "k") is None

    def test_the_earlier_task_is_that_of_the_last_run_before(self, store: RunStore) -> None:
        runs = sorted((_ordered(store) for _ in range(3)), key=lambda item: item.run.id)
        for number, ordered in enumerate(runs):
            store.add_run(ordered)
            task = _task(ordered, "a", key=f"k{number}")
            store.add_tasks([task])
            store.change_task(task.id, {"key_parts": {"n": str(number)}})
        found = store.earlier_task(runs[2].run, "a")
        assert found is not None
        assert found.run == runs[1].run.id
        assert store.key_parts_of(found.id) == {"n": "1"}
        assert store.earlier_task(runs[0].run, "a") is None

    def test_runs_are_listed_newest_first(self, store: RunStore) -> None:
        runs = [_ordered(store) for _ in range(3)]
        for ordered in runs:
            store.add_run(ordered)
        ids = sorted((item.run.id for item in runs), reverse=True)
        found = store.list_runs(project=None, trigger=None, pipeline="p", limit=2)
        assert [run.id for run in found] == ids[:2]
        assert store.list_runs(project=None, trigger="t", pipeline=None, limit=2) == []


class TriggerStoreContract:
    """What every store of triggers keeps to. Give it `store` and `clock` fixtures."""

    def test_a_trigger_is_found_as_it_was_added(self, store: TriggerStore, clock: Clock) -> None:
        trigger = _trigger(clock, submission=Submission(pipeline="p", parameters={"x": [1]}))
        assert store.add(trigger, OWNER)
        assert store.find("t") == trigger == store.find(trigger.id, "default")
        assert store.every() == [trigger] == store.on_action("data.version.created")
        assert store.on_action("other") == []
        assert store.owner_of(trigger.id) == OWNER
        store.remove(trigger.id)
        assert store.find("t") is None

    def test_a_name_is_taken_once_a_project(self, store: TriggerStore, clock: Clock) -> None:
        assert store.add(_trigger(clock), OWNER)
        assert not store.add(_trigger(clock), OWNER)
        assert store.add(_trigger(clock, project="other"), OWNER)

    def test_of_two_that_move_the_time_one_succeeds(
        self, store: TriggerStore, clock: Clock
    ) -> None:
        now, later = clock.now(), clock.now() + timedelta(hours=1)
        trigger = _trigger(clock, next_fire=now)
        store.add(trigger, OWNER)
        assert store.move(trigger.id, now, later)
        assert not store.move(trigger.id, now, later)

    def test_one_event_is_held(self, store: TriggerStore, clock: Clock) -> None:
        trigger = _trigger(clock)
        store.add(trigger, OWNER)
        assert store.held(trigger.id) is None
        store.hold(trigger.id, {"dataset": "churn"})
        assert store.held(trigger.id) == {"dataset": "churn"}
        store.hold(trigger.id, None)
        assert store.held(trigger.id) is None
        assert not store.busy("t", "default")


def _ordered(store: RunStore, *, key: str | None = None, project: str = "default") -> Ordered:
    store.add_spec("sha256:00", "{}")
    run = PipelineRun(
        id=new_id(),
        project=project,
        pipeline="p",
        state="waiting",
        parameters={"x": [1, None]},
        artifacts={"data": new_id()},
        created_by=OWNER.name,
        created_at=SystemClock().now(),
    )
    return Ordered(run=run, spec="sha256:00", who=OWNER, key=key)


def _task(ordered: Ordered, name: str, **fields: Any) -> Task:
    given: dict[str, Any] = {"state": "waiting", "kind": "step"} | fields
    return Task(id=new_id(), run=ordered.run.id, name=name, component="comp-a", **given)


def _trigger(clock: Clock, **fields: Any) -> Trigger:
    given: dict[str, Any] = {
        "submission": Submission(pipeline="p"),
        "action": "data.version.created",
        "match": {"dataset": "churn"},
    } | fields
    return Trigger(
        id=new_id(),
        name="t",
        kind="event",
        created_by=OWNER.name,
        created_at=clock.now(),
        **({"project": "default"} | given),
    )
