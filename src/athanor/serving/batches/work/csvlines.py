"""Large ordinary CSV files, read where they lie: a chunk is a range of a file's bytes.

Ordinary is a file that quotes nothing, has no empty line and names in its first line the model's
columns, which are all that is read or kept of it. Whatever turns out to be anything else while it
is read raises `CsvNotPlain`, and is planned anew as Parquet.
"""

import csv
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from athanor.serving.batches.near import is_same
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
_SEGMENT = 32 << 20
"""Whose rows are in memory at once."""
_SCANNED, _TOGETHER = 1 << 18, 32
"""Bytes that are looked at at once, and how many such blocks in a row."""
_THREADS = 2
"""That look for lines' ends: more wait for memory."""
_LONGEST_LINE = 1 << 20
_BEFORE = 2
"""Bytes before a block that are looked at with it: an empty line may lie on the border."""


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
    near = file.get("near")
    path = near["path"] if near and is_same(near) else file["csv"]
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
        # Not mapped: whoever shortens the file would end the process. Not as a stream of batches,
        # which takes turns with a thread for every block.
        with pa.OSFile(path) as source:
            for first, behind in _segments(path, start, end):
                part = source.get_stream(first, behind - first)
                options = converting(types, columns)
                yield from arrow_csv.read_csv(part, reading, parsing, options).to_batches()
    except (pa.ArrowException, ValueError, FileNotFoundError) as error:
        raise CsvNotPlain(path, str(error)) from error
    if path != file["csv"] and not is_same(near):
        raise CsvNotPlain(path, "it was written to while it was read")


def _segments(path: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A range in parts that end with lines; the first is short, for who looks at a few rows."""
    size = _BLOCK
    with Path(path).open("rb") as stream:
        while start < end:
            behind = min(end, start + size)
            if behind < end:
                stream.seek(behind - _LONGEST_LINE)
                last = stream.read(_LONGEST_LINE).rfind(b"\n")
                if last < 0:
                    raise CsvNotPlain(path, f"a line has more than {_LONGEST_LINE:,} bytes")
                behind += last + 1 - _LONGEST_LINE
            yield start, behind
            start, size = behind, _SEGMENT


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
    with path.open("rb") as stream, ThreadPoolExecutor(_THREADS) as pool:
        file, size = stream.fileno(), os.fstat(stream.fileno()).st_size
        head = stream.readline(_LONGEST_LINE)
        begin = len(head)
        if not head.endswith(b"\n") or b'"' in head:
            return None
        looked = partial(_looked_over, file, size)
        count = 0
        cuts: list[tuple[int, int]] = []
        """Places, and the lines before them."""
        for blocks in pool.map(looked, range(begin, size, _SCANNED * _TOGETHER)):
            if blocks is None:
                pool.shutdown(cancel_futures=True)
                return None
            for start, lines in blocks:
                wanted = range(rows - count % rows - 1, lines, rows)
                if wanted:
                    ends = _ends(_bytes_of(file, start, size), start)
                    cuts += [(int(ends[place]), count + place + 1) for place in wanted]
                count += lines
        if os.pread(file, 1, size - 1) != b"\n":  # the last line has no end
            count += 1
    if not cuts or cuts[-1][1] < count:
        cuts.append((size, count))
    starts = [(begin, 0), *cuts]
    return [
        (first, end, behind - before)
        for (first, before), (end, behind) in pairwise(starts)
        if behind > before
    ]


def _looked_over(file: int, size: int, start: int) -> list[tuple[int, int]] | None:
    """Where each of the next blocks begins, and how many lines end in it.

    None where anything is quoted, or a line empty.
    """
    # In memory that is taken once: most of the time would go into finding it for each block.
    data = bytearray(_BEFORE + _SCANNED)
    seen = np.frombuffer(data, np.uint8)
    ends, empty = np.empty(len(data), np.bool_), np.empty(len(data), np.bool_)
    found = []
    for place in range(start, min(size, start + _SCANNED * _TOGETHER), _SCANNED):
        length = _BEFORE + min(_SCANNED, size - place)
        if os.preadv(file, [memoryview(data)[:length]], place - _BEFORE) < length:
            return None
        if data.find(b'"', _BEFORE, length) >= 0:
            return None
        lines = np.equal(seen[:length], ord("\n"), out=ends[:length])
        if np.logical_and(lines[1:], lines[:-1], out=empty[1:length]).any():
            return None
        if data.find(b"\r", 0, length) >= 0:
            returns = seen[1 : length - 1] == ord("\r")
            if (lines[2:] & returns & lines[:-2]).any():
                return None
        found.append((place, int(np.count_nonzero(lines[_BEFORE:]))))
    return found


def _bytes_of(file: int, start: int, size: int) -> bytes:
    return os.pread(file, min(_SCANNED, size - start), start)


def _ends(data: bytes, start: int) -> NDArray[np.int64]:
    """The places behind line ends, in the file."""
    return np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + (start + 1)
