"""The rules of experiments and runs."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from athanor.kernel import OWNER, Database, Events
from athanor.kernel.events import SqlEventStore
from athanor.kernel.ids import new_id
from athanor.kernel.outages import DatabaseFull, DatabaseUnavailable
from athanor.kernel.permissions import OwnerAccess
from athanor.lineage import Lineage, NewRun, SqlLineageStore
from athanor.testing import FixedClock
from athanor.tracking import (
    BadKey,
    Batch,
    BatchTooLarge,
    ExperimentDeleted,
    ExperimentExists,
    ExperimentNotFound,
    ExperimentQuery,
    Experiments,
    KeyedPoint,
    Neighbours,
    NewExperiment,
    NewMetric,
    NewTrackedRun,
    ParamChanged,
    Point,
    RunChange,
    RunDeleted,
    RunLog,
    RunQuery,
    RunSearch,
    SqlExperimentStore,
    SqlTrackedRunStore,
    TagNotFound,
    TrackedRunNotFound,
    Tracking,
    Unloggable,
    WriteQueue,
)
from athanor.tracking.relations import relations


@pytest.fixture
def lineage(sqlite: Database, clock: FixedClock) -> Lineage:
    events = Events(SqlEventStore(sqlite), sqlite, clock)
    store = SqlLineageStore(sqlite)
    return Lineage(store, sqlite, events=events, access=OwnerAccess(), clock=clock)


@pytest.fixture
def experiments(sqlite: Database, clock: FixedClock) -> Experiments:
    events = Events(SqlEventStore(sqlite), sqlite, clock)
    store = SqlExperimentStore(sqlite)
    return Experiments(store, sqlite, events=events, access=OwnerAccess(), clock=clock)


@pytest.fixture
def tracking(
    sqlite: Database, clock: FixedClock, lineage: Lineage, experiments: Experiments
) -> Tracking:
    events = Events(SqlEventStore(sqlite), sqlite, clock)
    neighbours = Neighbours(
        lineage=lineage, experiments=experiments, search=RunSearch(sqlite), events=events
    )
    store = SqlTrackedRunStore(sqlite)
    return Tracking(store, sqlite, neighbours=neighbours, access=OwnerAccess(), clock=clock)


class TestExperiments:
    def test_the_first_is_default_and_each_project_has_its_own(
        self, experiments: Experiments
    ) -> None:
        made = experiments.create(OWNER, NewExperiment(name="a"))
        other = experiments.create(OWNER, NewExperiment(name="a", project="other"))
        assert experiments.get(OWNER, "0").name == "Default"
        assert experiments.get(OWNER, "0", project="other").project == "other"
        assert experiments.by_name(OWNER, "Default", project="other").id != "0"
        assert experiments.get(OWNER, f" {made.id}").id == made.id
        with pytest.raises(ExperimentNotFound):
            experiments.get(OWNER, other.id)
        with pytest.raises(Unloggable, match="must be a valid integer"):
            experiments.get(OWNER, "x")

    def test_a_deleted_one_keeps_its_name_and_takes_nothing_in(
        self, experiments: Experiments, tracking: Tracking
    ) -> None:
        made = experiments.create(OWNER, NewExperiment(name="a"))
        run = tracking.start(OWNER, NewTrackedRun(experiment=made.id)).info
        experiments.delete(OWNER, made.id)
        with pytest.raises(ExperimentNotFound):
            experiments.delete(OWNER, made.id)
        with pytest.raises(ExperimentExists):
            experiments.create(OWNER, NewExperiment(name="a"))
        with pytest.raises(ExperimentDeleted):
            experiments.set_tag(OWNER, made.id, "k", "v")
        with pytest.raises(ExperimentDeleted):
            tracking.start(OWNER, NewTrackedRun(experiment=made.id))
        with pytest.raises(RunDeleted):
            tracking.set_tag(OWNER, run.id, "k", "v")
        experiments.restore(OWNER, made.id)
        with pytest.raises(ExperimentNotFound):
            experiments.restore(OWNER, made.id)
        tracking.set_tag(OWNER, run.id, "k", "v")

    def test_a_run_is_a_change_of_its_experiment_where_that_is_asked(
        self, experiments: Experiments, tracking: Tracking, clock: FixedClock
    ) -> None:
        made = experiments.create(OWNER, NewExperiment(name="a"))
        clock.advance(60)
        tracking.start(OWNER, NewTrackedRun(experiment=made.id))
        began = clock.now()
        found = experiments.search(OWNER, ExperimentQuery(), runs=True).experiments
        assert {one.name: one.updated_at == began for one in found} == {"a": True, "Default": False}
        assert experiments.get(OWNER, made.id, runs=True).updated_at == began
        assert experiments.get(OWNER, made.id) == made

    def test_tags_come_and_go(self, experiments: Experiments) -> None:
        made = experiments.create(OWNER, NewExperiment(name="a", tags={"k": "1"}))
        experiments.set_tag(OWNER, made.id, "k", "2")
        assert experiments.get(OWNER, made.id).tags == {"k": "2"}
        experiments.delete_tag(OWNER, made.id, "k")
        with pytest.raises(TagNotFound):
            experiments.delete_tag(OWNER, made.id, "k")
        with pytest.raises(BadKey):
            experiments.set_tag(OWNER, made.id, "../k", "2")

    def test_searches_come_in_pages(self, experiments: Experiments) -> None:
        for number in range(5):
            experiments.create(OWNER, NewExperiment(name=f"e{number}"))
        first = experiments.search(
            OWNER, ExperimentQuery(limit=3, order_by=["name ASC"], filter="name LIKE 'e%'")
        )
        rest = experiments.search(
            OWNER,
            ExperimentQuery(
                limit=3,
                order_by=["name ASC"],
                filter="name LIKE 'e%'",
                page_token=first.next_page_token,
            ),
        )
        names = [one.name for one in [*first.experiments, *rest.experiments]]
        assert names == ["e0", "e1", "e2", "e3", "e4"]
        assert rest.next_page_token == ""


class TestTracking:
    def test_a_run_is_one_of_the_lineage(self, tracking: Tracking, lineage: Lineage) -> None:
        parent = tracking.start(OWNER, NewTrackedRun(name="parent")).info
        child = tracking.start(
            OWNER, NewTrackedRun(user="ann", tags={"mlflow.parentRunId": parent.id})
        ).info
        run = lineage.run(OWNER, child.id)
        assert (run.parent, run.kind, run.state) == (parent.id, "mlflow", "running")
        assert child.artifact_uri == f"mlflow-artifacts:/0/{child.id}/artifacts"
        told = tracking.run(OWNER, child.id)
        assert told.info.user == "ann"
        assert told.tags["mlflow.runName"] == child.name == run.name

    def test_a_name_is_said_once(self, tracking: Tracking) -> None:
        tags = {"mlflow.runName": "b"}
        with pytest.raises(Unloggable, match="Both 'run_name' argument"):
            tracking.start(OWNER, NewTrackedRun(name="a", tags=tags))
        run = tracking.start(OWNER, NewTrackedRun(tags=tags)).info
        assert run.name == "b"
        tracking.set_tag(OWNER, run.id, "mlflow.runName", "c")
        assert tracking.run(OWNER, run.id).info.name == "c"
        tracking.update(OWNER, run.id, RunChange(name="d"))
        assert tracking.run(OWNER, run.id).tags["mlflow.runName"] == "d"

    def test_one_that_ended_may_go_on(
        self, tracking: Tracking, lineage: Lineage, clock: FixedClock
    ) -> None:
        run = tracking.start(OWNER, NewTrackedRun()).info
        ended = clock.now() + timedelta(hours=1)
        tracking.update(OWNER, run.id, RunChange(state="failed", ended_at=ended))
        tracking.log(OWNER, run.id, Batch(metrics=[NewMetric(key="m", value=1)]))
        info = tracking.update(OWNER, run.id, RunChange(state="running"))
        assert (info.state, info.ended_at) == ("running", ended)
        assert lineage.run(OWNER, run.id).state == "running"

    def test_a_batch_is_kept_whole_or_not_at_all(self, tracking: Tracking) -> None:
        run = tracking.start(OWNER, NewTrackedRun()).info
        tracking.log(OWNER, run.id, Batch(params={"a": "1"}))
        with pytest.raises(ParamChanged, match="'old_value': '1', 'new_value': '2'"):
            tracking.log(
                OWNER,
                run.id,
                Batch(
                    metrics=[NewMetric(key="m", value=1)],
                    params={"b": "1", "a": "2"},
                    tags={"t": "1"},
                ),
            )
        told = tracking.run(OWNER, run.id)
        assert (dict(told.params), dict(told.metrics)) == ({"a": "1"}, {})
        assert "t" not in told.tags

    def test_limits_are_named_and_long_values_cut(self, tracking: Tracking) -> None:
        run = tracking.start(OWNER, NewTrackedRun()).info
        many = [NewMetric(key="m", value=1, step=step) for step in range(1001)]
        with pytest.raises(BatchTooLarge, match="Got 1001 metrics"):
            tracking.log(OWNER, run.id, Batch(metrics=many))
        with pytest.raises(BatchTooLarge, match="at most 1000 metrics, params, and tags"):
            tracking.log(OWNER, run.id, Batch(metrics=many[:1000], params={"a": "1"}))
        with pytest.raises(BadKey, match="maximum length of 250"):
            tracking.log(OWNER, run.id, Batch(params={"k" * 251: "1"}))
        for key in ("", ".", "a/../b", "/a", "a#", "\x00"):
            with pytest.raises(BadKey):
                tracking.log(OWNER, run.id, Batch(metrics=[NewMetric(key=key, value=1)]))
        tracking.log(OWNER, run.id, Batch(params={"é:a b/c-d_e.f": "x" * 7000}))
        tracking.set_tag(OWNER, run.id, "t", "x" * 9000)
        told = tracking.run(OWNER, run.id)
        assert (len(told.params["é:a b/c-d_e.f"]), len(told.tags["t"])) == (6000, 8000)

    def test_a_run_of_ours_joins_the_default_experiment_when_it_logs(
        self, tracking: Tracking, lineage: Lineage
    ) -> None:
        run = lineage.start_run(OWNER, NewRun(kind="script", name="train"))
        with pytest.raises(TrackedRunNotFound):
            tracking.run(OWNER, run.id)
        tracking.log(OWNER, run.id, Batch(metrics=[NewMetric(key="m", value=math.nan)]))
        told = tracking.run(OWNER, run.id)
        assert (told.info.experiment, told.info.name) == ("0", "train")
        assert math.isnan(tracking.metrics(OWNER, run.id)[0].value)
        with pytest.raises(TrackedRunNotFound):
            tracking.log(OWNER, new_id(), Batch(params={"a": "1"}))

    def test_runs_are_deleted_restored_and_found(self, tracking: Tracking) -> None:
        kept, gone = (tracking.start(OWNER, NewTrackedRun(name=name)).info for name in "ab")
        tracking.delete(OWNER, gone.id)
        tracking.delete(OWNER, gone.id)
        query = RunQuery(experiments=["0"])
        assert [run.info.id for run in tracking.search(OWNER, query).runs] == [kept.id]
        deleted = RunQuery(experiments=["0"], view="deleted")
        assert [run.info.id for run in tracking.search(OWNER, deleted).runs] == [gone.id]
        tracking.restore(OWNER, gone.id)
        page = tracking.search(OWNER, RunQuery(experiments=["0"], limit=1))
        rest = RunQuery(experiments=["0"], limit=1, page_token=page.next_page_token)
        found = [*page.runs, *tracking.search(OWNER, rest).runs]
        assert {run.info.id for run in found} == {kept.id, gone.id}


class TestWriteQueue:
    def test_what_fails_is_undone_alone(self, sqlite: Database, tracking: Tracking) -> None:
        run = tracking.start(OWNER, NewTrackedRun()).info
        queue = WriteQueue(sqlite)
        queue.start()

        async def write(number: int) -> None:
            params = {"same": str(number % 2), f"own{number}": "1"}
            await queue.run(lambda: tracking.log(OWNER, run.id, Batch(params=params)))

        async def write_all() -> list[BaseException | None]:
            return await asyncio.gather(*map(write, range(20)), return_exceptions=True)

        try:
            results = asyncio.run(write_all())
        finally:
            queue.stop()
        assert [isinstance(result, ParamChanged) for result in results] == [False, True] * 10
        kept = dict(tracking.run(OWNER, run.id).params)
        assert kept == {"same": "0"} | {f"own{number}": "1" for number in range(0, 20, 2)}

    def test_what_several_ask_for_is_done_in_one_go_and_refused_alone(
        self, sqlite: Database, tracking: Tracking
    ) -> None:
        runs = [tracking.start(OWNER, NewTrackedRun()).info.id for _ in range(4)]
        tracking.delete(OWNER, runs[1])
        queue = WriteQueue(sqlite)
        sizes: list[int] = []

        def log(logs: list[RunLog]) -> list[None]:
            sizes.append(len(logs))
            tracking.log_points(OWNER, logs)
            return [None] * len(logs)

        def start(news: list[NewTrackedRun]) -> list[str]:
            return [run.info.id for run in tracking.start_all(OWNER, news)]

        async def ask_all() -> list[Any]:
            points = [KeyedPoint("loss", 1, 1, 0.5)]
            logs = [RunLog(run, points, {"lr": run}, {"t": run}) for run in [*runs, runs[0]]]
            asked: list[Any] = [queue.share(log, each) for each in logs]
            asked += [
                queue.share(start, NewTrackedRun(name=name, experiment=experiment))
                for name, experiment in (("a", "0"), ("b", "404"), ("c", "0"))
            ]
            queue.start()
            return await asyncio.gather(*asked, return_exceptions=True)

        try:
            told = asyncio.run(ask_all())
        finally:
            queue.stop()
        assert sizes == [5, 1, 1, 1, 1, 1]
        assert [type(each) for each in told[:5]] == [type(None), RunDeleted, *[type(None)] * 3]
        for run in (runs[0], *runs[2:]):
            found = tracking.run(OWNER, run)
            assert (found.params, found.tags["t"]) == ({"lr": run}, run)
            assert found.metrics == {"loss": Point(1, 1, 0.5)}
        assert tracking.run(OWNER, runs[1]).params == {}
        opened, refused, another = told[5:]
        assert isinstance(refused, ExperimentNotFound)
        names = [tracking.run(OWNER, run).info.name for run in (opened, another)]
        assert names == ["a", "c"]

    def test_a_commit_whose_end_nobody_knows_is_not_done_again(
        self, sqlite: Database, tracking: Tracking, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began: list[bool] = []
        transaction = sqlite.transaction

        @contextmanager
        def cut(*, flat: bool = False) -> Iterator[Connection]:
            began.append(flat)
            with transaction(flat=flat) as connection:
                yield connection
            if flat:
                raise DatabaseUnavailable(OSError("the answer to COMMIT is lost"))

        def start(news: list[NewTrackedRun]) -> list[str]:
            return [run.info.id for run in tracking.start_all(OWNER, news)]

        async def ask() -> Any:
            asked = [queue.share(start, NewTrackedRun(name="once")) for _ in range(2)]
            queue.start()
            return await asyncio.gather(*asked, return_exceptions=True)

        queue = WriteQueue(sqlite)
        monkeypatch.setattr(sqlite, "transaction", cut)
        try:
            told = asyncio.run(ask())
        finally:
            queue.stop()
        assert [type(each) for each in told] == [DatabaseUnavailable] * 2
        assert began.count(True) == 1
        assert (
            len(
                tracking.search(OWNER, RunQuery(experiments=["0"], filter="run_name = 'once'")).runs
            )
            == 2
        )

    def test_a_full_disk_leaves_nothing_half_written(
        self, sqlite: Database, tracking: Tracking
    ) -> None:
        run = tracking.start(OWNER, NewTrackedRun()).info
        queue = WriteQueue(sqlite)
        queue.start()

        async def write(number: int) -> None:
            params = {f"own{number}": "x" * 6000}
            await queue.run(lambda: tracking.log(OWNER, run.id, Batch(params=params)))

        async def write_all() -> list[BaseException | None]:
            return await asyncio.gather(*map(write, range(100)), return_exceptions=True)

        with sqlite.transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        try:
            with sqlite.transaction() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}")
            results = asyncio.run(write_all())
            with sqlite.transaction() as connection:
                connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
            kept = {f"own{number}" for number, result in enumerate(results) if result is None}
            assert any(isinstance(result, DatabaseFull) for result in results)
            assert {type(result) for result in results} <= {DatabaseFull, type(None)}
            assert set(tracking.run(OWNER, run.id).params) == kept
            asyncio.run(write(1000))
        finally:
            queue.stop()
        assert "own1000" in tracking.run(OWNER, run.id).params


def test_sql_reads_what_runs_told(experiments: Experiments, tracking: Tracking) -> None:
    run = tracking.start(OWNER, NewTrackedRun(name="one")).info.id
    loss = NewMetric(key="loss", value=0.5, step=3)
    tracking.log(OWNER, run, Batch(metrics=[loss], params={"lr": "0.1"}, tags={"t": "x"}))
    found = {item.name: item.scan(OWNER, "").rows for item in relations(experiments, tracking)}
    [point] = found["metrics"]
    assert (point["run"], point["experiment"]) == (run, "Default")
    assert (point["key"], point["value"], point["step"]) == ("loss", 0.5, 3)
    [param] = found["params"]
    assert (param["key"], param["value"]) == ("lr", "0.1")
    assert {"t": "x"}.items() <= {row["key"]: row["value"] for row in found["run_tags"]}.items()
