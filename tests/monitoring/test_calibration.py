"""Healthy windows look healthy as often as promised, and drift is found by name."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.app.demo.stream import ID, TARGET, TIME, StreamPlan, bank_stream
from athanor.monitoring.logic.calibration import (
    benjamini_hochberg,
    calibrate,
    deal_blocks,
    tail_probability,
)
from athanor.monitoring.logic.judge import Reference, count_window, judge, summarise, values_of
from athanor.monitoring.logic.sketch import count, plan_number
from athanor.monitoring.types import MonitorSettings, WindowReport, WindowVerdict

NOT_INPUTS = [ID, TIME, TARGET]


def window_report(
    reference: Reference, window: pa.Table, settings: MonitorSettings | None = None
) -> WindowReport:
    columns = {name: values_of(window[name])[1] for name in window.column_names}
    return judge(reference, count_window(reference, columns), settings or MonitorSettings())


def test_healthy_windows_are_flagged_no_more_often_than_stated() -> None:
    """At 20 %, 60 windows with references of their own give at most 12 flags on average; 24 or
    more would come by chance once in 3,000 runs, and the seeds are fixed."""
    settings = MonitorSettings(false_alarm_rate=0.2, replicates=200)
    flagged, p_values = 0, []
    for seed in range(60):
        stream = bank_stream(
            StreamPlan(seed=9_000 + seed, months=2, rows_per_month=1_500, drift_month=None)
        )
        reference = summarise(stream.months(1, 1), leave_out=NOT_INPUTS)
        report = window_report(reference, stream.months(2, 2).slice(0, 400), settings)
        flagged += report.verdict is not WindowVerdict.HEALTHY
        p_values += [finding.p_value for finding in report.columns]
    assert flagged <= 23
    assert 0.03 < np.mean(np.array(p_values) <= 0.05) < 0.07


@pytest.mark.parametrize("seed", range(20))
def test_the_shifted_columns_are_found_at_500_rows_and_no_other_is_named(seed: int) -> None:
    stream = bank_stream(StreamPlan(seed=seed))
    reference = summarise(stream.months(1, 6), leave_out=NOT_INPUTS)
    report = window_report(reference, stream.months(9, 9).slice(0, 500))
    assert report.verdict is WindowVerdict.DRIFTED
    assert set(report.drifted) == set(stream.truth.columns)


def test_correlated_rows_look_drifted_by_rows_and_healthy_by_blocks() -> None:
    """Days differ, rows within a day are alike, nothing drifts: whole days must be dealt out."""
    random = np.random.default_rng(5)
    flagged = {"rows": 0, "blocks": 0}
    for _ in range(30):
        level = random.normal(size=130)
        days = np.repeat(np.arange(130), 24)
        values = level[days] + 0.3 * random.normal(size=days.size)
        old, new = days < 120, days >= 120
        plan = plan_number("x", values[old])
        for how in flagged:
            blocks = (days[old], days[new]) if how == "blocks" else (None, None)
            found = calibrate(
                plan,
                count(plan, values[old], blocks[0]),
                count(plan, values[new], blocks[1]),
                replicates=300,
                level=0.999,
                random=random,
            )
            flagged[how] += found.p_value <= 0.05
    assert flagged["rows"] >= 25
    assert flagged["blocks"] <= 5


def test_dealt_blocks_keep_the_pool_and_the_number_of_blocks() -> None:
    random = np.random.default_rng(1)
    reference, window = random.integers(0, 9, (12, 4)), random.integers(0, 9, (3, 4))
    old, new = deal_blocks(reference, window, 50, random)
    pool = reference.sum(axis=0) + window.sum(axis=0)
    assert (old + new == pool).all()
    assert new[0].tolist() == window.sum(axis=0).tolist()


def test_the_extrapolated_tail_is_that_of_an_exponential() -> None:
    healthy = np.random.default_rng(2).exponential(size=2_000)
    for value in (9.0, 12.0):
        found = tail_probability(value, healthy)
        assert np.exp(-value) / 5 < found < np.exp(-value) * 5
    assert tail_probability(1.0, healthy) == pytest.approx(np.exp(-1.0), abs=0.05)


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=30))
def test_benjamini_hochberg_flags_as_the_step_up_rule_does(p_values: list[float]) -> None:
    adjusted = benjamini_hochberg(p_values)
    assert all(a >= p - 1e-12 for a, p in zip(adjusted, p_values, strict=True))
    rate = 0.1
    ranked = sorted(p_values)
    cut = max(
        (p for i, p in enumerate(ranked, start=1) if p <= rate * i / len(ranked)), default=-1.0
    )
    by_rule = [p <= cut for p in p_values]
    # A value on the line itself may round to either side.
    clear = [abs(a - rate) > 1e-9 for a in adjusted]
    flagged = [a <= rate for a in adjusted]
    assert [f for f, c in zip(flagged, clear, strict=True) if c] == [
        r for r, c in zip(by_rule, clear, strict=True) if c
    ]


def test_equal_windows_give_equal_reports() -> None:
    stream = bank_stream(StreamPlan(seed=3))
    reference = summarise(stream.months(1, 6), leave_out=NOT_INPUTS)
    window = stream.months(9, 9).slice(0, 500)
    assert window_report(reference, window) == window_report(reference, window)


def test_a_column_that_never_varies_is_healthy_until_it_does() -> None:
    table = pa.table({"x": [1.0] * 1_000, "y": ["a"] * 1_000})
    reference = summarise(table)
    same = window_report(reference, table.slice(0, 300))
    assert same.verdict is WindowVerdict.HEALTHY
    other = pa.table({"x": [1.0] * 250 + [2.0] * 50, "y": ["a"] * 250 + ["b"] * 50})
    assert set(window_report(reference, other).drifted) == {"x", "y"}
