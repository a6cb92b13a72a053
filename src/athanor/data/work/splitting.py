"""Divides a version's rows into parts, and looks for what two parts should not share."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.data.errors import BadSplit
from athanor.data.logic.profiling import unused
from athanor.data.records import NewSplit, Overlap
from athanor.data.types import Roles
from athanor.data.work.earlier import Base
from athanor.data.work.places import located
from athanor.data.work.profile import connected
from athanor.kernel.sqltext import identifier, literal, parquet
from athanor.kernel.wording import counted

PART = "athanor_part"
_ROW = "athanor_row"
_SHOWN = 20
_MOST_PARTS = 20
_SIDES = ("first", "second")
_BESIDES = frozenset({"packs", "part", "assignment", "column"})
"""What a side of a comparison has beside its version's files."""


def divide(
    version: dict[str, Any], roles: dict[str, Any], new: dict[str, Any], target: str
) -> dict[str, Any]:
    """Write each row's part to a Parquet file; returns the parts' sizes and the overlaps.

    Raises: BadSplit.
    """
    base = msgspec.convert({k: v for k, v in version.items() if k != "packs"}, Base)
    asked, told = msgspec.convert(roles, Roles), msgspec.convert(new, NewSplit)
    names = [column.name for column in base.columns]
    column = _column(told, asked, names)
    values = _values(base, column)
    rows = sum(pq.read_metadata(path).num_rows for path in base.paths())
    parts, codes = _DIVIDERS[told.kind](told, values, rows)
    array = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(parts))
    assignment = pa.table({PART: array.cast(pa.string())})
    pq.write_table(assignment, target, compression="zstd")
    counts = np.bincount(codes, minlength=len(parts))
    if empty := [name for name, count in zip(parts, counts, strict=True) if not count]:
        raise BadSplit(
            f"The part {empty[0]!r} would hold no row.", "Choose other shares, or another kind."
        )
    # What names the parts differs between them: rows are compared without it.
    compared = [name for name in names if told.kind != "column" or name != column]
    row = unused(_ROW, names)
    with connected(base.paths()) as connection:
        connection.execute(
            f"CREATE TABLE parted AS SELECT row_number() OVER () AS {row}, * FROM "  # noqa: S608
            f"source POSITIONAL JOIN read_parquet('{target}')"
        )
        overlaps = [
            item
            for place, first in enumerate(parts)
            for second in parts[place + 1 :]
            for item in _overlaps(
                connection, _View(first, second, row), compared, asked,
                timed=told.kind in {"time", "column"}, files=bool(version.get("packs")),
            )
        ]  # fmt: skip
    return {
        "column": column,
        "parts": {name: int(count) for name, count in zip(parts, counts, strict=True)},
        "overlaps": [asdict(item) for item in overlaps],
    }


def between(
    first: dict[str, Any],
    second: dict[str, Any],
    roles: dict[str, Any],
    names: list[str],
    *,
    timed: bool = True,
) -> list[dict[str, Any]]:
    """What two versions, or parts of splits of them, share that should not be in both.

    `names` are their references. A side that is a part of a split has `part`, `assignment` (the
    file that `divide` wrote) and `column`, which names the parts and so is not compared.
    """
    sides = (first, second)
    pair = [msgspec.convert({k: v for k, v in told.items() if k not in _BESIDES}, Base)
            for told in sides]  # fmt: skip
    second_names = {column.name for column in pair[1].columns}
    second_names -= {told.get("column", "") for told in sides}
    common = [column.name for column in pair[0].columns if column.name in second_names]
    if not common:
        return []  # nothing that both have can be shared
    cells, row = ", ".join(identifier(name) for name in common), unused(_ROW, common)
    inside = unused("athanor_inside", common)
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        sources = []
        for base, told, side in zip(pair, sides, _SIDES, strict=True):
            reading = parquet(base.paths())
            where = "true"
            if "part" in told:
                reading += f" POSITIONAL JOIN read_parquet({literal(told['assignment'])})"
                where = f"{PART} = {literal(told['part'])}"
            # Rows are numbered before the part is taken: as they stand in the version.
            sources.append(
                f"SELECT *, '{side}' AS {PART} FROM (SELECT * EXCLUDE ({inside}) FROM "  # noqa: S608
                f"(SELECT row_number() OVER () AS {row}, {cells}, {where} AS {inside} "
                f"FROM {reading}) WHERE {inside})"
            )
        connection.execute(f"CREATE TABLE parted AS {' UNION ALL BY NAME '.join(sources)}")
        files = bool(first.get("packs")) and bool(second.get("packs"))
        found = _overlaps(
            connection, _View(names[0], names[1], row, held=_SIDES), common,
            msgspec.convert(roles, Roles), timed=timed, files=files,
        )  # fmt: skip
    return [asdict(item) for item in found]


def _column(new: NewSplit, roles: Roles, names: Sequence[str]) -> str:
    implied = {"stratified": roles.target, "group": roles.id, "time": roles.time}
    column = new.column or implied.get(new.kind, "")
    if new.kind == "random":
        return ""
    if not column:
        raise BadSplit(
            f"A {new.kind} split needs a column.",
            f"Give it: --column; there are {', '.join(names)}.",
        )
    if column not in names:
        raise BadSplit(f"There is no column {column!r}.", f"There are {', '.join(names[:40])}.")
    return column


def _values(base: Base, column: str) -> pa.ChunkedArray | None:
    if not column:
        return None
    tables = []
    for path in located(base.table_uri, base.files):
        with pq.ParquetFile(path) as file:
            tables.append(file.read([column]))
    return pa.concat_tables(tables, promote_options="permissive")[column]


def _shares(new: NewSplit) -> tuple[list[str], np.ndarray]:
    names, shares = list(new.shares), np.array(list(new.shares.values()), dtype=float)
    if not 2 <= len(names) <= _MOST_PARTS:
        raise BadSplit(
            f"{len(names)} parts were named.", f"Name 2 to {_MOST_PARTS}: train=0.8 test=0.2"
        )
    if not (shares > 0).all():
        raise BadSplit("A share is not above 0.", "Give each part a share above 0, 1 in sum.")
    if not np.isclose(shares.sum(), 1.0, atol=1e-6):
        raise BadSplit(
            f"The shares add up to {shares.sum():g}.", "Give each above 0, and 1 in sum."
        )
    return names, shares


def _counts(shares: np.ndarray, rows: int) -> np.ndarray:
    """Whole numbers nearest to the shares, `rows` in sum (largest remainders)."""
    exact = shares * rows
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: rows - counts.sum()]] += 1
    return counts


def _random(new: NewSplit, values: Any, rows: int) -> tuple[list[str], np.ndarray]:
    del values
    parts, shares = _shares(new)
    codes = np.empty(rows, dtype=np.int8)
    order = np.random.default_rng(new.seed).permutation(rows)
    codes[order] = np.repeat(np.arange(len(parts)), _counts(shares, rows))
    return parts, codes


def _groups(values: pa.ChunkedArray) -> np.ndarray:
    encoded = pc.dictionary_encode(values, null_encoding="encode").combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False))


def _stratified(new: NewSplit, values: Any, rows: int) -> tuple[list[str], np.ndarray]:
    """Each class is divided by itself; what is left over by rounding goes where most is due."""
    parts, shares = _shares(new)
    classes = _groups(values)
    codes = np.empty(rows, dtype=np.int8)
    rng = np.random.default_rng(new.seed)
    due = np.zeros(len(parts))
    for group in range(int(classes.max(initial=0)) + 1):
        members = rng.permutation(np.flatnonzero(classes == group))
        exact = shares * len(members) + due
        counts = np.maximum(np.floor(exact + 1e-9), 0).astype(int)
        while counts.sum() > len(members):
            counts[int(np.argmax(counts - exact))] -= 1
        order = np.argsort(-(exact - counts), kind="stable")
        for place in range(len(members) - int(counts.sum())):
            counts[order[place % len(parts)]] += 1
        due = exact - counts
        codes[members] = np.repeat(np.arange(len(parts)), counts)
    return parts, codes


def _grouped(new: NewSplit, values: Any, rows: int) -> tuple[list[str], np.ndarray]:
    """Whole groups, large ones first among the shuffled, where most rows are still due."""
    parts, shares = _shares(new)
    groups = _groups(values)
    sizes = np.bincount(groups)
    order = np.random.default_rng(new.seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")] if sizes.max() > rows / 20 else order
    due = shares * rows
    placed = np.empty(len(sizes), dtype=np.int8)
    for group in order:
        part = int(np.argmax(due))
        placed[group] = part
        due[part] -= sizes[group]
    return parts, placed[groups]


def _by_time(new: NewSplit, values: Any, rows: int) -> tuple[list[str], np.ndarray]:
    """The oldest rows first; rows of one time stay together."""
    parts, shares = _shares(new)
    if values.null_count:
        first = next(n for n, known in enumerate(values.is_valid().to_pylist(), 1) if not known)
        raise BadSplit(
            f"Row {first} has no time (one of {values.null_count}).",
            "Fill it, or leave those rows out.",
        )
    order = pc.sort_indices(values).to_numpy()
    ranks = pc.rank(values, sort_keys="ascending", tiebreaker="dense").to_numpy()[order]
    bounds = np.cumsum(_counts(shares, rows))[:-1]
    codes = np.empty(rows, dtype=np.int8)
    begin = 0
    for place, bound in enumerate([*bounds, rows]):
        end = int(bound)
        if 0 < end < rows and ranks[end] == ranks[end - 1]:
            low = int(np.searchsorted(ranks, ranks[end], "left"))
            high = int(np.searchsorted(ranks, ranks[end], "right"))
            end = low if end - low < high - end and low > begin else high
        codes[order[begin : max(end, begin)]] = place
        begin = max(end, begin)
    return parts, codes


def _given(new: NewSplit, values: Any, rows: int) -> tuple[list[str], np.ndarray]:
    del rows
    if values.null_count:
        first = next(n for n, known in enumerate(values.is_valid().to_pylist(), 1) if not known)
        raise BadSplit(
            f"{new.column!r} is missing in row {first} (one of {values.null_count}).",
            "Write a part into each row.",
        )
    names = [str(value) for value in values.to_pylist()]
    parts = list(dict.fromkeys(names))
    if not 2 <= len(parts) <= _MOST_PARTS:
        raise BadSplit(
            f"{new.column!r} holds {len(parts)} values.",
            f"It should name 2 to {_MOST_PARTS} parts.",
        )
    usual = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
    parts.sort(key=lambda name: usual.index(name.lower()) if name.lower() in usual else -1)
    places = {name: place for place, name in enumerate(parts)}
    return parts, np.array([places[name] for name in names], dtype=np.int8)


_DIVIDERS = {
    "random": _random,
    "stratified": _stratified,
    "group": _grouped,
    "time": _by_time,
    "column": _given,
}


class _View:
    """Two parts of the table `parted`, as conditions; `held` is what they are called in it."""

    def __init__(
        self, first: str, second: str, row: str, *, held: tuple[str, str] | None = None
    ) -> None:
        self.names = (first, second)
        self.row = row
        self.first, self.second = (f"{PART} = {literal(name)}" for name in held or self.names)


def _overlaps(
    connection: duckdb.DuckDBPyConnection,
    view: _View,
    names: Sequence[str],
    roles: Roles,
    *,
    timed: bool,
    files: bool,
) -> list[Overlap]:
    """What the second part shares with the first: rows, ids, contents of files, times."""
    found = []
    first, second = view.names
    told = [name for name in names if name != roles.id and not (files and name == "path")]
    asked: list[tuple[Any, str, Sequence[str], str, str]] = []
    if files and "digest" in names:
        asked.append(("file", "digest", ["digest"], "file", "with the content of one"))
    elif told:
        asked.append(("rows", "", told, "row", "equal to one"))
    if roles.id in names:
        asked.append(("id", roles.id, [roles.id], "row", f"whose {roles.id!r} is that of one"))
    for kind, column, columns, noun, words in asked:
        count, rows = _shared(connection, view, columns)
        if count:
            message = f"{second!r} has {counted(count, noun)} {words} of {first!r}."
            found.append(Overlap(kind=kind, parts=view.names, column=column, count=count, rows=rows,
                                 message=message))  # fmt: skip
    if timed and roles.time in names:
        cell = identifier(roles.time)
        latest = f"(SELECT max({cell}) FROM parted WHERE {view.first})"  # noqa: S608 - quoted
        count, rows = _counted(connection, view, f"{view.second} AND {cell} < {latest}")
        if count:
            message = f"{second!r} has {counted(count, 'row')} older than the newest of {first!r}."
            found.append(Overlap(kind="time", parts=view.names, column=roles.time, count=count,
                                 rows=rows, message=message))  # fmt: skip
    return found


def _shared(
    connection: duckdb.DuckDBPyConnection, view: _View, columns: Sequence[str]
) -> tuple[int, tuple[int, ...]]:
    cells = ", ".join(identifier(name) for name in columns)
    known = f"{identifier(columns[0])} IS NOT NULL AND " if len(columns) == 1 else ""
    return _counted(
        connection,
        view,
        f"{known}{view.second} AND hash({cells}) IN "  # noqa: S608 - quoted
        f"(SELECT hash({cells}) FROM parted WHERE {view.first})",
    )


def _counted(
    connection: duckdb.DuckDBPyConnection, view: _View, condition: str
) -> tuple[int, tuple[int, ...]]:
    [(count,)] = connection.execute(
        f"SELECT count(*) FROM parted WHERE {condition}"  # noqa: S608 - quoted
    ).fetchall()
    if not count:
        return 0, ()
    rows = connection.execute(
        f"SELECT {view.row} FROM parted WHERE {condition} ORDER BY 1 LIMIT {_SHOWN}"  # noqa: S608
    ).fetchall()
    return int(count), tuple(int(row) for (row,) in rows)
