"""A version's rows as a file: Parquet, an Arrow stream, CSV or JSON lines."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as pacsv

from athanor.data.logic.given import restored, type_named
from athanor.data.types import Column
from athanor.data.work.earlier import aligned
from athanor.data.work.places import located, repeating
from athanor.data.work.telling import plain_values

_BATCH_ROWS = 65_536


def write(version: dict[str, Any], target: str, form: str, rows: str = "", part: str = "") -> int:
    """Write a version's rows in their order; returns how many.

    Types that were changed on the way in are the given ones again in Parquet and Arrow. `rows` is
    the path of a split's assignment, of which the rows of `part` are written.
    """
    columns = msgspec.convert(version["columns"], tuple[Column, ...])
    paths = located(version["table_uri"], version["files"])
    wanted = pq.read_table(rows)["athanor_part"].to_pylist() if rows else None
    schema = _schema(pq.read_schema(paths[-1]).remove_metadata(), columns)
    batches = _batches(paths, schema, columns, (wanted, part))
    return written(batches, schema, Path(target), form)


def written(batches: Iterator[pa.RecordBatch], schema: pa.Schema, target: Path, form: str) -> int:
    """Write batches in a form; returns the number of rows."""
    return _WRITERS[form](batches, schema, target)


def _schema(stored: pa.Schema, columns: tuple[Column, ...]) -> pa.Schema:
    given = {column.name: column.given for column in columns}
    return pa.schema(
        [pa.field(f.name, type_named(given.get(f.name, "")) or f.type) for f in stored]
    )


def _batches(
    paths: list[str],
    schema: pa.Schema,
    columns: tuple[Column, ...],
    chosen: tuple[list[str] | None, str],
) -> Iterator[pa.RecordBatch]:
    given = {column.name: column.given for column in columns}
    wanted, part = chosen

    def as_given(values: pa.Array, field: pa.Field) -> pa.Array:
        values = restored(values, given.get(field.name, ""))
        return values if values.type == field.type else values.cast(field.type)

    before = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS):
                rows = batch.num_rows
                if wanted is not None:
                    mask = pa.array([name == part for name in wanted[before : before + rows]])
                    batch = batch.filter(mask)  # noqa: PLW2901 - the part of it that is wanted
                before += rows
                yield aligned(batch, schema, as_given)


def _parquet(batches: Iterator[pa.RecordBatch], schema: pa.Schema, target: Path) -> int:
    rows = 0
    with pq.ParquetWriter(
        target, schema, compression="zstd", use_dictionary=repeating(schema)
    ) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _arrow(batches: Iterator[pa.RecordBatch], schema: pa.Schema, target: Path) -> int:
    rows = 0
    with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _csv(batches: Iterator[pa.RecordBatch], schema: pa.Schema, target: Path) -> int:
    rows = 0
    flat = pa.schema([pa.field(f.name, _flat(f.type)) for f in schema])
    options = pacsv.WriteOptions(quoting_style="needed")
    with pacsv.CSVWriter(str(target), flat, write_options=options) as writer:
        for batch in batches:
            arrays = [_as_flat(column) for column in batch.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=flat))
            rows += batch.num_rows
    return rows


def _is_deep(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_nested(kind) or pa.types.is_duration(kind) or pa.types.is_float16(kind)
        or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    )  # fmt: skip


def _flat(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _flat(kind.value_type)
    return pa.string() if _is_deep(kind) else kind


def _as_flat(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        return _as_flat(values.dictionary_decode())
    if not _is_deep(values.type):
        return values
    texts = [
        None if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
        for value in plain_values(values)
    ]
    return pa.array(texts, pa.string())


def _jsonl(batches: Iterator[pa.RecordBatch], schema: pa.Schema, target: Path) -> int:
    del schema
    rows = 0
    with target.open("wb") as stream:
        for batch in batches:
            columns = [plain_values(column) for column in batch.columns]
            for row in zip(*columns, strict=True):
                stream.write(orjson.dumps(dict(zip(batch.schema.names, row, strict=True))) + b"\n")
            rows += batch.num_rows
    return rows


_WRITERS: Mapping[str, Callable[[Iterator[pa.RecordBatch], pa.Schema, Path], int]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": _csv,
    "jsonl": _jsonl,
}
