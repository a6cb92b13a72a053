"""JSON objects, one a line or in one list, as Arrow batches; read in pieces of some megabytes."""

import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from pyarrow import json as pajson

from athanor.data.errors import TooManyColumns, UnreadableFile
from athanor.data.logic.inference import Kind
from athanor.data.types import ReadOptions
from athanor.data.work.csvfile import MOST_COLUMNS
from athanor.data.work.tablefile import Found, TypedFile, typed
from athanor.data.work.text import plain_text

_PIECE = 32 << 20
_LINE = 64 << 20
_BATCH_ROWS = 1 << 16
_DEEPEST = 50
_CHANGED = re.compile(r"Column\(/?(?P<column>.*?)\) (?P<what>.*?)(?: in row (?P<row>\d+))?$")
_ROW = re.compile(r"in row (\d+)")


def open_jsonl(
    path: Path, file: str, into: Path, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look a file of JSON objects through: each piece once, so that all types are known.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """
    plain, _ = plain_text(path, file, into, options.encoding)
    with plain.open("rb") as stream:
        begins = stream.read(256).lstrip()[:1]
        stream.seek(0)
        first = stream.readline(256).strip()
    if begins != b"{" or first == b"{":
        plain = _as_lines(plain, file, into / "lines")
    schema, rows = _schema_of(plain, file)

    def read() -> Iterator[pa.RecordBatch]:
        for piece, before in _pieces(plain, file):
            table = _parsed(piece, file, before, schema)
            yield from table.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)

    found = Found(path=plain, file=file, format="jsonl", read=read, schema=schema, rows=rows)
    return typed(found, wanted, options)


def _schema_of(path: Path, file: str) -> tuple[pa.Schema, int]:
    schema, rows = pa.schema([]), 0
    for piece, before in _pieces(path, file):
        table = _parsed(piece, file, before, None)
        rows += table.num_rows
        _check_depth(table.schema, file)
        try:
            schema = pa.unify_schemas([schema, table.schema], promote_options="permissive")
        except pa.ArrowException as error:
            raise UnreadableFile(
                file,
                f"a column's type changes between row {before + 1} and row {rows}: {error}",
                hint="Write one type in each column.",
                row=before + 1,
            ) from error
        if len(schema) > MOST_COLUMNS:
            raise TooManyColumns(file, len(schema), MOST_COLUMNS)
    return schema, rows


def _check_depth(schema: pa.Schema, file: str) -> None:
    """See that no value is nested so deeply that nothing could read it again.

    Raises: UnreadableFile.
    """
    for column in schema:
        waiting, depth = [column.type], 0
        while waiting:
            depth += 1
            if depth > _DEEPEST:
                raise UnreadableFile(
                    file,
                    f"column {column.name!r} is nested more than {_DEEPEST} levels deep.",
                    hint="Flatten it, or write it as text.",
                )
            waiting = [
                kind.field(place).type
                for kind in waiting
                if pa.types.is_nested(kind)
                for place in range(kind.num_fields)
            ]


def _pieces(path: Path, file: str) -> Iterator[tuple[bytes, int]]:
    """Whole lines of some megabytes together, and how many lines came before them."""
    lines = 0
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            if not piece.endswith(b"\n"):
                piece += stream.readline(_LINE)
                if len(piece) >= _PIECE + _LINE:
                    row = lines + piece.count(b"\n") + 1
                    raise UnreadableFile(
                        file,
                        f"row {row} is longer than {_LINE >> 20} MB.",
                        hint="Write one JSON object a line; is a line end missing?",
                        row=row,
                    )
            yield piece, lines
            lines += piece.count(b"\n")


def _parsed(piece: bytes, file: str, before: int, schema: pa.Schema | None) -> pa.Table:
    try:
        return pajson.read_json(
            io.BytesIO(piece),
            # A piece is one block: objects never straddle two.
            read_options=pajson.ReadOptions(use_threads=False, block_size=len(piece) + 1),
            parse_options=pajson.ParseOptions(explicit_schema=schema),
        )
    except pa.ArrowException as error:
        raise _unreadable(str(error), file, before) from error


def _unreadable(told: str, file: str, before: int) -> UnreadableFile:
    found = _ROW.search(told)
    row = None if found is None else before + int(found[1]) + 1
    what = told.removeprefix("JSON parse error: ").rstrip(".")
    changed = _CHANGED.search(what)
    if changed is not None:
        what = f"column {changed['column']!r} {changed['what']}"
    what = _ROW.sub("", what).strip()
    error = UnreadableFile(
        file,
        f"row {row}: {what}." if row else f"the JSON can't be read: {what}.",
        hint="Write one JSON object a line, with one type in each column.",
        row=row,
    )
    if changed is not None:
        error.details["column"] = changed["column"]
    return error


def _as_lines(path: Path, file: str, target: Path) -> Path:
    """A list of objects as one object a line."""
    try:
        found: Any = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise UnreadableFile(
            file, f"the JSON can't be read: {error}.", hint="Write a list of objects."
        ) from error
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UnreadableFile(
            file,
            "the JSON is no list of objects.",
            hint='Write [{"column": value, ...}, ...], or one object a line.',
        )
    with target.open("wb") as stream:
        for item in found:
            stream.write(orjson.dumps(item) + b"\n")
    return target
