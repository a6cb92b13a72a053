"""A look at stored rows."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.lookup import plain_value
from athanor.features.work.build import AVAILABLE, BEST, ORDER


def newest(task: dict[str, Any]) -> dict[str, Any]:
    """The newest rows of a stored view by event time, as plain data."""
    table = pq.ParquetFile(task["file"]).read()
    if not table.num_columns:
        return {"rows": []}
    table = table.drop_columns([n for n in (ORDER, AVAILABLE, BEST) if n in table.column_names])
    order = pa.compute.sort_indices(table, sort_keys=[(task["event_time"], "descending")])
    rows = table.take(order.slice(0, task["limit"])).to_pylist()
    return {"rows": [{name: told(value) for name, value in row.items()} for row in rows]}


def told(value: Any) -> Any:
    """A value as JSON knows it; NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return plain_value(value)
