"""Delta tables that other tools wrote: read where they are, or copied where files do not tell all.

Partitions' values stand in no file, columns may be called otherwise there, and rows may be deleted
beside them. Delta's own reader knows all that; Arrow's reads mapped columns as missing values.
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError

from athanor.data.errors import EmptyFile, SourceUnreachable
from athanor.data.logic.normalise import normal_schema, to_normal
from athanor.data.work.places import is_local

_PLAIN = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""What a table's readers may have to know without its files telling less."""


def why_copied(table: DeltaTable) -> str:
    """Why a table's files do not tell its rows by themselves, or ""."""
    told = table.metadata()
    if told.partition_columns:
        return f"it is partitioned by {', '.join(told.partition_columns)}"
    if told.configuration.get("delta.columnMapping.mode", "none") != "none":
        return "its columns are mapped"
    if strange := set(table.protocol().reader_features or ()) - _PLAIN:
        return f"its readers must know {', '.join(sorted(strange))}"
    paths = (path for path in table.file_uris() if is_local(path))
    schemas = {str(normal_schema(pq.read_schema(path))) for path in paths}
    return "its files differ in their columns" if len(schemas) > 1 else ""


def copied(table: DeltaTable, target: Path, uri: str) -> None:
    """Write a table's rows to one Parquet file, in the order of its files.

    Raises: SourceUnreachable, EmptyFile.
    """
    try:
        asked = QueryBuilder()
        # Several threads would give the rows in an order that differs from time to time.
        asked.execute("SET datafusion.execution.target_partitions = 1").read_all()
        found = asked.register("theirs", table).execute("SELECT * FROM theirs")
        reader = pa.RecordBatchReader.from_stream(found)
        schema, rows = normal_schema(reader.schema), 0
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                columns = [
                    to_normal(values, field.type)
                    for values, field in zip(batch.columns, schema, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                rows += batch.num_rows
    except (DeltaError, OSError, ValueError, pa.ArrowException) as error:
        raise unread(uri, error) from error
    if not rows:
        raise EmptyFile(uri.rstrip("/").rsplit("/", 1)[-1], "the Delta table holds no rows.")


def unread(uri: str, error: Exception) -> SourceUnreachable:
    """That a table can't be read, in the reader's words."""
    said = " ".join(str(error).split())[:300]
    hint = ""
    if "not supported" in said or "not yet supported" in said:
        hint = "Write it without that feature, or hand its rows in as Parquet files."
    elif "eletion" in said:
        hint = "Rewrite it without deletion vectors: REORG TABLE ... APPLY (PURGE)."
    return SourceUnreachable(uri, f"the Delta table can't be read: {said}", hint=hint)
