"""Rows of a query on somebody's DuckDB file, which is only read."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.kernel.foreign import ForeignDatabaseRefused, without_secrets

_ROWS = 100_000


def from_duckdb(url: str, file: str, sql: str, target: Path) -> None:
    """Write what a query on a DuckDB file gives to a Parquet file, with DuckDB's own types.

    The query reads that file and nothing else of this machine.
    Raises: ForeignDatabaseRefused.
    """
    if not file:
        raise ForeignDatabaseRefused(
            without_secrets(url), "it is no file of the server's machine.", "Write duckdb:///PATH."
        )
    path = Path(file)
    if not path.is_file():
        raise ForeignDatabaseRefused(url, "there is no such file.")
    closed: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "lock_configuration": True,
    }
    try:
        with duckdb.connect(str(path), read_only=True, config=closed) as connection:
            found = connection.sql(sql)
            if found is None:
                raise ForeignDatabaseRefused(url, "the statement gives no rows.", "Use SELECT.")
            reader = found.to_arrow_reader(_ROWS)
            with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)
    except (duckdb.Error, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:400]
        raise ForeignDatabaseRefused(url, said, "Try the query there.") from error
