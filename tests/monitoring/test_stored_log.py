"""Rows of the log that were moved into Parquet are read like those that are still hot."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.monitoring.work.log import latest_labels, predictions

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def prediction(number: int) -> dict[str, object]:
    return {
        "endpoint": "churn" if number % 3 else "other",
        "id": f"{number:032x}",
        "predicted_at": AT + timedelta(minutes=number),
        "model": "churn",
        "version": 1,
        "key": str(number),
        "label": "left",
        "score": 0.5,
        "features": json.dumps({"age": number}),
    }


def test_stored_and_hot_rows_are_one_log(tmp_path: Path) -> None:
    stored, hot = tmp_path / "stored.parquet", tmp_path / "hot.jsonl"
    pq.write_table(
        pa.Table.from_pylist([prediction(n) for n in range(40)]), stored, row_group_size=10
    )
    line = prediction(41)
    line |= {
        "predicted_at": f"{line['predicted_at']:%Y-%m-%dT%H:%M:%S.%f%z}",
        "features": {"age": 41},
    }
    hot.write_text(json.dumps(line) + "\n")
    since = AT + timedelta(minutes=25)
    found = predictions({"parquet": [str(stored)], "jsonl": [str(hot)]}, "churn", since)
    expected = [n for n in range(25, 40) if n % 3] + [41]
    assert [row.features["age"] for row in found] == expected
    assert [row.at for row in found] == [AT + timedelta(minutes=n) for n in expected]


def test_stored_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    labels = [
        {"endpoint": "churn", "id": "1", "key": None, "label": "stayed", "received_at": AT},
        {"endpoint": "churn", "id": "1", "key": None, "label": "left",
         "received_at": AT + timedelta(hours=1)},
        {"endpoint": "churn", "id": None, "key": "k", "label": "stayed", "received_at": AT},
        {"endpoint": "other", "id": "2", "key": None, "label": "left", "received_at": AT},
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(labels), path)
    assert latest_labels({"parquet": [str(path)]}, "churn") == ({"1": "left"}, {"k": "stayed"})
