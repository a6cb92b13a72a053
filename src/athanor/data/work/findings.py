"""What expectations are judged on, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from athanor.data.logic.plans import Against, Kind
from athanor.data.logic.profiling import EXACT_ROWS, unused
from athanor.data.types import Profile
from athanor.kernel.sqltext import identifier

ROWS_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is judged."""

    connection: duckdb.DuckDBPyConnection
    profile: Profile
    """Of the new rows."""
    whole: Profile
    """Of all rows of the version."""
    appended: bool
    """Whether they come after the rows of `earlier`."""
    mismatched: Mapping[str, tuple[Kind, Against]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    """Where the new rows lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one expectation."""

    passed: bool
    message: str
    count: int = 0
    rows: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()


def ids_again(
    connection: duckdb.DuckDBPyConnection, profile: Profile, whole: Profile, known: Sequence[str]
) -> list[str]:
    """What is to be said of values of the views `earlier` and `source` that name rows in both.

    `profile` is of `source`, `whole` of both, `known` are the columns of `earlier`. Only columns
    that look like an identifier, and had every value once before, are told of; where the profile
    has counted that no value is there twice, nothing is read.
    """
    told = []
    counted = {column.name: column for column in whole.columns if column.rows <= EXACT_ROWS}
    for column in profile.columns:
        if column.semantic != "id" or column.name not in known:
            continue
        joined = counted.get(column.name)
        if joined is not None and joined.distinct == joined.rows - joined.missing:
            continue
        cell = identifier(column.name)
        both = (
            f"SELECT {cell} AS v, 0 AS side FROM earlier UNION ALL "  # noqa: S608 - quoted
            f"SELECT {cell}, 1 FROM source"
        )
        [(most, again)] = connection.execute(
            "SELECT max(before), count(*) FILTER (WHERE before > 0 AND now > 0) FROM ("  # noqa: S608
            "SELECT count(*) FILTER (WHERE side = 0) AS before, "
            f"count(*) FILTER (WHERE side = 1) AS now FROM ({both}) "
            "WHERE v IS NOT NULL GROUP BY v)"
        ).fetchall()
        if most == 1 and again:
            values = "One value" if again == 1 else f"{again:,} values"
            told.append(
                f"{values} of {column.name!r}, each there once before, are there twice or more "
                "now: were these rows added already?"
            )
    return told


def broken(subject: Subject, condition: str, column: str) -> tuple[int, tuple[int, ...], list[str]]:
    """How many rows fulfil a condition, the first of them, and the column's values there."""
    [(count,)] = subject.connection.execute(
        f"SELECT count(*) FROM source WHERE {condition}"  # noqa: S608 - names are quoted
    ).fetchall()
    if not count:
        return 0, (), []
    row = unused("athanor_row", (item.name for item in subject.profile.columns))
    named: Sequence[tuple[Any, ...]] = subject.connection.execute(
        f"SELECT {row}, CAST({identifier(column)} AS VARCHAR) FROM "  # noqa: S608
        f"(SELECT row_number() OVER () AS {row}, * FROM source) WHERE {condition} "
        f"ORDER BY 1 LIMIT {ROWS_NAMED}"
    ).fetchall()
    return count, tuple(int(row) for row, _ in named), [str(value) for _, value in named]


def as_text(column: str) -> str:
    """SQL of a column as text."""
    return f"CAST({identifier(column)} AS VARCHAR)"


def more(words: str, count: int) -> str:
    """A sentence about one row, and how many there are."""
    return f"{words} ({count} rows in all)." if count > 1 else f"{words}."


def shown_number(value: Any) -> str:
    """A bound, or any; whole numbers with all their digits."""
    if value is None:
        return "any"
    return f"{value:g}" if isinstance(value, float) else str(value)


def first_rows(rows: Sequence[int]) -> tuple[int, ...]:
    """The rows that are named."""
    return tuple(sorted(set(rows))[:ROWS_NAMED])


def judgeable(subject: Subject, column: str) -> bool:
    """Whether there is such a column, and of its type."""
    return subject.profile.column(column) is not None and column not in subject.mismatched
