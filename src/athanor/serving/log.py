"""The prediction log and the label log, as the server sees them.

Both are segments first and a Delta table later. A segment that is in both places for a while counts
once: the table's transactions say which segments it holds.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from athanor.kernel.permissions import Access, Principal
from athanor.kernel.relation import Column, Relation, Scan
from athanor.kernel.storage import Blob, Storage
from athanor.kernel.workers import Workers
from athanor.serving import segments
from athanor.serving.delta import DeltaState, LogCleaned, advance
from athanor.serving.logic.rows import LabelRow, line
from athanor.serving.types import Prediction, PredictionQuery, Signature, SnapshotRequest

_QUERIES = "athanor.serving.warehouse"
_MOVES = "athanor.serving.compaction"
_SECONDS = 600.0

_PREDICTION_COLUMNS = (
    ("id", "VARCHAR"),
    ("request", "VARCHAR"),
    ("predicted_at", "TIMESTAMPTZ"),
    ("endpoint", "VARCHAR"),
    ("deployment", "VARCHAR"),
    ("model", "VARCHAR"),
    ("version", "BIGINT"),
    ("latency", "DOUBLE"),
    ("key", "VARCHAR"),
    ("label", "VARCHAR"),
    ("score", "DOUBLE"),
    ("features", "JSON"),
    ("probabilities", "JSON"),
    ("trace", "VARCHAR"),
)
_LABEL_COLUMNS = (
    ("endpoint", "VARCHAR"),
    ("id", "VARCHAR"),
    ("key", "VARCHAR"),
    ("label", "VARCHAR"),
    ("happened_at", "TIMESTAMPTZ"),
    ("received_at", "TIMESTAMPTZ"),
)
_TRUTH_COLUMNS = (("predicted", "VARCHAR"), ("truth", "VARCHAR"), ("labelled_at", "TIMESTAMPTZ"))
_LABELLED_COLUMNS = tuple(dict([*_PREDICTION_COLUMNS, *_LABEL_COLUMNS, *_TRUTH_COLUMNS]).items())
"""Of both logs, as one table."""
_LABELLED = """
SELECT p.id, p.request, p.predicted_at, p.endpoint, p.deployment, p.model, p.version, p.latency,
    p.key, p.label AS predicted, p.score, coalesce(i.truth, k.truth) AS truth,
    coalesce(i.at, k.at) AS labelled_at, p.features, p.probabilities, p.trace
FROM (SELECT * FROM source WHERE predicted_at IS NOT NULL) p
LEFT JOIN (
    SELECT endpoint, id, arg_max(label, received_at) AS truth, max(received_at) AS at
    FROM source WHERE received_at IS NOT NULL AND id IS NOT NULL GROUP BY ALL
) i ON i.endpoint = p.endpoint AND i.id = p.id
LEFT JOIN (
    SELECT endpoint, key, arg_max(label, received_at) AS truth, max(received_at) AS at
    FROM source WHERE received_at IS NOT NULL AND id IS NULL GROUP BY ALL
) k ON k.endpoint = p.endpoint AND k.key = p.key
WHERE coalesce(i.truth, k.truth) IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What of a log is still in segments."""

    segments: int
    bytes: int
    seconds: float
    """Since the last row of the oldest segment was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A table made of logged rows."""

    blob: Blob
    digest: str
    """The table's canonical digest."""
    rows: int
    columns: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What of some ids and keys is in the log."""

    ids: dict[str, str]
    """The endpoints of those ids that were predicted."""
    keys: frozenset[str]
    numbers: bool | None
    """Whether the endpoint answers with numbers alone; None where it answered nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What of a logged row its answer told."""

    at: int
    """When, microseconds since 1970; the same for all rows of one answer."""
    id: str
    deployment: str
    label: str | None
    score: float | None
    probabilities: dict[str, float] | None


class ServingLog:
    """Reads, joins, moves and snapshots what was logged; safe to share between threads."""

    def __init__(self, folder: Path, storage: Storage, workers: Workers) -> None:
        self._storage = storage
        self._workers = workers
        self._kinds = {
            "predictions": _Kind("predictions", folder / "predictions" / segments.FORMAT, storage),
            "labels": _Kind("labels", folder / "labels" / segments.FORMAT, storage),
        }
        self._labels = _LabelWriter(self._kinds["labels"].folder)

    @property
    def predictions_folder(self) -> Path:
        """Where the planes write their segments."""
        return self._kinds["predictions"].folder

    def query(self, endpoint: str, query: PredictionQuery) -> list[Prediction]:
        """The endpoint's predictions, newest first, with their latest labels."""
        found = self._call(
            "query", {"sources": self.sources(), "endpoint": endpoint, "where": _plain(query)}
        )
        return msgspec.convert(found, list[Prediction])

    def find(self, prediction: str) -> Prediction | None:
        """The prediction with this id."""
        found = self._call("find", {"sources": self.sources(), "prediction": prediction})
        return None if found is None else msgspec.convert(found, Prediction)

    def known(self, endpoint: str, ids: Sequence[str], keys: Sequence[str]) -> "Known":
        """Which of these were predicted."""
        wanted = {"endpoint": endpoint, "ids": ids, "keys": keys}
        return msgspec.convert(self._call("known", {"sources": self.sources()} | wanted), Known)

    def answered(self, endpoint: str, request: str) -> "list[Answered]":
        """The rows that were answered to a request, in the order in which they were."""
        found = self._call(
            "answered", {"sources": self.sources(), "endpoint": endpoint, "request": request}
        )
        return msgspec.convert(found, list[Answered])

    def written_before(self, name: str) -> bool:
        """Whether a segment that is older than this id is still written to."""
        kind = self._kinds["predictions"]
        return any(
            path.stem < name and path.exists() and not segments.is_free(path)
            for path in segments.all_in(kind.folder)
        )

    def append_labels(self, rows: Sequence[LabelRow]) -> None:
        """Keep labels; they survive a power cut. Raises: DiskNearlyFull."""
        self._storage.check_space()
        self._labels.append(b"".join(map(line, rows)))

    def snapshot(
        self, endpoint: str, signature: Signature, key: str, request: SnapshotRequest
    ) -> Snapshot:
        """Make a Parquet table of logged rows and store it.

        Raises: DiskNearlyFull.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            made = self._call(
                "snapshot",
                {
                    "sources": self.sources(),
                    "endpoint": endpoint,
                    "signature": msgspec.to_builtins(signature),
                    "request": _plain(request) | {"key": key},
                    "path": str(path),
                },
            )
            blob = self._storage.put_file(path)
        return Snapshot(
            blob=blob, digest=made["digest"], rows=made["rows"], columns=made["columns"]
        )

    def compact(self) -> int:
        """Move the sealed segments into their Delta tables; how many rows were moved."""
        moved = 0
        for kind in self._kinds.values():
            if segments.sealed_in(kind.folder):
                arguments = {"kind": kind.name, "uri": kind.uri, "folder": str(kind.folder)}
                moved += int(self._move("compact", arguments)["rows"])
        return moved

    def relations(self, access: Access) -> list[Relation]:
        """What `athanor sql` may read."""
        return [
            _relation(
                "predictions",
                "Every prediction that an endpoint answered, with its inputs.",
                _PREDICTION_COLUMNS,
                self._scan("predictions", access),
            ),
            _relation(
                "labels",
                "The labels that came for predictions; the latest one received counts.",
                _LABEL_COLUMNS,
                self._scan("labels", access),
            ),
            _relation(
                "labelled_predictions",
                "Every prediction whose truth came, once, with the newest: predicted, truth.",
                _LABELLED_COLUMNS,
                self._scan_labelled(access),
            ),
        ]

    def sources(self) -> dict[str, dict[str, list[str]]]:
        """Where the rows lie at this moment, each row in one place."""
        return {name: kind.source(self._move) for name, kind in self._kinds.items()}

    def labels_mark(self) -> tuple[tuple[str, int], ...]:
        """What changes whenever a label comes; empty where none ever did."""
        kind = self._kinds["labels"]
        moved = Path(kind.uri) / "_delta_log"
        return kind.mark() or ((("moved", 0),) if moved.exists() else ())

    def predictions_mark(self) -> tuple[tuple[str, int], ...]:
        """What changes whenever a prediction is logged, or logged ones are moved."""
        return self._kinds["predictions"].mark()

    def lag(self) -> "Lag":
        """How much of the prediction log is not in its table yet."""
        kind = self._kinds["predictions"]
        hot = kind.source(self._move)["jsonl"]
        found = []
        for path in hot:
            with suppress(FileNotFoundError):
                found.append(Path(path).stat())
        now = time.time()
        return Lag(
            segments=len(found),
            bytes=sum(item.st_size for item in found),
            seconds=max((now - item.st_mtime for item in found), default=0.0),
        )

    def close(self) -> None:
        """Seal the labels' segment."""
        self._labels.close()

    def _scan(self, name: str, access: Access) -> Callable[[Principal, str], Scan]:
        def scan(who: Principal, rest: str) -> Scan:  # noqa: ARG001 - the log has no versions
            access.require(who, "serving.predictions", "*")
            source = self._kinds[name].source(self._move)
            return Scan(parquet=source["parquet"], jsonl=source["jsonl"])

        return scan

    def _scan_labelled(self, access: Access) -> Callable[[Principal, str], Scan]:
        def scan(who: Principal, rest: str) -> Scan:  # noqa: ARG001 - as above
            access.require(who, "serving.predictions", "*")
            logs = [kind.source(self._move) for kind in self._kinds.values()]
            return Scan(
                parquet=[path for log in logs for path in log["parquet"]],
                jsonl=[path for log in logs for path in log["jsonl"]],
                rows=[dict.fromkeys(dict(_LABELLED_COLUMNS))],  # each column, whatever was logged
                sql=_LABELLED,
            )

        return scan

    def _call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        return self._workers.call(f"{_QUERIES}:{function}", arguments, timeout=_SECONDS)

    def _move(self, function: str, arguments: Mapping[str, Any]) -> Any:
        return self._workers.call(f"{_MOVES}:{function}", arguments, timeout=_SECONDS)


class _Kind:
    """One of the two logs."""

    def __init__(self, name: str, folder: Path, storage: Storage) -> None:
        self.name = name
        self.folder = folder
        self.uri = storage.table_uri(f"serving_{name}")
        self._local = storage.root is not None
        self._state = DeltaState()
        self._lock = threading.Lock()

    def mark(self) -> tuple[tuple[str, int], ...]:
        """The segments and their sizes, bytes."""
        found = []
        for path in segments.all_in(self.folder):
            with suppress(FileNotFoundError):  # moved meanwhile
                found.append((path.name, path.stat().st_size))
        return tuple(found)

    def source(self, call: Callable[[str, Mapping[str, Any]], Any]) -> dict[str, list[str]]:
        """Delta files, and the segments that are not in them.

        Segments are listed first: one that is moved meanwhile is then in both, and told apart.
        """
        hot = segments.all_in(self.folder)
        if self._local:
            with suppress(LogCleaned), self._lock:
                state = advance(Path(self.uri), self._state)
                files = [f"{self.uri}/{name}" for name in state.files]
                fresh = [path for path in hot if path.stem not in state.transactions]
                return {"parquet": files, "jsonl": [str(path) for path in fresh]}
        found = call("state", {"uri": self.uri, "names": [path.stem for path in hot]})
        fresh = [path for path in hot if path.stem not in found["moved"]]
        return {"parquet": found["files"], "jsonl": [str(path) for path in fresh]}


class _LabelWriter:
    """Appends labels to a segment of this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segment: segments.Segment | None = None
        self._lock = threading.Lock()

    def append(self, lines: bytes) -> None:
        with self._lock:
            if self._segment is None:
                self._segment = segments.Segment(self._folder)
            self._segment.append(lines)
            self._segment.sync()
            if self._segment.size >= segments.SEAL_BYTES:
                self._segment.seal()
                self._segment = None

    def close(self) -> None:
        with self._lock:
            if self._segment is not None:
                self._segment.seal()
                self._segment = None


def _relation(
    name: str,
    description: str,
    columns: Sequence[tuple[str, str]],
    scan: Callable[[Principal, str], Scan],
) -> Relation:
    return Relation(
        name=name,
        description=description,
        columns=tuple(Column(name=column, type=type_) for column, type_ in columns),
        scan=scan,
    )


def _plain(record: PredictionQuery | SnapshotRequest) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }
