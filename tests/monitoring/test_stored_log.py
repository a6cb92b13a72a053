"""Rows of the log that were moved into Parquet are read like those that are still hot."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from athanor.monitoring.errors import LogMoved
from athanor.monitoring.work.log import latest_labels, predictions
from athanor.serving.warehouse import LABELS

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


def test_tables_from_which_rows_were_erased_are_read(tmp_path: Path) -> None:
    """Delta's DELETE writes a file's texts as views; a file that it removed is looked for anew."""
    tables = {"predictions": str(tmp_path / "p"), "labels": str(tmp_path / "l")}
    write_deltalake(tables["predictions"], pa.Table.from_pylist([prediction(n) for n in range(9)]))
    label = {"endpoint": "churn", "label": "left", "happened_at": AT, "received_at": AT}
    rows = [label | {"key": str(number)} for number in range(9)]
    write_deltalake(tables["labels"], pa.Table.from_pylist(rows, LABELS))
    before = DeltaTable(tables["predictions"]).file_uris()
    for uri in tables.values():
        DeltaTable(uri).delete("key = '5'")
        DeltaTable(uri).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    parts = {name: DeltaTable(uri).file_uris() for name, uri in tables.items()}
    found = predictions({"parquet": parts["predictions"]}, "churn", AT)
    assert [row.features["age"] for row in found] == [1, 2, 4, 7, 8]
    by_id, by_key = latest_labels({"parquet": parts["labels"]}, "churn")
    assert (by_id, sorted(by_key)) == ({}, list("01234678"))
    with pytest.raises(LogMoved, match="moved"):
        predictions({"parquet": before}, "churn", AT)
