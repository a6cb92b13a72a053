"""Data frames of any library as Parquet files, and back; loaded where a frame is at hand."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import BadSource, UnreadableFile
from athanor.data.work.places import repeating
from athanor.kernel.sending import no_unicode

_ROWS_A_GROUP = 122_880
_NULLABLE = {
    "bool": "BooleanDtype", "int8": "Int8Dtype", "int16": "Int16Dtype", "int32": "Int32Dtype",
    "int64": "Int64Dtype", "uint8": "UInt8Dtype", "uint16": "UInt16Dtype",
    "uint32": "UInt32Dtype", "uint64": "UInt64Dtype",
}  # fmt: skip
"""The pandas types that know missing values, by Arrow's."""


def written(frame: Any, path: Path) -> Path:
    """Write a frame's rows as Parquet, with the types that it has.

    Raises: BadSource (no frame), UnreadableFile (a column that holds values of several types),
    NoUnicode.
    """
    reader = _reader(frame)
    schema = reader.schema
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, use_dictionary=repeating(schema)
    ) as writer:
        try:
            for batch in reader:
                writer.write_batch(batch, row_group_size=_ROWS_A_GROUP)
        except (pa.ArrowException, TypeError) as error:
            raise _unfit(error) from error
    return path


def _reader(frame: Any) -> pa.RecordBatchReader:
    if isinstance(frame, pa.RecordBatchReader):
        return frame
    table = _table(frame)
    if isinstance(table, pa.RecordBatchReader):
        return table
    unique = table if len(set(table.column_names)) == table.num_columns else None
    if unique is None:
        twice = sorted({n for n in table.column_names if table.column_names.count(n) > 1})
        raise UnreadableFile(
            "frame", f"more than one column is called {', '.join(map(repr, twice))}.",
            hint="Rename one of them.",
        )  # fmt: skip
    return pa.RecordBatchReader.from_batches(
        table.schema.remove_metadata(), table.combine_chunks().to_batches()
    )


def _table(frame: Any) -> Any:
    try:
        if isinstance(frame, (pa.Table, pa.RecordBatch)):
            return frame if isinstance(frame, pa.Table) else pa.Table.from_batches([frame])
        if isinstance(frame, dict):
            return pa.table(frame)
        if isinstance(frame, (list, tuple)) and all(isinstance(row, Mapping) for row in frame):
            return _of_rows(frame)
        if type(frame).__module__.partition(".")[0] == "pandas":
            return _of_pandas(frame)
        native = nw.from_native(frame, pass_through=True)
        if isinstance(native, nw.LazyFrame):
            return native.collect("pyarrow").to_native()
        if isinstance(native, nw.DataFrame):
            return native.to_arrow()
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(frame)
    except UnicodeEncodeError as error:
        raise no_unicode(error, frame) from error
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise _unfit(error) from error
    raise BadSource(
        f"A {type(frame).__name__} is no table.",
        "Give a path, a URL, or a DataFrame (pandas, Polars, Arrow, DuckDB ...).",
    )


def _of_rows(rows: Sequence[Mapping[Any, Any]]) -> pa.Table:
    """Rows as dictionaries; what a row lacks is missing there, in the first one, too."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({str(name): [row.get(name) for row in rows] for name in names})


def _of_pandas(frame: Any) -> pa.Table:
    """With the index as a column where it is more than row numbers."""
    if hasattr(frame, "to_frame"):
        frame = frame.to_frame()
    plain = type(frame.index).__name__ == "RangeIndex"
    return pa.Table.from_pandas(frame, preserve_index=None if plain else True)


def _unfit(error: Exception) -> UnreadableFile:
    if "uplicate column" in str(error):
        return UnreadableFile(
            "frame",
            f"two columns have one name: {' '.join(str(error).split())[:300]}",
            hint="Give each column a name of its own: frame.columns = [...]",
        )
    return UnreadableFile(
        "frame",
        f"a column can't be stored: {' '.join(str(error).split())[:300]}",
        hint="Give each column one type: frame['column'] = frame['column'].astype(str)",
    )


def read(path: Path, as_: str) -> Any:
    """An Arrow stream as a table of a library: `pandas`, `polars` or `arrow`.

    Raises: BadSource.
    """
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_stream(source).read_all()
    if as_ in {"arrow", "pyarrow"}:
        return table
    if as_ == "pandas":
        return _as_pandas(table)
    if as_ == "polars":
        return importlib.import_module("polars").from_arrow(table)
    raise BadSource(f"Rows are not read as {as_!r}.", "Say pandas, polars or arrow.")


def _as_pandas(table: pa.Table) -> Any:
    """A frame whose whole numbers stay whole, and booleans boolean, where some are missing.

    NumPy's integers have no missing value: as floats they would lose digits beyond 2^53.
    """
    frame = table.to_pandas()
    pandas = importlib.import_module("pandas")
    for name, values in zip(table.column_names, table.columns, strict=True):
        kind = str(values.type)
        if values.null_count and kind in _NULLABLE:
            dtype = getattr(pandas, _NULLABLE[kind])()
            frame[name] = values.to_pandas(types_mapper={values.type: dtype}.get)
    return frame
