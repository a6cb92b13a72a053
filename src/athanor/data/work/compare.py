"""How two versions differ: their columns, their rows by key, their distributions. By DuckDB.

Files that both versions have are not read to compare rows: they are equal by being the same.
"""

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import duckdb
import msgspec
import numpy as np
import pyarrow.parquet as pq

from athanor.data.errors import UnfitKey
from athanor.data.records import ColumnDiff, RowChange, RowsDiff, SchemaDiff, TypeChange
from athanor.data.types import Column, ColumnProfile, Profile
from athanor.data.work import stability
from athanor.data.work.earlier import Base
from athanor.data.work.telling import plain_values, told_as
from athanor.kernel.sqltext import identifier, parquet
from athanor.kernel.wording import counted

_EXAMPLES = 20
_NUMERIC = frozenset({"integer", "number", "decimal"})
_MANY = 20_000
_PAIRS = 200_000
"""So many changed rows are held with their cells before and after; more are read twice."""
_GROUPS = 5
_SAMPLED = 200_000
"""Of more rows, some of these many are looked at for the distributions."""
_SEED = 42


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two versions."""

    base: Base
    profile: Profile
    own: tuple[str, ...]
    """The files that the other version does not have."""


def diff(
    before: dict[str, Any], after: dict[str, Any], key: list[str], *, implied: bool
) -> dict[str, Any]:
    """The parts of a `Diff`, as plain data; each side is a version with its `profile`.

    An implied key (the id's column) that does not name rows is left; a given one is an error.

    Raises: UnfitKey.
    """
    began = time.perf_counter()
    first, second = _base(before), _base(after)
    shared = set(first.paths()) & set(second.paths())
    sides = tuple(
        _Side(base, msgspec.convert(told["profile"], Profile), tuple(_without(base, shared)))
        for base, told in ((first, before), (second, after))
    )
    columns = schema_diff(first.columns, second.columns)
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        common = _common(first.columns, second.columns)
        same = sum(pq.read_metadata(path).num_rows for path in shared)
        _views(connection, sides)
        rows = _rows(
            connection, common, _usable_key(connection, common, key, implied=implied), same
        )
        moved = set(common) if rows.added or rows.removed else set(rows.changes)
        distributions = _distributions(connection, sides, common, moved)
    return {
        "columns": asdict(columns),
        "rows": asdict(rows),
        "distributions": [asdict(item) for item in distributions],
        "seconds": round(time.perf_counter() - began, 4),
    }


def _base(told: Mapping[str, Any]) -> Base:
    return msgspec.convert({k: v for k, v in told.items() if k != "profile"}, Base)


def _without(base: Base, shared: set[str]) -> list[str]:
    return [path for path in base.paths() if path not in shared]


def schema_diff(before: Sequence[Column], after: Sequence[Column]) -> SchemaDiff:
    """Which columns came, went or changed their type."""
    first, second = {c.name: c.stored for c in before}, {c.name: c.stored for c in after}
    kept = [name for name in first if name in second]
    return SchemaDiff(
        added=tuple(name for name in second if name not in first),
        removed=tuple(name for name in first if name not in second),
        retyped=tuple(
            TypeChange(name=name, before=first[name], after=second[name])
            for name in kept
            if first[name] != second[name]
        ),
        reordered=kept != [name for name in second if name in first],
    )


def _common(before: Sequence[Column], after: Sequence[Column]) -> dict[str, str]:
    """The columns that both have, each with the DuckDB type to compare it in ("" for its own)."""
    second = {column.name: column for column in after}
    found = {}
    for column in before:
        other = second.get(column.name)
        if other is None:
            continue
        if column.stored == other.stored:
            found[column.name] = ""
        elif {column.type, other.type} <= _NUMERIC:
            found[column.name] = "DOUBLE"
        else:
            found[column.name] = "VARCHAR"
    return found


def _views(connection: duckdb.DuckDBPyConnection, sides: Sequence[_Side]) -> None:
    for name, side in zip(("b", "a"), sides, strict=True):
        for view, paths in ((f"whole_{name}", side.base.paths()), (f"own_{name}", side.own)):
            if paths:
                source = f"SELECT * FROM {parquet(paths)}"  # noqa: S608
            else:
                source = f"SELECT * FROM whole_{name} WHERE false"  # noqa: S608 - our names
            connection.execute(f"CREATE VIEW {view} AS {source}")


def _cell(name: str, kind: str) -> str:
    return f"CAST({identifier(name)} AS {kind})" if kind else identifier(name)


def _usable_key(
    connection: duckdb.DuckDBPyConnection,
    common: Mapping[str, str],
    key: list[str],
    *,
    implied: bool,
) -> list[str]:
    for name in key:
        if name not in common:
            if implied:
                return []
            raise UnfitKey(
                f"There is no column {name!r} in both versions.",
                f"The columns of both are: {', '.join(common)}.",
            )
    if not key:
        return []
    cells = (
        identifier(key[0]) if len(key) == 1 else f"({', '.join(identifier(name) for name in key)})"
    )
    missing = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    for view, words in (("own_b", "first"), ("own_a", "second")):
        [(rows, empty, distinct)] = connection.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {missing}), "  # noqa: S608 - quoted
            f"count(DISTINCT {cells}) FILTER (WHERE NOT ({missing})) FROM {view}"
        ).fetchall()
        if empty or distinct < rows:
            if implied:
                return []
            what = counted(empty or rows - distinct, "row")
            what = f"is missing in {what}" if empty else f"repeats in {what}"
            raise UnfitKey(
                f"The key {', '.join(key)} {what} of the {words} version.",
                "Give columns that together name each row; without a key whole rows are compared.",
            )
    return key


def _rows(
    connection: duckdb.DuckDBPyConnection, common: Mapping[str, str], key: list[str], same: int
) -> RowsDiff:
    totals = [
        connection.execute(f"SELECT count(*) FROM whole_{side}").fetchall()[0][0]  # noqa: S608
        for side in ("b", "a")
    ]
    found = _by_key(connection, common, key) if key else _by_rows(connection, common)
    added, removed, changed, unchanged, changes, examples = found
    return RowsDiff(
        key=tuple(key),
        before=int(totals[0]),
        after=int(totals[1]),
        added=added,
        removed=removed,
        changed=changed,
        unchanged=unchanged + same,
        changes=changes,
        examples=tuple(examples),
    )


_Found = tuple[int, int, int, int, dict[str, int], list[RowChange]]


def _by_key(
    connection: duckdb.DuckDBPyConnection, common: Mapping[str, str], key: list[str]
) -> _Found:
    rest = [name for name in common if name not in key]
    groups = _groups(rest)
    keys = [_cell(name, common[name]) for name in key]
    cells = [f"{cell} AS k{place}" for place, cell in enumerate(keys)]
    for place, names in enumerate(groups):
        hashed = ", ".join(_cell(name, common[name]) for name in names)
        cells.append(f"hash({hashed}) AS h{place}")
    for side in ("b", "a"):
        connection.execute(
            f"CREATE TEMP TABLE hash_{side} AS SELECT {', '.join(cells)} FROM own_{side}"  # noqa: S608
        )
    on = " AND ".join(f"b.k{place} = a.k{place}" for place in range(len(key)))
    listed = ", ".join(f"k{place}" for place in range(len(key)))
    either = ", ".join(f"coalesce(b.k{n}, a.k{n}) AS k{n}" for n in range(len(key)))
    differ = [f"b.h{place} IS DISTINCT FROM a.h{place}" for place in range(len(groups))]
    told_apart = ", ".join(f"{test} AS d{place}" for place, test in enumerate(differ))
    # One join tells all; the rows that are the same need not be kept.
    connection.execute(
        f"CREATE TEMP TABLE differing AS SELECT {either}, CASE WHEN b.k0 IS NULL THEN 'added' "  # noqa: S608
        f"WHEN a.k0 IS NULL THEN 'removed' ELSE 'changed' END AS change{told_apart and ', '}"
        f"{told_apart} FROM hash_b b FULL JOIN hash_a a ON {on} "
        f"WHERE {' OR '.join([*differ, 'b.k0 IS NULL', 'a.k0 IS NULL'])}"
    )
    told = dict(
        connection.execute("SELECT change, count(*) FROM differing GROUP BY change").fetchall()
    )
    added, removed, changed = (int(told.get(name, 0)) for name in ("added", "removed", "changed"))
    [(rows,)] = connection.execute("SELECT count(*) FROM hash_b").fetchall()
    unchanged = int(rows) - removed - changed
    changes: dict[str, int] = {}
    examples: list[RowChange] = []
    if changed:
        rest = _differing(connection, groups)
        joined = _joined(common, key, rest)
        if changed <= _PAIRS:
            connection.execute(f"CREATE TEMP TABLE pairs AS {joined}")
            joined = "SELECT * FROM pairs"
        differs = [
            f"count(*) FILTER (WHERE b_{place} IS DISTINCT FROM a_{place})"
            for place in range(len(rest))
        ]
        counts = connection.execute(f"SELECT {', '.join(differs)} FROM ({joined})").fetchall()[0]  # noqa: S608
        changes = {name: int(n) for name, n in zip(rest, counts, strict=True) if n}
        examples += _changed(connection, key, rest, joined, listed)
    ways: tuple[Literal["removed", "added"], ...] = ("removed", "added")
    for change in ways:
        found = _told(
            connection,
            f"SELECT {listed} FROM differing WHERE change = '{change}' "  # noqa: S608
            f"ORDER BY {listed} LIMIT {_EXAMPLES}",
        )
        examples += [RowChange(key=_named(key, row), change=change) for row in found]
    return added, removed, changed, unchanged, changes, examples


def _groups(names: Sequence[str]) -> list[Sequence[str]]:
    """Columns that are hashed together: a group without a difference is not read again."""
    each = math.ceil(len(names) / _GROUPS) or 1
    return [names[start : start + each] for start in range(0, len(names), each)]


def _differing(connection: duckdb.DuckDBPyConnection, groups: Sequence[Sequence[str]]) -> list[str]:
    """The columns of the groups in which a changed row differs."""
    asked = ", ".join(f"bool_or(d{place})" for place in range(len(groups)))
    [found] = connection.execute(
        f"SELECT {asked} FROM differing WHERE change = 'changed'"  # noqa: S608
    ).fetchall()
    return [name for names, differs in zip(groups, found, strict=True) if differs for name in names]


def _joined(common: Mapping[str, str], key: list[str], rest: Sequence[str]) -> str:
    """The changed rows with their cells before and after."""
    sides = []
    for side in ("b", "a"):
        cells = [f"{_cell(name, common[name])} AS k{place}" for place, name in enumerate(key)]
        cells += [f"{_cell(name, common[name])} AS {side}_{n}" for n, name in enumerate(rest)]
        sides.append(f"(SELECT {', '.join(cells)} FROM own_{side})")  # noqa: S608 - quoted
    listed = ", ".join(f"k{place}" for place in range(len(key)))
    changed = f"(SELECT {listed} FROM differing WHERE change = 'changed')"  # noqa: S608
    return (
        f"SELECT * FROM {changed} JOIN {sides[0]} USING ({listed}) JOIN {sides[1]} USING ({listed})"  # noqa: S608
    )


def _changed(
    connection: duckdb.DuckDBPyConnection,
    key: list[str],
    rest: Sequence[str],
    joined: str,
    listed: str,
) -> list[RowChange]:
    sql = f"SELECT * FROM ({joined}) ORDER BY {listed} LIMIT {_EXAMPLES}"  # noqa: S608 - quoted
    examples = []
    for row in _told(connection, sql):
        # As they are told: NaN is NaN.
        before, after = row[len(key) : len(key) + len(rest)], row[len(key) + len(rest) :]
        differing = [n for n in range(len(rest)) if before[n] != after[n]]
        examples.append(
            RowChange(
                key=_named(key, row),
                change="changed",
                before={rest[n]: before[n] for n in differing},
                after={rest[n]: after[n] for n in differing},
            )
        )
    return examples


def _told(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query as plain data."""
    # Not by DuckDB's own rows: for times with a zone they need a library that may not be there.
    table = told_as(connection.sql(sql), "json").to_arrow_table()
    return list(zip(*(plain_values(column) for column in table.columns), strict=True))


def _named(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(names, row, strict=False))


def _by_rows(connection: duckdb.DuckDBPyConnection, common: Mapping[str, str]) -> _Found:
    """Whole rows as a bag: a row that stands twice and then once was removed once."""
    hashed = ", ".join(_cell(name, kind) for name, kind in common.items()) or "1"
    connection.execute(
        "CREATE TEMP TABLE bag AS SELECT h, sum(b) AS b, sum(a) AS a FROM ("  # noqa: S608 - quoted
        f"SELECT hash({hashed}) AS h, 1 AS b, 0 AS a FROM own_b UNION ALL "
        f"SELECT hash({hashed}), 0, 1 FROM own_a) GROUP BY h"
    )
    told = connection.execute(
        "SELECT coalesce(sum(greatest(a - b, 0)), 0), coalesce(sum(greatest(b - a, 0)), 0), "
        "coalesce(sum(least(a, b)), 0) FROM bag"
    ).fetchall()[0]
    added, removed, unchanged = (int(count) for count in told)
    cells = ", ".join(_cell(name, kind) for name, kind in common.items()) or "1"
    examples = []
    for change, side, more in (("removed", "b", "b > a"), ("added", "a", "a > b")):
        rows = _told(
            connection,
            f"SELECT {cells} FROM own_{side} WHERE hash({hashed}) IN "  # noqa: S608 - quoted
            f"(SELECT h FROM bag WHERE {more}) LIMIT {_EXAMPLES}",
        )
        examples += [
            RowChange(key=_named(list(common), row), change=change)  # type: ignore[arg-type]
            for row in rows
        ]
    return added, removed, 0, unchanged, {}, examples


def _distributions(
    connection: duckdb.DuckDBPyConnection,
    sides: Sequence[_Side],
    common: Mapping[str, str],
    moved: Collection[str],
) -> list[ColumnDiff]:
    """By column; what has not moved in any row is not read again."""
    first, second = ({item.name: item for item in side.profile.columns} for side in sides)
    both = [name for name in common if name in first and name in second]
    numbers = [
        name for name in both
        if name in moved and {first[name].type, second[name].type} <= _NUMERIC
    ]  # fmt: skip
    shifts = _shifts(connection, numbers)
    found = []
    for name in both:
        one, other = first[name], second[name]
        shift = shifts.get(name, 0.0)
        if name in moved and name not in shifts:
            shift = _shift_of_words(connection, name, one, other)
        found.append(
            ColumnDiff(
                name=name,
                type=other.type,
                stability=round(shift, 6),
                missing=(_share(one), _share(other)),
                distinct=(one.distinct, other.distinct),
                mean=(one.mean, other.mean),
                minimum=(one.minimum, other.minimum),
                maximum=(one.maximum, other.maximum),
                new_values=_new_values(one, other),
                lost_values=_new_values(other, one),
            )
        )
    return sorted(found, key=lambda item: -item.stability)


def _shifts(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> dict[str, float]:
    """The stability of columns of numbers; what is not finite counts as missing."""
    if not names:
        return {}
    found = {}
    before, after = (_drawn(connection, f"whole_{side}", names) for side in ("b", "a"))
    for name, one, other in zip(names, before.columns, after.columns, strict=True):
        numbers = [column.drop_null().to_numpy() for column in (one, other)]
        first, second = (side[np.isfinite(side)] for side in numbers)
        first.sort()
        edges = stability.deciles(first, np.ones(len(first))) if len(first) else first
        missing = before.num_rows - len(first), after.num_rows - len(second)
        tallies = [stability.tallied(edges, side) for side in (first, second)]
        found[name] = stability.index(tallies[0], tallies[1], missing)
    return found


def _drawn(connection: duckdb.DuckDBPyConnection, view: str, names: Sequence[str]) -> Any:
    """An Arrow table of columns of numbers, of some of the rows where there are many."""
    total = connection.execute(f"SELECT count(*) FROM {view}").fetchall()[0][0]  # noqa: S608
    drawn = ""
    if total > _SAMPLED:
        # Whole vectors of rows: what is not drawn is not decoded.
        drawn = f" TABLESAMPLE system({100 * _SAMPLED / total:.6f}%) REPEATABLE ({_SEED})"
    cells = ", ".join(f"CAST({identifier(name)} AS DOUBLE)" for name in names)
    return connection.sql(f"SELECT {cells} FROM {view}{drawn}").to_arrow_table()  # noqa: S608


def _shift_of_words(
    connection: duckdb.DuckDBPyConnection, name: str, one: ColumnProfile, other: ColumnProfile
) -> float:
    before, after = ({item.value: item.count for item in side.top} for side in (one, other))
    words = stability.frequent(before)
    unknown = [word for word in words if word not in after]
    if unknown and other.distinct > len(after):
        cell = f"CAST({identifier(name)} AS VARCHAR)"
        sql = f"SELECT {cell}, count(*) FROM whole_a WHERE {cell} IN $words GROUP BY 1"  # noqa: S608
        after |= dict(connection.execute(sql, {"words": unknown}).fetchall())
    sides = [
        stability.worded(words, counts, side.rows - side.missing)
        for counts, side in ((before, one), (after, other))
    ]
    return stability.index(sides[0], sides[1], (one.missing, other.missing))


def _share(column: ColumnProfile) -> float:
    return round(column.missing / column.rows, 6) if column.rows else 0.0


def _new_values(before: ColumnProfile, after: ColumnProfile) -> tuple[str, ...]:
    """Frequent values of `after` that `before`, whose values are all known, does not have."""
    if before.type in _NUMERIC or before.distinct > len(before.top) or before.distinct > _MANY:
        return ()
    known = {item.value for item in before.top}
    return tuple(item.value for item in after.top if item.value not in known)[:_EXAMPLES]
