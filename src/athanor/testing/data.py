"""What every `DataStore` and `WatchStore` must do; and a data room of a test's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from athanor.data import (
    CheckResult,
    Column,
    Dataset,
    Datasets,
    DatasetVersion,
    DataStore,
    Expectation,
    Finder,
    Ground,
    Mark,
    MarkStore,
    Overlap,
    RecipeStore,
    Roles,
    Source,
    Sources,
    Split,
    Splits,
    Sql,
    SqlDataStore,
    SqlMarkStore,
    SqlWatchStore,
    Versions,
    Watch,
    WatchedFile,
    Watches,
    WatchStore,
)
from athanor.data.types.recipes import Recipe, Step
from athanor.kernel import Clock, Database, Events, Jobs, Storage, SystemClock, new_id
from athanor.kernel.events import SqlEventStore
from athanor.kernel.jobs import SqlJobStore
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage, SqlLineageStore

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
_LATER = _AT + timedelta(seconds=15)


def a_dataset(name: str = "churn", **fields: Any) -> Dataset:
    """A dataset without versions."""
    values: dict[str, Any] = {
        "id": new_id(),
        "project": "default",
        "name": name,
        "roles": Roles(target="left", id="customer"),
        "created_at": _AT,
        "created_by": "ann",
    }
    return Dataset(**(values | fields))


def a_version(number: int = 1, **fields: Any) -> DatasetVersion:
    """A version of two columns."""
    values: dict[str, Any] = {
        "dataset": "churn",
        "number": number,
        "state": "ready",
        "artifact_id": new_id(),
        "run_id": new_id(),
        "digest": "sha256:aa",
        "mode": "replace",
        "rows": 3_000_000_000,
        "columns": (
            Column(name="customer", type="integer", stored="int64"),
            Column(name="left", type="text", stored="string", note="was large_string"),
        ),
        "roles": Roles(target="left"),
        "left_out": {"score": "It tells the label."},
        "table_uri": "/tables/churn",
        "delta_version": number - 1,
        "files": ("a-0000.parquet", "b-0000.parquet"),
        "checks": (
            CheckResult(
                kind="range",
                column="age",
                passed=False,
                severity="fail",
                message="'age' should lie between 0 and 300; row 4 holds -4.",
                count=1,
                rows=(4,),
            ),
        ),
        "source": Source(file="churn.csv", digest="sha256:bb", size=12, format="csv"),
        "notes": ("Column 'left' was large_string.",),
        "profile_digest": "sha256:cc",
        "created_at": _AT,
        "created_by": "ann",
    }
    return DatasetVersion(**(values | fields))


class DataStoreContract:
    """Subclass it with a fixture `store`."""

    def test_a_dataset_comes_back_as_it_was_put(self, store: DataStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        assert store.find_dataset("default", "churn") == dataset
        assert store.find_dataset("default", "Churn") is None
        assert store.find_dataset("other", "churn") is None

    def test_putting_again_sets_the_roles_alone(self, store: DataStore) -> None:
        first = a_dataset()
        store.put_dataset(first)
        store.put_dataset(a_dataset(roles=Roles(target="gone"), created_by="bob"))
        found = store.find_dataset("default", "churn")
        assert found is not None
        assert (found.id, found.created_by, found.roles.target) == (first.id, "ann", "gone")

    def test_datasets_are_listed_by_name(self, store: DataStore) -> None:
        for name in ("churn", "adult", "birds"):
            store.put_dataset(a_dataset(name))
        store.put_dataset(a_dataset("else", project="other"))
        assert [item.name for item in store.list_datasets("default")] == ["adult", "birds", "churn"]
        assert [item.name for item in store.list_datasets(None)][2:] == ["churn", "else"]

    def test_a_version_comes_back_as_it_was_appended(self, store: DataStore) -> None:
        dataset, version = a_dataset(), a_version()
        store.put_dataset(dataset)
        store.append_version(dataset.id, version)
        assert store.find_version(dataset.id, 1) == version
        assert store.find_version(dataset.id, 2) is None

    def test_each_dataset_counts_from_one(self, store: DataStore) -> None:
        first, second = a_dataset(), a_dataset("adult")
        for dataset in (first, second):
            store.put_dataset(dataset)
        numbers = []
        for dataset in (first, second, first):
            numbers.append(store.next_number(dataset.id))
            store.append_version(dataset.id, a_version(numbers[-1]))
        assert numbers == [1, 1, 2]

    def test_latest_is_the_newest_that_is_ready(self, store: DataStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        assert store.latest_version(dataset.id) is None
        for number, state in ((1, "ready"), (2, "ready"), (3, "quarantined")):
            store.append_version(dataset.id, a_version(number, state=state, rows=number))
        latest = store.latest_version(dataset.id)
        assert latest is not None
        assert latest.number == 2
        assert [item.number for item in store.list_versions(dataset.id)] == [3, 2, 1]
        found = store.find_dataset("default", "churn")
        assert found is not None
        assert (found.latest, found.versions, found.rows) == (2, 3, 2)

    def test_expectations_are_none_until_they_are_set(self, store: DataStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        assert store.expectations(dataset.id) is None
        wanted = [Expectation(kind="range", column="age", parameters={"minimum": 0, "maximum": 9})]
        store.set_expectations(dataset.id, wanted)
        assert store.expectations(dataset.id) == wanted
        store.set_expectations(dataset.id, [])
        assert store.expectations(dataset.id) == []

    def test_a_version_is_found_by_time_and_digest(self, store: DataStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        for number, digest in ((1, "sha256:aabb01"), (2, "sha256:aabb02"), (3, "sha256:cc")):
            at = _AT + timedelta(seconds=number)
            version = a_version(number, digest=digest, created_at=at)
            store.append_version(dataset.id, version)
        found = store.version_at(dataset.id, _AT + timedelta(seconds=2.5))
        assert found is not None
        assert found.number == 2
        assert store.version_at(dataset.id, _AT) is None
        numbers = [item.number for item in store.versions_of_digest(dataset.id, "sha256:aabb")]
        assert numbers == [2, 1]
        assert store.newest_delta(dataset.id, "/tables/churn") == 2
        assert store.newest_delta(dataset.id, "/tables/else") is None

    def test_what_is_deleted_is_not_the_latest(self, store: DataStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        for number in (1, 2):
            store.append_version(dataset.id, a_version(number, rows=number))
        store.mark_version(dataset.id, 2, {"deleted_at": _LATER})
        latest, gone = store.latest_version(dataset.id), store.find_version(dataset.id, 2)
        assert latest is not None
        assert gone is not None
        assert (latest.number, gone.deleted_at) == (1, _LATER)
        assert store.versions_of_digest(dataset.id, "sha256:aa") == [latest]
        found = store.find_dataset("default", "churn")
        assert found is not None
        assert (found.latest, found.versions, found.rows) == (1, 1, 1)
        assert store.next_number(dataset.id) == 3
        store.mark_dataset(dataset.id, _LATER)
        found = store.find_dataset("default", "churn")
        assert found is not None
        assert found.deleted_at == _LATER


class MarkStoreContract:
    """Subclass it with the fixtures `store` and `marks`."""

    def test_a_mark_is_replaced(self, store: DataStore, marks: MarkStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        first = Mark(number=1, tags=("gold",), note="a", owners=("ann",), changed_at=_AT,
                     changed_by="ann")  # fmt: skip
        about = Mark(number=0, note="all", changed_at=_AT, changed_by="bob")
        again = Mark(number=1, tags=("old",), changed_at=_LATER, changed_by="bob")
        for mark in (first, about, again):
            marks.put_mark(dataset.id, mark)
        assert marks.list_marks(dataset.id) == [about, again]
        assert marks.list_marks("f" * 32) == []

    def test_a_split_is_put_once(self, store: DataStore, marks: MarkStore) -> None:
        dataset = a_dataset()
        store.put_dataset(dataset)
        overlap = Overlap(kind="rows", parts=("train", "test"), count=1, rows=(7,), message="One.")
        split = Split(
            name="default", number=2, kind="random", column="", seed=2**31 - 1,
            parts={"train": 7, "test": 3}, overlaps=(overlap,), assignment="sha256:aa",
            created_at=_AT, created_by="ann",
        )  # fmt: skip
        assert marks.put_split(dataset.id, split)
        assert not marks.put_split(dataset.id, split)
        assert marks.list_splits(dataset.id, 2) == [split]
        assert marks.list_splits(dataset.id, 1) == []
        assert marks.remove_split(dataset.id, 2, "default")
        assert not marks.remove_split(dataset.id, 2, "default")
        assert marks.list_splits(dataset.id, 2) == []


def a_watch(**fields: Any) -> Watch:
    """A watch on a folder."""
    values: dict[str, Any] = {
        "dataset": "churn",
        "folder": "/in",
        "mode": "append",
        "roles": Roles(target="left"),
        "created_at": _AT,
        "created_by": "ann",
    }
    return Watch(**(values | fields))


def a_file(digest: str = "sha256:aa", **fields: Any) -> WatchedFile:
    """A file that was taken."""
    values: dict[str, Any] = {
        "dataset": "churn",
        "file": "/in/a.csv",
        "digest": digest,
        "outcome": "taken",
        "version": 2,
        "message": "",
        "at": _AT,
    }
    return WatchedFile(**(values | fields))


class RecipeStoreContract:
    """Subclass it with a fixture `store`."""

    def test_a_recipe_comes_back_as_it_was_appended(self, store: RecipeStore) -> None:
        recipe = a_recipe(
            steps=(Step(operation="limit", parameters={"rows": 3, "é": [None, 0.1]}),)
        )
        store.append_recipe("default", recipe)
        assert store.find_recipe("default", "clean") == recipe
        assert store.find_recipe("default", "Clean") is None
        assert store.find_recipe("other", "clean") is None

    def test_numbers_go_on_whatever_was_removed(self, store: RecipeStore) -> None:
        assert store.next_recipe_number("default", "clean") == 1
        for number in (1, 2):
            store.append_recipe("default", a_recipe(number=number))
        assert store.remove_recipe("default", "clean")
        assert not store.remove_recipe("default", "clean")
        assert store.next_recipe_number("default", "clean") == 3
        assert store.next_recipe_number("other", "clean") == 1
        assert store.find_recipe("default", "clean") is None
        found = store.find_recipe("default", "clean", 1)
        assert found is not None
        assert found.number == 1
        assert store.find_recipe("default", "clean", 3) is None

    def test_the_newest_of_each_is_listed(self, store: RecipeStore) -> None:
        for name, number in (("b", 1), ("a", 1), ("b", 2)):
            store.append_recipe("default", a_recipe(name=name, number=number))
        store.append_recipe("other", a_recipe(name="c"))
        listed = [(item.name, item.number) for item in store.list_recipes("default")]
        assert listed == [("a", 1), ("b", 2)]
        assert [item.number for item in store.list_recipes("default", "b")] == [2, 1]
        store.remove_recipe("default", "b")
        assert [item.name for item in store.list_recipes("default")] == ["a"]

    def test_one_number_is_given_once(self, store: RecipeStore) -> None:
        store.append_recipe("default", a_recipe())
        with pytest.raises(IntegrityError):
            store.append_recipe("default", a_recipe(description="another"))


def a_recipe(name: str = "clean", number: int = 1, **fields: Any) -> Recipe:
    """A version of a recipe."""
    values: dict[str, Any] = {
        "steps": (Step(operation="trim"),),
        "description": "",
        "digest": "sha256:00",
        "created_at": _AT,
        "created_by": "ann",
    }
    return Recipe(name=name, number=number, **(values | fields))


class WatchStoreContract:
    """Subclass it with a fixture `store`."""

    def test_watches_come_back_oldest_first(self, store: WatchStore) -> None:
        young = a_watch(folder="/young", created_at=_LATER)
        for watch in (young, a_watch(), a_watch(dataset="adult", created_at=_LATER)):
            store.put_watch("default", watch)
        assert store.list_watches("default", "churn") == [a_watch(), young]
        assert len(store.list_watches()) == 3
        assert store.list_watches("other") == []

    def test_a_folder_is_watched_once_for_a_dataset(self, store: WatchStore) -> None:
        store.put_watch("default", a_watch())
        store.put_watch("default", a_watch(mode="replace"))
        assert [watch.mode for watch in store.list_watches()] == ["replace"]

    def test_a_watch_is_removed(self, store: WatchStore) -> None:
        store.put_watch("default", a_watch())
        assert not store.remove_watch("default", "churn", "/else")
        assert store.remove_watch("default", "churn", "/in")
        assert store.list_watches() == []

    def test_a_content_is_remembered_once(self, store: WatchStore) -> None:
        assert store.add_file("default", a_file())
        assert not store.add_file("default", a_file(file="/in/again.csv"))
        assert store.add_file("default", a_file(dataset="adult"))
        assert store.has_file("default", "churn", "sha256:aa")
        assert not store.has_file("default", "churn", "sha256:bb")

    def test_files_come_back_newest_first(self, store: WatchStore) -> None:
        young = a_file("sha256:bb", at=_LATER, outcome="refused", version=None, message="empty")
        for file in (a_file(), young):
            store.add_file("default", file)
        assert store.list_files("default", "churn", 10) == [young, a_file()]
        assert store.list_files("default", "churn", 1) == [young]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRoom:
    """A data room over a database and a folder, with all that it stands on."""

    database: Database
    storage: Storage
    events: Events
    jobs: Jobs
    lineage: Lineage
    store: DataStore
    datasets: Datasets
    watches: Watches
    sql: Sql
    sources: Sources
    versions: Versions
    splits: Splits

    def services(self) -> dict[type, Any]:
        """The services by their types, as the app holds them."""
        return {
            Datasets: self.datasets,
            Watches: self.watches,
            Sql: self.sql,
            Sources: self.sources,
            Versions: self.versions,
            Splits: self.splits,
        }

    def told(self, *actions: str) -> Sequence[Any]:
        """The events of these actions, oldest first."""
        found = self.events.since(0, limit=10_000)
        return [event for event in found if not actions or event.action in actions]


def open_data_room(
    database: Database, folder: Path | str, workers: Workers, clock: Clock | None = None
) -> DataRoom:
    """A data room whose tables lie in `folder`, a path or an fsspec URL."""
    ticking, access = clock or SystemClock(), OwnerAccess()
    events = Events(SqlEventStore(database), database, ticking)
    jobs = Jobs(SqlJobStore(database), ticking)
    lineage = Lineage(
        SqlLineageStore(database), database, events=events, access=access, clock=ticking
    )
    # A test's machine may be nearly full: that is another test's business.
    storage = Storage(str(folder), reserve_bytes=0)
    ground = Ground(
        database=database,
        storage=storage,
        events=events,
        access=access,
        clock=ticking,
        workers=workers,
    )
    store, marks = SqlDataStore(database), SqlMarkStore(database)
    datasets = Datasets(store, marks, lineage, ground)
    sql = Sql(datasets, ground, Finder(store, marks))
    return DataRoom(
        database=database,
        storage=storage,
        events=events,
        jobs=jobs,
        lineage=lineage,
        store=store,
        datasets=datasets,
        watches=Watches(SqlWatchStore(database), store, datasets.intake, jobs, ground),
        sql=sql,
        sources=Sources(store, marks, ground, intake=datasets.intake, sql=sql),
        versions=Versions(store, marks, ground, datasets=datasets, lineage=lineage),
        splits=Splits(store, marks, ground),
    )
