"""Reads a view's source and stores its rows in the order in which joins search them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.features.errors import (
    BadInstant,
    BadView,
    FeatureColumnMissing,
    KeyTypeMismatch,
    PushedRowsUnreadable,
    UnusableColumn,
)
from athanor.features.logic.columns import (
    STORED,
    as_feature,
    as_instants,
    as_key,
    value_type,
    whole,
)
from athanor.features.logic.joining import MISSING, availability, group_starts, sorted_order
from athanor.features.logic.pushes import GENERATION_BITS, PUSHED
from athanor.features.lookup import instant
from athanor.features.types import TestResult, ViewTest
from athanor.features.work.tables import of_files, of_pushes, of_source
from athanor.lineage.logic.digests import table_digest

ORDER, AVAILABLE, BEST = "__order", "__available", "__best"
"""Columns of ours beside the view's: when a row was ingested; and for known-at joins when the
rows of its key were available, and the best of them by then."""


_ROWS_A_GROUP = 1 << 20


def build(task: dict[str, Any]) -> dict[str, Any]:
    """Read, check, sort and write; returns what the version is to say of itself.

    Raises: BadView, ViewCodeFailed, FeatureColumnMissing, KeyTypeMismatch, BadInstant,
    UnusableColumn.
    """
    began = time.process_time()
    source = shaped(of_source(task["source"], task["view"]), task)
    rows = source.num_rows
    bounds = [*task["bounds"], [task["number"], rows]]
    if task["bounds"] and rows < task["bounds"][-1][1]:
        bounds = [[task["number"], rows]]
    parts = [_ordered(source, bounds)] if rows or not task["pushes_only"] else []
    pushed = [of_files([task["history"]])] if task["history"] else []
    if task["pending"]:
        pushed.append(of_pending(task["pending"], task))
    history = ""
    if pushed:
        # A view that has other features than before keeps of old pushes what it still has.
        wanted = source.schema if rows else pushed[-1].drop_columns([ORDER]).schema
        pushed = [_as_schema(part, wanted.append(pa.field(ORDER, pa.int64()))) for part in pushed]
        together = pa.concat_tables(pushed)
        history = str(Path(task["scratch"]) / "pushed.parquet")
        pq.write_table(together, history, compression="zstd")
        parts.append(together)
    table = pa.concat_tables(parts, promote_options="permissive") if parts else _without_rows(task)
    made, about, left_out = searchable(table, task)
    if not parts:
        about["fields"] = []  # as they are defined: no row has told their types
    path = str(Path(task["scratch"]) / "view.parquet")
    _write(made, path, task)
    tests = [_tested(ViewTest(**test), made, task, about) for test in task["tests"]]
    features = [item.name for item in made.schema if item.name not in _own(task)]
    return about | {
        "path": path,
        "history": history,
        "rows": made.num_rows,
        "bounds": bounds,
        "left_out": {name: count for name, count in left_out.items() if count},
        "digest": table_digest(made.select([*_stored_columns(task), *features])),
        "tests": msgspec.to_builtins(tests),
        "cpu_seconds": time.process_time() - began,
    }


def shaped(table: pa.Table, task: dict[str, Any], *, where: str = "") -> pa.Table:
    """Keys, times and features in the types that they are stored in, in the view's order."""
    where = where or f"The source of view {task['view']!r}"
    if not table.num_columns and task["source"]["kind"] == "push":
        return pa.table({})
    names = table.column_names
    columns: dict[str, pa.Array] = {}
    for key in task["keys"]:
        column = _column(table, key["name"], where, "a key")
        columns[key["name"]], _ = as_key(key["name"], column, key["type"])
    for name, role in ((task["event_time"], "the event time"),
                       (task["created_time"], "the created time")):  # fmt: skip
        if not name:
            continue
        instants, missing = as_instants(name, _column(table, name, where, role))
        columns[name] = pa.array(instants, pa.int64(), mask=missing).cast(pa.timestamp("us", "UTC"))
    wanted = task["features"] or [
        {"name": name, "type": ""} for name in names if name not in columns
    ]
    if not wanted:
        raise BadView(task["view"], "its source has no column beside keys and times.")
    for item in wanted:
        column = _column(table, item["name"], where, "a feature")
        columns[item["name"]], _ = as_feature(item["name"], column, item["type"])
    return pa.table(columns)


def of_pending(pending: list[dict[str, Any]], task: dict[str, Any]) -> pa.Table:
    """Pushed rows that are in no version yet, shaped and with their order.

    Raises: PushedRowsUnreadable, which names the rows.
    """
    try:
        return _pushed(pending, task)
    except _UNREADABLE as error:
        found = _unreadable(pending, task)
        raise PushedRowsUnreadable(
            task["view"], found or [(pending[0]["seq"], str(error))]
        ) from error


_UNREADABLE = (pa.ArrowException, BadInstant, FeatureColumnMissing, KeyTypeMismatch,
               OverflowError, UnusableColumn)  # fmt: skip


def _unreadable(pending: list[dict[str, Any]], task: dict[str, Any]) -> list[tuple[int, str]]:
    """(number, why) of the rows that are not of the types told, or not of those of the first."""
    rows = [item["row"] for item in pending]
    keys = [
        key | {"type": key["type"] or _told([row.get(key["name"]) for row in rows], key=True)}
        for key in task["keys"]
    ]
    features = [
        item | {"type": item["type"] or _told([row.get(item["name"]) for row in rows])}
        for item in task["features"]
    ]
    typed = task | {"keys": keys, "features": features}
    found = []
    for item in pending:
        try:
            _pushed([item], typed)
        except _UNREADABLE as error:
            found.append((item["seq"], str(error)))
    return found


def _told(values: list[Any], *, key: bool = False) -> str:
    """The type of the first value that is not missing; numbers, where any has a fraction."""
    value = next((value for value in values if value is not None), None)
    if value is None:
        return ""
    kind = value_type(pa.array([value]).type) or ""
    if kind not in {"integer", "number"}:
        return kind
    return "number" if not key and any(isinstance(item, float) for item in values) else "integer"


def _pushed(pending: list[dict[str, Any]], task: dict[str, Any]) -> pa.Table:
    # What the view got since is missing there.
    empty = dict.fromkeys([*([task["created_time"]] if task["created_time"] else []),
                           *(item["name"] for item in task["features"])])  # fmt: skip
    rows = of_pushes([empty | item["row"] for item in pending])
    for key in task["keys"]:
        # JSON knows no dates: they are kept as text.
        if key["type"] in {"date", "timestamp"} and key["name"] in rows.column_names:
            column, _ = as_feature(key["name"], whole(rows.column(key["name"])), key["type"])
            rows = rows.set_column(rows.column_names.index(key["name"]), key["name"], column)
    table = shaped(rows, task, where="A push")
    orders = [(item["version"] << GENERATION_BITS) + PUSHED + item["seq"] for item in pending]
    return table.append_column(ORDER, pa.array(orders, pa.int64()))


def searchable(
    table: pa.Table, task: dict[str, Any]
) -> tuple[pa.Table, dict[str, Any], dict[str, int]]:
    """The rows that can be found, sorted; what joins want to know of them; what was left out."""
    kept, left_out = _findable(table, task)
    made, about = _clustered(kept, task)
    return made, about, left_out


def _without_rows(task: dict[str, Any]) -> pa.Table:
    """The history of a view to which nothing was pushed yet."""
    types = {key["name"]: STORED[key["type"] or "text"] for key in task["keys"]}
    for name in (task["event_time"], task["created_time"]):
        if name:
            types[name] = STORED["timestamp"]
    types |= {item["name"]: STORED[item["type"] or "number"] for item in task["features"]}
    return pa.schema({**types, ORDER: pa.int64()}).empty_table()


def _column(table: pa.Table, name: str, where: str, role: str) -> pa.Array:
    if name not in table.column_names:
        raise FeatureColumnMissing(where, name, role, table.column_names)
    return whole(table.column(name))


def _ordered(table: pa.Table, bounds: list[list[int]]) -> pa.Table:
    generations = np.empty(table.num_rows, np.int64)
    begins = 0
    for version, ends in bounds:
        generations[begins:ends] = version
        begins = ends
    orders = (generations << GENERATION_BITS) + np.arange(table.num_rows)
    return table.append_column(ORDER, pa.array(orders))


def _as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        whole(table.column(item.name)).cast(item.type)
        if item.name in table.column_names
        else pa.nulls(table.num_rows, item.type)
        for item in schema
    ]
    return pa.table(columns, schema=schema)


def _findable(table: pa.Table, task: dict[str, Any]) -> tuple[pa.Table, dict[str, int]]:
    """The rows that have a key and an event time, and how many have not (R7, R9)."""
    if not table.num_columns:
        return table, {}
    event = table.column(task["event_time"]).is_valid()
    keyed = event
    for place, key in enumerate(task["keys"]):
        valid = table.column(key["name"]).is_valid()
        keyed = valid if place == 0 else pc.and_(keyed, valid)
    counts = {
        "null_key": table.num_rows - (pc.sum(keyed).as_py() or 0),
        "null_event": table.num_rows - (pc.sum(event).as_py() or 0),
    }
    if not any(counts.values()):
        return table, counts
    return table.filter(pc.and_(keyed, event)), counts


def _clustered(table: pa.Table, task: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
    """The rows sorted, with what joins want to know of them."""
    about: dict[str, Any] = {
        "keys": 0, "unique": True, "first_event": None, "last_event": None, "fields": [],
        "key_types": [key["type"] or "text" for key in task["keys"]],
        "created": bool(task["created_time"]),
    }  # fmt: skip
    if not table.num_columns:
        return table, about
    about["fields"] = [
        {"name": item.name, "type": as_feature(item.name, pa.nulls(0, item.type))[1]}
        for item in table.schema
        if item.name not in _own(task)
    ]
    keys = [whole(table.column(key["name"])) for key in task["keys"]]
    about["key_types"] = [
        as_key(key["name"], column.slice(0, 0))[1]
        for key, column in zip(task["keys"], keys, strict=True)
    ]
    event = _microseconds(table, task["event_time"])
    created = _microseconds(table, task["created_time"]) if task["created_time"] else None
    order = whole(table.column(ORDER)).to_numpy()
    permutation = sorted_order(keys, event, created, order)
    table = table.take(pa.array(permutation)).combine_chunks()
    keys = [whole(table.column(key["name"])) for key in task["keys"]]
    event = event[permutation]
    starts = group_starts(keys)
    same = np.zeros(len(event), bool)
    same[1:] = event[1:] == event[:-1]
    same[starts[:-1]] = False
    about |= {"keys": len(starts) - 1, "unique": not same.any()}
    if len(event):
        about |= {
            "first_event": instant(int(event.min())),
            "last_event": instant(int(event.max())),
        }
    if created is not None:
        known = availability(starts, event, created[permutation])
        if known is not None:
            table = table.append_column(AVAILABLE, pa.array(known[0]))
            table = table.append_column(BEST, pa.array(known[1]))
    return table, about


def _microseconds(table: pa.Table, name: str) -> Any:
    column = whole(table.column(name)).cast(pa.int64())
    return pc.fill_null(column, int(MISSING)).to_numpy(zero_copy_only=False)


def _write(table: pa.Table, path: str, task: dict[str, Any]) -> None:
    words = [item.name for item in table.schema if pa.types.is_string(item.type)]
    pq.write_table(
        table, path, compression="lz4", use_dictionary=words, row_group_size=_ROWS_A_GROUP,
        write_statistics=_stored_columns(task) if table.num_columns else False,
    )  # fmt: skip


def _stored_columns(task: dict[str, Any]) -> list[str]:
    times = [task["event_time"], *([task["created_time"]] if task["created_time"] else [])]
    return [*(key["name"] for key in task["keys"]), *times]


def _own(task: dict[str, Any]) -> set[str]:
    return {*_stored_columns(task), ORDER, AVAILABLE, BEST}


def _tested(
    test: ViewTest, table: pa.Table, task: dict[str, Any], about: dict[str, Any]
) -> TestResult:
    """One of the view's tests on its rows."""
    given, rows = test.parameters, table.num_rows
    if test.kind == "rows":
        least = int(given.get("minimum", 1))
        return _result(test, rows >= least, f"at least {least} rows are expected; {rows} came.")
    if test.kind == "unique":
        said = "no key should have two rows of one event time"
        return _result(
            test, about["unique"], f"{said}; some have." if not about["unique"] else said
        )
    if test.kind == "fresh":
        limit, now = float(given.get("seconds", 86_400)), time.time_ns() // 1_000
        events = _microseconds(table, task["event_time"]) if rows else np.zeros(0, np.int64)
        past = events[events <= now]
        age = (now - int(past.max())) / 1e6 if len(past) else None
        passed = age is not None and age <= limit
        shown = "none came yet." if age is None else f"the newest event is {age:.0f} s old."
        return _result(test, passed, f"events of the last {limit:g} s are expected; {shown}")
    column = _column(table, test.column, f"View {task['view']!r}", "tested")
    if test.kind == "missing":
        limit = float(given.get("share", 0.0))
        share = column.null_count / rows if rows else 0.0
        said = f"at most {limit:.1%} of {test.column!r} may be missing; {share:.1%} is."
        return _result(test, share <= limit, said, column.null_count)
    if test.kind == "range":
        outside = _outside(column, given.get("minimum"), given.get("maximum"))
        low, high = given.get("minimum", "-inf"), given.get("maximum", "inf")
        said = f"{test.column!r} should lie within {low} and {high}; {outside} rows do not."
        return _result(test, outside == 0, said, outside)
    allowed = pa.array(list(given.get("values", ()))).cast(column.type)
    strange = rows - column.null_count - (pc.sum(pc.is_in(column, allowed)).as_py() or 0)
    said = f"{test.column!r} should be one of {len(allowed)} values; {strange} rows are not."
    return _result(test, strange == 0, said, strange)


def _outside(column: pa.Array, minimum: float | None, maximum: float | None) -> int:
    low = 0 if minimum is None else pc.sum(pc.less(column, minimum)).as_py() or 0
    high = 0 if maximum is None else pc.sum(pc.greater(column, maximum)).as_py() or 0
    return int(low) + int(high)


def _result(test: ViewTest, passed: object, message: str, count: int = 0) -> TestResult:
    return TestResult(
        kind=test.kind, column=test.column, passed=bool(passed), message=message, count=count
    )
