"""Parquet and JSON-lines files as Arrow batches of types that Delta keeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json as pajson

from athanor.data.errors import DuplicateColumns, EmptyFile, TooManyColumns, UnreadableFile
from athanor.data.logic.forms import repeated
from athanor.data.logic.inference import Against, Kind
from athanor.data.logic.normalise import column_type, normal_type, to_normal
from athanor.data.types import ReadOptions
from athanor.data.work.csvfile import MOST_COLUMNS
from athanor.data.work.text import plain_text

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedFile:
    """A file whose columns have types of their own."""

    path: Path
    file: str
    format: str
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
        """The rows, in their order."""
        for batch in _raw(self.path, self.file, self.format, self.given):
            arrays = [
                to_normal(batch.column(place), field.type)
                for place, field in enumerate(self.stored)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.stored)


def open_parquet(
    path: Path, file: str, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look a Parquet file's schema through.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """
    try:
        with pq.ParquetFile(path) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(
            file, f"the Parquet file is damaged or cut off ({error}).", hint="Write it again."
        ) from error
    return _typed(path, file, "parquet", schema.remove_metadata(), rows, wanted, options)


def open_jsonl(
    path: Path, file: str, into: Path, wanted: Mapping[str, Kind], options: ReadOptions
) -> TypedFile:
    """Look a file of JSON objects, one a line, through.

    Raises: UnreadableFile, EmptyFile, DuplicateColumns, TooManyColumns.
    """
    plain, _ = plain_text(path, file, into, options.encoding)
    try:
        # The whole file is parsed once, so that a type that changes further down is known now.
        table = pajson.read_json(plain)
    except pa.ArrowException as error:
        raise UnreadableFile(
            file, f"the JSON can't be read: {error}", hint="Write one JSON object a line."
        ) from error
    return _typed(plain, file, "jsonl", table.schema, table.num_rows, wanted, options)


def _typed(
    path: Path,
    file: str,
    form: str,
    given: pa.Schema,
    rows: int,
    wanted: Mapping[str, Kind],
    options: ReadOptions,
) -> TypedFile:
    if not rows or not len(given):
        raise EmptyFile(file, "there is no row in the file.")
    if len(given) > MOST_COLUMNS:
        raise TooManyColumns(file, len(given), MOST_COLUMNS)
    if twice := repeated(given.names):
        raise DuplicateColumns(file, twice)
    fields, notes, mismatched = [], [], {}
    for field in given:
        normal = normal_type(field.type)
        stored, want = normal.type, wanted.get(field.name)
        if normal.note:
            notes.append(f"Column {field.name!r} {normal.note}")
        found = column_type(stored)
        if field.name in options.text or (want == "text" and found not in {"text", "nested"}):
            stored = pa.string()
        elif want == "number" and found in {"integer", "decimal"}:
            stored = pa.float64()
        elif want == "integer" and found == "integer":
            stored = pa.int64()
        elif want is not None and want != found and not _widens(want, found):
            missing = pa.types.is_null(field.type)
            if not missing:
                mismatched[field.name] = (want, Against(count=rows))
        fields.append(pa.field(field.name, stored))
    return TypedFile(
        path=path,
        file=file,
        format=form,
        given=given,
        stored=pa.schema(fields),
        rows=rows,
        notes=tuple(notes),
        mismatched=mismatched,
    )


def _widens(want: str, found: str) -> bool:
    return (want, found) in {("integer", "number"), ("date", "timestamp")}


def _raw(path: Path, file: str, form: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        if form == "parquet":
            with pq.ParquetFile(path) as parquet:
                yield from parquet.iter_batches(batch_size=_BATCH_ROWS)
            return
        table = pajson.read_json(path, parse_options=pajson.ParseOptions(explicit_schema=schema))
        yield from table.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(file, f"reading stopped: {error}", hint="Write it again.") from error
