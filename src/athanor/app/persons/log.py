"""A person's rows in the prediction log: counted and removed. Runs in a worker."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from athanor.serving.warehouse import arrow

_TRIES = 10
_KINDS = {"predictions": "prediction", "labels": "label"}


def counted(
    sources: dict[str, dict[str, list[str]]], tables: dict[str, str], column: str, value: str
) -> list[dict[str, Any]]:
    """How many predictions and labels there are, as plain data of `Holding`s."""
    del tables
    found = []
    ids = _ids(sources["predictions"], column, value)
    for name, kind in _KINDS.items():
        rows = len(ids) if name == "predictions" else _labels(sources[name], ids, value)
        if rows:
            found.append({"room": "serving", "kind": kind, "name": f"log of {name}", "rows": rows})
    return found


def erased(
    sources: dict[str, dict[str, list[str]]], tables: dict[str, str], column: str, value: str
) -> list[dict[str, Any]]:
    """Remove the rows from the log's tables and the files that held them.

    Rows in segments that are still written stay until they are moved: they are told.
    """
    found = []
    ids = _ids(sources["predictions"], column, value)
    fresh = {
        "predictions": len(_ids({"jsonl": sources["predictions"]["jsonl"]}, column, value)),
        "labels": _labels({"jsonl": sources["labels"]["jsonl"]}, ids, value),
    }
    for name, kind in _KINDS.items():
        gone = _removed(tables[name], ids, value)
        if gone:
            found.append(
                {"room": "serving", "kind": kind, "name": f"log of {name}", "rows": gone,
                 "erased": True}
            )  # fmt: skip
        if fresh[name]:
            note = "in segments that are still written: erase again in some minutes"
            found.append(
                {"room": "serving", "kind": kind, "name": f"log of {name}", "rows": fresh[name],
                 "note": note}
            )  # fmt: skip
    return found


def _ids(source: Mapping[str, Sequence[str]], column: str, value: str) -> list[str]:
    """The predictions whose key is the value, or whose input of this name is."""
    # As a JSON pointer: a path takes some names for signs of its own.
    path = "/" + column.replace("~", "~0").replace("/", "~1")
    where = "key = $value OR json_extract_string(features, $path) = $value"
    return [
        str(row[0])
        for row in _asked(
            "predictions", source, f"SELECT id FROM rows WHERE {where}",  # noqa: S608 - our text
            {"value": value, "path": path},
        )
    ]  # fmt: skip


def _labels(source: Mapping[str, Sequence[str]], ids: Sequence[str], value: str) -> int:
    sql = "SELECT count(*) FROM rows WHERE key = $value OR list_contains($ids, id)"
    [(count,)] = _asked("labels", source, sql, {"value": value, "ids": list(ids)})
    return int(count)


def _asked(
    kind: str, source: Mapping[str, Sequence[str]], sql: str, values: dict[str, Any]
) -> list[Any]:
    hot = arrow(kind, [Path(name) for name in source.get("jsonl", [])])
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.register("hot", hot)
        parts = ["SELECT * FROM hot"]
        if files := source.get("parquet"):
            listed = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
            names = ", ".join(hot.schema.names)
            parts.append(f"SELECT {names} FROM read_parquet([{listed}])")  # noqa: S608 - our names
        connection.execute(f"CREATE VIEW rows AS {' UNION ALL '.join(parts)}")
        return connection.execute(sql, values).fetchall()


def _removed(uri: str, ids: Sequence[str], value: str) -> int:
    if not DeltaTable.is_deltatable(uri):
        return 0
    keyed = "key = '" + value.replace("'", "''") + "'"
    listed = ", ".join(f"'{item}'" for item in ids if item.isalnum() or "-" in item)
    where = f"{keyed} OR id IN ({listed})" if listed else keyed
    for turn in range(_TRIES):
        table = DeltaTable(uri)
        try:
            told = table.delete(where)
        except CommitFailedError:
            # Rows were moved into the table meanwhile.
            if turn == _TRIES - 1:
                raise
            continue
        rows = int(told.get("num_deleted_rows") or 0)
        if rows:
            table = DeltaTable(uri)
            table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        return rows
    return 0
