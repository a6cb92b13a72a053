"""Views that hold nothing yet, or no more."""

from dataclasses import replace
from typing import Any

import pytest

from athanor.features import (
    Definitions,
    FeatureService,
    FeatureView,
    Field,
    Materialize,
    OnlineRequest,
    Push,
    ViewSource,
)
from athanor.features.errors import TrainingSetErased
from athanor.kernel.holder import Person
from athanor.kernel.permissions import OWNER
from athanor.testing.features import FeaturesRoom
from tests.features.conftest import DEFINITIONS, request

CLICKS = FeatureView(
    name="clicks",
    entities=("customer",),
    source=ViewSource(kind="push"),
    event_time="at",
    features=(Field(name="clicks"), Field(name="page", type="text")),
)
BOTH = FeatureService(name="both", features=("spending", "clicks"))
CLICK = {"at": "2026-05-20T00:00:00Z", "clicks": 3, "page": "home"}


@pytest.fixture
def clicks(shop: FeaturesRoom) -> FeaturesRoom:
    """The shop with a view to which nothing was pushed."""
    shop.features.apply(OWNER, Definitions(views=(CLICKS,), services=(BOTH,)))
    return shop


def found(room: FeaturesRoom, customer: Any, feature: str = "clicks") -> dict[str, Any]:
    asked = OnlineRequest(features=(feature,), rows=({"customer": customer},))
    return dict(room.online.read(OWNER, asked)[0].presence)


def test_a_view_without_pushes_is_an_empty_history(clicks: FeaturesRoom) -> None:
    clicks.features.apply(OWNER, Definitions(views=(replace(CLICKS, name="other"),)))
    assert found(clicks, 1, "other") == {"clicks": "not_found", "page": "not_found"}
    states = clicks.online.materialize(OWNER, Materialize())
    assert {(state.view, state.rows) for state in states} == {
        ("clicks", 0), ("other", 0), ("spending", 3)
    }  # fmt: skip
    clicks.training.create(OWNER, "train", request(features=("both",)))
    rows = clicks.data.datasets.rows(OWNER, "train")
    assert (rows[0]["amount"], rows[0]["clicks"], rows[0]["page"]) == (10.0, None, None)
    assert clicks.training.rebuild(OWNER, "train@1").identical
    assert clicks.online.check_parity("both").differing == 0
    assert found(clicks, 1) == {"clicks": "not_found", "page": "not_found"}
    assert clicks.views.rows(OWNER, "clicks") == []
    assert clicks.views.drift(OWNER, "clicks").features == ()


@pytest.mark.parametrize(("customer", "stranger"), [(1, 2), ("ann", "bob")])
def test_the_first_push_tells_the_keys_type(
    room: FeaturesRoom, customer: Any, stranger: Any
) -> None:
    room.features.apply(OWNER, Definitions(entities=DEFINITIONS.entities, views=(CLICKS,)))
    room.online.materialize(OWNER, Materialize())
    assert found(room, customer)["clicks"] == "not_found"
    room.views.push(OWNER, "clicks", Push(rows=({"customer": customer} | CLICK,)))
    assert found(room, customer)["clicks"] == "present"
    (state,) = room.online.materialize(OWNER, Materialize())
    assert (state.version, state.rows) == (2, 1)
    assert found(room, customer)["page"] == "present"
    assert found(room, stranger)["page"] == "not_found"
    assert room.online.parity(OWNER, ["clicks"]).differing == 0


def test_a_view_that_an_erasure_emptied_is_one_again(clicks: FeaturesRoom) -> None:
    clicks.views.push(OWNER, "clicks", Push(rows=({"customer": 1} | CLICK,)))
    clicks.online.materialize(OWNER, Materialize())
    clicks.holder.erase(Person(column="customer", value="1"), OWNER)
    clicks.online.materialize(OWNER, Materialize(views=("clicks",)))
    assert found(clicks, 1) == {"clicks": "not_found", "page": "not_found"}
    clicks.training.create(OWNER, "train", request(features=("clicks",)))
    assert [row["clicks"] for row in clicks.data.datasets.rows(OWNER, "train")] == [None] * 4


def test_others_are_read_online_after_an_erasure(shop: FeaturesRoom) -> None:
    everything = replace(DEFINITIONS.views[0], features=())
    shop.features.apply(OWNER, Definitions(views=(everything,)))
    shop.online.materialize(OWNER, Materialize())
    shop.holder.erase(Person(column="customer", value="1"), OWNER)
    assert found(shop, 2, "spending") == {"amount": "present", "city": "present"}
    assert found(shop, 1, "spending") == {"amount": "not_found", "city": "not_found"}
    (fresh,) = shop.views.freshness(OWNER, "spending")
    assert (fresh.state, fresh.version) == ("fresh", None)
    assert "what is online serves reads" in fresh.message
    row = {"customer": 2, "at": "2026-05-20T00:00:00Z", "amount": 3.0, "city": None}
    assert shop.views.push(OWNER, "spending", Push(rows=(row,))).online == 1
    assert found(shop, 2, "spending") == {"amount": "present", "city": "null"}
    shop.online.materialize(OWNER, Materialize())
    assert found(shop, 2, "spending") == {"amount": "present", "city": "null"}


def test_only_views_that_have_a_row_of_a_person_tell_of_it(clicks: FeaturesRoom) -> None:
    clicks.online.materialize(OWNER, Materialize())
    clicks.views.push(OWNER, "clicks", Push(rows=({"customer": 5} | CLICK,), to="online"))
    person = Person(column="customer", value="5")
    told = [item.name for item in clicks.holder.holdings(person, OWNER)]
    assert told == ["default/clicks online"]
    assert [item.name for item in clicks.holder.erase(person, OWNER)] == told


def test_a_training_set_of_erased_rows_says_so(shop: FeaturesRoom) -> None:
    shop.training.create(OWNER, "train", request())
    shop.holder.erase(Person(column="customer", value="1"), OWNER)
    shop.training.create(OWNER, "train", request())
    told = {item.version: item.erased for item in shop.training.sets(OWNER, "train")}
    assert told == {1: ("spending@1",), 2: ()}
    with pytest.raises(TrainingSetErased, match="train@1 was erased: spending@1 held") as refused:
        shop.training.rebuild(OWNER, "train@1")
    assert refused.value.status == 409
    assert shop.training.rebuild(OWNER, "train@2").identical


def test_views_that_share_their_rows_are_erased_together(shop: FeaturesRoom) -> None:
    twin = replace(DEFINITIONS.views[0], name="twin")
    shop.features.apply(OWNER, Definitions(views=(twin,)))
    built = [shop.views.build(OWNER, name) for name in ("spending", "twin")]
    assert built[0].blob == built[1].blob
    gone = shop.holder.erase(Person(column="customer", value="1"), OWNER)
    assert {item.name: item.rows for item in gone} == {"spending@1": 2, "twin@1": 2}
    assert shop.views.versions(OWNER, "twin")[0].state == "erased"
    assert shop.views.build(OWNER, "twin").number == 2


def test_a_persons_number_is_one_however_it_is_written(shop: FeaturesRoom) -> None:
    shop.online.materialize(OWNER, Materialize())
    told = {"spending@1": 1, "default/spending online": 1}
    for person in (Person(column="customer", value="2.0"), Person(column="amount", value="5")):
        assert {item.name: item.rows for item in shop.holder.holdings(person, OWNER)} == told
