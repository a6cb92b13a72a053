"""What a training set holds and what endpoints answer are the same bytes."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewVersion, Roles
from athanor.features import (
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    Materialize,
    OnDemandView,
    Push,
    ViewSource,
)
from athanor.features.errors import ParityBroken
from athanor.kernel.permissions import OWNER
from athanor.testing.features import FeaturesRoom
from tests.features.conftest import NOW

NUMBERS = [0.0, -0.0, 0.1 + 0.2, 1e-308, 5e-324, 1.7e308, float(1 << 53), -1.5]
WHOLES = [0, -1, (1 << 63) - 1, -(1 << 63), (1 << 53) + 1]
WORDS = ["", "x", "é", "\U0001f600", "a\nb", "null", "0", " "]


def seeded(room: FeaturesRoom, folder: Path, seed: int, customers: int) -> random.Random:
    """Two views over histories with gaps, ties, rows of the future and extremes; some pushed."""
    chance = random.Random(seed)

    def row(customer: int) -> dict[str, Any]:
        ago = timedelta(seconds=chance.randrange(-50, 400), microseconds=chance.choice([0, 1]))
        when = NOW - ago
        return {
            "customer": customer,
            "shop": chance.choice(["a", "ü"]),
            "at": when,
            "number": chance.choice([*NUMBERS, None, chance.gauss(0, 1e6)]),
            "whole": chance.choice([*WHOLES, None]),
            "word": chance.choice([*WORDS, None]),
            "flag": chance.choice([True, False, None]),
            "day": chance.choice([when.date(), None]),
            "moment": chance.choice([when, None]),
        }

    rows = [row(chance.randrange(customers)) for _ in range(4 * customers)]
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    room.data.datasets.add(OWNER, "rows", NewVersion(path=path, look=False, roles=Roles(time="at")))
    features = ("number", "whole", "word", "flag", "day", "moment")
    room.features.apply(
        OWNER,
        Definitions(
            entities=(Entity(name="customer"), Entity(name="shop")),
            views=(
                FeatureView(name="one", entities=("customer",), source=ViewSource(dataset="rows"),
                            features=tuple(Field(name=name) for name in features[:3]), ttl=200.0),
                FeatureView(name="pair", entities=("customer", "shop"),
                            source=ViewSource(dataset="rows"),
                            features=tuple(Field(name=name) for name in features[3:])),
            ),
            on_demand=(
                OnDemandView(name="ratios", inputs=("one:number",),
                             expressions={"r": "number / limit"},
                             request=(Field(name="limit", type="number"),)),
            ),
            services=(FeatureService(name="all", features=("one", "pair", "ratios")),),
        ),
    )  # fmt: skip
    room.online.materialize(OWNER, Materialize())
    late = [{"customer": n, "at": NOW.isoformat(), "number": n / 3} for n in range(customers // 5)]
    room.views.push(OWNER, "one", Push(rows=tuple(late)))
    return chance


def compared(room: FeaturesRoom, folder: Path, seed: int, rows: int) -> None:
    chance = seeded(room, folder, seed, max(rows // 3, 10))
    asked = [
        {"customer": chance.randrange(max(rows // 3, 10) + 5),
         "shop": chance.choice(["a", "ü", "z"]), "limit": chance.choice([*NUMBERS, 3.0])}
        for _ in range(rows)
    ]  # fmt: skip
    report = room.online.parity(OWNER, ["all"], rows=asked)
    assert (report.rows, report.differing, report.examples) == (rows, 0, ())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_training_and_serving_agree_to_the_byte(
    room: FeaturesRoom, tmp_path: Path, seed: int
) -> None:
    compared(room, tmp_path, seed, 60)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_ten_thousand_rows_agree_to_the_byte(room: FeaturesRoom, tmp_path: Path) -> None:
    compared(room, tmp_path, 4, 10_000)


def test_a_key_that_was_only_pushed_is_compared(room: FeaturesRoom, tmp_path: Path) -> None:
    seeded(room, tmp_path, 5, 10)
    room.views.push(OWNER, "one", Push(rows=({"customer": 9_999, "at": NOW, "number": 1.0},)))
    assert room.online.parity(OWNER, ["all"], sample=60).differing == 0
    space = next(lookup.space for lookup in room.online.plan_for(["one"]).lookups)
    assert room.stores.online.erase(space, "9999") == 1
    found = room.online.parity(OWNER, ["all"], sample=60)
    assert {example["row"]["customer"] for example in found.examples} == {9_999}
    with pytest.raises(ParityBroken, match="sampled keys differ"):
        room.online.check_parity("all")


def fuzzed(room: FeaturesRoom, folder: Path, seed: int) -> None:
    """Views with and without TTL and created times, rows late, of the future, null and pushed."""
    chance, people = random.Random(seed), range(12)

    def row(**more: Any) -> dict[str, Any]:
        when = NOW - timedelta(seconds=chance.randrange(-30, 300))
        known = when + timedelta(seconds=chance.choice([0, 1, 200, 400]))
        return {
            "customer": chance.choice(people),
            "at": when,
            "known": chance.choice([known, None]),
            "number": chance.choice([*NUMBERS, None]),
            "whole": chance.choice([*WHOLES, None]),
            "word": chance.choice([*WORDS, None]),
        } | more

    def push(rows: int) -> None:
        view = chance.choice(views)
        made = [row(customer=chance.choice([*people, 99])) for _ in range(rows)]
        left_out = set() if view.created_time else {"known"}
        plain = [{n: v.isoformat() if isinstance(v, datetime) else v
                  for n, v in item.items() if n not in left_out} for item in made]  # fmt: skip
        room.views.push(OWNER, view.name, Push(rows=tuple(plain)))

    path = folder / f"{seed}.parquet"
    pq.write_table(pa.Table.from_pylist([row() for _ in range(40)]), path)
    room.data.datasets.add(OWNER, "rows", NewVersion(path=path, look=False, roles=Roles()))
    features = (Field(name="number"), Field(name="whole"), Field(name="word"))
    views = [
        FeatureView(name=name, entities=("customer",), source=source, event_time="at",
                    created_time=chance.choice(["", "known"]), features=features,
                    ttl=float(chance.choice([0, 1, 100])))
        for name, source in (("one", ViewSource(dataset="rows")),
                             ("two", ViewSource(dataset="rows")))
    ]  # fmt: skip
    demand = OnDemandView(
        name="more", inputs=("one:number", "two:whole"), request=(Field(name="limit"),),
        expressions={"ratio": "number / limit", "most": "max(whole, 3)"},
    )  # fmt: skip
    service = FeatureService(name="all", features=("one:number", "two:word", "two:whole", "more"))
    room.features.apply(
        OWNER,
        Definitions(entities=(Entity(name="customer"),), views=tuple(views),
                    on_demand=(demand,), services=(service,)),
    )  # fmt: skip
    for _ in range(chance.randrange(3)):
        push(5)
    room.online.materialize(OWNER, Materialize())
    for _ in range(chance.randrange(3)):
        push(5)
    asked = [{"customer": who, "limit": chance.choice([0.0, 2.0, None])} for who in [*people, 99]]
    for rows in ([], asked):
        report = room.online.parity(OWNER, ["all"], rows=rows)
        assert (report.differing, report.examples) == (0, ()), seed
        assert report.rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_odd_histories_agree_to_the_byte(room: FeaturesRoom, tmp_path: Path, seed: int) -> None:
    fuzzed(room, tmp_path, seed)
