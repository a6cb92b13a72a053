"""CSV and JSON that Arrow does not read as they stand, by DuckDB; loaded by name."""

from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from athanor.kernel.sqltext import identifier, literal, literals
from athanor.serving.batches.work.csvlines import MISSING
from athanor.serving.errors.batches import InputValueUnfit
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


def write(
    source: Path, kind: str, target: Path, signature: Signature, rows: int, *, name: str
) -> None:
    """Write a file of this kind ("csv" or "json") as Parquet.

    Raises: InputValueUnfit, which calls the file by `name`; ValueError: what DuckDB says is wrong
    with it otherwise.
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
        if misfit := _misfit(source, kind, signature):
            raise InputValueUnfit(name, **misfit) from error
        raise ValueError(str(error)) from error


def _misfit(source: Path, kind: str, signature: Signature) -> dict[str, Any] | None:
    """The first row with a value that is not of its column's type; None where that is not it.

    As the arguments of `InputValueUnfit`: `row`, `column`, `value`, `expected`, and the `count` of
    such rows.
    """
    text = literal(str(source))
    plain = (
        f"read_csv({text}, header = true, nullstr = [{literals(MISSING)}], all_varchar = true)"
        if kind == "csv"
        else f"read_json({text}, sample_size = {_SAMPLE_ROWS}, maximum_object_size = 104857600)"
    )
    found: list[dict[str, Any]] = []
    with suppress(duckdb.Error), duckdb.connect(":memory:", config={"threads": 2}) as connection:
        present = connection.sql(f"SELECT * FROM {plain} LIMIT 0").columns  # noqa: S608 - literals
        for column in signature.columns:
            expected = _TYPES.get(column.type, "VARCHAR")
            if column.name not in present or expected == "VARCHAR":
                continue
            cell = identifier(column.name)
            told = connection.execute(
                f"SELECT min(n), arg_min(v, n), count(*) FROM (SELECT row_number() OVER () AS n, "  # noqa: S608 - quoted
                f"CAST({cell} AS VARCHAR) AS v, TRY_CAST({cell} AS {expected}) AS t FROM {plain}) "
                f"WHERE v IS NOT NULL AND t IS NULL"
            ).fetchone()
            if told and told[2]:
                row, value, count = told
                found.append(
                    {
                        "row": row,
                        "column": column.name,
                        "value": value if kind == "csv" else value.strip('"'),
                        "expected": expected,
                        "count": count,
                    }
                )
    return min(found, key=itemgetter("row"), default=None)


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
