"""Rows of the prediction log and the label log, read once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.monitoring.errors import LogMoved

_COLUMNS = ["id", "predicted_at", "model", "version", "key", "label", "score", "features"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What monitoring needs of a prediction."""

    id: str
    at: datetime
    model: str
    version: int
    key: str | None
    label: str | None
    score: float | None
    features: Mapping[str, Any]


def predictions(source: Mapping[str, list[str]], endpoint: str, since: datetime) -> list[Row]:
    """An endpoint's predictions from an instant on, in the order of their time and id.

    Raises: LogMoved.
    """
    found = [*_stored(source, endpoint, since), *_hot(source, endpoint, since)]
    return sorted(found, key=lambda row: (row.at, row.id))


def latest_labels(
    source: Mapping[str, list[str]], endpoint: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The latest label by prediction id, and by key.

    Raises: LogMoved.
    """
    by_id: dict[str, tuple[datetime, str]] = {}
    by_key: dict[str, tuple[datetime, str]] = {}
    for record in _records(source, endpoint):
        received = record["received_at"]
        when = datetime.fromisoformat(received) if isinstance(received, str) else received
        kept, name = (by_id, record["id"]) if record.get("id") else (by_key, record["key"])
        if name not in kept or kept[name][0] <= when:
            kept[name] = (when, record["label"])
    return (
        {name: label for name, (_, label) in by_id.items()},
        {name: label for name, (_, label) in by_key.items()},
    )


def _stored(source: Mapping[str, list[str]], endpoint: str, since: datetime) -> Iterator[Row]:
    for path in source.get("parquet", []):
        for table in _groups(path, _COLUMNS, since):
            wanted = pc.and_(
                pc.equal(table["endpoint"], endpoint),
                pc.greater_equal(table["predicted_at"], since),
            )
            for record in table.filter(wanted).drop_columns(["endpoint"]).to_pylist():
                yield _row(record | {"features": orjson.loads(record["features"])})


def _groups(path: str, names: list[str], since: datetime | None) -> Iterator[pa.Table]:
    """The row groups of a file that may hold rows since an instant, each as a table.

    Raises: LogMoved.
    """
    try:
        file = pq.ParquetFile(path)
    except FileNotFoundError:
        raise LogMoved(path) from None  # an erasure wrote the table's files anew
    with file:
        for number in range(file.num_row_groups):
            if since is not None:
                place = file.schema_arrow.get_field_index("predicted_at")
                told = file.metadata.row_group(number).column(place).statistics
                if told is not None and told.has_min_max and told.max < since:
                    continue
            yield _plain(file.read_row_group(number, columns=["endpoint", *names]))


def _plain(table: pa.Table) -> pa.Table:
    """Texts as strings: Delta's DELETE writes them as views, which Arrow can't compare."""
    fields = [
        field.with_type(pa.string()) if pa.types.is_string_view(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _hot(source: Mapping[str, list[str]], endpoint: str, since: datetime) -> Iterator[Row]:
    for record in _lines(source.get("jsonl", [])):
        if record["endpoint"] != endpoint:
            continue
        at = datetime.fromisoformat(record["predicted_at"])
        if at >= since:
            yield _row({name: record[name] for name in _COLUMNS} | {"predicted_at": at})


def _row(record: dict[str, Any]) -> Row:
    at = record.pop("predicted_at")
    return Row(at=at, **record)


def _records(source: Mapping[str, list[str]], endpoint: str) -> Iterator[dict[str, Any]]:
    for path in source.get("parquet", []):
        for table in _groups(path, ["id", "key", "label", "received_at"], None):
            yield from table.filter(pc.equal(table["endpoint"], endpoint)).to_pylist()
    for record in _lines(source.get("jsonl", [])):
        if record["endpoint"] == endpoint:
            yield record


def _lines(paths: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The whole lines of segments; a last line that its writer did not finish is left out."""
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            raise LogMoved(path) from None
        for text in data[: data.rfind(b"\n") + 1].split(b"\n"):
            if text:
                yield orjson.loads(text)
