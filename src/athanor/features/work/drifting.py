"""How far a view's values have moved: the newest rows against those before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.features.logic.columns import as_instants, whole
from athanor.features.lookup import instant, plain_value
from athanor.features.records import FEW_ROWS
from athanor.kernel.wording import counted

_BINS = 20
_TOP = 30
_NEWEST = 0.8


def drift(task: dict[str, Any]) -> dict[str, Any]:
    """Per feature: distance, stability, missing values and means, before and after a split."""
    file = pq.ParquetFile(task["file"])
    there = file.schema_arrow.names
    if task["event_time"] not in there or not file.metadata.num_rows:
        return {"split": None, "rows": [0, 0], "features": []}
    column = whole(file.read(columns=[task["event_time"]]).column(0))
    event, _ = as_instants(task["event_time"], column)
    since = task["since"]
    if since is None:
        since = int(np.quantile(event, _NEWEST, method="lower"))
    after = event >= since
    rows = [int((~after).sum()), int(after.sum())]
    features = [
        _of_feature(name, kind, whole(file.read(columns=[name]).column(0)), after, task)
        for name, kind in task["features"]
        if name in there and kind != "vector"
    ]
    return {"split": instant(since).isoformat(), "rows": rows, "features": features}


def _of_feature(
    name: str, kind: str, column: pa.Array, after: Any, task: dict[str, Any]
) -> dict[str, Any]:
    halves = [column.filter(pa.array(~after)), column.filter(pa.array(after))]
    sizes = [len(half) for half in halves]
    missing = [half.null_count / len(half) if len(half) else 0.0 for half in halves]
    counts = _counts(kind, halves)
    distance, stability = 0.0, 0.0
    if all(sizes):
        # Missing values are a cell of their own.
        cells = np.array(
            [[*row, half.null_count] for row, half in zip(counts, halves, strict=True)]
        )
        distance, stability = _distance(cells), _stability(cells)
        used = int((cells.sum(axis=0) > 0).sum())
        noise = _noise(used, sizes)
    drifted = all(sizes) and distance > max(task["threshold"], noise)
    means = [_mean(kind, half) for half in halves]
    message = f"{name!r} keeps its distribution (distance {distance:.3f})."
    if not all(sizes):
        message = f"{name!r}: there are no rows on one side of the split."
    elif drifted:
        message = f"{name!r} has moved: distance {distance:.3f}, stability index {stability:.2f}."
    if 0 < min(sizes) < FEW_ROWS:
        message += f" Of only {counted(min(sizes), 'row')} on a side this tells little."
    return {
        "feature": name, "type": kind, "distance": round(distance, 6),
        "stability": round(stability, 6), "missing": missing, "mean": means,
        "drifted": bool(drifted), "message": message,
    }  # fmt: skip


def _counts(kind: str, halves: list[pa.Array]) -> Any:
    if kind in {"integer", "number", "date", "timestamp"}:
        numbers = [_numbers(half) for half in halves]
        before = numbers[0] if len(numbers[0]) else numbers[1]
        if not len(before):
            return [[], []]
        inner = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1))[1:-1])
        edges = np.concatenate([[-np.inf], inner, [np.inf]])
        return [np.histogram(half, edges)[0] for half in numbers]
    words = [pc.value_counts(half.drop_null()) for half in halves]
    tallies = [
        dict(zip(w.field(0).to_pylist(), w.field(1).to_pylist(), strict=True)) for w in words
    ]
    ranked = sorted(tallies[0], key=lambda item: -tallies[0][item])[:_TOP]
    kept = [[tally.get(item, 0) for item in ranked] for tally in tallies]
    for row, tally in zip(kept, tallies, strict=True):
        row.append(sum(tally.values()) - sum(row))
    return kept


def _numbers(half: pa.Array) -> Any:
    values = half.drop_null()
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    numbers = values.to_numpy(zero_copy_only=False).astype(float)
    return numbers[np.isfinite(numbers)]


def _shares(cells: Any) -> Any:
    return cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)


def _distance(cells: Any) -> float:
    """Jensen-Shannon distance in base 2 (Lin, 1991): 0 to 1."""
    p, q = _shares(cells)
    middle = (p + q) / 2
    total = 0.0
    for side in (p, q):
        used = side > 0
        total += float((side[used] * np.log2(side[used] / middle[used])).sum()) / 2
    return float(np.sqrt(max(total, 0.0)))


def _stability(cells: Any) -> float:
    """Population stability index, with half a row added to each cell."""
    p, q = _shares(cells + 0.5)
    return float(((p - q) * np.log(p / q)).sum())


def _noise(cells: int, sizes: list[int]) -> float:
    """The distance that two samples of one distribution of so many cells stay below, nearly always.

    For small distances 8 ln 2 n m / (n + m) times the squared one is chi-squared with cells - 1
    degrees of freedom; mean plus four standard deviations.
    """
    freedom = max(cells - 1, 1)
    bound = freedom + 4 * np.sqrt(2 * freedom)
    return float(np.sqrt(bound * (1 / sizes[0] + 1 / sizes[1]) / (8 * np.log(2))))


def _mean(kind: str, half: pa.Array) -> Any:
    if kind not in {"integer", "number"} or half.null_count == len(half):
        return None
    numbers = _numbers(half)
    return plain_value(float(numbers.mean())) if len(numbers) else None
