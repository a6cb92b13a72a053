"""JSON objects, one a line or in one list, as Arrow batches; read in pieces of some megabytes."""

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as pajson

from athanor.data.errors import TooManyColumns, UnreadableFile
from athanor.data.logic.inference import inexact, rounded
from athanor.data.logic.plans import Kind
from athanor.data.types import ReadOptions
from athanor.data.work.csvfile import MOST_COLUMNS
from athanor.data.work.tablefile import Found, TypedFile, typed
from athanor.data.work.text import plain_text

_PIECE = 32 << 20
_LINE = 64 << 20
_BATCH_ROWS = 1 << 16
_DEEPEST = 50
_STRING = re.compile(rb'"(?:[^"\\\n]|\\.)*"')
_NO_SIGNS = bytes(set(range(256)) - set(b"[]{}\n"))
_LONG = re.compile(rb"(?:\d{20}|9(?:22[3-9]|2[3-9]\d|[3-9]\d\d)\d{15})")
"""What a whole number beyond 64 bits has in it, and some that are none."""
_MANY = re.compile(rb"\d{16}")
_EXACT = 2.0**53
_LEAST, _MOST, _DIGITS = -(1 << 63), (1 << 63) - 1, 38
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
    schema, rows, long, lost = _schema_of(plain, file)
    if long:
        schema = _with_decimals(plain, file, schema, long)

    def read() -> Iterator[pa.RecordBatch]:
        for piece, before in _pieces(plain, file):
            table = _parsed(piece, file, before, schema)
            yield from table.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)

    found = Found(path=plain, file=file, format="jsonl", read=read, schema=schema, rows=rows)
    read_as = typed(found, wanted, options)
    notes = [f"Column {name!r} has whole numbers beyond 64 bits: decimals." for name in long]
    notes += [
        f"Column {name!r} {rounded(row, str(value))}"
        for name, (row, value) in lost.items()
        if name not in long and _holds_doubles(read_as.stored.field(name).type)
    ]
    return replace(read_as, notes=(*read_as.notes, *notes))


Long = dict[str, tuple[int, int]]
"""By column a row that holds a whole number beyond 64 bits, or beyond doubles, and that number."""


def _schema_of(path: Path, file: str) -> tuple[pa.Schema, int, Long, Long]:
    schema, rows = pa.schema([]), 0
    long: Long = {}
    lost: Long = {}
    for piece, before in _pieces(path, file):
        _check_brackets(piece, file, before)
        _note_long(piece, before, long)
        table = _parsed(piece, file, before, None)
        _note_lost(table, piece, before, lost)
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
    return schema, rows, long, lost


def _note_long(piece: bytes, before: int, long: Long) -> None:
    """Note the columns with whole numbers beyond 64 bits, of which Arrow would make doubles."""
    if not _LONG.search(piece):
        return
    for place, line in enumerate(piece.split(b"\n")):
        if not _LONG.search(line):
            continue
        try:
            told = json.loads(line, parse_int=_whole)
        except ValueError:
            return  # the parser says where it is no JSON
        for name, value in told.items() if isinstance(told, dict) else ():
            found = _beyond(value)
            if found is not None and name not in long:
                long[name] = before + place + 1, found


def _note_lost(table: pa.Table, piece: bytes, before: int, lost: Long) -> None:
    """Note whole numbers that no double holds, in columns of doubles and in those that may be."""
    suspects = set()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if name in lost:
            continue
        if pa.types.is_integer(column.type):
            whole = column.combine_chunks()
            place = pc.index(inexact(whole), pa.scalar(value=True)).as_py()
            if place >= 0:
                lost[name] = before + place + 1, whole[place].as_py()
        elif _holds_doubles(column.type) and _is_large(column.combine_chunks()):
            suspects.add(name)
    if not suspects:
        return
    for place, line in enumerate(piece.split(b"\n")):
        if _MANY.search(line):
            try:
                told = orjson.loads(line)
            except ValueError:
                continue  # Arrow takes NaN and the like, which are no JSON
            for name in suspects & told.keys() - lost.keys():
                found = _first(told[name], lambda whole: int(float(whole)) != whole)
                if found is not None:
                    lost[name] = before + place + 1, found


def _holds_doubles(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_doubles(kind.field(place).type) for place in range(kind.num_fields))
    return bool(pa.types.is_floating(kind))


def _is_large(values: pa.Array) -> bool:
    """Whether a double within is of a size at which whole numbers have gaps."""
    if pa.types.is_list(values.type):
        return _is_large(values.flatten())
    if pa.types.is_struct(values.type):
        return any(_is_large(part) for part in values.flatten())
    if not pa.types.is_floating(values.type):
        return False
    found = pc.max(pc.abs(values)).as_py()
    return found is not None and found >= _EXACT


def _whole(digits: str) -> int:
    """A whole number; of more digits than any column has, the first."""
    return int(digits[: _DIGITS + 2])


def _beyond(value: Any) -> int | None:
    """The first whole number beyond 64 bits in a value."""
    return _first(value, lambda whole: not _LEAST <= whole <= _MOST)


def _first(value: Any, sought: Callable[[int], bool]) -> int | None:
    """The first whole number in a value that is sought."""
    waiting = [value]
    for item in waiting:
        if isinstance(item, int) and sought(item):
            return item
        if isinstance(item, dict | list):
            waiting += item.values() if isinstance(item, dict) else item
    return None


def _with_decimals(path: Path, file: str, schema: pa.Schema, long: Long) -> pa.Schema:
    """The schema with exact decimals for columns of whole numbers beyond 64 bits.

    Raises: UnreadableFile where a column holds others, more digits, or the number within a value.
    """
    whole = pa.decimal128(_DIGITS, 0)
    for name, (row, value) in long.items():
        place = schema.get_field_index(name)
        if schema.field(place).type != pa.float64() or abs(value) >= 10**_DIGITS:
            raise _too_long(file, name, row, value, "")
        schema = schema.set(place, pa.field(name, whole))
    for piece, before in _pieces(path, file):
        try:
            _parsed(piece, file, before, schema)
        except UnreadableFile as error:
            name, (row, value) = next(iter(long.items()))
            raise _too_long(file, name, row, value, " beside other numbers") from error
    return schema


def _too_long(file: str, name: str, row: int, value: int, where: str) -> UnreadableFile:
    shown = str(value)[:60]
    error = UnreadableFile(
        file,
        f"row {row}: column {name!r} holds {shown}, a whole number beyond 64 bits{where}, of which "
        "digits would be lost.",
        hint=f'Write the values of this column as texts: "{shown}".',
        row=row,
    )
    error.details["column"] = name
    return error


def _check_brackets(piece: bytes, file: str, before: int) -> None:
    """See that no row is nested so deeply that the parser, which calls itself, would run over.

    Raises: UnreadableFile.
    """
    if _deepest(piece.translate(None, _NO_SIGNS), by_line=False)[0] <= _DEEPEST + 1:
        return
    depth, line = _deepest(_STRING.sub(b"", piece).translate(None, _NO_SIGNS), by_line=True)
    if depth > _DEEPEST + 1:
        row = before + line + 1
        raise UnreadableFile(
            file,
            f"row {row} is nested more than {_DEEPEST} levels deep.",
            hint="Flatten it, or write it as text.",
            row=row,
        )


def _deepest(signs: bytes, *, by_line: bool) -> tuple[int, int]:
    """How deep brackets go at most, and in which line, from 0; by no line at most so deep."""
    if not signs:
        return 0, 0
    codes = np.frombuffer(signs, np.uint8)
    ends = codes == ord("\n")
    steps = np.where((codes == ord("[")) | (codes == ord("{")), 1, -1)
    steps[ends] = 0
    levels = np.cumsum(steps)
    lines = np.cumsum(ends)
    if by_line:
        begins = np.concatenate(([0], levels[ends]))[lines]
    else:
        begins = np.minimum(np.minimum.accumulate(levels), 0)
    place = int(np.argmax(levels - begins))
    return int(levels[place] - begins[place]), int(lines[place])


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
    text = path.read_bytes()
    try:
        found: Any = orjson.loads(text)
        # Of whole numbers beyond 64 bits orjson makes doubles.
        exact = bool(_LONG.search(text))
        found = json.loads(text) if exact else found
    except (ValueError, RecursionError) as error:
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
            line = json.dumps(item, ensure_ascii=False).encode() if exact else orjson.dumps(item)
            stream.write(line + b"\n")
    return target
