"""Tables of users as files to send, and answers as tables. Loaded where somebody has a table."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from athanor.features.errors import NotATable
from athanor.features.logic.names import WARNINGS
from athanor.kernel.sending import no_unicode


def written(frame: Any, path: Path) -> None:
    """Write any DataFrame, Arrow table or list of rows as Parquet; row labels are left out.

    Raises: NotATable, NoUnicode.
    """
    if isinstance(frame, list) and not all(isinstance(row, Mapping) for row in frame):
        raise NotATable(frame)
    try:
        pq.write_table(_table(frame), path)
    except UnicodeEncodeError as error:
        raise no_unicode(error, frame) from error
    except TypeError as error:
        raise NotATable(frame) from error


def rows(path: str) -> list[dict[str, Any]]:
    """The rows of a Parquet file. Raises: OSError, ValueError."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def read(stream: bytes) -> pa.Table:
    """The table of an Arrow stream; what was told of it is given as warnings."""
    found = pa.ipc.open_stream(stream).read_all()
    told = (found.schema.metadata or {}).get(WARNINGS.encode(), b"[]")
    for warning in json.loads(told):
        warnings.warn(warning, stacklevel=3)
    return found.replace_schema_metadata(None)


def _table(frame: Any) -> pa.Table:
    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, list):
        # By all of the rows: Arrow takes the columns of the first alone.
        names = dict.fromkeys(name for row in frame for name in row)
        return pa.table({name: [row.get(name) for row in frame] for name in names})
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
