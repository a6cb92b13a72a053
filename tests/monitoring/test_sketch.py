"""Histograms: what is counted, merged and told."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from athanor.monitoring.logic import sketch
from athanor.monitoring.types import ColumnKind

NUMBERS = arrays(
    np.float64,
    st.integers(1, 200),
    elements=st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, np.nan])),
).filter(lambda values: bool(np.isfinite(values).any()))


def objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@given(NUMBERS, NUMBERS)
def test_counting_two_parts_and_merging_is_counting_the_whole(
    left: np.ndarray, right: np.ndarray
) -> None:
    plan = sketch.plan_number("x", left)
    merged = sketch.merge(sketch.count(plan, left), sketch.count(plan, right))
    whole = sketch.count(plan, np.concatenate([left, right]))
    np.testing.assert_array_equal(merged.counts, whole.counts)
    assert merged.bad == whole.bad
    assert (merged.lowest, merged.highest) == (whole.lowest, whole.highest)
    assert merged.total == pytest.approx(whole.total, rel=1e-9, abs=1e-3)


@given(NUMBERS)
def test_the_reference_is_whole_and_within_its_range(values: np.ndarray) -> None:
    plan = sketch.plan_number("x", values)
    counted = sketch.count(plan, values)
    assert plan.cells <= sketch.MOST_CELLS + 1
    assert counted.rows == values.size
    assert counted.missing == int(np.isnan(values).sum())
    assert counted.bad["out of range"] == 0
    told = sketch.summary(plan, counted)
    assert told.mean == pytest.approx(np.nanmean(values), rel=1e-6, abs=1e-3)
    assert told.deviation == pytest.approx(np.nanstd(values), rel=1e-3, abs=1.0)


def test_a_number_with_few_values_has_one_cell_a_value() -> None:
    values = np.repeat([0.0, 1.0, 2.0, 5.0], 100)
    plan = sketch.plan_number("x", values)
    assert plan.edges == pytest.approx([0.0, 0.5, 1.5, 3.5, 5.0])
    assert sketch.count(plan, values).counts.tolist() == [0, 100, 100, 100, 100, 0, 0]
    assert plan.centres == [0.0, 0.0, 1.0, 2.0, 5.0, 5.0]


def test_a_number_with_many_values_has_fifty_cells_of_like_size() -> None:
    values = np.random.default_rng(0).lognormal(size=10_000)
    plan = sketch.plan_number("x", values)
    counts = sketch.count(plan, values).counts[:-1]
    assert counts.size == 50
    assert counts[[0, -1]].tolist() == [0, 0]
    assert counts[1:-1].min() > 200
    assert counts[1:-1].max() < 220


def test_a_constant_has_a_cell_and_what_differs_from_it_two() -> None:
    plan = sketch.plan_number("x", np.full(100, 3.0))
    counted = sketch.count(plan, np.array([3.0, 4.0, 2.0, 3.0]))
    assert counted.counts.tolist() == [1, 2, 1, 0]
    assert counted.bad["out of range"] == 2


def test_levels_beyond_the_most_frequent_share_a_cell_and_unseen_ones_are_told() -> None:
    common = [f"level {i % 48}" for i in range(4_800)]
    rare = [f"rare {i}" for i in range(12)]
    plan = sketch.plan_category("x", objects([*common, *rare]))
    assert plan.kind is ColumnKind.CATEGORY
    assert plan.cells == 50
    assert plan.once == 12
    counted = sketch.count(plan, objects(["level 3", "rare 1", "new", "newer", None]))
    assert counted.counts[-2:].tolist() == [3, 1]
    assert counted.bad == {"unseen": 2}


def test_texts_among_numbers_are_of_a_wrong_type_and_missing() -> None:
    plan = sketch.plan_number("x", np.arange(100.0))
    counted = sketch.count(plan, objects([1, "2.5", "many", None, True]))
    assert counted.bad == {"out of range": 0, "wrong type": 1}
    assert counted.missing == 2


def test_blocks_are_counted_apart_and_together() -> None:
    plan = sketch.plan_category("x", objects(["a", "b"]))
    days = objects(["mon", "tue", "mon", "tue", "tue"])
    counted = sketch.count(plan, objects(["a", "a", "b", "b", None]), days)
    assert counted.blocks is not None
    assert counted.blocks.tolist() == [[1, 1, 0, 0], [1, 1, 0, 1]]
    assert counted.counts.tolist() == counted.blocks.sum(axis=0).tolist()
    twice = sketch.merge(counted, counted)
    assert twice.blocks is not None
    assert twice.blocks.shape == (4, 4)


def test_a_summary_names_the_most_frequent_levels_first() -> None:
    plan = sketch.plan_category("x", objects(["a"] * 6 + ["b"] * 3 + ["c"]))
    told = sketch.summary(plan, sketch.count(plan, objects(["b", "b", "a", None])))
    assert [(level.name, round(level.share, 3)) for level in told.levels] == [
        ("b", 0.667),
        ("a", 0.333),
    ]
    assert told.missing == 0.25


def test_cells_have_names_that_people_read() -> None:
    plan = sketch.plan_number("x", np.repeat([0.0, 1.0, 2001.0], 50))
    assert sketch.cell_names(plan) == [
        "below 0",
        "0 to 0.5",
        "0.5 to 1,001",
        "1,001 to 2,001",
        "2,001 and more",
        "(missing)",
    ]
    assert sketch.cell_names(sketch.plan_category("x", objects(["a"])))[-2:] == [
        "(other)",
        "(missing)",
    ]
