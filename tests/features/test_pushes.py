"""Pushed rows of two types never meet; those of the future make nothing fresh."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from athanor.features import Definitions, Entity, FeatureView, Field, Push, ViewSource
from athanor.features.errors import BadPush, PushedRowNotFound, PushedRowsUnreadable
from athanor.features.records import Materialize
from athanor.features.store.history import PendingRow
from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.testing import FixedClock
from athanor.testing.data import open_data_room
from athanor.testing.features import FeaturesRoom, open_features_room
from tests.data.conftest import HereWorkers
from tests.features.conftest import DAY, NOW

VISITS = FeatureView(
    name="visits",
    entities=("customer",),
    source=ViewSource(kind="push"),
    event_time="at",
    features=(Field(name="pages", type="integer"), Field(name="shown")),
)
VIEWS = Definitions(entities=(Entity(name="customer"),), views=(VISITS,))


@pytest.fixture
def visits(room: FeaturesRoom) -> FeaturesRoom:
    room.features.apply(OWNER, VIEWS)
    return room


def push(room: FeaturesRoom, *keys: Any, **more: Any) -> int:
    rows = tuple({"customer": key, "at": NOW.isoformat(), "pages": 3} | more for key in keys)
    return room.views.push(OWNER, "visits", Push(rows=rows)).rows


@pytest.mark.parametrize(("first", "other"), [(1, "2"), ("a", 2)])
def test_the_first_pushed_key_tells_the_type_of_all(
    visits: FeaturesRoom, first: Any, other: Any
) -> None:
    push(visits, None)  # a key that is missing tells nothing
    with pytest.raises(BadPush, match="'customer' should be"):
        push(visits, first, other)
    push(visits, first)
    for key in (other, "", True, 1.5):
        with pytest.raises(BadPush, match="'customer'"):
            push(visits, key)
    assert visits.views.build(OWNER, "visits").rows == 1
    assert visits.online.parity(OWNER, ["visits"]).differing == 0


def test_a_key_that_is_empty_names_nothing(visits: FeaturesRoom) -> None:
    with pytest.raises(BadPush, match="'customer' is empty"):
        push(visits, "")


def test_a_feature_without_a_declared_type_has_that_of_the_first_rows(visits: FeaturesRoom) -> None:
    push(visits, 1, shown=3)
    push(visits, 2, shown=3.5)
    with pytest.raises(BadPush, match="'shown' was number in the rows before"):
        push(visits, 3, shown="x")
    assert visits.views.build(OWNER, "visits").rows == 2


def test_a_value_that_no_column_could_hold_beside_others(visits: FeaturesRoom) -> None:
    push(visits, 1, shown=(1 << 53) + 1)
    for value in (1.5, "\ud800"):
        with pytest.raises(BadPush, match="'shown' "):
            push(visits, 2, shown=value)
    with pytest.raises(BadPush, match="'shown' holds whole numbers of more digits"):
        push(visits, 3, shown=2.0)
    push(visits, 4, shown=3)
    push(visits, 5, pages=(1 << 53) + 1)
    assert visits.views.build(OWNER, "visits").rows == 3


def test_rows_that_are_mixed_already_are_named_and_dropped(visits: FeaturesRoom) -> None:
    times = {"at": "2026-05-20T00:00:00+00:00", "pages": 3}
    kept = [
        PendingRow(seq=number, version=0, row={"customer": key} | times)
        for number, key in enumerate([1, "2", 3, "4"], start=1)
    ]
    history = visits.stores.history
    history.add_pushes("default", "visits", kept, NOW)
    with pytest.raises(BadPush, match="should be integer"):
        push(visits, "5")
    with pytest.raises(
        PushedRowsUnreadable, match=r"Row 2 and 1 other .*'visits'.*'customer'"
    ) as e:
        visits.views.build(OWNER, "visits")
    assert e.value.details["rows"] == [2, 4]
    assert "athanor feature drop visits 2 4" in e.value.hint
    with pytest.raises(PushedRowNotFound, match="No row 5"):
        visits.views.drop(OWNER, "visits", [2, 5])
    assert len(history.pending("default", "visits")) == 4
    assert visits.views.drop(OWNER, "visits", [2, 4]).rows == 2
    assert visits.views.build(OWNER, "visits").rows == 2


def test_a_dropped_row_goes_from_online_too(visits: FeaturesRoom) -> None:
    push(visits, 1)
    push(visits, 1)  # the same again
    assert visits.views.drop(OWNER, "visits", [2]).online == 0
    assert visits.views.drop(OWNER, "visits", [1]).online == 1


def test_two_first_pushes_at_once_agree_on_the_type(database: Database, tmp_path: Path) -> None:
    clock, workers = FixedClock(NOW), HereWorkers()
    data = open_data_room(database, tmp_path / "storage", workers, clock)
    room = open_features_room(data, workers, clock)
    clicks = replace(VISITS, name="clicks")
    room.features.apply(OWNER, Definitions(entities=VIEWS.entities, views=(VISITS, clicks)))

    def pushed(place: int) -> bool:
        row = {"customer": place if place % 2 else str(place), "at": NOW.isoformat()}
        try:
            room.views.push(OWNER, ("visits", "clicks")[place // 2 % 2], Push(rows=(row,)))
        except BadPush:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(pushed, range(8)))
    assert sum(kept) == 4
    assert len({place % 2 for place, done in enumerate(kept) if done}) == 1
    room.online.materialize(OWNER, Materialize())


def test_a_row_of_the_future_makes_nothing_fresh(visits: FeaturesRoom) -> None:
    visits.features.apply(OWNER, Definitions(views=(replace(VISITS, max_age=3600.0),)))
    future = {"customer": 1, "at": "9999-01-01T00:00:00Z", "pages": 1}
    visits.views.push(OWNER, "visits", Push(rows=(future,)))
    (told,) = visits.views.freshness(OWNER)
    said = "1 row lies in the future and will count from then on."
    assert (told.state, told.age, told.ahead, told.message) == ("empty", None, 1, said)
    old = {"customer": 2, "at": (NOW - 10 * DAY).isoformat(), "pages": 1}
    visits.views.push(OWNER, "visits", Push(rows=(old,)))
    for _ in ("pushed", "stored"):
        (told,) = visits.views.freshness(OWNER)
        assert (told.state, told.age, told.ahead) == ("stale", 864_000.0, 1)
        assert told.message.endswith(said)
        visits.views.build(OWNER, "visits")
