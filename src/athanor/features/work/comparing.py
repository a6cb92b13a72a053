"""The offline half of a parity test: features as a training set would hold them, as plain data."""

from __future__ import annotations

import random
from base64 import b64encode
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.logic.columns import STORED
from athanor.features.lookup import pack, plain_value
from athanor.features.work.build import of_pending
from athanor.features.work.join import joined

_LOOKED_THROUGH = 200
"""Keys of another view among which one that agrees is looked for."""
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
    """Keys that views have rows of, stored or only pushed, with values for the request.

    The views take turns, each with whole keys of its own. What keys other views want beside is
    taken from theirs, from one that agrees where there is one. A last row has no key at all.
    """
    chance = random.Random(0)
    pools = [pool for view in task["views"] if (pool := _keys(view, task["sample"], chance))]
    if not pools:
        return []
    names = sorted({key["name"] for view in task["views"] for key in view["keys"]})
    given = {name: _SAMPLES[kind] for name, kind in task["request"]}
    rows: list[dict[str, Any]] = []
    for place in range(task["sample"]):
        turn, further = place % len(pools), place // len(pools)
        row: dict[str, Any] = {}
        for pool in [*pools[turn:], *pools[:turn]]:
            near = islice(pool, _LOOKED_THROUGH)
            agreeing = (key for key in near if all(key[n] == row.get(n, key[n]) for n in key))
            found = next(agreeing, None) if row else pool[further % len(pool)]
            row = (found or pool[further % len(pool)]) | row
        rows.append(row | {name: None for name in names if name not in row} | given)
    different = {tuple(sorted((n, repr(value)) for n, value in row.items())): row for row in rows}
    return [*different.values(), dict.fromkeys(names) | given]


def _keys(view: dict[str, Any], most: int, chance: random.Random) -> list[dict[str, Any]]:
    """Some keys of a view: half of them, if there are so many, of rows that were only pushed."""
    names = [key["name"] for key in view["keys"]]
    tables = [of_pending(view["pending"], view)] if view["pending"] else []
    stored = pq.ParquetFile(view["file"])
    if stored.metadata.num_rows and set(names) <= set(stored.schema_arrow.names):
        tables.append(stored.read(columns=names))
    found: list[dict[str, Any]] = []
    for table in tables:
        room = -(-(most - len(found)) // (2 if table is not tables[-1] else 1))
        places = sorted(chance.sample(range(table.num_rows), min(room, table.num_rows)))
        rows = table.select(names).take(pa.array(places, pa.int64())).to_pylist()
        found += [{name: plain_value(value) for name, value in row.items()} for row in rows]
    return [key for key in found if None not in key.values()]
