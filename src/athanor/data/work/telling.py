"""Answers of DuckDB in forms that lack some of its types: those are told as DuckDB writes them."""

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from athanor.data.work.plain import plain_value
from athanor.kernel.sqltext import identifier

_TEXT = "VARCHAR"
# In Arrow they would lose their offset, their meaning or their upper half.
_ARROW = dict.fromkeys(("time with time zone", "bit", "uhugeint", "bignum", "variant"), _TEXT)
_PARQUET = _ARROW | {"interval": _TEXT, "union": _TEXT, "timestamp_s": "TIMESTAMP"}
# Python has no 24:00, nor parts of a microsecond.
_JSON = _ARROW | dict.fromkeys(("interval", "time", "time_ns"), _TEXT)
_CSV = _JSON | dict.fromkeys(
    ("union", "date", "timestamp", "timestamp with time zone", "timestamp_s", "timestamp_ms",
     "timestamp_ns"), _TEXT,
)  # fmt: skip
_LACKING: Mapping[str, Mapping[str, str]] = {
    "arrow": _ARROW, "parquet": _PARQUET, "csv": _CSV, "jsonl": _JSON, "json": _JSON,
}  # fmt: skip
_ENDS = {(1 << 63) - 1: "infinity", -(1 << 63) + 1: "-infinity"}
"""As DuckDB keeps them among nanoseconds."""


def told_as(relation: duckdb.DuckDBPyRelation, form: str) -> duckdb.DuckDBPyRelation:
    """The rows for a form (arrow, parquet, csv, jsonl, json); what it lacks is text in them."""
    types = [_told(kind, _LACKING[form]) for kind in relation.types]
    if not any(types):
        return relation
    columns = [
        (f"CAST(#{place} AS {told})" if told else f"#{place}") + f" AS {identifier(name)}"
        for place, (name, told) in enumerate(zip(relation.columns, types, strict=True), start=1)
    ]
    return relation.project(", ".join(columns))


def _told(kind: Any, lacking: Mapping[str, str]) -> str:
    """The type as which values are told; "" where it is their own."""
    if kind.id in lacking:
        return lacking[kind.id]
    if kind.id not in {"list", "array", "map", "struct", "union", "tuple"}:
        return ""
    parts = [(name, inner) for name, inner in kind.children if name or kind.id != "union"]
    size = f"{parts.pop()[1]}" if kind.id == "array" else ""
    if not any(_told(inner, lacking) for _, inner in parts):
        return ""
    told = [(identifier(name), _told(inner, lacking) or str(inner)) for name, inner in parts]
    if kind.id in {"list", "array"}:
        return f"{told[0][1]}[{size}]"
    if kind.id == "map":
        return f"MAP({told[0][1]}, {told[1][1]})"
    if kind.id == "tuple":  # its parts have no names to be told by
        return _TEXT
    return f"{kind.id.upper()}({', '.join(' '.join(part) for part in told)})"


def plain_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """A column's values as JSON-able data; times that Python does not have, as DuckDB writes them.

    Those are infinities and what lies outside of the years 1 to 9999. Numbers of 32 bits are those
    of the fewest digits that mean them: 0.1, not 0.10000000149011612.
    """
    if (texts_of := _singles_as(column.type, pa.string())) != column.type:
        column = pc.cast(pc.cast(column, texts_of), _singles_as(column.type, pa.float64()))
    try:
        return [plain_value(value) for value in _python_values(column)]
    except (OverflowError, ValueError):
        found: list[Any] = []
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        told = connection.from_arrow(pa.table({"told": column}))
        texts = told.project("CAST(told AS VARCHAR)").fetchall()
    for value, (text,) in zip(column, texts, strict=True):
        try:
            found.append(plain_value(value.as_py()))
        except (OverflowError, ValueError):
            found.append(text)
    return found


def _singles_as(kind: pa.DataType, wanted: pa.DataType) -> pa.DataType:
    """A type with another one in place of numbers of 32 bits, in lists and structs too."""
    if kind == pa.float32():
        return wanted
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_singles_as(field.type, wanted)) for field in kind])
    if pa.types.is_list(kind):
        item = kind.value_field
        return pa.list_(item.with_type(_singles_as(item.type, wanted)))
    if pa.types.is_fixed_size_list(kind):
        item = kind.value_field
        return pa.list_(item.with_type(_singles_as(item.type, wanted)), kind.list_size)
    return kind


def _python_values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    if column.type == pa.timestamp("ns"):
        raw = column.cast(pa.int64()).to_pylist()
        if not _ENDS.keys().isdisjoint(raw):
            found = zip(raw, column.to_pylist(), strict=True)
            return [_ENDS.get(at, value) for at, value in found]
    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except TypeError:  # a key that has parts itself
        values = column.to_pylist()
    return values
