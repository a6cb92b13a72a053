"""The version that a new one builds on, and how its rows and new ones become one table."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.logic.normalise import column_type, to_normal
from athanor.data.types import Column
from athanor.data.work.places import located

_BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The version that a new one builds on."""

    table_uri: str
    delta_version: int
    files: tuple[str, ...]
    columns: tuple[Column, ...]

    def paths(self) -> list[str]:
        """Where its files lie."""
        return located(self.table_uri, self.files)


def schema_of(base: Base) -> pa.Schema:
    """The columns that its newest file has."""
    return pq.read_schema(base.paths()[-1]).remove_metadata()


def batches_of(paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of files, in their order."""
    for path in paths:
        with pq.ParquetFile(path) as parquet:
            yield from parquet.iter_batches(batch_size=_BATCH_ROWS)


def merged(table: pa.Schema, new: pa.Schema) -> tuple[pa.Schema, bool]:
    """The schema of a table with rows of another schema, and whether its old rows must change.

    Whole numbers become numbers where either side has them, decimals get the digits of both, days
    become times, in lists and structs too; columns that only one side has are missing in the
    other's rows. The table's order comes first.
    """
    fields, rewrites = [], False
    for field in table:
        place = new.get_field_index(field.name)
        kind = field.type if place < 0 else _wider(field.type, new.field(place).type)
        rewrites = rewrites or kind != field.type
        fields.append(pa.field(field.name, kind))
    known = set(table.names)
    extra = [field for field in new if field.name not in known]
    return pa.schema([*fields, *extra]), rewrites or bool(extra)


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if first == second:
        return first
    kinds = {column_type(first), column_type(second)}
    if kinds == {"integer"}:
        return pa.int64()
    if kinds in ({"decimal"}, {"decimal", "integer"}):
        return _both(first, second)
    if kinds in ({"integer", "number"}, {"number"}, {"decimal", "number"}):
        return pa.float64()
    if kinds == {"date", "timestamp"}:
        return first if column_type(first) == "timestamp" else second
    if pa.types.is_list(first) and pa.types.is_list(second):
        item = first.value_field
        return pa.list_(item.with_type(_wider(item.type, second.value_type)))
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        new = {field.name: field.type for field in second}
        return pa.struct(
            [
                field.with_type(_wider(field.type, new.get(field.name, field.type)))
                for field in first
            ]
        )
    return first


_LONG_DIGITS, _MOST_DIGITS = 19, 38


def _both(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """The decimal that has the digits of both before and after its point, where there is one."""
    long = (_LONG_DIGITS, 0)
    shapes = [
        (kind.precision - kind.scale, kind.scale) if pa.types.is_decimal(kind) else long
        for kind in (first, second)
    ]
    whole, scale = (max(digits) for digits in zip(*shapes, strict=True))
    if whole + scale <= _MOST_DIGITS:
        return pa.decimal128(whole + scale, scale)
    return first if pa.types.is_decimal(first) else second


def _as_normal(values: pa.Array, field: pa.Field) -> pa.Array:
    return to_normal(values, field.type)


def aligned(
    batch: pa.RecordBatch,
    schema: pa.Schema,
    converted: Callable[[pa.Array, pa.Field], pa.Array] = _as_normal,
) -> pa.RecordBatch:
    """A batch in another schema's order and types; absent columns are missing values."""
    arrays = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        if place < 0:
            arrays.append(pa.nulls(batch.num_rows, field.type))
        else:
            arrays.append(converted(batch.column(place), field))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
