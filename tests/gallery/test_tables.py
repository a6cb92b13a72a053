"""What is learnt from, and what is left out and why."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.app.gallery.classification import check
from athanor.app.gallery.commands import notes_of
from athanor.app.gallery.encoding import encoder, features
from athanor.app.gallery.errors import NoSuchColumn, NothingToLearnFrom, NotToKeep, UnfitTarget
from athanor.app.gallery.tables import (
    columns_to_learn,
    kind_of,
    labelled_rows,
    positive_label,
)

ROWS = 200


def test_rows_without_a_label_are_left_out_aloud() -> None:
    table = pd.DataFrame({"y": ["a", "b", None] * 40, "x": range(120)})
    kept, notes = labelled_rows(table, "y")
    assert len(kept) == 80
    assert notes == ["40 rows without a label in 'y' were left out."]


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["a"] * 100, "one class only"),
        ([None] * 100, "it is empty"),
        (np.linspace(0, 1, 100), "a measure rather than classes"),
        ([f"c{n}" for n in range(100)], "100 different values"),
        (["a"] * 97 + ["b"] * 3, "'b' has 3 rows;"),
        ([0] * 99 + [1], "class 1 has 1 row;"),
        ([0] * 99, "one class only, 0"),
        (
            list(range(31)) * 20,
            "a number with 31 different values, and this pipeline is for classes",
        ),
    ],
)
def test_a_target_that_can_not_be_learnt_is_refused(labels: object, why: str) -> None:
    with pytest.raises(UnfitTarget, match=why) as refused:
        labelled_rows(pd.DataFrame({"y": labels}), "y")
    assert refused.value.hint


@pytest.mark.parametrize("values", [range(31), np.linspace(0, 1, 31)])
def test_for_a_number_there_is_another_way(values: object) -> None:
    with pytest.raises(UnfitTarget) as refused:
        labelled_rows(pd.DataFrame({"y": values}), "y")
    assert "athanor run train.py" in refused.value.hint


def test_a_missing_target_names_the_nearest() -> None:
    with pytest.raises(NoSuchColumn, match="'status'"):
        labelled_rows(pd.DataFrame({"status": ["a"]}), "statsu")


def test_rare_classes_are_left_out_aloud() -> None:
    table = pd.DataFrame({"y": ["a"] * 50 + ["b"] * 50 + ["c"] * 2})
    kept, notes = labelled_rows(table, "y")
    assert set(kept["y"]) == {"a", "b"}
    assert notes == ["2 rows of classes with fewer than 10 left out: 'c' (2)."]


@pytest.mark.parametrize(
    ("labels", "wanted", "positive"),
    [
        (["yes", "no", "no"], "", "yes"),
        ([1, 0, 1, 1], "", 1),
        ([True, False], "", True),
        (["gone", "here", "here"], "", "gone"),
        (["gone", "here", "here"], "here", "here"),
        ([0, 1], "0", 0),
        (["a", "b", "c"], "", None),
    ],
)
def test_the_positive_class(labels: list[object], wanted: str, positive: object) -> None:
    assert positive_label(pd.Series(labels, name="y"), wanted) == positive


def test_an_unknown_positive_class_is_refused() -> None:
    with pytest.raises(UnfitTarget, match="'maybe'"):
        positive_label(pd.Series(["yes", "no"], name="y"), "maybe")


DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=n % 50) for n in range(ROWS)]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (list(range(ROWS)), "", "identifier"),
        (np.random.default_rng(0).normal(size=ROWS), "number", ""),
        ([True, False] * 100, "number", ""),
        ([True, None] * 100, "number", ""),
        ([1.5, None, 2, 3] * 50, "number", ""),
        (["a", "b"] * 100, "category", ""),
        ([f"user-{n}" for n in range(ROWS)], "", "identifier"),
        ([f"word {n % 150}" for n in range(ROWS)], "", "free text"),
        (["1.5", "2", " ", "3.25"] * 50, "category", ""),
        (["1.5", "2", "7", "3.25"] * 50, "number_text", ""),
        (pd.to_datetime(["2020-01-01", "2021-05-06"] * 100), "date", ""),
        (DAYS, "date", ""),
        (["2020-01-01", "2021-05-06T10:00:00Z"] * 100, "date_text", ""),
        ([None] * ROWS, "", "missing"),
        (["a"] * ROWS, "", "one value"),
        ([b"a", b"b"] * 100, "", "neither text nor numbers"),
    ],
)
def test_kinds_of_columns(values: object, kind: str, reason: str) -> None:
    found, why = kind_of(pd.Series(values))
    assert found == kind
    assert reason in why


def test_roles_and_leaks_are_left_out_with_their_reason() -> None:
    table = pd.DataFrame(
        {"y": [0, 1] * 50, "key": range(100), "t": range(100), "leak": [0, 1] * 50}
    )
    table["x"] = np.random.default_rng(0).normal(size=100)
    roles = {"target": "y", "id": "key", "time": "t"}
    kept, left = columns_to_learn(table, roles, {"leak": 1.0})
    assert kept == [{"name": "x", "kind": "number"}]
    assert [item["column"] for item in left] == ["key", "t", "leak"]
    with pytest.raises(NothingToLearnFrom):
        columns_to_learn(table[["y", "key"]], {"target": "y", "id": "key", "time": ""}, {})


def test_a_column_is_kept_where_somebody_wants_it() -> None:
    table = pd.DataFrame({"y": [0, 1] * 50, "t": range(100), "leak": [0, 1] * 50})
    table["key"] = [f"k{number}" for number in range(100)]
    roles = {"target": "y", "id": "", "time": "t"}
    kept, left = columns_to_learn(table, roles, {"leak": 1.0}, ["leak", "key"])
    assert [item["name"] for item in kept] == ["leak", "key"]
    assert [item["column"] for item in left] == ["t"]
    with pytest.raises(NoSuchColumn, match="column to keep"):
        columns_to_learn(table, roles, {}, ["leek"])
    with pytest.raises(NotToKeep, match="'t' can't be kept to learn from: it is the time"):
        columns_to_learn(table, roles, {}, ["t"])


def test_what_was_left_out_is_told_with_the_way_to_keep_it() -> None:
    table = pd.DataFrame({"y": [0, 1] * 50, "key": range(100), "the leak": [0, 1] * 50})
    table["x"] = np.random.default_rng(0).normal(size=100)
    plan = check(table, "y", "key", "", "", "").plan
    (leak, way) = notes_of(plan, {"key"})
    assert leak.startswith("'the leak' was left out: it leaks the target")
    assert way.endswith("--keep 'the leak'")
    kept = check(table, "y", "key", "", "", "", ["the leak"]).plan
    assert [column["name"] for column in kept["columns"]] == ["the leak", "x"]
    assert "Kept as it was asked for" in notes_of(kept, {"key"})[0]


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_one_row_is_encoded_as_among_many(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 15
    table = pd.DataFrame(
        {
            "n": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
            "b": rng.random(rows) < 0.5,
            "c": rng.choice(np.array(["a", "b", None], dtype=object), rows),
            "t": rng.choice(np.array(["1", "2.5", None], dtype=object), rows),
            "d": rng.choice(np.array(["2020-01-01", "2021-02-03", None], dtype=object), rows),
        }
    )
    kinds = {"n": "number", "b": "number", "c": "category", "t": "number_text", "d": "date_text"}
    columns = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    for scale in (True, False):
        ready = features(table, columns)
        fitted = encoder(ready, columns, scale=scale).fit(ready)
        batch = fitted.transform(ready)
        single = np.vstack([fitted.transform(ready.iloc[[row]]) for row in range(rows)])
        np.testing.assert_array_equal(batch, single)
        assert not scale or np.isfinite(batch).all()
