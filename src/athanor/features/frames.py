"""Tables of users as files to send, and answers as tables. Loaded where somebody has a table."""

from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq


def written(frame: Any, path: Path) -> None:
    """Write any DataFrame, Arrow table or list of rows as Parquet; row labels are left out."""
    pq.write_table(_table(frame), path)


def rows(path: str) -> list[dict[str, Any]]:
    """The rows of a Parquet file. Raises: OSError, ValueError."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def read(stream: bytes) -> pa.Table:
    """The table of an Arrow stream."""
    return pa.ipc.open_stream(stream).read_all()


def _table(frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, list):
        return pa.Table.from_pylist(frame)
    if isinstance(frame, dict):
        return pa.table(frame)
    if hasattr(frame, "to_arrow_table"):
        return frame.to_arrow_table()  # a relation of DuckDB's
    found = nw.from_native(frame)
    if isinstance(found, nw.LazyFrame):
        found = found.collect()
    native = found.to_native()
    if hasattr(native, "index") and hasattr(native, "iloc"):
        return pa.Table.from_pandas(native, preserve_index=False)
    return found.to_arrow()
