"""The prediction log as tables: queries and snapshots.

Needs pyarrow and DuckDB: its functions are called by name, in workers.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.kernel.sqltext import parquet
from athanor.lineage.logic.digests import table_digest
from athanor.serving.logic import rows
from athanor.serving.logic.rows import LabelRow, PredictionRow

_TIME = pa.timestamp("us", "UTC")
PREDICTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("request", pa.string()),
        ("predicted_at", _TIME),
        ("endpoint", pa.string()),
        ("deployment", pa.string()),
        ("model", pa.string()),
        ("version", pa.int64()),
        ("latency", pa.float64()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("score", pa.float64()),
        ("features", pa.string()),
        ("probabilities", pa.string()),
        ("trace", pa.string()),
    ]
)
LABELS = pa.schema(
    [
        ("endpoint", pa.string()),
        ("id", pa.string()),
        ("key", pa.string()),
        ("label", pa.string()),
        ("happened_at", _TIME),
        ("received_at", _TIME),
    ]
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOLD = ("id", "deployment", "label", "score", "probabilities")
_SCHEMAS = {"predictions": PREDICTIONS, "labels": LABELS}

_ARROW = {
    "double": pa.float64(),
    "float": pa.float64(),
    "long": pa.int64(),
    "integer": pa.int64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "datetime": _TIME,
}

_LATEST = """
WITH of_id AS (
    SELECT id, arg_max(label, received_at) AS label FROM labels
    WHERE id IS NOT NULL AND endpoint = $endpoint GROUP BY id
), of_key AS (
    SELECT key, arg_max(label, received_at) AS label FROM labels
    WHERE id IS NULL AND endpoint = $endpoint GROUP BY key
), truths AS (
    SELECT p.*, coalesce(of_id.label, of_key.label) AS truth
    FROM predictions p
    LEFT JOIN of_id ON of_id.id = p.id
    LEFT JOIN of_key ON of_key.key = p.key
    WHERE p.endpoint = $endpoint
)
"""


def query(sources: Mapping[str, Any], endpoint: str, where: Mapping[str, Any]) -> list[Any]:
    """The predictions of an endpoint with their latest labels, newest first."""
    conditions = ["true"]
    values: dict[str, Any] = {"endpoint": endpoint}
    for name, text in (
        ("id", "id = $id"),
        ("deployment", "deployment = $deployment"),
        ("key", "key = $key"),
        ("since", "predicted_at >= $since::TIMESTAMPTZ"),
        ("until", "predicted_at < $until::TIMESTAMPTZ"),
    ):
        if where.get(name) is not None:
            conditions.append(text)
            values[name] = where[name]
    if where.get("labelled") is not None:
        conditions.append("truth IS NOT NULL" if where["labelled"] else "truth IS NULL")
    # The conditions are fixed texts; what callers say goes in as values.
    text = (
        f"{_LATEST} SELECT * FROM truths WHERE {' AND '.join(conditions)} "  # noqa: S608
        f"ORDER BY predicted_at DESC, id DESC LIMIT {int(where.get('limit', 100))}"
    )
    with _views(sources) as connection:
        found: Any = connection.sql(text, params=values).to_arrow_table()
    return [_readable(row) for row in found.to_pylist()]


class _Short(msgspec.Struct):
    """What of a logged row labels are joined by."""

    id: str
    endpoint: str
    key: str | None
    label: str | None
    score: float | None


_short = msgspec.json.Decoder(_Short).decode


def known(
    sources: Mapping[str, Any], endpoint: str, ids: Iterable[str], keys: Iterable[str]
) -> dict[str, Any]:
    """Which ids (with their endpoint) and which keys of the endpoint were predicted.

    `numbers` says whether the endpoint answers with numbers alone; None where it answered nothing.
    """
    source = sources.get("predictions", {})
    names, wanted = list(ids), set(keys)
    asked = set(names)
    found: dict[str, str] = {}
    seen: set[str] = set()
    numbers: list[bool] = []
    for path in map(Path, source.get("jsonl", [])):
        for row in map(_short, rows.whole_lines(path.read_bytes())):
            if row.id in asked:
                found[row.id] = row.endpoint
            if row.endpoint == endpoint:
                numbers.append(row.label is None and row.score is not None)
                if row.key in wanted:
                    seen.add(str(row.key))
    if source.get("parquet"):
        files = parquet(source["parquet"])
        with duckdb.connect(":memory:") as connection:
            text = f"SELECT id, endpoint FROM {files} WHERE list_contains($ids, id)"  # noqa: S608 - quoted
            if names:
                found |= dict(connection.execute(text, {"ids": names}).fetchall())
            text = (
                f"SELECT DISTINCT key FROM {files} "  # noqa: S608 - quoted
                f"WHERE endpoint = $endpoint AND list_contains($keys, key)"
            )
            if wanted:
                values = {"endpoint": endpoint, "keys": list(wanted)}
                seen |= {row[0] for row in connection.execute(text, values).fetchall()}
            text = (
                f"SELECT bool_and(label IS NULL AND score IS NOT NULL) "  # noqa: S608 - quoted
                f"FROM {files} WHERE endpoint = $endpoint"
            )
            told = connection.execute(text, {"endpoint": endpoint}).fetchone()
            numbers += [told[0]] if told and told[0] is not None else []
    return {
        "ids": found,
        "keys": sorted(seen),
        "numbers": all(numbers) if numbers else None,
    }


class _Answered(msgspec.Struct):
    """What of a logged row its answer told."""

    id: str
    request: str
    predicted_at: datetime
    endpoint: str
    deployment: str
    label: str | None
    score: float | None
    probabilities: dict[str, float] | None


_answered = msgspec.json.Decoder(_Answered).decode


def answered(sources: Mapping[str, Any], endpoint: str, request: str) -> list[Any]:
    """The rows that were answered to a request, in the order in which they were.

    Each has `at` (microseconds since 1970), `id`, `deployment`, `label`, `score` and
    `probabilities`.
    """
    source = sources.get("predictions", {})
    named = request.encode()
    found: list[dict[str, Any]] = []
    for path in map(Path, source.get("jsonl", [])):
        for logged in rows.whole_lines(path.read_bytes()):
            if named not in logged:
                continue
            row = _answered(logged)
            if (row.request, row.endpoint) == (request, endpoint):
                at = (row.predicted_at - _EPOCH) // timedelta(microseconds=1)
                found.append({"at": at} | {name: getattr(row, name) for name in _TOLD})
    if source.get("parquet"):
        columns = ", ".join(_TOLD)
        text = (
            f"SELECT epoch_us(predicted_at) AS at, {columns} FROM {parquet(source['parquet'])} "  # noqa: S608 - quoted
            f"WHERE request = $request AND endpoint = $endpoint"
        )
        with duckdb.connect(":memory:") as connection:
            values = {"request": request, "endpoint": endpoint}
            moved: Any = connection.sql(text, params=values).to_arrow_table()
        for row in moved.to_pylist():
            told = row["probabilities"]
            found.append(row | {"probabilities": None if told is None else orjson.loads(told)})
    # Ids of one process are in order, and so are the rows of one answer.
    return sorted(found, key=itemgetter("at", "id"))


def find(sources: Mapping[str, Any], prediction: str) -> dict[str, Any] | None:
    """The prediction with this id, whatever its endpoint."""
    with _views(sources) as connection:
        found = connection.execute(
            "SELECT endpoint FROM predictions WHERE id = $id LIMIT 1", {"id": prediction}
        ).fetchone()
    if found is None:
        return None
    return next(iter(query(sources, str(found[0]), {"id": prediction})), None)


def snapshot(
    sources: Mapping[str, Any],
    endpoint: str,
    signature: Mapping[str, Any],
    request: Mapping[str, Any],
    path: str,
) -> dict[str, Any]:
    """Write an endpoint's logged rows as a Parquet file with the model's own columns.

    The columns are the signature's, then the key, then the target with the labels; with `details`
    what was predicted, too. Rows stand in the order of their prediction. Says the digest and size.
    """
    wanted = {
        "since": request.get("since"),
        "until": request.get("until"),
        "labelled": True if request.get("labelled") else None,
        "limit": 1 << 62,
    }
    found = list(reversed(query(sources, endpoint, wanted)))
    table = _typed(
        found, signature, str(request.get("key") or ""), details=bool(request.get("details"))
    )
    pq.write_table(table, path, compression="zstd")
    return {
        "rows": table.num_rows,
        "columns": table.column_names,
        "digest": table_digest(table),
        "size": Path(path).stat().st_size,
    }


def arrow(kind: str, paths: Iterable[Path]) -> pa.Table:
    """The rows of segments, `predictions` or `labels`, as the Delta table keeps them."""
    if kind == "labels":
        return _columns(
            LABELS,
            ({name: getattr(row, name) for name in LABELS.names} for row in _decoded_labels(paths)),
        )
    return _columns(PREDICTIONS, (rows.flat(row) for row in _decoded(paths)))


def _columns(schema: pa.Schema, records: Iterable[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(records), schema=schema)


def _decoded(paths: Iterable[Path]) -> Iterator[PredictionRow]:
    for path in paths:
        yield from rows.predictions_in(path.read_bytes())


def _decoded_labels(paths: Iterable[Path]) -> Iterator[LabelRow]:
    for path in paths:
        yield from rows.labels_in(path.read_bytes())


@contextmanager
def _views(sources: Mapping[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the views `predictions` and `labels`, each of Delta files and segments."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for kind in _SCHEMAS:
            source = sources.get(kind, {})
            hot = arrow(kind, [Path(name) for name in source.get("jsonl", [])])
            connection.register(f"hot_{kind}", hot)
            parts = [f"SELECT * FROM hot_{kind}"]  # noqa: S608 - one of our two names
            if files := source.get("parquet"):
                parts.append(f"SELECT * FROM {parquet(files)}")  # noqa: S608 - quoted
            connection.execute(f"CREATE VIEW {kind} AS {' UNION ALL BY NAME '.join(parts)}")
        yield connection


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    row["features"] = orjson.loads(row["features"])
    row["probabilities"] = orjson.loads(row["probabilities"]) if row["probabilities"] else None
    row["predicted_at"] = row["predicted_at"].isoformat()
    return row


def _typed(
    found: list[dict[str, Any]], signature: Mapping[str, Any], key: str, *, details: bool
) -> pa.Table:
    columns: dict[str, pa.Array] = {}
    for column in signature["columns"]:
        name, kind = column["name"], _ARROW.get(column["type"], pa.string())
        values = [row["features"].get(name) for row in found]
        if pa.types.is_timestamp(kind):
            columns[name] = pa.array(values, pa.string()).cast(kind)
        else:
            columns[name] = pa.array(values, kind)
    if key and key not in columns:
        columns[key] = pa.array([row["key"] for row in found], pa.string())
    target = str(signature.get("target") or "label")
    columns[target] = _target([row["truth"] for row in found], signature.get("classes") or ())
    # When it was asked: what parts earlier rows from later ones.
    columns["predicted_at"] = pa.array([row["predicted_at"] for row in found], pa.string()).cast(
        _TIME
    )
    if details:
        columns["prediction_id"] = pa.array([row["id"] for row in found], pa.string())
        columns["deployment"] = pa.array([row["deployment"] for row in found], pa.string())
        columns["version"] = pa.array([row["version"] for row in found], pa.int64())
        columns["predicted_label"] = pa.array([row["label"] for row in found], pa.string())
        columns["predicted_score"] = pa.array([row["score"] for row in found], pa.float64())
        columns["latency"] = pa.array([row["latency"] for row in found], pa.float64())
    return pa.table(columns)


def _target(truths: list[str | None], classes: Iterable[Any]) -> pa.Array:
    """Labels came as text; the classes tell what they were."""
    named = {str(item): item for item in classes}
    if not named:
        try:
            return pa.array(
                [None if text is None else float(text) for text in truths], pa.float64()
            )
        except ValueError:  # of a model that answers texts
            return pa.array(truths, pa.string())
    return pa.array([None if text is None else named.get(text, text) for text in truths])
