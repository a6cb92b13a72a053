"""What every store of experiments and runs must do."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from athanor.kernel.ids import new_id
from athanor.lineage.store import LineageStore
from athanor.testing.lineage import a_run
from athanor.tracking import (
    Experiment,
    ExperimentExists,
    HistoryQuery,
    KeyedPoint,
    Point,
    RunSearch,
)
from athanor.tracking.logic.search import (
    experiment_filter,
    experiment_orders,
    run_filter,
    run_orders,
)
from athanor.tracking.store import ExperimentStore, TrackedRunStore
from athanor.tracking.store.experiments import ExperimentSearch
from athanor.tracking.store.runs import Membership
from athanor.tracking.types import Lifecycle

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_LATER = _AT + timedelta(hours=1)
_ALL: tuple[Lifecycle, ...] = ("active", "deleted")

_EXPERIMENTS_FOUND: list[tuple[str, list[str]]] = [
    ("", ["churn 1", "churn 2", "Fraud"]),
    ("name LIKE 'churn%'", ["churn 1", "churn 2"]),
    ("name ILIKE 'fraud'", ["Fraud"]),
    ("name LIKE 'fraud'", []),
    ("name != 'Fraud'", ["churn 1", "churn 2"]),
    ("tags.team = 'a'", ["churn 2", "Fraud"]),
    ("tags.team != 'a'", ["churn 1"]),
    ("tags.`team` LIKE 'a%' AND name = 'Fraud'", ["Fraud"]),
    (f"creation_time >= {int(_AT.timestamp() * 1000)}", ["churn 1", "churn 2", "Fraud"]),
    (f"creation_time > {int(_AT.timestamp() * 1000)}", []),
]
_RUNS_FOUND = [
    ("", "abcd"),
    ("metrics.loss < 0.5", "a"),
    ("metrics.loss >= 0.5 AND metrics.loss <= 0.5", "b"),
    ("metrics.loss != 0.5", "ac"),
    ("metrics.`two words` = 0", ""),
    ("params.lr = '0.1'", "ab"),
    ("params.lr != '0.1'", "c"),
    ("params.lr LIKE '0.%'", "abc"),
    ("params.opt ILIKE 'ADAM'", "a"),
    ("params.opt LIKE 'ADAM'", ""),
    ("params.opt LIKE 'a_am'", "a"),
    ("params.opt IS NULL", "bcd"),
    ("params.opt IS NOT NULL", "a"),
    ("tags.team = 'x' AND params.lr = '0.1'", "a"),
    ("tags.team != 'x'", "b"),
    ("tags.`team` IS NULL", "cd"),
    ("attributes.status = 'RUNNING'", "abd"),
    ("status = 'FAILED'", "c"),
    ("run_name = 'a'", "a"),
    ("attributes.run_name ILIKE 'A'", "a"),
    ("user_id = 'ann'", "abcd"),
    ("attributes.run_id IN ('nobody')", ""),
    (f"run_id NOT IN ({', '.join(repr(str(number)) for number in range(200))})", "abcd"),
    (f"run_id IN ({', '.join(repr(str(number)) for number in range(200))})", ""),
    (f"start_time > {int(_AT.timestamp() * 1000)}", "bcd"),
    (f"start_time = {int(_AT.timestamp() * 1000)}", "a"),
    ("end_time > 0", "c"),
]
_RUNS_ORDERED: list[tuple[list[str], str]] = [
    ([], "dcba"),
    (["start_time ASC"], "abcd"),
    (["metrics.loss ASC"], "abcd"),
    (["metrics.loss DESC"], "bacd"),
    (["params.lr DESC"], "cbad"),
    (["tags.team"], "abdc"),
    (["attributes.run_name DESC"], "dcba"),
    (["end_time ASC"], "cdba"),
    (["status ASC", "start_time ASC"], "cabd"),
]


def an_experiment(name: str = "churn", **fields: Any) -> Experiment:
    """An experiment that takes the next number."""
    values: dict[str, Any] = {
        "id": "",
        "name": name,
        "artifact_location": "",
        "created_at": _AT,
        "updated_at": _AT,
    }
    return Experiment(**(values | fields))


class ExperimentStoreContract:
    """Subclass it with a fixture `store`, an empty store."""

    def test_experiments_are_numbered_and_keep_their_files_there(
        self, store: ExperimentStore
    ) -> None:
        first = store.add(an_experiment("a", id="0"))
        second = store.add(an_experiment("b", tags={"team": "ä"}))
        third = store.add(an_experiment("c", artifact_location="s3://bucket/c"))
        assert [first.id, second.id, third.id] == ["0", "1", "2"]
        assert second.artifact_location == "mlflow-artifacts:/1"
        assert third.artifact_location == "s3://bucket/c"
        assert store.find("1") == second
        assert second.tags == {"team": "ä"}
        assert store.find("7") is None

    def test_a_project_has_a_name_once(self, store: ExperimentStore) -> None:
        kept = store.add(an_experiment("a"))
        other = store.add(an_experiment("a", project="other"))
        with pytest.raises(ExperimentExists):
            store.add(an_experiment("a"))
        renamed = store.add(an_experiment("b"))
        with pytest.raises(ExperimentExists):
            store.rename(renamed.id, "a", _LATER)
        assert store.find_by_name("default", "a") == kept
        assert store.find_by_name("other", "a") == other

    def test_names_tags_and_lifecycles_change(self, store: ExperimentStore) -> None:
        made = store.add(an_experiment("a"))
        store.rename(made.id, "b", _LATER)
        store.set_tags(made.id, {"k": "1", "l": "2"})
        store.set_tags(made.id, {"k": "3"})
        assert store.remove_tag(made.id, "l")
        assert not store.remove_tag(made.id, "l")
        store.set_lifecycle(made.id, "deleted", _LATER)
        found = store.find(made.id)
        assert found is not None
        assert (found.name, found.tags, found.lifecycle) == ("b", {"k": "3"}, "deleted")
        assert found.updated_at == _LATER

    def test_experiments_are_searched(self, store: ExperimentStore) -> None:
        for name, team in (("churn 2", "a"), ("churn 1", "b"), ("Fraud", "a")):
            store.add(an_experiment(name, tags={"team": team}))
        for filter_, names in _EXPERIMENTS_FOUND:
            conditions, order = experiment_filter(filter_), experiment_orders(["name ASC"])
            search = ExperimentSearch("default", ("active",), conditions, order, (10, 0))
            found = sorted((one.name for one in store.search(search)), key=str.lower)
            assert found == names, filter_


class TrackedRunStoreContract:
    """Subclass it with fixtures `store`, `search`, `experiments` and `lineage` of one database."""

    @pytest.fixture
    def experiment(self, experiments: ExperimentStore) -> Experiment:
        return experiments.add(an_experiment())

    def make(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: str, **fields: Any
    ) -> str:
        """A run of an experiment."""
        run = lineage.add_run(a_run(**fields))
        store.add(
            Membership(
                run=run.id,
                experiment=experiment,
                lifecycle="active",
                user="ann",
                artifact_uri=f"mlflow-artifacts:/{experiment}/{run.id}/artifacts",
                started_at=run.started_at,
            )
        )
        return run.id

    def test_a_run_comes_back_with_all_that_it_told(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        run = self.make(store, lineage, experiment.id, ended_at=_LATER, state="done")
        assert store.lifecycle(run) == "active"
        assert store.lifecycle(new_id()) is None
        assert store.add_params(run, {"lr": "0.1", "ä": ""}) == []
        store.set_tags({run: {"k": "1"}})
        store.set_tags({run: {"k": "2", "l": "3"}})
        store.add_points({run: [KeyedPoint("loss", 5_000, 1, 0.5)]})
        infos = store.infos([run, new_id()])
        (loaded,) = store.load([infos[run]])
        assert loaded.info.started_at == _AT
        assert loaded.info.ended_at == _LATER
        assert loaded.info.state == "done"
        assert loaded.params == {"lr": "0.1", "ä": ""}
        assert loaded.tags == {"k": "2", "l": "3"}
        assert loaded.metrics == {"loss": Point(5_000, 1, 0.5)}
        assert store.remove_tag(run, "l")
        assert not store.remove_tag(run, "l")

    def test_a_run_joins_one_experiment(
        self,
        store: TrackedRunStore,
        lineage: LineageStore,
        experiments: ExperimentStore,
        experiment: Experiment,
    ) -> None:
        other = experiments.add(an_experiment("other"))
        run = self.make(store, lineage, experiment.id)
        info = store.infos([run])[run]
        store.add(Membership(run, other.id, "active", "ben", "elsewhere", _LATER))
        assert store.infos([run])[run] == info

    def test_a_parameter_is_set_once(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        run = self.make(store, lineage, experiment.id)
        assert store.add_params(run, {"a": "1", "b": "2"}) == []
        assert store.add_params(run, {"b": "2", "c": "3"}) == []
        assert store.add_params(run, {"a": "9", "c": "3"}) == [("a", "1", "9")]
        assert next((param.key, param.value) for param in store.params(run)) == ("a", "1")

    def test_points_are_kept_exactly_and_once(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        run = self.make(store, lineage, experiment.id)
        values = [0.1, -0.0, 1e-320, 1.7976931348623157e308, math.inf, -math.inf, 2**53 + 1.0]
        points = [KeyedPoint("m", at, -at, value) for at, value in enumerate(values)]
        for _ in range(2):
            store.add_points({run: [*points, KeyedPoint("m", 99, 0, math.nan)]})
        found = store.history(run, "m", HistoryQuery())
        assert [(point.at, point.step) for point in found[:-1]] == [
            (at, -at) for at in range(len(values))
        ]
        assert [point.value for point in found[:-1]] == values
        assert math.isnan(found[-1].value)
        assert len(found) == len(values) + 1
        assert store.history(run, "n", HistoryQuery()) == []

    def test_the_last_point_is_that_of_the_greatest_step_time_and_value(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        run = self.make(store, lineage, experiment.id)
        steps = [
            ([KeyedPoint("m", 10, 5, 1.0)], Point(10, 5, 1.0)),
            ([KeyedPoint("m", 99, 4, 9.0)], Point(10, 5, 1.0)),
            ([KeyedPoint("m", 10, 5, 0.5), KeyedPoint("m", 9, 5, 7.0)], Point(10, 5, 1.0)),
            ([KeyedPoint("m", 10, 5, 2.0)], Point(10, 5, 2.0)),
            ([KeyedPoint("m", 11, 5, -3.0)], Point(11, 5, -3.0)),
            ([KeyedPoint("m", 0, 6, 0.0), KeyedPoint("m", 0, 7, 1.0)], Point(0, 7, 1.0)),
        ]
        for points, last in steps:
            store.add_points({run: points})
            assert store.latest(run) == {"m": last}
        store.add_points({run: [KeyedPoint("m", 0, 8, math.nan)]})
        assert math.isnan(store.latest(run)["m"].value)

    def test_points_of_several_runs_are_added_in_one_go(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        runs = [self.make(store, lineage, experiment.id) for _ in range(3)]
        given = {
            run: [
                KeyedPoint(key, 10 * number, number, float(number))
                for number in range(2, 8)
                for key in keys
            ]
            for run, keys in zip(runs, ("ab", "bcdefghijk", "a"), strict=True)
        }
        store.add_points(given)
        store.add_points({runs[2]: [KeyedPoint("a", 5, 1, 9.0)], runs[0]: given[runs[0]][-2:]})
        for run, keys in zip(runs, ("ab", "bcdefghijk", "a"), strict=True):
            assert store.latest(run) == {key: Point(70, 7, 7.0) for key in keys}
            for key in keys:
                early = [Point(5, 1, 9.0)] if run == runs[2] else []
                late = [Point(10 * number, number, float(number)) for number in range(2, 8)]
                assert store.history(run, key, HistoryQuery()) == early + late
        assert store.lifecycles([*runs, new_id()]) == dict.fromkeys(runs, "active")

    def test_a_history_is_read_in_pages_and_by_steps(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: Experiment
    ) -> None:
        run = self.make(store, lineage, experiment.id)
        store.add_points({run: [KeyedPoint("m", 100 - at, at, 0.0) for at in range(50)]})
        first = store.history(run, "m", HistoryQuery(limit=20))
        rest = store.history(run, "m", HistoryQuery(limit=40, offset=20))
        assert [point.at for point in first + rest] == list(range(51, 101))
        some = store.history(run, "m", HistoryQuery(first_step=10, last_step=12))
        assert sorted(point.step for point in some) == [10, 11, 12]
        assert len(store.history(run, "m", HistoryQuery(offset=45))) == 5

    def test_deleting_an_experiment_deletes_its_runs(
        self,
        store: TrackedRunStore,
        lineage: LineageStore,
        experiments: ExperimentStore,
        experiment: Experiment,
    ) -> None:
        run = self.make(store, lineage, experiment.id)
        store.set_lifecycle(run, "deleted", _LATER)
        assert store.lifecycle(run) == "deleted"
        experiments.set_lifecycle(experiment.id, "active", _LATER)
        assert store.lifecycle(run) == "active"
        experiments.set_lifecycle(experiment.id, "deleted", _LATER)
        assert store.lifecycle(run) == "deleted"

    def test_runs_are_found_by_conditions(
        self,
        store: TrackedRunStore,
        search: RunSearch,
        lineage: LineageStore,
        experiment: Experiment,
    ) -> None:
        names = self.some_runs(store, lineage, experiment.id)
        for filter_, found in _RUNS_FOUND:
            conditions = run_filter(filter_)
            ids = search.find([experiment.id], _ALL, conditions, run_orders([]), page=(10, 0))
            assert "".join(sorted(names[id_] for id_ in ids)) == found, filter_

    def test_runs_are_ordered(
        self,
        store: TrackedRunStore,
        search: RunSearch,
        lineage: LineageStore,
        experiment: Experiment,
    ) -> None:
        names = self.some_runs(store, lineage, experiment.id)
        for texts, found in _RUNS_ORDERED:
            orders = run_orders(texts)
            ids = search.find([experiment.id], ("active",), (), orders, page=(10, 0))
            assert "".join(names[id_] for id_ in ids) == found, texts
            paged = [
                id_
                for at in range(0, 4, 2)
                for id_ in search.find([experiment.id], ("active",), (), orders, page=(2, at))
            ]
            assert paged == ids
        many = [experiment.id, *map(str, range(1000, 60_000))]
        assert len(search.find(many, ("active",), (), run_orders([]), page=(10, 0))) == 4
        assert search.find(["7"], ("active",), (), run_orders([]), page=(10, 0)) == []

    def some_runs(
        self, store: TrackedRunStore, lineage: LineageStore, experiment: str
    ) -> dict[str, str]:
        """Four runs, each an hour after the other; c has a NaN, d nothing."""
        made = {}
        for hours, name in enumerate("abcd"):
            more = {"state": "failed", "ended_at": _LATER} if name == "c" else {}
            run = self.make(
                store,
                lineage,
                experiment,
                name=name,
                started_at=_AT + timedelta(hours=hours),
                **more,
            )
            made[run] = name
        a, b, c, _ = made
        for run, loss in ((a, 0.25), (b, 0.5), (c, math.nan)):
            store.add_points({run: [KeyedPoint("loss", 1, 1, loss)]})
        for run, rate in ((a, "0.1"), (b, "0.1"), (c, "0.2")):
            store.add_params(run, {"lr": rate})
        store.add_params(a, {"opt": "adam"})
        store.set_tags({a: {"team": "x"}, b: {"team": "y"}})
        return made
