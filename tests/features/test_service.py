"""Defined once, the same in training and online."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import DatasetNotFound, NewVersion
from athanor.features import (
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    Materialize,
    OnDemandView,
    OnlineRequest,
    Push,
    SpineSource,
    ViewSource,
    ViewTest,
    frames,
)
from athanor.features.errors import (
    BadOnDemandView,
    BadOnlineRow,
    BadPush,
    BadView,
    EntityNotFound,
    FeatureClash,
    FeatureColumnMissing,
    FeatureNotFound,
    FeatureServiceNotFound,
    InUse,
    KeyTypeMismatch,
    NoSpine,
    NotAllOnline,
    ParityBroken,
    UnusableColumn,
    ViewCodeFailed,
    ViewRefused,
)
from athanor.kernel.holder import Person
from athanor.kernel.permissions import OWNER
from athanor.testing import FixedClock
from athanor.testing.features import FeaturesRoom
from tests.features.conftest import ASKED, DAY, DEFINITIONS, NOW, PURCHASES, Added, request


def rows_of(room: FeaturesRoom, name: str, *columns: str) -> list[tuple[Any, ...]]:
    found = room.data.datasets.rows(OWNER, name)
    return [tuple(row[column] for column in columns) for row in found]


def read(room: FeaturesRoom, *keys: dict[str, Any]) -> list[dict[str, Any]]:
    asked = OnlineRequest(features=("churn",), rows=tuple({"limit": 2.0} | key for key in keys))
    return [row.values for row in room.online.read(OWNER, asked)]


def change(room: FeaturesRoom, **fields: Any) -> None:
    view = replace(DEFINITIONS.views[0], **fields)
    room.features.apply(OWNER, Definitions(views=(view,)))


def test_a_training_set_has_the_features_of_each_rows_instant(shop: FeaturesRoom) -> None:
    made = shop.training.create(OWNER, "train", request(target="left"))
    assert rows_of(shop, "train", "amount", "city", "share") == [
        (10.0, "a", 2.5), (20.0, None, None), (None, None, None), (None, None, None)
    ]  # fmt: skip
    assert made.missing == {"amount": 0.5, "city": 0.75, "share": 0.75}
    graph = shop.data.lineage.trace(OWNER, made.artifact_id)
    assert {"asked@1", "spending@1", "purchases@1"} <= {node.name for node in graph.nodes}


def test_a_training_set_is_made_again_bit_for_bit(shop: FeaturesRoom, added: Added) -> None:
    push = Push(rows=({"customer": 1, "at": "2026-05-01T12:00:00Z", "amount": 99.0},))
    shop.views.build(OWNER, "spending")
    shop.views.push(OWNER, "spending", push)
    made = shop.training.create(OWNER, "train", request())
    assert rows_of(shop, "train", "amount")[0] == (99.0,)
    added("purchases", [*PURCHASES, {**PURCHASES[0], "at": "2026-05-01T13:00:00Z"}])
    added("asked", ASKED[:1])
    shop.views.build(OWNER, "spending")
    assert shop.training.rebuild(OWNER, "train@1").identical
    again = shop.training.create(OWNER, "train", request())
    assert again.version == 2
    assert again.digest != made.digest


def test_pushed_rows_are_at_once_in_training_and_online(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    row = {"customer": 9, "at": "2026-05-20T00:00:00Z", "amount": 3.0, "city": "z"}
    pushed = shop.views.push(OWNER, "spending", Push(rows=(row,)))
    assert (pushed.rows, pushed.online) == (1, 1)
    assert read(shop, {"customer": 9}) == [{"amount": 3.0, "city": "z", "share": 1.5}]
    shop.training.create(OWNER, "train", request())
    assert rows_of(shop, "train", "amount", "city")[3] == (3.0, "z")
    late = {**row, "at": "2026-05-01T00:00:00Z", "amount": 7.0}
    assert shop.views.push(OWNER, "spending", Push(rows=(late,))).online == 0
    assert read(shop, {"customer": 9})[0]["amount"] == 3.0
    version = shop.views.build(OWNER, "spending")
    assert (version.number, version.rows, version.pushed) == (2, 6, 2)
    assert shop.stores.history.pending("default", "spending") == []
    assert shop.online.parity(OWNER, ["churn"]).differing == 0


def test_a_view_that_cannot_be_built_keeps_no_other_from_coming_online(shop: FeaturesRoom) -> None:
    source = ViewSource(kind="python", code="def f(table):\n    return 5\n", inputs=("purchases",))
    broken = FeatureView(name="broken", entities=("customer",), source=source, event_time="at")
    shop.features.apply(OWNER, Definitions(views=(broken,)))
    with pytest.raises(NotAllOnline, match=r"1 of 2 views .* broken: The source of") as told:
        shop.online.materialize(OWNER, Materialize())
    assert told.value.details["online"] == ["spending"]
    assert read(shop, {"customer": 2})[0]["amount"] == 5.0
    with pytest.raises(ViewCodeFailed):
        shop.online.materialize(OWNER, Materialize(views=("broken",)))
    with pytest.raises(BadView, match="less than a microsecond"):
        change(shop, ttl=1e-9)


def test_a_repeated_push_changes_nothing(shop: FeaturesRoom) -> None:
    row = {"customer": 9, "at": "2026-05-20T00:00:00Z", "amount": 3.0}
    shop.views.build(OWNER, "spending")
    once = shop.views.push(OWNER, "spending", Push(rows=(row,), idempotency_key="a"))
    assert shop.views.push(OWNER, "spending", Push(rows=(row,), idempotency_key="a")) == once
    assert len(shop.stores.history.pending("default", "spending")) == 1


def test_a_row_of_the_future_waits_for_its_time(shop: FeaturesRoom, clock: FixedClock) -> None:
    shop.online.materialize(OWNER, Materialize())
    row = {"customer": 2, "at": (NOW + DAY).isoformat(), "amount": 50.0}
    assert shop.views.push(OWNER, "spending", Push(rows=(row,))).online == 0
    assert read(shop, {"customer": 2})[0]["amount"] == 5.0
    clock.advance(2 * DAY)
    (state,) = shop.online.materialize(OWNER, Materialize())
    assert (state.full, state.written) == (False, 1)
    assert read(shop, {"customer": 2})[0]["amount"] == 50.0


def test_online_values_expire_as_offline_ones_do(shop: FeaturesRoom, clock: FixedClock) -> None:
    shop.online.materialize(OWNER, Materialize())
    asked = OnlineRequest(features=("spending",), rows=({"customer": 1}, {"customer": 3}))
    found = shop.online.read(OWNER, asked)
    assert found[0].presence == {"amount": "present", "city": "null"}
    assert found[1].presence == {"amount": "expired", "city": "expired"}
    clock.advance(70 * DAY)
    assert shop.online.read(OWNER, asked)[0].presence["amount"] == "expired"
    assert shop.online.parity(OWNER, ["churn"]).differing == 0


def test_materializing_goes_by_what_changed(shop: FeaturesRoom, added: Added) -> None:
    (first,) = shop.online.materialize(OWNER, Materialize())
    assert (first.full, first.written) == (True, 3)
    (second,) = shop.online.materialize(OWNER, Materialize())
    assert (second.full, second.rows) == (False, 0)
    added("purchases", [{**PURCHASES[2], "at": "2026-05-12T00:00:00Z", "amount": 6.0}], "append")
    (third,) = shop.online.materialize(OWNER, Materialize())
    assert (third.version, third.full, third.written) == (2, False, 1)
    assert read(shop, {"customer": 2})[0]["amount"] == 6.0


def test_a_replaced_history_is_replaced_online(shop: FeaturesRoom, added: Added) -> None:
    shop.online.materialize(OWNER, Materialize())
    added("purchases", [{**PURCHASES[0], "amount": 11.0}, PURCHASES[3]])
    (state,) = shop.online.materialize(OWNER, Materialize())
    assert (state.full, state.removed) == (True, 1)
    assert [row["amount"] for row in read(shop, {"customer": 1}, {"customer": 2})] == [11.0, None]


def test_a_materialization_that_was_killed_goes_on(
    shop: FeaturesRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("athanor.features.work.materializing._CHUNK", 1)
    put, calls = shop.stores.online.put, []

    def killed(*given: Any) -> int:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return put(*given)

    monkeypatch.setattr(shop.stores.online, "put", killed)
    with pytest.raises(KeyboardInterrupt):
        shop.online.materialize(OWNER, Materialize())
    (state,) = shop.online.materialize(OWNER, Materialize())
    assert (state.state, state.chunks, state.written) == ("done", 3, 3)
    assert len(calls) == 4


def test_known_at_sees_only_what_was_known(room: FeaturesRoom, added: Added) -> None:
    row = {"customer": 1, "at": "2026-05-01T00:00:00Z", "amount": 10.0}
    rows = [
        row | {"seen": "2026-05-01T00:00:00Z"},
        row | {"seen": "2026-05-10T00:00:00Z", "amount": 12.0},
    ]
    added("purchases", rows)
    added("asked", ASKED[:2])
    view = replace(DEFINITIONS.views[0], created_time="seen", features=(Field(name="amount"),))
    room.features.apply(OWNER, replace(DEFINITIONS, views=(view,)))
    room.training.create(OWNER, "known", request())
    room.training.create(OWNER, "later", request(known_at=False))
    assert rows_of(room, "known", "amount") == [(10.0,), (12.0,)]
    assert rows_of(room, "later", "amount") == [(12.0,), (12.0,)]


def test_rows_that_were_loaded_later_count_where_a_view_says_so(
    room: FeaturesRoom, added: Added, tmp_path: Path
) -> None:
    """As views of Feast do, whose created times say when rows were loaded."""
    row = {"customer": 1, "at": "2026-05-01T00:00:00Z", "seen": "2026-05-30T00:00:00Z"}
    added("purchases", [row | {"amount": 12.0, "seen": "2026-05-31T00:00:00Z"},
                        row | {"amount": 10.0}])  # fmt: skip
    added("asked", ASKED[:2])
    view = replace(DEFINITIONS.views[0], created_time="seen", features=(Field(name="amount"),))
    room.features.apply(OWNER, replace(DEFINITIONS, views=(view,)))
    (warning,) = room.training.create(OWNER, "known", request()).warnings
    assert "'spending' answers no row, but would answer 2 rows of 2" in warning
    assert "--no-known" in warning
    table = pa.Table.from_pylist([{"customer": 1, "at": datetime(2026, 5, 2, tzinfo=UTC)}])
    pq.write_table(table, tmp_path / "rows.parquet")
    asked = request(features=("spending:amount",), spine=SpineSource(), at="at")
    with room.training.historical(OWNER, asked, upload=tmp_path / "rows.parquet") as path:
        stream = path.read_bytes()
    with pytest.warns(UserWarning, match="answers no row, but would answer 1 row of 1"):
        assert frames.read(stream).schema.metadata is None
    room.features.apply(OWNER, Definitions(views=(replace(view, known_at=False),)))
    assert room.training.create(OWNER, "loaded", request()).warnings == ()
    assert rows_of(room, "loaded", "amount") == [(12.0,), (12.0,)]
    room.training.create(OWNER, "strict", request(known_at=True))
    assert rows_of(room, "strict", "amount") == [(None,), (None,)]
    room.online.materialize(OWNER, Materialize())
    late = {**row, "seen": (NOW + DAY).isoformat(), "amount": 7.0}
    assert room.views.push(OWNER, "spending", Push(rows=(late,))).online == 1
    assert read(room, {"customer": 1})[0]["amount"] == 7.0
    assert room.online.parity(OWNER, ("spending",)).differing == 0


def test_a_pushed_row_is_online_once_it_is_known(
    room: FeaturesRoom, added: Added, clock: FixedClock
) -> None:
    row = {"customer": 1, "at": "2026-05-01T00:00:00Z", "amount": 10.0}
    added("purchases", [row | {"seen": "2026-05-01T00:00:00Z"}])
    view = replace(DEFINITIONS.views[0], created_time="seen", features=(Field(name="amount"),))
    room.features.apply(OWNER, replace(DEFINITIONS, views=(view,)))
    room.online.materialize(OWNER, Materialize())
    early = row | {"at": "2026-05-02T00:00:00Z", "seen": (NOW + DAY).isoformat(), "amount": 77.0}
    assert room.views.push(OWNER, "spending", Push(rows=(early,))).online == 0
    assert read(room, {"customer": 1})[0]["amount"] == 10.0
    clock.advance(2 * DAY)
    room.online.materialize(OWNER, Materialize())
    assert read(room, {"customer": 1})[0]["amount"] == 77.0


def test_views_come_of_sql_and_of_functions(shop: FeaturesRoom) -> None:
    total = FeatureView(
        name="totals",
        entities=("customer",),
        source=ViewSource(
            kind="sql", sql='SELECT customer, max("at") AS "at", sum(amount) AS total '
            "FROM purchases GROUP BY customer"
        ),
        event_time="at",
    )  # fmt: skip
    code = "def double(t):\n    t['twice'] = t['amount'] * 2\n    return t.drop(columns=['amount'])"
    source = ViewSource(kind="python", code=code, inputs=("purchases",))
    twice = replace(total, name="twice", source=source, features=(Field(name="twice"),))
    shop.features.apply(OWNER, Definitions(views=(total, twice)))
    shop.training.create(OWNER, "train", request(features=("totals", "twice")))
    assert rows_of(shop, "train", "total", "twice")[1] == (30.0, 40.0)
    assert shop.views.versions(OWNER, "totals")[0].sources.keys() == {"purchases@1"}


def test_a_view_that_breaks_its_tests_is_not_used(shop: FeaturesRoom) -> None:
    shop.views.build(OWNER, "spending")
    change(shop, tests=(ViewTest(kind="range", column="amount", parameters={"minimum": 6}),))
    with pytest.raises(ViewRefused, match="within 6"):
        shop.views.build(OWNER, "spending")
    newest = shop.views.versions(OWNER, "spending")[0]
    assert (newest.state, newest.tests[0].passed) == ("refused", False)
    used = shop.stores.history.find_version("default", "spending", None)
    assert used is not None
    assert used.number == 1


def test_parity_refuses_what_differs(shop: FeaturesRoom) -> None:
    shop.views.build(OWNER, "spending")
    with pytest.raises(ParityBroken, match="not online"):
        shop.online.check_parity("churn")
    shop.online.materialize(OWNER, Materialize())
    assert shop.online.check_parity("churn").differing == 0
    shop.stores.online.erase("default/customer", "1")
    with pytest.raises(ParityBroken) as caught:
        shop.online.check_parity("churn")
    assert caught.value.details["examples"][0]["offline"] == 20.0


def test_search_finds_by_name_tag_and_project(shop: FeaturesRoom) -> None:
    shop.views.build(OWNER, "spending")
    assert [item.name for item in shop.features.search(OWNER, "amount")] == ["spending:amount"]
    assert {item.kind for item in shop.features.search(OWNER, "team=growth")} == {"view", "feature"}
    other = FeatureService(name="other", features=("default/spending:amount",))
    shop.features.apply(OWNER, Definitions(services=(other,)), project="second")
    shop.online.materialize(OWNER, Materialize())
    asked = OnlineRequest(features=("other",), rows=({"customer": 1},))
    assert shop.online.read(OWNER, asked, project="second")[0].values == {"amount": 20.0}
    used = shop.features.search(OWNER, "spending:amount")[0].used_by
    assert "service other" in used


def test_freshness_says_what_is_stale_and_behind(shop: FeaturesRoom, added: Added) -> None:
    assert shop.views.freshness(OWNER)[0].state == "empty"
    shop.views.build(OWNER, "spending")
    change(shop, max_age=86_400.0)
    stale = shop.views.freshness(OWNER, "spending")[0]
    assert (stale.state, stale.behind) == ("stale", ("definition",))
    shop.views.build(OWNER, "spending")
    row = {"customer": 9, "at": NOW.isoformat(), "amount": 3.0}
    shop.views.push(OWNER, "spending", Push(rows=(row,)))
    fresh = shop.views.freshness(OWNER, "spending")[0]
    assert (fresh.state, fresh.pending, fresh.age) == ("fresh", 1, 0.0)


def test_what_reads_call_expired_is_not_fresh(shop: FeaturesRoom, clock: FixedClock) -> None:
    shop.views.build(OWNER, "spending")
    assert shop.views.freshness(OWNER)[0].message.endswith("within 60 d.")
    clock.advance(300 * DAY)
    stale = shop.views.freshness(OWNER)[0]
    assert (stale.state, stale.max_age) == ("stale", 60 * 86_400.0)
    assert stale.message == "Its newest event is 312 d old; 60 d are allowed (ttl)."
    change(shop, ttl=0.0)
    shop.views.build(OWNER, "spending")
    assert "No limit is set" in shop.views.freshness(OWNER)[0].message


def test_a_training_set_in_quarantine_says_why(shop: FeaturesRoom, added: Added) -> None:
    assert shop.training.create(OWNER, "train", request(target="left")).state == "ready"
    added("asked", [*ASKED, ASKED[0] | {"left": None}])
    made = shop.training.create(OWNER, "train", request(target="left"))
    assert made.state == "quarantined"
    assert any("'left' is missing" in reason for reason in made.reasons)


def test_a_value_of_the_request_is_no_key(shop: FeaturesRoom) -> None:
    asked = OnlineRequest(features=("churn",), rows=({"customer": 1},))
    with pytest.raises(BadOnlineRow, match="'limit' is missing; on-demand view 'ratios'") as told:
        shop.online.read(OWNER, asked)
    assert told.value.hint == "It is no key: give limit with each row, beside its keys."


def test_parity_counts_what_it_compared(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    report = shop.online.parity(OWNER, ["churn"])
    assert (report.rows, report.keys, report.differing) == (4, 3, 0)


def test_nothing_is_told_of_an_erased_persons_times(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    shop.holder.erase(Person(column="customer", value="1"), OWNER)
    (left,) = shop.views.versions(OWNER, "spending")
    assert (left.rows, left.keys, left.last_event) == (2, 2, datetime(2026, 5, 10, tzinfo=UTC))
    assert shop.views.freshness(OWNER)[0].last_event == left.last_event


def test_drift_tells_moved_features_from_steady_ones(room: FeaturesRoom, added: Added) -> None:
    rows = [
        {"customer": number % 7, "at": f"2026-01-{1 + number // 20:02d}T{number % 20:02d}:00:00Z",
         "moved": float(number % 10 + (50 if number >= 400 else 0)), "steady": float(number % 10)}
        for number in range(500)
    ]  # fmt: skip
    added("purchases", rows)
    view = replace(DEFINITIONS.views[0], features=())
    room.features.apply(OWNER, replace(DEFINITIONS, views=(view,), on_demand=(), services=()))
    room.views.build(OWNER, "spending")
    report = room.views.drift(OWNER, "spending")
    assert {item.feature: item.drifted for item in report.features} == {
        "moved": True, "steady": False
    }  # fmt: skip
    assert report.rows == (399, 101)


def test_a_person_is_found_and_erased(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    row = {"at": "2026-05-20T00:00:00Z", "amount": 3.0, "city": "z"}
    shop.views.push(OWNER, "spending", Push(rows=({"customer": 1} | row, {"customer": 9} | row)))
    shop.views.build(OWNER, "spending")
    person = Person(column="customer", value="1")
    found = {item.name: item.rows for item in shop.holder.holdings(person, OWNER)}
    assert found == {"default/spending online": 1, "spending@2": 3, "spending@1": 2}
    assert all(item.erased for item in shop.holder.erase(person, OWNER))
    assert shop.holder.holdings(person, OWNER) == []
    assert [item.state for item in shop.views.versions(OWNER, "spending")] == ["erased", "erased"]
    assert [
        item.row["customer"] for item in shop.stores.history.pending("default", "spending")
    ] == [9]


def test_a_person_is_found_by_a_feature(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    person = Person(column="city", value="b")
    assert {item.name for item in shop.holder.holdings(person, OWNER)} == {
        "spending@1", "default/spending online",
    }  # fmt: skip
    assert all(item.erased for item in shop.holder.erase(person, OWNER))
    assert shop.holder.holdings(person, OWNER) == []


def test_a_person_is_found_by_a_decimal_and_by_an_instant(
    room: FeaturesRoom, tmp_path: Path
) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    table = pa.table({
        "customer": [1, 2],
        "at": [at, at],
        "rate": pa.array([Decimal("1.10"), Decimal("1.20")]),
        "joined": [at, at + DAY],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    room.data.datasets.add(OWNER, "purchases", NewVersion(path=tmp_path / "a.parquet"))
    view = replace(DEFINITIONS.views[0], features=(Field(name="rate"), Field(name="joined")))
    room.features.apply(OWNER, Definitions(entities=DEFINITIONS.entities, views=(view,)))
    room.online.materialize(OWNER, Materialize())
    for column, value in (("rate", "1.1"), ("joined", "2026-05-01")):
        found = room.holder.holdings(Person(column=column, value=value), OWNER)
        assert {item.name: item.rows for item in found} == {
            "spending@1": 1, "default/spending online": 1,
        }  # fmt: skip


def test_a_key_is_erased_online(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    assert shop.online.erase(OWNER, "customer", {"customer": 1}) == 1
    assert read(shop, {"customer": 1})[0]["amount"] is None


@pytest.mark.parametrize(
    ("change_to", "error", "words"),
    [
        ({"entities": ("nobody",)}, EntityNotFound, "nobody"),
        ({"entities": ()}, BadView, "no entity"),
        ({"source": ViewSource(dataset="purchase")}, DatasetNotFound, "purchase"),
        ({"event_time": "when"}, FeatureColumnMissing, "when"),
        ({"event_time": ""}, BadView, "time of its events"),
        ({"ttl": -1.0}, BadView, "ttl"),
        ({"features": (Field(name="amout"),)}, FeatureColumnMissing, "amout"),
        ({"features": (Field(name="at"),)}, BadView, "twice"),
        ({"source": ViewSource(kind="sql")}, BadView, "needs its sql"),
        ({"source": ViewSource(kind="python", code="def", inputs=("a",))}, BadView, "code"),
    ],
)
def test_a_view_that_can_not_hold_is_refused(
    shop: FeaturesRoom, change_to: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        change(shop, **change_to)
    assert shop.features.view(OWNER, "spending").revision == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"customer": "1", "at": "2026-05-01T00:00:00Z"}], "should be integer"),
        ([{"customer": 1}], "event time 'at' is missing"),
        ([{"customer": 1, "at": "soon"}], "no time"),
        ([{"at": "2026-05-01T00:00:00Z"}], "key 'customer' is missing"),
        ([{"customer": 1, "at": "2026-05-01T00:00:00Z", "amount": "x"}], "should be number"),
        ([{"customer": 1, "at": "2026-05-01T00:00:00Z", "amont": 1}], "no column 'amont'"),
    ],
)
def test_a_push_that_does_not_fit_is_refused_whole(
    shop: FeaturesRoom, rows: list[dict[str, Any]], words: str
) -> None:
    shop.views.build(OWNER, "spending")
    good = {"customer": 1, "at": "2026-05-01T00:00:00Z", "amount": 1.0}
    with pytest.raises(BadPush, match=words) as caught:
        shop.views.push(OWNER, "spending", Push(rows=(good, *rows)))
    assert caught.value.details["row"] == 2
    assert shop.stores.history.pending("default", "spending") == []


def test_keys_of_another_type_fail_aloud(shop: FeaturesRoom, added: Added) -> None:
    shop.online.materialize(OWNER, Materialize())
    with pytest.raises(BadOnlineRow, match="should be integer"):
        read(shop, {"customer": "1"})
    with pytest.raises(BadOnlineRow, match="missing"):
        read(shop, {})
    assert read(shop, {"customer": None})[0]["amount"] is None
    added("strangers", [{**ASKED[0], "customer": "one"}])
    with pytest.raises(KeyTypeMismatch, match="customer"):
        shop.training.create(OWNER, "train", request(spine=SpineSource(dataset="strangers")))


def test_what_can_not_be_joined_is_said(shop: FeaturesRoom, added: Added) -> None:
    with pytest.raises(FeatureServiceNotFound, match="chrun"):
        shop.training.create(OWNER, "train", request(features=("chrun",)))
    with pytest.raises(NoSpine):
        shop.training.create(OWNER, "train", request(spine=SpineSource()))
    with pytest.raises(FeatureColumnMissing, match="when"):
        shop.training.create(OWNER, "train", request(at="when"))
    shop.views.build(OWNER, "spending")
    with pytest.raises(FeatureNotFound, match="amout"):
        shop.training.create(OWNER, "train", request(features=("spending:amout",)))
    added("asked", [{**ASKED[0], "amount": 1.0}])
    with pytest.raises(FeatureClash, match="amount"):
        shop.training.create(OWNER, "train", request())
    shop.training.create(OWNER, "train", request(full_names=True))
    assert rows_of(shop, "train", "amount", "spending__amount") == [(1.0, 10.0)]


def test_what_is_used_can_not_be_removed(shop: FeaturesRoom) -> None:
    with pytest.raises(InUse, match="service churn"):
        shop.features.remove(OWNER, "view", "spending")
    for kind, name in (("service", "churn"), ("on_demand", "ratios"), ("view", "spending"),
                       ("entity", "customer")):  # fmt: skip
        shop.features.remove(OWNER, kind, name)
    assert shop.features.search(OWNER) == []


def test_applying_again_changes_nothing(shop: FeaturesRoom) -> None:
    again = shop.features.apply(OWNER, DEFINITIONS)
    assert (again.created, again.changed, len(again.unchanged)) == ((), (), 4)
    change(shop, ttl=1.0)
    assert shop.features.view(OWNER, "spending").revision == 2


def test_views_that_nobody_read_are_applied_with_all_that_is_built_on_them(
    room: FeaturesRoom, added: Added
) -> None:
    added("purchases", PURCHASES)
    added("asked", [{**row, "when": row["event_timestamp"]} for row in ASKED])
    view = replace(DEFINITIONS.views[0], features=())
    share = replace(DEFINITIONS.on_demand[0], inputs=("spending",))
    whole = replace(DEFINITIONS, views=(view,), on_demand=(share,))
    wrong = replace(share, expressions={"share": "amout / limit"})
    with pytest.raises(BadOnDemandView, match="'amout'"):
        room.features.apply(OWNER, replace(whole, on_demand=(wrong,)))
    assert len(room.features.apply(OWNER, whole).created) == 4
    with pytest.raises(FeatureColumnMissing) as refused:
        room.training.create(OWNER, "train", request(at="whn"))
    assert "--at COLUMN" in refused.value.hint
    room.training.create(OWNER, "train", request(at="when"))
    # Of the first rows an entity learns its keys' types, which is no change of the definition.
    assert len(room.features.apply(OWNER, whole).unchanged) == 4
    assert room.features.entity(OWNER, "customer").keys[0].type == "integer"
    queried = ViewSource(kind="sql", sql="select * from purchases")
    only = Definitions(
        views=(replace(view, name="later", source=queried),),
        on_demand=(replace(share, name="late", inputs=("later",)),),
        services=(FeatureService(name="lately", features=("late",)),),
    )
    assert len(room.features.apply(OWNER, only).created) == 3
    room.training.create(OWNER, "late", request(features=("lately",)))


def test_definitions_are_kept_together_or_not_at_all(room: FeaturesRoom) -> None:
    bad = OnDemandView(name="bad", expressions={"x": "nothing + 1"})
    with pytest.raises(BadOnDemandView, match="'nothing'"):
        room.features.apply(
            OWNER, Definitions(entities=(Entity(name="customer"),), on_demand=(bad,))
        )
    assert room.features.entities(OWNER) == []


def test_code_that_fails_is_told_with_its_line(shop: FeaturesRoom) -> None:
    code = "def made(t):\n    return t['nothing']\n"
    change(shop, source=ViewSource(kind="python", code=code, inputs=("purchases",)))
    with pytest.raises(ViewCodeFailed, match="nothing"):
        shop.views.build(OWNER, "spending")
    code = "def made(t):\n    t['amount'] = [[{}]] * len(t)\n    return t\n"
    change(shop, source=ViewSource(kind="python", code=code, inputs=("purchases",)))
    with pytest.raises((UnusableColumn, ViewCodeFailed)):
        shop.views.build(OWNER, "spending")


def test_drift_of_a_few_rows_says_that_they_are_few(shop: FeaturesRoom) -> None:
    shop.views.build(OWNER, "spending")
    report = shop.views.drift(OWNER, "spending")
    assert "Of only 2 rows on a side this tells little." in report.features[0].message
