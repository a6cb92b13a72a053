"""A person's rows in Parquet files: counted, and left out."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.logic.profiling import quoted
from athanor.data.work.places import located


def counts(files: list[str], column: str, value: str) -> dict[str, int]:
    """How many rows of each file hold the value; files that have no such column are left out."""
    found = {}
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for file in files:
            [path] = located("", [file])
            try:
                if column not in pq.read_schema(path).names:
                    continue
            except (pa.ArrowException, OSError):
                continue  # no Parquet file, or one that is gone
            [(count,)] = connection.execute(
                f"SELECT count(*) FROM read_parquet($file) WHERE {is_persons(column)}",  # noqa: S608
                {"file": path, "person": value},
            ).fetchall()
            found[file] = int(count)
    return found


def without(version: dict[str, Any], column: str, value: str, target: str) -> int:
    """Write a version's other rows, in their order, to a Parquet file; how many they are."""
    paths = located(version["table_uri"], version["files"])
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET TimeZone = 'UTC'")
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        relation = connection.sql(
            f"SELECT * FROM read_parquet([{listed}], union_by_name = true) "  # noqa: S608 - quoted
            f"WHERE ({is_persons(column)}) IS NOT TRUE",
            params={"person": value},
        )
        reader = relation.to_arrow_reader(65_536)
        schema, rows = pq.read_schema(paths[-1]).remove_metadata(), 0
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in reader:
                columns = [
                    batch.column(name).cast(schema.field(name).type) for name in schema.names
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
                rows += batch.num_rows
    if not rows:
        Path(target).unlink()
    return rows


def is_persons(column: str) -> str:
    """SQL that says whether a row is of `$person`; 12.0 among numbers is the person 12."""
    cell = f"CAST({quoted(column)} AS VARCHAR)"
    kind = f"typeof({quoted(column)})"
    whole = "regexp_replace({}, '\\.0+$', '')"
    return (
        f"CASE WHEN {kind} IN ('DOUBLE', 'FLOAT') OR {kind} LIKE 'DECIMAL%' "
        f"OR {kind} LIKE '%INT' OR {kind} LIKE '%INTEGER' "
        f"THEN {whole.format(cell)} = {whole.format('$person')} ELSE {cell} = $person END"
    )
