"""What the features room's stores must do; and a features room of a test's own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from athanor.features import (
    Building,
    DefinitionStore,
    Entity,
    FeatureHolder,
    Features,
    FeatureService,
    FeatureView,
    FeatureViews,
    Field,
    Ground,
    HistoryStore,
    OnlineFeatures,
    OnlineStore,
    SqlDefinitionStore,
    SqlHistoryStore,
    SqlOnlineStore,
    Stores,
    TrainingSets,
    ViewSource,
    ViewVersion,
)
from athanor.features.records import OnlineRecord, Pushed
from athanor.features.store.history import PendingRow
from athanor.features.types import Materialization
from athanor.kernel import Clock
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.workers import Workers
from athanor.testing.data import DataRoom

_AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesRoom:
    """Every service of the room."""

    data: DataRoom
    stores: Stores
    features: Features
    views: FeatureViews
    training: TrainingSets
    online: OnlineFeatures
    holder: FeatureHolder


def open_features_room(
    data: DataRoom, workers: Workers, clock: Clock, *, rows: OnlineStore | None = None
) -> FeaturesRoom:
    """A features room over a data room; its online rows in the database where nothing is said."""
    stores = Stores(
        definitions=SqlDefinitionStore(data.database),
        history=SqlHistoryStore(data.database),
        online=rows or SqlOnlineStore(data.database),
    )
    ground = Ground(
        database=data.database,
        storage=data.storage,
        events=data.events,
        access=OwnerAccess(),
        clock=clock,
        workers=workers,
        lineage=data.lineage,
        datasets=data.datasets,
        sql=data.sql,
    )
    building = Building(stores, ground)
    online = OnlineFeatures(stores, ground, building)
    online.attach(data.jobs)
    return FeaturesRoom(
        data=data,
        stores=stores,
        features=Features(stores, ground),
        views=FeatureViews(stores, ground, building),
        training=TrainingSets(stores, ground, building),
        online=online,
        holder=FeatureHolder(stores, ground),
    )


def a_view(name: str = "spending", **fields: Any) -> FeatureView:
    """A view of customers' spending."""
    values: dict[str, Any] = {
        "name": name,
        "entities": ("customer",),
        "source": ViewSource(dataset="purchases"),
        "event_time": "at",
        "features": (Field(name="amount", type="number"),),
        "revision": 1,
        "created_at": _AT,
        "created_by": "ann",
    }
    return FeatureView(**(values | fields))


def a_view_version(number: int = 1, **fields: Any) -> ViewVersion:
    """A version of that view."""
    values: dict[str, Any] = {
        "view": "spending",
        "number": number,
        "revision": 1,
        "base": 1,
        "bounds": ((1, 10),),
        "artifact_id": "a" * 32,
        "run_id": "b" * 32,
        "digest": "sha256:aa",
        "blob": "sha256:bb",
        "rows": 10,
        "keys": 3,
        "fields": (Field(name="amount", type="number"),),
        "key_types": ("integer",),
        "unique": True,
        "created": False,
        "first_event": _AT - timedelta(days=1),
        "last_event": _AT,
        "sources": {"purchases@1": "c" * 32},
        "created_at": _AT,
        "created_by": "ann",
    }
    return ViewVersion(**(values | fields))


def a_record(key: str = "1", event: int = 10, **fields: Any) -> OnlineRecord:
    """An online row."""
    values: dict[str, Any] = {
        "key": key, "event": event, "created": None, "ordinal": 0, "packed": b"\x80"
    }  # fmt: skip
    return OnlineRecord(**(values | fields))


class DefinitionStoreContract:
    """Subclass it with a fixture `store`."""

    def test_a_definition_comes_back_as_it_was_put(self, store: DefinitionStore) -> None:
        view = a_view(tags={"team": "a"}, ttl=3.5)
        store.put("view", view)
        assert store.find("view", "default", "spending") == view
        assert store.find("view", "other", "spending") is None
        assert store.find("service", "default", "spending") is None

    def test_putting_again_replaces(self, store: DefinitionStore) -> None:
        store.put("view", a_view())
        store.put("view", a_view(revision=2, ttl=1.0))
        found = store.find("view", "default", "spending")
        assert isinstance(found, FeatureView)
        assert (found.revision, found.ttl) == (2, 1.0)

    def test_kinds_are_listed_apart_by_project_and_name(self, store: DefinitionStore) -> None:
        store.put("entity", Entity(name="customer", created_at=_AT))
        for project, name in (("b", "x"), ("a", "z"), ("a", "y")):
            service = FeatureService(name=name, features=("v",), project=project, created_at=_AT)
            store.put("service", service)
        assert [item.name for item in store.listed("service")] == ["y", "z", "x"]
        assert [item.name for item in store.listed("service", "b")] == ["x"]
        assert [item.name for item in store.listed("entity")] == ["customer"]

    def test_removing_says_whether_there_was_one(self, store: DefinitionStore) -> None:
        store.put("view", a_view())
        assert store.remove("view", "default", "spending")
        assert not store.remove("view", "default", "spending")


class HistoryStoreContract:
    """Subclass it with a fixture `store`."""

    def test_versions_come_back_newest_first(self, store: HistoryStore) -> None:
        first, second = a_view_version(1), a_view_version(2, state="refused")
        store.append_version(first)
        store.append_version(second)
        assert store.versions("default", "spending") == [second, first]
        assert store.find_version("default", "spending", None) == first
        assert store.find_version("default", "spending", 2) == second
        assert store.find_version("default", "spending", 3) is None

    def test_pushed_rows_are_counted_and_kept_in_order(self, store: HistoryStore) -> None:
        assert store.count_pushes("default", "spending", 2) == 1
        assert store.count_pushes("default", "spending", 1) == 3
        assert store.count_pushes("default", "other", 1) == 1
        rows = [PendingRow(seq=seq, version=1, row={"amount": seq}) for seq in (1, 2, 3)]
        store.add_pushes("default", "spending", rows, _AT)
        assert store.pending("default", "spending") == rows
        assert store.forget_pending("default", "spending", 2) == 2
        assert store.pending("default", "spending") == rows[2:]

    def test_a_receipt_is_kept_by_its_key(self, store: HistoryStore) -> None:
        pushed = Pushed(view="spending", rows=2, online=1)
        store.keep_receipt("default", pushed, "k", _AT)
        assert store.receipt("default", "spending", "k") == pushed
        assert store.receipt("default", "spending", "j") is None

    def test_how_far_a_view_is_online_is_what_was_said_last(self, store: HistoryStore) -> None:
        state = Materialization(
            view="spending", version=1, until=_AT, state="running", full=True, started_at=_AT
        )
        store.put_materialization(state)
        assert store.materialization("default", "spending") == state
        store.remove_view("default", "spending")
        assert store.materialization("default", "spending") is None


class OnlineStoreContract:
    """Subclass it with a fixture `store`."""

    def _events(self, store: OnlineStore, key: str = "1") -> dict[str, int]:
        return {view: event for view, event, _ in store.read("s", key)}

    def test_a_later_row_replaces_an_earlier_one_and_never_back(self, store: OnlineStore) -> None:
        assert store.put("s", "v", 1, [a_record(event=10)]) == 1
        assert store.put("s", "v", 1, [a_record(event=9)]) == 0
        assert self._events(store) == {"v": 10}
        assert store.put("s", "v", 1, [a_record(event=11, packed=b"\x81")]) == 1
        assert list(store.read("s", "1")) == [("v", 11, b"\x81")]

    def test_ties_go_by_the_created_time_then_by_ingestion(self, store: OnlineStore) -> None:
        store.put("s", "v", 1, [a_record(created=5, ordinal=7, packed=b"a")])
        store.put("s", "v", 1, [a_record(created=None, ordinal=9, packed=b"b")])
        store.put("s", "v", 1, [a_record(created=5, ordinal=6, packed=b"c")])
        assert [row[2] for row in store.read("s", "1")] == [b"a"]
        store.put("s", "v", 1, [a_record(created=5, ordinal=8, packed=b"d")])
        assert [row[2] for row in store.read("s", "1")] == [b"d"]
        store.put("s", "v", 1, [a_record(created=6, ordinal=0, packed=b"e")])
        assert [row[2] for row in store.read("s", "1")] == [b"e"]

    def test_a_replaced_history_takes_its_rows_back(self, store: OnlineStore) -> None:
        store.put("s", "v", 1, [a_record(event=99), a_record(key="2", event=5)])
        store.put("s", "w", 1, [a_record(key="2", event=5)])
        assert store.put("s", "v", 2, [a_record(event=10)]) == 1
        assert store.remove_older("v", 2) == 1
        assert self._events(store) == {"v": 10}
        assert self._events(store, "2") == {"w": 5}

    def test_one_key_gives_all_its_views(self, store: OnlineStore) -> None:
        for view in ("a", "b", "c"):
            store.put("s", view, 1, [a_record(), a_record(key="2")])
        store.put("t", "a", 1, [a_record(event=77)])
        assert self._events(store) == {"a": 10, "b": 10, "c": 10}
        assert store.count("a") == 3
        assert (store.holds("a"), store.holds("d")) == (True, False)
        assert sorted(store.keys("s")) == ["1", "2"]
        assert store.erase("s", "1") == 3
        assert self._events(store) == {}
        assert store.remove_view("a") == 2
        assert not store.holds("a")
