"""The offline half of a parity test: features as a training set would hold them, as plain data."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.logic.columns import STORED
from athanor.features.lookup import pack, plain_value
from athanor.features.work.join import joined

_SAMPLES = {"number": 1.5, "integer": 1, "boolean": True, "text": "a", "date": "2026-01-05",
            "timestamp": "2026-01-05T12:00:00+00:00"}  # fmt: skip


def compare(task: dict[str, Any]) -> dict[str, Any]:
    """The rows that are compared, and the features of each as of now.

    The features are packed: between workers JSON is spoken, which knows no infinity.
    """
    rows = task["rows"] or _sampled(task)
    if not rows:
        return {"rows": [], "values": []}
    names = list(dict.fromkeys(name for row in rows for name in row))
    types = {key["name"]: key["type"] for view in task["views"] for key in view["keys"]}
    types |= dict(task["request"])
    columns = {name: _column([row.get(name) for row in rows], types.get(name)) for name in names}
    columns["__at"] = pa.array([task["now"]] * len(rows), pa.timestamp("us", "UTC"))
    made = joined(pa.table(columns), task).select(task["columns"]).to_pylist()
    plain = ({name: plain_value(value) for name, value in row.items()} for row in made)
    values = [b64encode(pack(row)).decode() for row in plain]
    return {"rows": rows, "values": values}


def _column(values: list[Any], kind: str | None) -> pa.Array:
    if kind in {"date", "timestamp"}:
        return pa.array(values, pa.string()).cast(STORED[kind])
    return pa.array(values, STORED[kind] if kind else None)


def _sampled(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Keys of the stored rows, spread over them; each view's own, with values for the request."""
    chance = random.Random(0)
    pools: dict[str, list[Any]] = {}
    for view in task["views"]:
        names = [key["name"] for key in view["keys"]]
        file = pq.ParquetFile(view["file"])
        if not file.metadata.num_rows or any(n not in file.schema_arrow.names for n in names):
            continue
        table = file.read(columns=names)
        count = min(task["sample"], table.num_rows)
        places = sorted(chance.sample(range(table.num_rows), count))
        for name, column in table.take(pa.array(places)).to_pydict().items():
            pools.setdefault(name, []).extend(plain_value(value) for value in column)
    keys = {key["name"] for view in task["views"] for key in view["keys"]}
    if any(not pools.get(name) for name in keys):
        return []
    given = {name: _SAMPLES[kind] for name, kind in task["request"]}
    return [
        {name: pools[name][place % len(pools[name])] for name in sorted(keys)} | given
        for place in range(task["sample"])
    ]
