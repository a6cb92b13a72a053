"""Profiles: every figure against pandas, and warnings in plain words."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data.logic.association import pairwise
from athanor.data.logic.expectations import suggested
from athanor.data.types import Profile, ReadOptions, Roles
from athanor.data.work.persons import counts
from athanor.data.work.profile import connected, profile_of
from athanor.data.work.reading import look_through
from athanor.data.work.sql import run


def profiled(table: pa.Table, path: Path, target: str = "") -> Profile:
    pq.write_table(table, path, row_group_size=1_000)
    with connected([str(path)]) as connection:
        return profile_of(connection, table.schema, table.num_rows, Roles(target=target))


@pytest.fixture
def adult(data_folder: Path, tmp_path: Path) -> pa.Table:
    path = data_folder / "adult" / "adult_train.csv.gz"
    reading = look_through(path, path.name, tmp_path, ReadOptions(), {})
    return pa.Table.from_batches(reading.rows.batches(), schema=reading.rows.schema())


def test_figures_equal_those_of_pandas(adult: pa.Table, tmp_path: Path) -> None:
    profile = profiled(adult, tmp_path / "adult.parquet", target="income")
    frame = adult.to_pandas()
    assert profile.rows == len(frame)
    assert profile.duplicates == int(frame.duplicated().sum())
    for name in frame.columns:
        column, values = profile.column(name), frame[name]
        assert column is not None
        assert column.missing == int(values.isna().sum())
        assert column.distinct == values.nunique()
        if pd.api.types.is_numeric_dtype(values):
            assert column.minimum == values.min()
            assert column.maximum == values.max()
            assert column.mean == pytest.approx(values.mean())
            assert column.sd == pytest.approx(values.std())
            assert column.quantiles["0.5"] == values.median()
            assert column.quantiles["0.95"] == pytest.approx(values.quantile(0.95))
            assert column.zeros == int((values == 0).sum())
            assert sum(bar.count for bar in column.histogram) == len(values)
            counts, _ = np.histogram(values, bins=20)
            assert [bar.count for bar in column.histogram] == list(counts)
        elif column.distinct <= 50:
            wanted = values.value_counts()
            assert {top.value: top.count for top in column.top} == wanted.to_dict()
    hours = profile.column("hours_per_week")
    label = (frame["income"] == ">50K").astype(float)
    assert hours is not None
    assert abs(hours.correlation or 0) == pytest.approx(frame["hours_per_week"].corr(label), 1e-4)
    education = profile.correlations["age"]["education_num"]
    assert education == pytest.approx(frame["age"].corr(frame["education_num"]), abs=1e-6)


def test_a_profile_survives_json(adult: pa.Table, tmp_path: Path) -> None:
    profile = profiled(adult.slice(0, 500), tmp_path / "adult.parquet")
    assert msgspec.json.decode(msgspec.json.encode(profile), type=Profile) == profile


def test_columns_are_recognised_for_what_they_mean(tmp_path: Path) -> None:
    rows = 200
    table = pa.table({
        "customer": range(1000, 1000 + rows),
        "key": [f"k-{row:04d}" for row in range(rows)],
        "plan": ["basic", "plus", "max", "basic"] * 50,
        "flag": [0, 1] * 100,
        "visits": [row % 30 for row in range(rows)],
        "balance": [row / 3 - 20 for row in range(rows)],
        "day": pa.array(range(rows), pa.int32()).cast(pa.date32()),
        "note": [f"customer {row} said something rather long today" for row in range(rows)],
        "same": ["x"] * rows,
        "nothing": pa.nulls(rows, pa.float64()),
    })  # fmt: skip
    profile = profiled(table, tmp_path / "t.parquet")
    assert {column.name: column.semantic for column in profile.columns} == {
        "customer": "id", "key": "id", "plan": "category", "flag": "flag", "visits": "count",
        "balance": "number", "day": "date", "note": "text", "same": "constant", "nothing": "empty",
    }  # fmt: skip
    codes = {(remark.column, remark.code) for remark in profile.warnings}
    assert {("nothing", "empty"), ("same", "constant"), ("customer", "id")} <= codes


def test_warnings_name_what_is_odd(tmp_path: Path) -> None:
    rows = 400
    table = pa.table({
        "left": ["yes"] * 8 + ["no"] * (rows - 8),
        "income": [float(row % 90) for row in range(rows - 3)] + [99999.0] * 3,
        "also": [float(row % 90) * 2 for row in range(rows - 3)] + [99999.0 * 2] * 3,
        "job": ["?"] * 30 + ["cook"] * (rows - 30),
        "wild": [float("inf"), float("nan"), *map(float, range(rows - 2))],
    })  # fmt: skip
    profile = profiled(table, tmp_path / "t.parquet", target="left")
    codes = {(remark.column, remark.code) for remark in profile.warnings}
    assert {
        ("left", "imbalance"), ("income", "sentinel"), ("income", "correlated"),
        ("job", "like_missing"), ("wild", "infinite"),
    } <= codes  # fmt: skip
    wild = profile.column("wild")
    assert wild is not None
    assert (wild.infinite, wild.minimum, wild.maximum) == (2, 0.0, 397.0)


def test_nested_and_binary_columns_do_not_disturb(tmp_path: Path) -> None:
    table = pa.table({"list": [[1, 2], None], "raw": [b"a", b"b"], "n": [1, 2]})
    profile = profiled(table, tmp_path / "t.parquet")
    assert [column.missing for column in profile.columns] == [1, 0, 0]


@pytest.mark.parametrize("first", [0, 1])
def test_a_correlation_with_classes_has_the_sign_of_their_order(first: int, tmp_path: Path) -> None:
    labels = [first, *([0, 1] * 40), None]
    table = pa.table({"x": [float(label or 0) + place / 99 for place, label in enumerate(labels)],
                      "y": pa.array(labels, pa.int64())})  # fmt: skip
    told = {item.name: item for item in profiled(table, tmp_path / "t.parquet", "y").columns}
    assert told["x"].correlation is not None
    assert told["x"].correlation > 0.5


def test_correlations_leave_out_missing_pairs() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(1e6, 1, size=(300, 3))
    values[:, 1] += values[:, 0]
    values[rng.random((300, 3)) < 0.2] = np.nan
    wanted = pd.DataFrame(values).corr().to_numpy()
    assert np.allclose(pairwise(values), wanted, atol=1e-9)


def test_a_large_table_is_profiled(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = 300_000
    table = pa.table(
        {f"n{place}": rng.normal(size=rows) for place in range(8)}
        | {f"c{place}": rng.choice(list("abcdef"), rows) for place in range(4)}
    )
    profile = profiled(table, tmp_path / "t.parquet")
    first = profile.column("n0")
    assert first is not None
    assert first.distinct == pytest.approx(rows, rel=0.1)


def test_no_range_is_suggested_of_what_is_not_finite(tmp_path: Path) -> None:
    table = pa.table({"wild": [0.5, float("nan"), float("inf"), 2.0], "tame": [0.5, 1.0, 1.5, 2.0]})
    profile = profiled(table, tmp_path / "t.parquet")
    ranges = [item.column for item in suggested(profile, Roles()) if item.kind == "range"]
    assert ranges == ["tame"]


@pytest.mark.parametrize(
    "cells",
    [
        [[row] for row in range(60)],
        [{"a": row} for row in range(60)],
        [date(2024, 1, 1) + timedelta(days=row) for row in range(60)],
        [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=row) for row in range(60)],
    ],
)
def test_a_target_of_any_type_has_a_profile(cells: list[object], tmp_path: Path) -> None:
    table = pa.table({"outcome": cells, "n": list(range(60)), "word": ["x", "y"] * 30})
    profile = profiled(table, tmp_path / "t.parquet", target="outcome")
    assert (profile.target, profile.leaks and profile.leaks[0].column) in {
        ("outcome", ()), ("outcome", "n"),
    }  # fmt: skip


def test_times_are_told_in_utc_wherever_the_server_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        late = datetime(2024, 1, 1, 23, 30, tzinfo=UTC)
        path = tmp_path / "t.parquet"
        profile = profiled(pa.table({"seen": [late, late + timedelta(days=1)]}), path)
        scan = {"parquet": [str(path)], "jsonl": [], "rows": [], "sql": "", "columns": []}
        sql = "select seen::date::varchar, hour(seen) from t order by seen limit 1"
        assert run(sql, {"t": scan}, 10, 500)["rows"] == [["2024-01-01", 23]]
        assert counts([str(path)], "seen", "2024-01-01 23:30:00+00") == {str(path): 1}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert profile.columns[0].minimum == "2024-01-01 23:30:00+00"
