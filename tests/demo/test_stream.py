"""The simulated bank: what drifts is what the truth names, and nothing else."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from athanor.app.demo.shift import ShiftPlan, most_informative, shift_copy
from athanor.app.demo.stream import (
    COLUMNS,
    ID,
    LEFT,
    TARGET,
    TIME,
    Stream,
    StreamPlan,
    bank_stream,
    write_csv,
)
from athanor.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def stream() -> Stream:
    return bank_stream()


def test_one_plan_gives_one_stream_value_by_value(stream: Stream) -> None:
    assert bank_stream(StreamPlan()).table.equals(stream.table)
    assert not bank_stream(StreamPlan(seed=8)).table.equals(stream.table)


def test_the_schema_is_that_of_the_public_table_with_a_time(stream: Stream) -> None:
    assert tuple(stream.table.column_names) == COLUMNS
    ids = stream.table[ID].to_pylist()
    assert len(set(ids)) == len(ids) == 12_000
    assert sorted(stream.table[TIME].to_pylist()) == stream.table[TIME].to_pylist()
    assert stream.table.to_batches()[0].schema.names == list(COLUMNS)
    assert not any(column.null_count for column in stream.table.columns)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_only_the_named_columns_and_the_label_differ_from_the_healthy_stream(seed: int) -> None:
    drifted = bank_stream(StreamPlan(seed=seed))
    healthy = bank_stream(StreamPlan(seed=seed, drift_month=None))
    different = {name for name in COLUMNS if not drifted.table[name].equals(healthy.table[name])}
    assert different == {*drifted.truth.columns, TARGET}
    before = drifted.truth.from_row
    assert before == 8_000
    assert drifted.table.slice(0, before).equals(healthy.table.slice(0, before))
    assert healthy.truth.kind == "none"


def test_each_named_column_moves_by_a_third_of_a_deviation_or_more(stream: Stream) -> None:
    before, after = stream.months(1, 8), stream.months(9, 12)
    for name in stream.truth.columns:
        old, new = (np.asarray(part[name].to_numpy(), float) for part in (before, after))
        assert (new.mean() - old.mean()) / old.std() > 1 / 3
    assert stream.truth.starts_at == "2025-09-01T00:00:00+00:00"


def features(table: pa.Table) -> tuple[Any, NDArray[np.bool_]]:
    frame = table.drop_columns([ID, TIME, TARGET]).to_pandas()
    texts = [name for name in frame.columns if pa.types.is_string(table.schema.field(name).type)]
    frame[texts] = frame[texts].astype("category")
    return frame, np.equal(table[TARGET].to_pylist(), LEFT)


def fitted(table: pa.Table) -> lightgbm.LGBMClassifier:
    model = lightgbm.LGBMClassifier(
        n_estimators=150, learning_rate=0.06, num_leaves=15, verbose=-1, n_jobs=1, random_state=0
    )
    rows, label = features(table)
    model.fit(rows, label)
    return model


def area(model: lightgbm.LGBMClassifier, table: pa.Table) -> float:
    rows, label = features(table)
    return float(roc_auc_score(label, np.asarray(model.predict_proba(rows))[:, 1]))


def test_the_champion_fades_after_the_drift_and_a_retrained_one_recovers(stream: Stream) -> None:
    champion, challenger = fitted(stream.months(1, 6)), fitted(stream.months(9, 10))
    assert area(champion, stream.months(7, 8)) > 0.95
    assert area(champion, stream.months(11, 12)) < 0.75
    assert area(challenger, stream.months(11, 12)) > 0.95


def test_about_one_in_six_leaves_in_every_month(stream: Stream) -> None:
    left = np.array(stream.table[TARGET].to_pylist()) == LEFT
    for month in range(1, 13):
        assert 0.10 < left[stream.month == month].mean() < 0.22


def test_a_label_is_known_only_after_its_delay(stream: Stream) -> None:
    assert stream.labels(9, 9, known_by=datetime(2025, 9, 30, tzinfo=UTC)).num_rows == 0
    some = stream.labels(9, 9, known_by=datetime(2025, 10, 16, tzinfo=UTC)).num_rows
    assert 300 < some < 700
    assert stream.labels(9, 9).num_rows == 1000


def test_csv_reads_back(stream: Stream, tmp_path: Path) -> None:
    path = tmp_path / "stream.csv"
    write_csv(stream.months(1, 1), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1000
    assert tuple(rows[0]) == COLUMNS
    assert rows[0][TARGET] in {"Existing Customer", "Attrited Customer"}


@pytest.mark.parametrize(
    "plan", [{"months": 0}, {"rows_per_month": 0}, {"drift_month": 13}, {"label_delay_days": -1}]
)
def test_an_impossible_plan_is_refused(plan: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        StreamPlan(**plan)


def test_a_shifted_copy_differs_in_one_column_of_its_second_half(stream: Stream) -> None:
    table = stream.months(7, 8)
    shifted = shift_copy(table, target=TARGET, leave_out=[ID, TIME])
    (name,) = shifted.truth.columns
    assert name == "Total_Trans_Ct"
    assert shifted.truth.simulated
    assert "standard deviations" in shifted.truth.changes[name]
    assert shifted.table.schema == table.schema
    for other in COLUMNS:
        assert shifted.table[other].equals(table[other]) is (other != name)
    assert shifted.table.slice(0, 1000).equals(table.slice(0, 1000))
    moved = np.asarray(shifted.table[name][1000:]) - np.asarray(table[name][1000:])
    assert set(moved.tolist()) == {round(float(np.std(np.asarray(table[name]), ddof=1)))}


def test_a_category_shifts_by_moving_mass_to_one_level(stream: Stream) -> None:
    shifted = shift_copy(stream.months(7, 8), ShiftPlan(column="Marital_Status"))
    later = shifted.table["Marital_Status"].to_pylist()[1000:]
    share = max(later.count("Unknown"), later.count("Divorced")) / 1000
    assert 0.36 < share < 0.56


def test_a_column_with_missing_values_keeps_them() -> None:
    table = pa.table({"a": [1.0, None, 3.0, 4.0, None, 6.0], "b": ["x", None, "y", "x", None, "y"]})
    assert shift_copy(table, ShiftPlan(column="a")).table["a"].null_count == 2
    assert shift_copy(table, ShiftPlan(column="b", mass=1.0)).table["b"].null_count == 2


def test_ids_times_and_constants_are_never_chosen() -> None:
    rows = 100
    table = pa.table(
        {
            "id": list(range(rows)),
            "constant": [1] * rows,
            "empty": pa.nulls(rows, pa.float64()),
            "noise": [float(i % 7) for i in range(rows)],
            "signal": ["high" if i % 2 and i % 5 else "low" for i in range(rows)],
            "label": [i % 2 for i in range(rows)],
        }
    )
    assert most_informative(table, target="label") == "signal"
    with pytest.raises(Invalid):
        most_informative(table, target="label", leave_out=["noise", "signal"])


def test_a_column_that_leaks_the_target_is_never_chosen() -> None:
    random = np.random.default_rng(0)
    label = random.random(2_000) < 0.2
    table = pa.table(
        {
            "leak": np.where(label, 0.99, 0.01) + 0.001 * random.random(2_000),
            "signal": random.normal(size=2_000) + label,
            "noise": random.normal(size=2_000),
            "label": label,
        }
    )
    assert most_informative(table, target="label") == "signal"


def test_an_unknown_column_is_refused_by_name(stream: Stream) -> None:
    with pytest.raises(NotFound, match="Nonsense"):
        shift_copy(stream.table, ShiftPlan(column="Nonsense"))


def test_a_constant_column_is_refused() -> None:
    table = pa.table({"a": [1.0] * 4, "b": ["x"] * 4})
    with pytest.raises(Invalid, match="constant"):
        shift_copy(table, ShiftPlan(column="a"))
    with pytest.raises(Invalid, match="one level"):
        shift_copy(table, ShiftPlan(column="b"))
