"""Canonical digests: equal content gives an equal digest, however it was written.

A table is its schema and its rows in stored order, in Arrow types normalised so that chunking,
dictionary encoding, string layout and time units do not matter. Loaded where Arrow is at hand: in
workers; files and folders are digested by `folders`, which is light.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from athanor.lineage.logic.folders import file_digest, folder_digest, model_digest

__all__ = ["file_digest", "folder_digest", "model_digest", "table_digest"]

_BLOCK = 65_536
"""Rows that are hashed together; part of the format."""


def table_digest(source: pa.Table | pa.RecordBatchReader) -> str:
    """The digest of a table's schema and rows, in stored order.

    `source` is read once; memory stays at a few blocks of 65,536 rows.
    """
    schema = source.schema
    total = hashlib.sha256()
    names = [[field.name, _type_name(field.type)] for field in schema]
    total.update(orjson.dumps(["athanor-table-1", names]))
    rows = 0
    hashing: Future[None] | None = None
    """Of the block before, on a thread: a long table is hashed while it is read."""
    with ThreadPoolExecutor(1, "hashing") as thread:
        for block in _blocks(source):
            rows += block.num_rows
            pieces = [piece for column in block.columns for piece in _pieces(column)]
            if hashing is not None:
                hashing.result()
                hashing = None
            if block.num_rows < _BLOCK:
                _hash(total, pieces)
            else:
                hashing = thread.submit(_hash, total, pieces)
    total.update(orjson.dumps({"rows": rows}))
    return f"sha256:{total.hexdigest()}"


def _blocks(source: pa.Table | pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The rows in blocks of exactly `_BLOCK`, the last one shorter."""
    batches = source.to_batches() if isinstance(source, pa.Table) else source
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < _BLOCK:
            continue
        table = pa.Table.from_batches(waiting, schema=source.schema)
        whole = rows - rows % _BLOCK
        for start in range(0, whole, _BLOCK):
            yield table.slice(start, _BLOCK)
        rest = table.slice(whole)
        waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting, schema=source.schema)


def _hash(total: Any, pieces: Sequence[Any]) -> None:
    for piece in pieces:
        total.update(piece)


def _pieces(chunked: pa.ChunkedArray) -> Iterator[Any]:
    column = _plain(chunked.combine_chunks())
    yield _validity(column)
    yield from _content(column)


def _validity(column: pa.Array) -> bytes:
    """A bit a row: whether there is a value."""
    if pa.types.is_primitive(column.type) and not column.null_count:
        return _all_valid(len(column))
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return np.packbits(valid).tobytes()


@lru_cache(maxsize=8)
def _all_valid(rows: int) -> bytes:
    return np.packbits(np.ones(rows, np.bool_)).tobytes()


def _content(column: pa.Array) -> Iterator[Any]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        filled = pc.fill_null(column, "" if pa.types.is_string(kind) else b"")
        _, offsets, data = filled.buffers()
        ends = np.frombuffer(offsets, np.int64 if _is_large(kind) else np.int32)
        ends = ends[filled.offset : filled.offset + len(filled) + 1]
        yield np.diff(ends).astype(np.int64, copy=False)
        if data is not None and len(filled):
            yield memoryview(data)[int(ends[0]) : int(ends[-1])]
    elif pa.types.is_boolean(kind):
        yield np.packbits(pc.fill_null(column, False).to_numpy(zero_copy_only=False)).tobytes()
    elif pa.types.is_floating(kind):
        values = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False)
        missing = np.isnan(values)
        # One NaN for all; what holds none is hashed where it lies.
        yield np.where(missing, values.dtype.type(np.nan), values) if missing.any() else values
    elif pa.types.is_integer(kind):
        yield pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    elif pa.types.is_null(kind):
        yield len(column).to_bytes(8)
    else:
        yield orjson.dumps(column.to_pylist(), default=str, option=orjson.OPT_SORT_KEYS)


def _plain(column: pa.Array) -> pa.Array:
    """The column in the one type that stands for its family."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
    if pa.types.is_date(kind):
        return column.cast(pa.date32()).cast(pa.int32())
    if pa.types.is_time(kind):
        return column.cast(pa.time64("us"), safe=False).cast(pa.int64())
    if pa.types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False).cast(pa.int64())
    if pa.types.is_decimal(kind):
        return column.cast(pa.string())
    return column


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _type_name(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "binary"
    if pa.types.is_timestamp(kind):
        return f"timestamp[{'UTC' if kind.tz else ''}]"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_time(kind):
        return "time"
    if pa.types.is_duration(kind):
        return "duration"
    return str(kind)
