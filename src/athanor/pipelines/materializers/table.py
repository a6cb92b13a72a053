"""Tables as artifacts: Parquet files, and versions of datasets."""

import builtins
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from athanor.lineage.logic.digests import table_digest
from athanor.pipelines.errors import VersionGone

_FILE = "data.parquet"


class TableMaterializer:
    """pandas and polars data frames and Arrow tables."""

    type = "table"

    def handles(self, python_type: builtins.type) -> bool:
        """Data frames and tables, by name: none of their libraries is loaded to ask."""
        root = python_type.__module__.split(".")[0]
        names = {("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")}
        return (root, python_type.__name__) in names

    def save(self, value: Any, folder: Path) -> dict[str, Any]:
        """Write one Parquet file."""
        table = _as_arrow(value)
        pq.write_table(table, folder / _FILE, compression="snappy")
        return {
            "file": _FILE,
            "rows": table.num_rows,
            "columns": {field.name: str(field.type) for field in table.schema},
            "digest": table_digest(table),
        }

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:
        """Read it as the kind of table that is wanted; pandas where nothing says which."""
        if "delta_version" in metadata:
            table = _read_delta(metadata)
        else:
            table = _read(folder / str(metadata.get("file", _FILE)))
        root = getattr(python_type, "__module__", "").split(".")[0]
        if root == "pyarrow":
            return table
        if root == "polars":
            import polars as pl  # noqa: PLC0415 - only where a step asks for it

            return pl.from_arrow(table)
        return table.to_pandas()

    def digest(self, folder: Path) -> str:
        """The digest of schema and rows; how the file lays them out does not matter."""
        return table_digest(_read(folder / _FILE))


def _read(path: Path) -> pa.Table:
    """A Parquet file, without the machinery for many files that takes long to load."""
    with pq.ParquetFile(path) as file:
        return file.read()


def _as_arrow(value: Any) -> pa.Table:
    if isinstance(value, pa.Table):
        return value
    if hasattr(value, "to_arrow"):  # polars
        return value.to_arrow()
    return pa.Table.from_pandas(value)


def _read_delta(metadata: dict[str, Any]) -> pa.Table:
    """One version of a dataset, as it was when it was made.

    Raises: VersionGone.
    """
    from deltalake import DeltaTable  # noqa: PLC0415 - only where a dataset is read

    table = DeltaTable(str(metadata["table_uri"]), version=int(metadata["delta_version"]))
    try:
        return table.to_pyarrow_table()
    except FileNotFoundError as error:
        name = f"{metadata.get('dataset', 'the dataset')}@{metadata.get('version', '?')}"
        raise VersionGone(name) from error
