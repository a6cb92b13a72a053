"""The verdict on a window, and the words that it is told in."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from athanor.app.demo.stream import ID, TARGET, TIME, StreamPlan, bank_stream
from athanor.monitoring.logic.judge import Reference, count_window, judge, summarise, values_of
from athanor.monitoring.types import (
    ColumnFinding,
    MonitorSettings,
    Performance,
    WindowReport,
    WindowVerdict,
)

STREAM = bank_stream(StreamPlan(seed=11, drift_month=None))
REFERENCE = summarise(STREAM.months(1, 6), leave_out=[ID, TIME, TARGET])
HEALTHY = STREAM.months(7, 7).slice(0, 500)


def report_of(
    window: pa.Table,
    reference: Reference = REFERENCE,
    settings: MonitorSettings | None = None,
    performance: Performance | None = None,
) -> WindowReport:
    columns = {name: values_of(window[name])[1] for name in window.column_names}
    return judge(
        reference,
        count_window(reference, columns),
        settings or MonitorSettings(),
        performance=performance,
    )


def changed(name: str, values: pa.Array) -> pa.Table:
    return HEALTHY.set_column(HEALTHY.column_names.index(name), name, values)


def column(report: WindowReport, name: str) -> ColumnFinding:
    return next(item for item in report.columns if item.column == name)


def test_a_healthy_window_says_so_with_every_columns_figures() -> None:
    report = report_of(HEALTHY)
    assert report.verdict is WindowVerdict.HEALTHY
    assert report.reason == "All 19 columns look like the training data."
    assert set(report.left_out) == {ID, TIME, TARGET}
    for item in report.columns:
        assert item.measures["js"].value >= 0
        assert item.shown["psi"] >= 0
        assert "999 of 1,000" in item.explanation


def test_a_small_window_says_nothing() -> None:
    report = report_of(HEALTHY.slice(0, 199))
    assert report.verdict is WindowVerdict.TOO_SMALL
    assert "199 rows, fewer than the 200" in report.reason
    assert report.columns == []


def test_a_small_reference_says_nothing() -> None:
    reference = summarise(HEALTHY.slice(0, 40), leave_out=[ID, TIME, TARGET])
    report = report_of(HEALTHY, reference)
    assert report.verdict is WindowVerdict.TOO_SMALL
    assert "reference has 40 rows" in report.reason


def test_a_shifted_number_is_explained_by_its_mean() -> None:
    more = pa.array(np.asarray(HEALTHY["Total_Trans_Amt"]) + 1_500)
    report = report_of(changed("Total_Trans_Amt", more))
    assert report.drifted == ["Total_Trans_Amt"]
    words = column(report, "Total_Trans_Amt").explanation
    assert re.match(
        r"JS 0\.\d+; healthy windows of 500 rows stay below 0\.\d+ in 999 of 1,000; "
        r"mean rose from 4,\d{3} to 5,\d{3} \(\+0\.\d\d standard deviations\)\.",
        words,
    )


def test_a_moved_category_is_explained_by_its_levels() -> None:
    levels = HEALTHY["Marital_Status"].to_pylist()
    moved = pa.array(["Divorced" if i % 3 == 0 else level for i, level in enumerate(levels)])
    report = report_of(changed("Marital_Status", moved))
    assert report.drifted == ["Marital_Status"]
    words = column(report, "Marital_Status").explanation
    assert "'Divorced' rose from" in words
    assert "'Married' fell from" in words


def test_an_unseen_level_is_both_drift_and_damage() -> None:
    levels = HEALTHY["Card_Category"].to_pylist()
    report = report_of(changed("Card_Category", pa.array(["Ruby"] * 60 + levels[60:])))
    assert report.verdict is WindowVerdict.DRIFTED
    assert "60 rows have levels that the reference has not" in (
        column(report, "Card_Category").explanation
    )
    (found,) = report.quality
    assert (found.column, found.problem, found.share) == ("Card_Category", "unseen", 0.12)


def test_missing_values_are_found_and_told() -> None:
    ages = pa.array([None] * 40 + HEALTHY["Customer_Age"].to_pylist()[40:], pa.int64())
    report = report_of(changed("Customer_Age", ages))
    (found,) = report.quality
    assert (found.column, found.problem) == ("Customer_Age", "missing")
    assert found.explanation == "8 % of the rows (40) have no value; in the reference 0 %."
    assert "missing values rose from 0 % to 8 %" in column(report, "Customer_Age").explanation


def test_a_few_bad_values_damage_without_drift() -> None:
    ages = pa.array([999] * 8 + HEALTHY["Customer_Age"].to_pylist()[8:])
    report = report_of(changed("Customer_Age", ages))
    assert report.verdict is WindowVerdict.DAMAGED
    (found,) = report.quality
    assert found.problem == "out of range"
    assert "outside the reference's range of 26 to" in found.explanation
    assert "Customer_Age" in report.reason


def test_texts_in_a_number_are_of_a_wrong_type() -> None:
    ages = np.array(HEALTHY["Customer_Age"].to_pylist(), dtype=object)
    ages[:8] = "young"
    columns = {name: values_of(HEALTHY[name])[1] for name in HEALTHY.column_names}
    window = count_window(REFERENCE, {**columns, "Customer_Age": ages})
    report = judge(REFERENCE, window, MonitorSettings())
    assert [(item.column, item.problem) for item in report.quality] == [
        ("Customer_Age", "wrong type")
    ]


def test_a_column_that_is_not_in_the_log_is_left_out_aloud() -> None:
    report = report_of(HEALTHY.drop_columns(["Gender"]))
    assert report.left_out["Gender"] == "not in the prediction log"
    assert report.verdict is WindowVerdict.HEALTHY


def test_a_degraded_model_is_told_where_nothing_drifted() -> None:
    worse = Performance(
        metric="roc_auc", labelled=400, rows=500, value=0.6, degraded=True, explanation="Worse."
    )
    report = report_of(HEALTHY, performance=worse)
    assert report.verdict is WindowVerdict.DEGRADED
    assert report.performance == worse


def test_the_models_outputs_are_not_named_among_the_inputs() -> None:
    reference = replace(REFERENCE, outputs=frozenset({"Credit_Limit"}))
    lower = pa.array(np.asarray(HEALTHY["Credit_Limit"]) / 2)
    report = report_of(changed("Credit_Limit", lower), reference)
    assert report.verdict is WindowVerdict.DRIFTED
    assert report.drifted == []
    assert column(report, "Credit_Limit").role == "output"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pa.array(range(300)), "an id"),
        (pa.array([f"name {i}" for i in range(300)]), "an id"),
        (pa.nulls(300, pa.float64()), "no value"),
        (pa.array([[1]] * 300), "not a single"),
        (pa.array(range(300), pa.timestamp("s")), "a time"),
    ],
)
def test_columns_that_cannot_be_compared_are_left_out_with_the_reason(
    values: pa.Array, reason: str
) -> None:
    reference = summarise(pa.table({"x": values, "y": [i % 3 for i in range(300)]}))
    assert list(reference.plans) == ["y"]
    assert reason in reference.left_out["x"]


def test_booleans_and_dictionaries_are_categories() -> None:
    table = pa.table(
        {
            "flag": [i % 2 == 0 for i in range(400)],
            "colour": pa.array(["red", "blue"] * 200).dictionary_encode(),
        }
    )
    reference = summarise(table)
    assert reference.plans["flag"].levels == ["False", "True"]
    assert report_of(table, reference).verdict is WindowVerdict.HEALTHY


def test_whole_days_are_dealt_out_where_a_block_is_named() -> None:
    random = np.random.default_rng(4)
    days = np.repeat(np.arange(60), 40)
    table = pa.table({"day": days, "x": random.normal(size=60)[days]})
    reference = summarise(table.slice(0, 2_000), block="day")
    report = report_of(table.slice(2_000), reference)
    assert report.resampled == "blocks of day"
    assert report.verdict is WindowVerdict.HEALTHY
    by_rows = summarise(table.slice(0, 2_000).drop_columns(["day"]))
    assert report_of(table.slice(2_000), by_rows).verdict is WindowVerdict.DRIFTED
