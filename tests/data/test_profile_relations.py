"""What a profile says of columns together: associations, ratios, outliers, samples, meanings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from athanor.data.logic.association import correlation_ratio
from athanor.data.types import Profile
from tests.data.test_profile import profiled


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    chance = np.random.default_rng(1)
    rows = 2_000
    city = chance.choice(["berlin", "paris", "rome"], rows)
    income = np.where(city == "rome", 10.0, 0.0) + chance.normal(size=rows)
    income[:40] = 1_000
    table = pa.table({
        "city": city,
        "capital": np.char.upper(city),
        "other": chance.choice(["x", "y"], rows),
        "income": income,
        "unit_price": chance.integers(1, 900, rows) / 100,
        "paid": [f"${n % 97}.50" for n in range(rows)],
        "mail": [f"p{n}@example.org" for n in range(rows)],
        "seen": [f"{n % 28 + 1:02d}/{n % 12 + 1:02d}/2020" for n in range(rows)],
        "left": np.where(income > 5, "yes", "no"),
    })  # fmt: skip
    return profiled(table, tmp_path_factory.mktemp("p") / "t.parquet", "left")


def test_one_way_is_told_from_both_ways(tmp_path: Path) -> None:
    zone = np.random.default_rng(2).integers(0, 203, 6_000)
    table = pa.table({
        "zone": [f"z{n}" for n in zone],
        "borough": [f"b{n % 5}" for n in zone],
        "label": [f"B{n % 5}" for n in zone],
    })  # fmt: skip
    found = {
        (remark.code, remark.message.partition(" (")[0])
        for remark in profiled(table, tmp_path / "t.parquet", "").warnings
    }
    assert found >= {
        ("determines", "'zone' determines 'borough', not the reverse"),
        ("determines", "'zone' determines 'label', not the reverse"),
        ("associated", "'borough' and 'label' say nearly the same"),
    }


def test_categories_and_numbers_are_related(profile: Profile) -> None:
    assert profile.associations["city"]["capital"] == pytest.approx(1.0)
    assert profile.associations["city"]["other"] < 0.1
    assert profile.ratios["other"]["income"] < 0.1
    codes = {(remark.column, remark.code) for remark in profile.warnings}
    assert ("city", "associated") in codes


def test_outliers_are_counted_beyond_the_fences(profile: Profile) -> None:
    income = profile.column("income")
    assert income is not None
    assert income.fences is not None
    assert (income.outliers, income.fences[1] < 1_000) == (40, True)


def test_meanings_are_told_by_names_and_forms(profile: Profile) -> None:
    found = {column.name: column.semantic for column in profile.columns}
    assert (found["unit_price"], found["paid"], found["seen"]) == ("money", "money", "date")
    assert found["mail"] == "email"


def test_there_is_a_sample_for_scatter_plots(profile: Profile) -> None:
    assert {len(cells) for cells in profile.sample.values()} == {500}
    assert set(profile.sample) == {"income", "unit_price", "left"}


def test_the_correlation_ratio_is_that_of_its_definition() -> None:
    chance = np.random.default_rng(3)
    codes, values = chance.integers(0, 4, 300), chance.normal(size=300)
    values[::7] = np.nan
    frame = pd.DataFrame({"c": codes, "v": values}).dropna()
    between = sum(len(g) * (g.v.mean() - frame.v.mean()) ** 2 for _, g in frame.groupby("c"))
    expected = np.sqrt(between / ((frame.v - frame.v.mean()) ** 2).sum())
    assert correlation_ratio(codes, values) == pytest.approx(expected)
    assert correlation_ratio(np.zeros(5, dtype=np.int64), np.arange(5.0)) is None
