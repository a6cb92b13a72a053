"""A person's rows in the prediction log: counted and removed. Runs in a worker."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from athanor.kernel.sqltext import literal, literals
from athanor.serving.warehouse import arrow

_TRIES = 10
_KINDS = {"predictions": "prediction", "labels": "label"}
_UNCLEAR = "NOT erased: the endpoint's key was another column then, or is not known"
Source = Mapping[str, Sequence[str]]


def counted(
    sources: Mapping[str, Source],
    tables: Mapping[str, str],
    keys: Sequence[Mapping[str, Any]],
    column: str,
    value: str,
) -> list[dict[str, Any]]:
    """How many predictions and labels there are by endpoint, as plain data of `Holding`s."""
    del tables
    look = _Look(keys, column, value)
    found = []
    ids = look.ids(sources["predictions"])
    for name in _KINDS:
        rows = look.rows(name, sources[name], ids)
        found += [_told(name, endpoint, count) for endpoint, count in rows.items()]
    return found + look.unclear(sources)


def erased(
    sources: Mapping[str, Source],
    tables: Mapping[str, str],
    keys: Sequence[Mapping[str, Any]],
    column: str,
    value: str,
) -> list[dict[str, Any]]:
    """Remove the rows from the log's tables and the files that held them.

    Rows in segments that are still written stay until they are moved: they are told.
    """
    look = _Look(keys, column, value)
    found = look.unclear(sources)
    ids = look.ids(sources["predictions"])
    for name in _KINDS:
        gone = look.rows(name, {"parquet": sources[name].get("parquet", [])}, ids)
        fresh = look.rows(name, {"jsonl": sources[name].get("jsonl", [])}, ids)
        if gone:
            _remove(tables[name], look.condition(name, ids))
        found += [_told(name, item, count, erased=True) for item, count in gone.items()]
        note = "in segments that are still written: erase again in some minutes"
        found += [_told(name, item, count, note=note) for item, count in fresh.items()]
    return found


class _Look:
    """One look for one person: rows whose endpoint's key was the column, or with such an input."""

    def __init__(self, keys: Sequence[Mapping[str, Any]], column: str, value: str) -> None:
        self._same = literals(_spellings(value))
        # As a JSON pointer: a path takes some names for signs of its own.
        self._path = "/" + column.replace("~", "~0").replace("/", "~1")
        self._mine = [span for span in keys if span["column"] == column]
        known = {span["endpoint"] for span in keys}
        several = {span["endpoint"] for span in self._mine if span["since"] or span["until"]}
        self._clear = known - several
        """Endpoints whose key is known and never was another column, or never this one."""

    def ids(self, source: Source) -> list[str]:
        """The predictions whose key is the value, or whose input of this name is."""
        keyed = self._keyed("predicted_at")
        given = f"json_extract_string(features, $path) IN ({self._same})"
        sql = f"SELECT id FROM rows WHERE {keyed} OR {given}"  # noqa: S608 - quoted
        return [str(row[0]) for row in _asked("predictions", source, sql, {"path": self._path})]

    def rows(self, kind: str, source: Source, ids: Sequence[str]) -> dict[str, int]:
        """How many rows of either log there are by endpoint, of these predictions or by key."""
        sql = (
            f"SELECT endpoint, count(*) FROM rows WHERE {self.condition(kind, ids)} "  # noqa: S608 - quoted
            "GROUP BY 1 ORDER BY 1"
        )
        return {str(endpoint): int(count) for endpoint, count in _asked(kind, source, sql, {})}

    def condition(self, kind: str, ids: Sequence[str]) -> str:
        """What is true of them, as SQL for DuckDB and for Delta."""
        listed = literals(ids)
        of_ids = f"id IN ({listed})" if listed else "false"
        if kind == "predictions":
            return of_ids
        return f"{self._keyed('received_at')} OR {of_ids}"

    def unclear(self, sources: Mapping[str, Source]) -> list[dict[str, Any]]:
        """Rows with this key of endpoints whose key was another column then, or is not known."""
        names = literals(sorted(self._clear))
        others = f"endpoint NOT IN ({names})" if names else "true"
        found = []
        for kind, at in (("predictions", "predicted_at"), ("labels", "received_at")):
            sql = (
                f"SELECT endpoint, count(*) FROM rows WHERE key IN ({self._same}) AND {others} "  # noqa: S608 - quoted
                f"AND NOT ({self._keyed(at)}) GROUP BY 1 ORDER BY 1"
            )
            found += [
                _told(kind, str(endpoint), int(count), note=_UNCLEAR)
                for endpoint, count in _asked(kind, sources[kind], sql, {})
            ]
        return found

    def _keyed(self, at: str) -> str:
        """That an endpoint's key was the column when a row came, and that it is the value."""
        spans = []
        for span in self._mine:
            parts = [f"endpoint = {literal(span['endpoint'])}"]
            for sign, name in ((">=", "since"), ("<", "until")):
                if span[name] is not None:
                    when = span[name].astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00:00")
                    parts.append(f"{at} {sign} '{when}'")
            spans.append(f"({' AND '.join(parts)})")
        return f"(key IN ({self._same}) AND ({' OR '.join(spans)}))" if spans else "false"


def _spellings(value: str) -> list[str]:
    """How a value may be written: a column that lacks some keys is one of floats, 12 being 12.0."""
    whole = re.fullmatch(r"(-?[0-9]+)(?:\.0+)?", value)
    return [value] if whole is None else [*dict.fromkeys((value, whole[1], f"{whole[1]}.0"))]


def _told(
    kind: str, endpoint: str, rows: int, *, erased: bool = False, note: str = ""
) -> dict[str, Any]:
    return {"room": "serving", "kind": _KINDS[kind], "name": f"{kind} of {endpoint}", "rows": rows,
            "erased": erased, "note": note}  # fmt: skip


def _asked(kind: str, source: Source, sql: str, values: dict[str, Any]) -> list[Any]:
    hot = arrow(kind, [Path(name) for name in source.get("jsonl", [])])
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("hot", hot)
        parts = ["SELECT * FROM hot"]
        if files := source.get("parquet"):
            names = ", ".join(hot.schema.names)
            parts.append(f"SELECT {names} FROM read_parquet([{literals(files)}])")  # noqa: S608 - our names
        connection.execute(f"CREATE VIEW rows AS {' UNION ALL '.join(parts)}")
        return connection.execute(sql, values).fetchall()


def _remove(uri: str, where: str) -> None:
    for turn in range(_TRIES):
        table = DeltaTable(uri)
        try:
            told = table.delete(where)
        except CommitFailedError:
            # Rows were moved into the table meanwhile.
            if turn == _TRIES - 1:
                raise
            continue
        if int(told.get("num_deleted_rows") or 0):
            table = DeltaTable(uri)
            table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        return
