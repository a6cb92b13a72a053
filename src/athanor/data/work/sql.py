"""Runs SQL that users wrote, in a process that is killed when it takes too long.

The tables are made first; then external access is switched off and the configuration is locked, so
that the query reads those tables' files and nothing else.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.errors import BadQuery, FilesGone, NotReadOnly, QueryTooLarge
from athanor.data.work.content import written
from athanor.data.work.places import located
from athanor.data.work.telling import plain_values, told_as
from athanor.kernel.sqltext import identifier, literal, literals, parquet

_BATCH_ROWS = 65_536

_COPIED_ROWS = 122_880
_GONE = re.compile(
    r"""(?:Cannot open file|No files found that match the pattern) ["']?([^"'\n]*)"""
)


def run(sql: str, tables: dict[str, dict[str, Any]], limit: int, memory_mb: int) -> dict[str, Any]:
    """The first `limit` rows of a query over tables, each given as a scan and its columns.

    Raises: BadQuery, NotReadOnly, QueryTooLarge.
    """
    began = time.monotonic()
    with _answer(sql, tables, memory_mb) as relation:
        names, types = relation.columns, [str(kind) for kind in relation.types]
        found = told_as(relation.limit(limit + 1), "json").to_arrow_table()
    columns = [plain_values(column) for column in found.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return {
        "columns": list(names),
        "types": types,
        "rows": rows[:limit],
        "truncated": len(rows) > limit,
        "seconds": round(time.monotonic() - began, 4),
    }


def copy(sql: str, tables: dict[str, dict[str, Any]], path: str, memory_mb: int) -> dict[str, int]:
    """Write all rows of a query to a Parquet file, batch by batch; says how many.

    Raises: BadQuery, NotReadOnly, QueryTooLarge.
    """
    rows = 0
    with _answer(sql, tables, memory_mb) as relation:
        reader = told_as(relation, "parquet").to_arrow_reader(_COPIED_ROWS)
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
    return {"rows": rows}


def export(
    sql: str, tables: dict[str, dict[str, Any]], memory_mb: int, target: str, form: str
) -> dict[str, Any]:
    """Write all rows of a query to a file, piece by piece.

    Raises: BadQuery, NotReadOnly, QueryTooLarge.
    """
    with _answer(sql, tables, memory_mb) as relation:
        reader = told_as(relation, form).to_arrow_reader(_BATCH_ROWS)
        rows = written(iter(reader), reader.schema, Path(target), form)
    return {"rows": rows}


@contextmanager
def _answer(
    sql: str, tables: dict[str, dict[str, Any]], memory_mb: int
) -> Iterator[duckdb.DuckDBPyRelation]:
    """What a query gives; DuckDB's errors, also those of reading it, are told as ours."""
    try:
        with _prepared(tables, memory_mb) as connection:
            try:
                relation = connection.sql(sql)
            except duckdb.ParserException as error:
                raise BadQuery(_message(error), hint=_quoting(connection, sql, error)) from error
            if relation is None:
                raise NotReadOnly("A statement without rows")
            yield relation
    except duckdb.OutOfMemoryException as error:
        raise QueryTooLarge(memory_mb) from error
    except duckdb.IOException as error:
        if gone := _GONE.search(str(error)):
            raise FilesGone(gone[1]) from error
        raise BadQuery(_message(error)) from error
    except duckdb.PermissionException as error:
        raise NotReadOnly("Reaching beyond the tables") from error
    except duckdb.Error as error:
        raise BadQuery(_message(error)) from error


def _quoting(connection: duckdb.DuckDBPyConnection, sql: str, error: Exception) -> str:
    """Which word to quote, where the parser stops at, or just behind, a column's name; else ""."""
    place = re.search(r'near "([^"]*)"\s*LINE (\d+): (.*)\n( *)\^', str(error))
    if place is None:
        return ""
    token, line, text, blanks = place.groups()
    column = len(blanks) - len(f"LINE {line}: ")
    before = "\n".join([*sql.splitlines()[: int(line) - 1], text[:column]])
    words = [*re.findall(r"[^\W\d]\w*", before)[-1:], token]
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE NOT internal AND lower(column_name) IN "
        "(SELECT keyword_name FROM duckdb_keywords())"
    ).fetchall()
    names = {name.casefold() for (name,) in found}
    word = next((word for word in words if word.casefold() in names), "")
    said = f'{word} is a word of SQL; where the column of this name is meant, quote it: "{word}"'
    return said if word else ""


def _prepared(tables: dict[str, dict[str, Any]], memory_mb: int) -> duckdb.DuckDBPyConnection:
    """A DuckDB that holds the tables and can reach nothing else."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 2,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    files: list[str] = []
    for name, told in tables.items():
        scan = told | {"parquet": located("", told["parquet"])}
        if "assignment" in told:
            files.append(told["assignment"])
        files += [*scan["parquet"], *(path for path in scan["jsonl"] if Path(path).exists())]
        _make_table(connection, name, scan)
    connection.execute(f"SET allowed_paths = [{literals(files)}]")
    connection.execute("SET temp_directory = ''")
    # Days and hours are those of recipes and profiles, whatever the server's own zone is.
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET memory_limit = '{int(memory_mb)}MB'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _make_table(connection: duckdb.DuckDBPyConnection, name: str, scan: dict[str, Any]) -> None:
    columns = {column["name"]: column["type"] for column in scan["columns"]}
    parts = []
    if scan["parquet"]:
        reading = parquet(scan["parquet"])
        if "assignment" in scan:
            rows = f"read_parquet({literal(scan['assignment'])})"
            reading = f"(SELECT * FROM {reading} POSITIONAL JOIN {rows}) "  # noqa: S608 - as below
            reading += f"WHERE athanor_part = {literal(scan['part'])}"
            parts.append(f"SELECT * EXCLUDE (athanor_part) FROM {reading}")  # noqa: S608 - as below
        else:
            parts.append(f"SELECT * FROM {reading}")  # noqa: S608 - our paths, as literals
    if lines := [path for path in scan["jsonl"] if Path(path).exists()]:
        listed = literals(lines)
        # The last line may be torn: its writer is at it.
        typed = ""
        if columns:
            pairs = ", ".join(f"{literal(key)}: {literal(kind)}" for key, kind in columns.items())
            typed = f", columns = {{{pairs}}}"
        reading = f"read_ndjson([{listed}], ignore_errors = true{typed})"
        parts.append(f"SELECT * FROM {reading}")  # noqa: S608 - our paths, as literals
    if scan["rows"]:
        table = identifier(_stored(connection, name, scan, columns))
        parts.append(f"SELECT * FROM {table}")  # noqa: S608 - quoted
    if not parts:
        empty = ", ".join(
            f"CAST(NULL AS {kind}) AS {identifier(key)}" for key, kind in columns.items()
        )
        parts.append(f"SELECT {empty or 'NULL AS nothing'} WHERE false")
    body = " UNION ALL BY NAME ".join(parts)
    if scan["sql"]:
        body = f"WITH source AS ({body}) {scan['sql']}"
    connection.execute(f"CREATE VIEW {identifier(name)} AS {body}")


def _stored(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    scan: dict[str, Any],
    columns: dict[str, str],
) -> str:
    """Rows in memory as a table of DuckDB's own; returns its name."""
    table, arrow = f"rows of {name}", f"arrow of {name}"
    connection.register(arrow, pa.Table.from_pylist(scan["rows"]))
    known = set(scan["rows"][0])
    cells = ", ".join(
        f"TRY_CAST({identifier(key)} AS {kind}) AS {identifier(key)}"
        if key in known
        else f"CAST(NULL AS {kind}) AS {identifier(key)}"
        for key, kind in columns.items()
    )
    connection.execute(
        f"CREATE TABLE {identifier(table)} AS SELECT {cells or '*'} FROM {identifier(arrow)}"  # noqa: S608
    )
    connection.unregister(arrow)
    return table


def _message(error: Exception) -> str:
    """The first lines of DuckDB's message, which name the place."""
    return " ".join(str(error).split())[:500]
