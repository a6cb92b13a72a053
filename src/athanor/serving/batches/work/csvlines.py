"""Large ordinary CSV files, read where they lie: a chunk is a range of a file's bytes.

Ordinary is a file that quotes nothing, has no empty line and names in its first line the model's
columns, which are all that is read or kept of it. Whatever turns out to be anything else while it
is read raises `CsvNotPlain`, and is planned anew as Parquet.
"""

import csv
import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from athanor.serving.errors.batches import CsvNotPlain
from athanor.serving.types import Signature

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""Cells that say that there is no value."""
TYPES = {
    "double": pa.float64(),
    "float": pa.float64(),
    "long": pa.int64(),
    "integer": pa.int64(),
    "string": pa.dictionary(pa.int32(), pa.string()),
    "boolean": pa.bool_(),
}
"""What the model's columns are read as."""
_LARGE = 4 << 20
"""Bytes: smaller files are read at once."""
_BLOCK = 2 << 20
"""What is parsed at once; more does not stay in the processor's caches."""
_SCANNED = 1 << 18
_LONGEST_LINE = 1 << 20
_SHORTEST_LINE = 2
"""Bytes with the line's end, of a row that has two cells: a shorter one may be an empty line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """An ordinary CSV file."""

    names: list[str]
    delimiter: str
    schema: pa.Schema
    """Of the columns that are read, text as plain text."""
    pieces: list[tuple[int, int, int]]
    """Ranges of bytes, each with its rows: (start, end, rows)."""


def types_of(signature: Signature) -> dict[str, pa.DataType]:
    """What the columns are read as; empty where one has a type that is not read here."""
    types = {column.name: TYPES.get(column.type) for column in signature.columns}
    return {} if None in types.values() else types


def large_lines(
    path: Path, signature: Signature, keep: Sequence[str] | None, rows: int
) -> Lines | None:
    """How a file is read by ranges of `rows` rows; None where it is small, or not ordinary."""
    if path.stat().st_size < _LARGE:
        return None
    types = types_of(signature)
    delimiter, names = head_of(path, signature)
    kept = names if keep is None else keep
    if not delimiter or not types or not set(kept) <= set(types) & set(names):
        return None
    pieces = _pieces(path, rows)
    if pieces is None:
        return None
    schema = pa.schema([(name, _plain(types[name])) for name in names if name in types])
    return Lines(names=names, delimiter=delimiter, schema=schema, pieces=pieces)


def head_of(path: Path, signature: Signature) -> tuple[str, list[str]]:
    """What parts the names in the first line, and they, if they are the model's; "" otherwise."""
    with path.open("rb") as stream:
        line = stream.readline(_LONGEST_LINE)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        return "", []
    wanted = {column.name for column in signature.columns if column.required}
    for delimiter in ",\t;|":
        names = next(csv.reader([text], delimiter=delimiter), [])
        if wanted and wanted <= set(names) and len(set(names)) == len(names) > 1 and all(names):
            return delimiter, names
    return "", []


def quotes(path: Path) -> bool:
    """Whether the file quotes anything: quoted text may hold line ends."""
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as all_,
    ):
        return all_.find(b'"') >= 0


def read(
    file: Mapping[str, Any], piece: Sequence[int], columns: Sequence[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of a range of bytes. Raises: CsvNotPlain."""
    types = {
        name: TYPES["string"] if pa.types.is_string(kind) else kind
        for name, kind in zip(schema.names, schema.types, strict=True)
    }
    start, end = piece
    reading = arrow_csv.ReadOptions(
        block_size=_BLOCK, use_threads=False, column_names=file["names"]
    )
    parsing = arrow_csv.ParseOptions(
        delimiter=file["delimiter"], quote_char=False, newlines_in_values=False
    )
    try:
        with pa.memory_map(file["csv"]) as source:
            source.seek(start)
            data = source.read_buffer(end - start)
            with arrow_csv.open_csv(
                pa.BufferReader(data), reading, parsing, converting(types, columns)
            ) as reader:
                yield from reader
    except (pa.ArrowException, ValueError) as error:
        raise CsvNotPlain(file["csv"], str(error)) from error


def converting(
    types: Mapping[str, pa.DataType], columns: Sequence[str] | None = None
) -> arrow_csv.ConvertOptions:
    """How cells become values; of all columns, or of these alone."""
    return arrow_csv.ConvertOptions(
        column_types=dict(types),
        null_values=list(MISSING),
        strings_can_be_null=True,
        include_columns=list(columns) if columns else None,
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _pieces(path: Path, rows: int) -> list[tuple[int, int, int]] | None:
    """Ranges of so many lines after the first; None where anything is quoted, or a line empty."""
    found: list[tuple[int, int, int]] = []
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as all_,
    ):
        size = len(all_)
        begin = last = all_.find(b"\n") + 1
        if not begin or all_.find(b'"', 0, begin) >= 0:
            return None
        count = 0
        for place in range(begin, size, _SCANNED):
            block = all_[place : place + _SCANNED]
            if b'"' in block:
                return None
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + (place + 1)
            if not len(ends):
                continue
            if np.diff(ends, prepend=last).min() <= _SHORTEST_LINE:
                return None
            last = int(ends[-1])
            while count + len(ends) >= rows:
                cut = int(ends[rows - count - 1])
                found.append((begin, cut, rows))
                ends, begin, count = ends[rows - count :], cut, 0
            count += len(ends)
        if last < size:  # the last line has no end
            if size - last < _SHORTEST_LINE:
                return None
            count += 1
        if count:
            found.append((begin, size, count))
    return found
