"""A person's rows in Parquet files: counted, and left out."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.data.work.places import is_local, located
from athanor.kernel.remote import filesystem_of
from athanor.kernel.sqltext import identifier, literal, parquet


def counts(files: list[str], column: str, value: str) -> dict[str, int]:
    """How many rows of each file hold the value; files that have no such column are left out."""
    found = {}
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for file in files:
            [path] = located("", [file])
            try:
                condition = is_persons(pq.read_schema(path), column)
            except (pa.ArrowException, OSError):
                continue  # no Parquet file, or one that is gone
            if not condition:
                continue
            [(count,)] = connection.execute(
                f"SELECT count(*) FROM read_parquet($file) WHERE {condition}",  # noqa: S608
                {"file": path, "person": value},
            ).fetchall()
            found[file] = int(count)
    return found


def files_in(folders: list[str]) -> list[str]:
    """The Parquet files below folders of tables; none of a folder that is not there."""
    found: list[str] = []
    for folder in folders:
        if is_local(folder):
            found += [str(path) for path in Path(folder).rglob("*.parquet")]
            continue
        filesystem, root = filesystem_of(folder.rstrip("/"))
        if filesystem.exists(root):
            paths = (str(path) for path in filesystem.find(root))
            found += [f"{folder.rstrip('/')}{path[path.index(root) + len(root) :]}"
                      for path in paths if path.endswith(".parquet")]  # fmt: skip
    return sorted(path for path in found if "/_delta_log/" not in path)


def without(version: dict[str, Any], column: str, value: str, target: str) -> int:
    """Write a version's other rows, in their order, to a Parquet file; how many they are."""
    paths = located(version["table_uri"], version["files"])
    schema = pq.read_schema(paths[-1]).remove_metadata()
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.sql(
            f"SELECT * FROM {parquet(paths)} "  # noqa: S608 - quoted
            f"WHERE ({is_persons(schema, column)}) IS NOT TRUE",
            params={"person": value},
        )
        reader, rows = relation.to_arrow_reader(65_536), 0
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


def is_persons(schema: pa.Schema, column: str) -> str:
    """SQL that says whether a row is of `$person`; "" where no column can be theirs.

    The column may be a field of structs, the key of maps, and hold lists: a row is a person's where
    the value stands anywhere in it. Numbers are compared as numbers (12.0 is 12), times as instants
    and bytes by their hexadecimal digits.
    """
    return " OR ".join(name for name in conditions(schema, column).values() if name)


def conditions(schema: pa.Schema, column: str) -> dict[str, str]:
    """The same by the column that it is about; those that can't be theirs have ""."""
    return {
        field.name: _holds(identifier(field.name), field.type, column, named=field.name == column)
        for field in schema
    }


def _holds(cell: str, kind: pa.DataType, column: str, *, named: bool, depth: int = 0) -> str:
    """That a cell holds the value; `named` is whether it stands under the column's name."""
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        parts = [
            _holds(f"struct_extract({cell}, {literal(field.name)})", field.type, column,
                   named=named or field.name == column, depth=depth)
            for field in kind
        ]  # fmt: skip
    elif pa.types.is_map(kind):
        keys = _any(f"map_keys({cell})", kind.key_type, column, named=named, depth=depth)
        parts = [keys, _any(f"map_values({cell})", kind.item_type, column, named=named,
                            depth=depth)]  # fmt: skip
        if not named and (pa.types.is_string(kind.key_type) or
                          pa.types.is_large_string(kind.key_type)):  # fmt: skip
            entry = f"map_extract_value({cell}, {literal(column)})"
            parts.append(_holds(entry, kind.item_type, column, named=True, depth=depth))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or (
        pa.types.is_fixed_size_list(kind)
    ):  # fmt: skip
        parts = [_any(cell, kind.value_type, column, named=named, depth=depth)]
    else:
        return _is(cell, kind) if named else ""
    return " OR ".join(part for part in parts if part)


def _any(cells: str, kind: pa.DataType, column: str, *, named: bool, depth: int) -> str:
    """That one of a list's items holds the value."""
    item = f"item_{depth}"
    inner = _holds(item, kind, column, named=named, depth=depth + 1)
    listed = f"list_transform({cells}, lambda {item}: coalesce({inner}, false))"
    return f"coalesce(list_bool_or({listed}), false)" if inner else ""


def _is(cell: str, kind: pa.DataType) -> str:
    text = f"CAST({cell} AS VARCHAR)"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        bare = r"regexp_replace(regexp_replace({}, '(\.[0-9]*?)0+$', '\1'), '\.$', '')"
        return f"({bare.format(text)} = {bare.format('$person')})"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        at = f"TRY_CAST({text} AS TIMESTAMPTZ) = TRY_CAST($person AS TIMESTAMPTZ)"
        return f"({text} = $person OR coalesce({at}, false))"
    if pa.types.is_boolean(kind):
        return f"({text} = lower($person))"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or (
        pa.types.is_fixed_size_binary(kind)
    ):  # fmt: skip
        return f"({text} = $person OR lower(hex({cell})) = lower($person))"
    return f"({text} = $person)"
