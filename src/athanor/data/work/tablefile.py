"""Parquet, Arrow and JSON-lines files as Arrow batches of types that Delta keeps."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import DuplicateColumns, EmptyFile, TooManyColumns, UnreadableFile
from athanor.data.logic.forms import repeated
from athanor.data.logic.normalise import (
    PERIOD,
    column_type,
    misfit,
    normal_type,
    to_normal,
    unkept,
)
from athanor.data.logic.plans import Against, Kind
from athanor.data.types import ReadOptions
from athanor.data.work.csvfile import MOST_COLUMNS

_BATCH_ROWS = 1 << 16

Batches = Callable[[], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedFile:
    """A file whose columns have types of their own."""

    path: Path
    file: str
    format: str
    read: Batches
    given: pa.Schema
    stored: pa.Schema
    rows: int
    notes: tuple[str, ...]
    mismatched: dict[str, tuple[Kind, Against]]
    """Columns whose type is not the wanted one."""

    def schema(self) -> pa.Schema:
        """The Arrow schema of the batches."""
        return self.stored

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in their order.

        Raises: UnreadableFile.
        """
        before = 0
        try:
            for batch in self.read():
                arrays = [
                    to_normal(batch.column(place), field.type)
                    for place, field in enumerate(self.stored)
                ]
                for field, values in zip(self.stored, arrays, strict=True):
                    self._check(field.name, values, before)
                before += batch.num_rows
                yield pa.RecordBatch.from_arrays(arrays, schema=self.stored)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(
                self.file, f"reading stopped: {error}", hint="Write it again."
            ) from error

    def _check(self, name: str, values: pa.Array, before: int) -> None:
        found = misfit(values)
        if found is not None:
            row = before + found[0] + 1
            raise UnreadableFile(
                self.file,
                f"row {row}: the value of column {name!r} {found[1]}.",
                hint="Mend it or leave it empty.",
                row=row,
            )

    def changed(self) -> dict[str, str]:
        """The columns that are stored as another type, and the Arrow type that they came with."""
        return {
            field.name: str(field.type)
            for field, stored in zip(self.given, self.stored, strict=True)
            if field.type != stored.type
            and stored.type == normal_type(field.type).type
            and not pa.types.is_null(field.type)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file says of itself."""

    path: Path
    file: str
    format: str
    read: Batches
    schema: pa.Schema
    rows: int


def open_parquet(
    path: Path, file: str, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look a Parquet file's schema through.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """
    try:
        with pq.ParquetFile(path) as parquet:
            rows, schema = parquet.metadata.num_rows, parquet.schema_arrow.remove_metadata()
        if _makes_known(schema):
            schema = pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(
            file, f"the Parquet file is damaged or cut off ({error}).", hint="Write it again."
        ) from error

    def read() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as parquet:
            yield from parquet.iter_batches(batch_size=_BATCH_ROWS)

    found = Found(path=path, file=file, format="parquet", read=read, schema=schema, rows=rows)
    return typed(found, wanted, options)


def open_pieces(
    folder: Path, file: str, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look a folder of Parquet files through that are one table, in the order of their names.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """
    pieces = [open_parquet(path, file, wanted, options) for path in pieces_in(folder)]
    if not pieces:
        raise EmptyFile(file, "there is no Parquet file in the folder.")
    if any(piece.given != pieces[0].given for piece in pieces):
        raise UnreadableFile(file, "its pieces differ in their columns.", hint="Write them again.")

    def read() -> Iterator[pa.RecordBatch]:
        return (batch for piece in pieces for batch in piece.read())

    rows = sum(piece.rows for piece in pieces)
    return replace(pieces[0], path=folder, read=read, rows=rows)


def pieces_in(folder: Path) -> list[Path]:
    """The Parquet files of a folder, in the order of their rows."""
    return sorted(folder.glob("*.parquet"))


def pieces_of(path: Path) -> list[Path]:
    """A Parquet file, or those of a folder."""
    return pieces_in(path) if path.is_dir() else [path]


def within_calendar(path: Path) -> bool:
    """Whether a Parquet file tells of all its days and times that they are of years 1 to 9999."""
    with pq.ParquetFile(path) as parquet:
        told, schema = parquet.metadata, parquet.schema_arrow
        timed = [
            place
            for place, field in enumerate(schema)
            if pa.types.is_date(field.type) or pa.types.is_timestamp(field.type)
        ]
        if timed and told.num_columns != len(schema):
            return False  # nested columns stand for several
        try:
            for group in range(told.num_row_groups):
                for place in timed:
                    found = told.row_group(group).column(place).statistics
                    if found is None or not (found.has_min_max or found.null_count):
                        return False
                    _ = found.has_min_max and (found.min, found.max)
        except (ValueError, OverflowError, pa.ArrowException):
            return False  # Python has no such time
    return True


def open_arrow(
    path: Path, file: str, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look an Arrow IPC file or stream (Feather too) through.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """

    def read() -> Iterator[pa.RecordBatch]:
        with pa.memory_map(str(path)) as source:
            if source.read(6) == b"ARROW1":
                opened = pa.ipc.open_file(source)
                for place in range(opened.num_record_batches):
                    yield opened.get_batch(place)
            else:
                source.seek(0)
                yield from pa.ipc.open_stream(source)

    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read(6) == b"ARROW1"
            source.seek(0)
            opened = pa.ipc.open_file(source) if whole else pa.ipc.open_stream(source)
            schema = opened.schema.remove_metadata()
            if _makes_known(schema):
                source.seek(0)
                opened = pa.ipc.open_file(source) if whole else pa.ipc.open_stream(source)
                schema = opened.schema.remove_metadata()
        rows = sum(batch.num_rows for batch in read())
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(
            file, f"the Arrow file is damaged or cut off ({error}).", hint="Write it again."
        ) from error
    found = Found(path=path, file=file, format="arrow", read=read, schema=schema, rows=rows)
    return typed(found, wanted, options)


def _makes_known(schema: pa.Schema) -> bool:
    """Have Arrow know pandas' periods where there are any, which are mere numbers to it else.

    Whether it did not know them before.
    """
    periods = (field.metadata or {} for field in schema)
    if not any(told.get(b"ARROW:extension:name") == PERIOD.encode() for told in periods):
        return False
    pa.array(importlib.import_module("pandas").array([], dtype="period[D]"))
    return True


def typed(found: Found, wanted: Mapping[str, Kind], options: ReadOptions) -> TypedFile:
    """The columns in types that Delta keeps, and those that differ from the wanted ones.

    Raises: EmptyFile, DuplicateColumns, TooManyColumns.
    """
    file, given, rows = found.file, found.schema, found.rows
    _check_columns(found)
    fields, notes, mismatched = [], [], {}
    for field in given:
        normal = normal_type(field.type)
        stored, want = normal.type, wanted.get(field.name)
        if normal.note:
            notes.append(f"Column {field.name!r} {normal.note}")
        kind = column_type(stored)
        if field.name in options.text or (want == "text" and kind not in {"text", "nested"}):
            stored = pa.string()
        elif want == "number" and kind in {"integer", "decimal"}:
            stored = pa.float64()
        elif want == "integer" and kind == "integer":
            stored = pa.int64()
        elif want is not None and want != kind and not _widens(want, kind):
            missing = pa.types.is_null(field.type)
            if not missing:
                mismatched[field.name] = (want, Against(count=rows))
        fields.append(pa.field(field.name, stored))
    return TypedFile(
        path=found.path,
        file=file,
        format=found.format,
        read=found.read,
        given=given,
        stored=pa.schema(fields),
        rows=rows,
        notes=tuple(notes),
        mismatched=mismatched,
    )


def _check_columns(found: Found) -> None:
    file, given = found.file, found.schema
    if not found.rows or not len(given):
        raise EmptyFile(file, "there is no row in the file.")
    if len(given) > MOST_COLUMNS:
        raise TooManyColumns(file, len(given), MOST_COLUMNS)
    if "" in (name.strip() for name in given.names):
        place = [name.strip() for name in given.names].index("") + 1
        raise UnreadableFile(file, f"column {place} has no name.", hint="Give every column a name.")
    if zeros := [place for place, name in enumerate(given.names, 1) if "\0" in name]:
        raise UnreadableFile(
            file, f"the name of column {zeros[0]} holds a zero byte.", hint="Take it out."
        )
    if twice := repeated(given.names):
        raise DuplicateColumns(file, twice)
    for field in given:
        if strange := _unnamed(field.type):
            raise UnreadableFile(
                file,
                f"column {field.name!r} holds {strange}.",
                hint="Give each field within a value a name of its own.",
            )
        if unkept(normal_type(field.type).type):
            raise UnreadableFile(
                file,
                f"column {field.name!r} is of the type {field.type}, which no dataset can keep.",
                hint="Write it as numbers, texts, times, lists or structs, or leave it out.",
            )


def _unnamed(kind: pa.DataType) -> str:
    """What is wrong with the names within a nested type; "" if nothing is."""
    if not pa.types.is_nested(kind):
        return ""
    parts = [kind.field(place) for place in range(kind.num_fields)]
    if pa.types.is_struct(kind):
        if twice := repeated([part.name for part in parts]):
            return f"fields whose names are one but for upper and lower case: {', '.join(twice)}"
        if any("\0" in part.name for part in parts):
            return "a field with a zero byte in its name"
    return next((found for part in parts if (found := _unnamed(part.type))), "")


def _widens(want: str, found: str) -> bool:
    return (want, found) in {("integer", "number"), ("date", "timestamp")}
