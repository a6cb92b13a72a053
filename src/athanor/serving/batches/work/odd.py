"""CSV and JSON that Arrow does not read as they stand, by DuckDB; loaded by name."""

from pathlib import Path

import duckdb

from athanor.kernel.sqltext import identifier, literal, literals
from athanor.serving.batches.work.csvlines import MISSING
from athanor.serving.types import Signature

_TYPES = {
    "double": "DOUBLE",
    "float": "DOUBLE",
    "long": "BIGINT",
    "integer": "BIGINT",
    "string": "VARCHAR",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMP",
}
_SAMPLE_ROWS = 100_000


def write(source: Path, kind: str, target: Path, signature: Signature, rows: int) -> None:
    """Write a file of this kind ("csv" or "json") as Parquet.

    Raises: ValueError: what DuckDB says is wrong with it.
    """
    reader = _csv_reader if kind == "csv" else _json_reader
    try:
        with duckdb.connect(":memory:", config={"threads": 2}) as connection:
            reading = reader(connection, source, signature)
            connection.execute(
                f"COPY (SELECT * FROM {reading}) TO {literal(str(target))} "  # noqa: S608 - literals
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {max(2_048, rows)})"
            )
    except duckdb.Error as error:
        raise ValueError(str(error)) from error


def _csv_reader(connection: duckdb.DuckDBPyConnection, source: Path, signature: Signature) -> str:
    plain = f"read_csv({literal(str(source))}, header = true, nullstr = [{literals(MISSING)}]"
    looked = connection.sql(
        f"SELECT * FROM {plain}, all_varchar = true, sample_size = 1000) LIMIT 0"  # noqa: S608
    )
    types = _declared(signature, looked.columns)
    return f"{plain}, sample_size = {_SAMPLE_ROWS}{types})"


def _json_reader(connection: duckdb.DuckDBPyConnection, source: Path, signature: Signature) -> str:
    plain = (
        f"read_json({literal(str(source))}, sample_size = {_SAMPLE_ROWS}, "
        "maximum_object_size = 104857600"
    )
    found = connection.sql(f"SELECT * FROM {plain}) LIMIT 0")  # noqa: S608 - our literals
    known = {column.name: _TYPES.get(column.type, "") for column in signature.columns}
    cells = ", ".join(
        f"CAST({identifier(name)} AS {known[name]}) AS {identifier(name)}"
        if known.get(name)
        else identifier(name)
        for name in found.columns
    )
    return f"(SELECT {cells} FROM {plain}))"  # noqa: S608 - quoted names


def _declared(signature: Signature, present: list[str]) -> str:
    pairs = [
        f"{literal(column.name)}: {literal(_TYPES[column.type])}"
        for column in signature.columns
        if column.name in present and column.type in _TYPES
    ]
    return f", types = {{{', '.join(pairs)}}}" if pairs else ""
