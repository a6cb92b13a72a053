"""Columns which alone tell the target are named; strong but honest ones are not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.data.logic.leakage import auc, class_codes, find_leaks, held_out_score, rank_score
from athanor.data.types import ReadOptions
from athanor.data.work.reading import look_through

_ROWS = 4_000


def table_of(folder: Path, name: str, into: Path) -> pa.Table:
    reading = look_through(folder / name, name, into, ReadOptions(), {})
    return pa.Table.from_batches(reading.rows.batches(), schema=reading.rows.schema())


BAYES = (
    "Naive_Bayes_Classifier_Attrition_Flag_Card_Category_Contacts_Count_12_mon_"
    "Dependent_count_Education_Level_Months_Inactive_12_mon_"
)

REAL = [
    ("bank_churners/BankChurners.csv", "Attrition_Flag", "CLIENTNUM", {BAYES + "1", BAYES + "2"}),
    ("adult/adult_train.csv.gz", "income", "", set()),
    ("german_credit/german_credit.csv", "credit_risk", "", set()),
    ("bank_marketing/bank_additional_full.csv.gz", "y", "", set()),
    ("penguins/penguins.csv", "species", "", set()),
    ("elec2/elec2.csv.gz", "class", "", set()),
    ("california_housing/housing.csv", "median_house_value", "", set()),
    ("bike_sharing/hour.csv", "cnt", "instant", set()),
    # The date of the new offence is known for those alone who offended again.
    ("compas/compas_two_years.csv.gz", "two_year_recid", "id", {"r_offense_date"}),
]


@pytest.mark.parametrize(("name", "target", "id_column", "leaks"), REAL)
def test_real_tables(
    name: str, target: str, id_column: str, leaks: set[str], data_folder: Path, tmp_path: Path
) -> None:
    found = find_leaks(table_of(data_folder, name, tmp_path), target, ignore=(id_column,))
    assert {leak.column for leak in found} == leaks


def simulated(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = rng.random(_ROWS) < 0.15
    return rng, label, np.where(label, "left", "stayed")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_seeded_leaks_of_every_kind_are_found(seed: int) -> None:
    rng, label, words = simulated(seed)
    noise = rng.normal(size=_ROWS)
    table = pa.table({
        "label": words,
        "copy": words,
        "coded": np.where(label, 7, 3),
        "negated": ~label,
        "scored": label + 0.1 * noise,
        "score_of_a_model": 1 / (1 + np.exp(-(8 * label - 4 + noise))),
        "closed_at": pa.array(
            [19_000 + int(day) if gone else None
             for day, gone in zip(rng.integers(0, 90, _ROWS), label, strict=True)],
            pa.int32(),
        ).cast(pa.date32()),
        "reason": np.where(label, rng.choice(["price", "moved"], _ROWS), "none"),
        "nearly": np.where(rng.random(_ROWS) < 0.001, ~label, label),
        "honest": noise + 1.5 * label,
        "strong": noise + 2.5 * label,
        "noise": noise,
        "name": [f"customer {row}" for row in range(_ROWS)],
        "row": np.arange(_ROWS),
        "category": rng.choice(list("abcdefgh"), _ROWS),
    })  # fmt: skip
    assert {leak.column for leak in find_leaks(table, "label")} == {
        "copy", "coded", "negated", "scored", "score_of_a_model", "closed_at", "reason", "nearly",
    }  # fmt: skip


def test_a_copy_of_a_measure_is_found_and_a_part_of_it_is_not() -> None:
    rng = np.random.default_rng(4)
    price, extra = rng.lognormal(size=_ROWS), rng.lognormal(size=_ROWS)
    table = pa.table({
        "total": price + extra, "euros": (price + extra) * 1.07, "logged": np.log(price + extra),
        "price": price, "extra": extra,
    })  # fmt: skip
    assert {leak.column for leak in find_leaks(table, "total")} == {"euros", "logged"}


def test_a_target_of_several_classes() -> None:
    rng = np.random.default_rng(5)
    label = rng.integers(0, 4, _ROWS)
    table = pa.table({
        "label": np.array(list("abcd"))[label],
        "code": label * 10,
        "half": label // 2,
        "noise": rng.normal(size=_ROWS),
    })  # fmt: skip
    assert [leak.column for leak in find_leaks(table, "label")] == ["code"]


def test_few_rows_are_not_judged() -> None:
    assert find_leaks(pa.table({"label": ["a", "b"] * 15, "copy": ["a", "b"] * 15}), "label") == []


def test_rows_without_a_label_are_not_looked_at() -> None:
    table = pa.table({"label": ["a", "b", None] * 100, "copy": [0, 1, 1] * 100})
    assert [leak.column for leak in find_leaks(table, "label")] == ["copy"]


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60))
def test_auc_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=float)
    positive = np.array([flag for _, flag in rows])
    ours, others = scores[positive], scores[~positive]
    if not len(ours) or not len(others):
        assert auc(scores, positive) == 0.5
        return
    pairs = (ours[:, None] > others) + 0.5 * (ours[:, None] == others)
    assert auc(scores, positive) == pytest.approx(pairs.mean())


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_noise_never_scores_as_a_leak(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    classes = class_codes(pa.chunked_array([rng.integers(0, 2, 400)]))
    assert classes is not None
    column = pa.chunked_array([rng.integers(0, values, 400)])
    assert 0.3 < held_out_score(column, classes) < 0.7


@given(st.lists(st.floats(-1e6, 1e6), min_size=60, max_size=80, unique=True))
def test_a_rising_function_has_the_rank_score_one(values: list[float]) -> None:
    column = pa.chunked_array([values])
    cubed = pa.chunked_array([[value**3 + value for value in sorted(values)]])
    assert rank_score(pa.chunked_array([sorted(values)]), cubed) == pytest.approx(1.0)
    assert rank_score(column, pa.chunked_array([["x"] * len(values)])) == 0.0
