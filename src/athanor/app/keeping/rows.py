"""Whole databases: copied as they are at one moment, moved between SQLite and Postgres.

A backup holds the metadata as one SQLite file, whatever the workspace's own database is: so there
is one form to check, to keep and to look into, and a workspace can move from one to the other.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from athanor.app.tables import load_all_tables
from athanor.kernel.database import Database, Json, metadata
from athanor.kernel.schema import migrate

_BATCH = 1000
_EVENTS = "kernel_event"
_COUNTED = {"tracking_series": ("tracking_latest", "series")}
"""Sequences that no column owns, and the column whose numbers they give."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite file as it is at one moment, while others write to it.

    SQLite's own backup in one step: it reads one snapshot and holds up no writer (WAL).
    """
    with closing(sqlite3.connect(source, timeout=60)) as read, closing(_plain(target)) as copy:
        read.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path)


def check_sqlite(path: Path) -> str:
    """What is wrong with a SQLite file; "" if nothing is."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            said = connection.execute("PRAGMA integrity_check(3)").fetchall()
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(3)
    except sqlite3.DatabaseError as error:
        return str(error)
    if said != [("ok",)]:
        return str(said[0][0])
    return (
        f"a row of {broken[0][0]} names one of {broken[0][2]} that is not there" if broken else ""
    )


def copy_server(url: str, target: Path) -> None:
    """Copy a Postgres database as it is at one moment into a new SQLite file.

    Raises: DatabaseUnavailable.
    """
    load_all_tables()
    source, made = Database.open(url), Database.open(f"sqlite:///{target}")
    try:
        migrate(made)
        with source.engine.connect().execution_options(isolation_level="REPEATABLE READ") as read:
            _copy(read, made)
    finally:
        source.close()
        made.close()
    with closing(_plain(target)) as copy:
        copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy.execute("PRAGMA journal_mode = DELETE")


def load_server(source: Path, url: str) -> None:
    """Put the rows of a SQLite file into an empty Postgres database, all or nothing.

    Both are brought to this release's schema.
    Raises: DatabaseUnavailable.
    """
    load_all_tables()
    read, made = Database.open(f"sqlite:///{source}"), Database.open(url)
    try:
        migrate(read)
        migrate(made)
        with read.engine.connect() as rows:
            _copy(rows, made)
    finally:
        read.close()
        made.close()


def is_empty(url: str) -> bool:
    """Whether a database has no tables.

    Raises: DatabaseUnavailable.
    """
    database = Database.open(url)
    try:
        with database.connection() as connection:
            return not inspect(connection).get_table_names()
    finally:
        database.close()


def rebase(path: Path, old: str, new: str) -> int:
    """Replace the beginning of paths in every text of a SQLite file; how many rows changed.

    Tables and blobs are named by where they lie; a restored workspace may lie elsewhere.
    """
    load_all_tables()
    changed = 0
    with closing(_plain(path)) as connection, connection:
        there = {
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        for table in metadata.sorted_tables:
            for column in texts_of(table) if table.name in there else ():
                # Names of tables and columns are our own.
                cursor = connection.execute(
                    f'UPDATE "{table.name}" SET "{column.name}" = '  # noqa: S608 - as above
                    f'replace("{column.name}", ?, ?) WHERE instr("{column.name}", ?) > 0',
                    (old, new, old),
                )
                changed += cursor.rowcount
    return changed


def texts_of(table: Table) -> list[Column[Any]]:
    """The columns of a table that may hold a path, a digest or a document."""
    return [
        column
        for column in table.columns
        if isinstance(column.type, (Text, Json))
        or (isinstance(column.type, String) and (column.type.length or 1 << 20) >= 64)
    ]


def _copy(read: Connection, made: Database) -> None:
    """Copy every table's rows, parents first."""
    with made.transaction() as write:
        for table in reversed(metadata.sorted_tables):
            # What a migration put there is in the copy, too.
            write.execute(table.delete())
        for table in metadata.sorted_tables:
            later = [key.parent for key in table.foreign_keys if key.column.table is table]
            for rows in _batches(_rows(read, table)):
                now = [
                    row | {column.name: None for column in later if column.nullable} for row in rows
                ]
                write.execute(insert(table), now)
            for column in later:
                _set_later(read, write, table, column)
            if made.dialect == "postgresql":
                _move_sequences(write, table)
        if made.dialect == "postgresql":
            for name, (table_name, column_name) in _COUNTED.items():
                _move(write, name, metadata.tables[table_name].c[column_name])


def _rows(read: Connection, table: Table) -> Iterator[dict[str, Any]]:
    streamed = read.execution_options(yield_per=_BATCH).execute(select(table))
    newest = 0
    if table.name == _EVENTS:
        newest = read.execute(select(func.max(table.c.tx))).scalar() or 0
    for row in streamed.mappings():
        # Another server counts its transactions anew: kept events come before all of its own.
        yield dict(row) | ({"tx": row["tx"] - newest - 1} if table.name == _EVENTS else {})


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _set_later(read: Connection, write: Connection, table: Table, column: Column[Any]) -> None:
    """Set a column that names rows of its own table, now that all are there."""
    (key,) = table.primary_key.columns
    change = (
        update(table).where(key == bindparam("which")).values({column.name: bindparam("value")})
    )
    wanted = select(key.label("which"), column.label("value")).where(column.is_not(None))
    found = read.execution_options(yield_per=_BATCH).execute(wanted)
    for rows in _batches(dict(row) for row in found.mappings()):
        write.execute(change, rows)


def _move_sequences(write: Connection, table: Table) -> None:
    """Let numbers go on behind those that were copied."""
    for column in table.primary_key.columns:
        if not isinstance(column.type, (Integer, BigInteger)):
            continue
        named = {"table": table.name, "column": column.name}
        query = text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = write.execute(query, named).scalar()
        if sequence:
            _move(write, sequence, column)


def _move(write: Connection, sequence: str, column: Column[Any]) -> None:
    newest = write.execute(select(func.max(column))).scalar()
    if newest:
        write.execute(text("SELECT setval(:name, :to)"), {"name": sequence, "to": newest})
