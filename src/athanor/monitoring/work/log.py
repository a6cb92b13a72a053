"""Rows of the prediction log and the label log, read once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.dataset as ds

from athanor.kernel.errors import Unavailable

_COLUMNS = ["id", "at", "model", "version", "key", "label", "score", "features"]


class LogMoved(Unavailable):
    """A segment of the log was moved into its table while it was to be read."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"The log segment {path} was moved while it was read.",
            hint="Look again: nothing is lost.",
        )


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
        received = record["received"]
        when = datetime.fromisoformat(received) if isinstance(received, str) else received
        kept, name = (by_id, record["id"]) if record.get("id") else (by_key, record["key"])
        if name not in kept or kept[name][0] <= when:
            kept[name] = (when, record["label"])
    return (
        {name: label for name, (_, label) in by_id.items()},
        {name: label for name, (_, label) in by_key.items()},
    )


def _stored(source: Mapping[str, list[str]], endpoint: str, since: datetime) -> Iterator[Row]:
    files = source.get("parquet", [])
    if not files:
        return
    wanted = (pc.field("endpoint") == endpoint) & (pc.field("at") >= since)
    table = ds.dataset(files, format="parquet").to_table(columns=_COLUMNS, filter=wanted)
    for record in table.to_pylist():
        yield Row(**record | {"features": orjson.loads(record["features"])})


def _hot(source: Mapping[str, list[str]], endpoint: str, since: datetime) -> Iterator[Row]:
    for record in _lines(source.get("jsonl", [])):
        if record["endpoint"] != endpoint:
            continue
        at = datetime.fromisoformat(record["at"])
        if at >= since:
            yield Row(**{name: record[name] for name in _COLUMNS} | {"at": at})


def _records(source: Mapping[str, list[str]], endpoint: str) -> Iterator[dict[str, Any]]:
    files = source.get("parquet", [])
    if files:
        wanted = pc.field("endpoint") == endpoint
        names = ["id", "key", "label", "received"]
        yield from ds.dataset(files, format="parquet").to_table(names, filter=wanted).to_pylist()
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
