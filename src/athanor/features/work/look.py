"""A look at stored rows."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.features.logic.pushes import GENERATION_BITS, PUSHED
from athanor.features.lookup import plain_value
from athanor.features.work.build import AVAILABLE, BEST, ORDER
from athanor.kernel.holder import Person


def newest(task: dict[str, Any]) -> dict[str, Any]:
    """The newest rows of a stored view by event time, as plain data."""
    table = pq.ParquetFile(task["file"]).read()
    if not table.num_columns:
        return {"rows": []}
    table = table.drop_columns([n for n in (ORDER, AVAILABLE, BEST) if n in table.column_names])
    order = pa.compute.sort_indices(table, sort_keys=[(task["event_time"], "descending")])
    rows = table.take(order.slice(0, task["limit"])).to_pylist()
    return {"rows": [{name: told(value) for name, value in row.items()} for row in rows]}


def until(task: dict[str, Any]) -> dict[str, Any]:
    """The newest event up to now (microseconds), and how many rows come later."""
    file = pq.ParquetFile(task["file"])
    if task["event_time"] not in file.schema_arrow.names:
        return {"last": None, "ahead": 0}
    events = file.read(columns=[task["event_time"]]).column(0)
    stamps = events.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    past = stamps.filter(pa.compute.less_equal(stamps, task["now"]))
    return {"last": pa.compute.max(past).as_py(), "ahead": len(stamps) - len(past)}


def told(value: Any) -> Any:
    """A value as JSON knows it; NaN and infinities as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return plain_value(value)


def _left(kept: pa.Table, keys: list[str], event_time: str) -> dict[str, Any]:
    """How many rows and keys there are, and the bounds of their events in microseconds."""
    # An older version may stand under names that the view has no more.
    named = [name for name in keys if name in kept.column_names]
    events: list[int | None] = [None, None]
    if event_time in kept.column_names:
        stamps = kept[event_time].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        events = list(pa.compute.min_max(stamps).as_py().values())
    different = kept.group_by(named).aggregate([]).num_rows
    return {"rows": kept.num_rows, "keys": different, "events": events}


def of_person(task: dict[str, Any]) -> dict[str, Any]:
    """How many rows a stored file has of a person; what is left; or the others, as pushes are."""
    file = pq.ParquetFile(task["file"])
    if task["column"] not in file.schema_arrow.names:
        return {"rows": 0, "others": []}
    column = file.read(columns=[task["column"]]).column(0)
    person = Person(column=task["column"], value=task["value"])
    mine = [person.is_in(value) for value in column.to_pylist()]
    if task["what"] == "rows":
        return {"rows": sum(mine)}
    kept = file.read().filter(pa.array([not item for item in mine]))
    if task["what"] == "left":
        return {"left": _left(kept, task["keys"], task["event_time"])}
    others = kept.to_pylist()
    return {
        "others": [
            {
                "seq": (order := row.pop(ORDER)) & (PUSHED - 1),
                "version": order >> GENERATION_BITS,
                "row": {name: plain_value(value) for name, value in row.items()},
            }
            for row in others
        ]
    }
