"""Relations: the tables that a room offers to SQL, whatever they are stored as."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from athanor.kernel.permissions import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a relation."""

    name: str
    type: str
    """A DuckDB type name: VARCHAR, BIGINT, DOUBLE, BOOLEAN, TIMESTAMPTZ, JSON ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """Where the rows of a relation lie at this moment. All given sources are read as one."""

    parquet: list[str] = field(default_factory=list)
    """Paths of Parquet files."""
    jsonl: list[str] = field(default_factory=list)
    """Paths of JSON-lines files; a torn last line is left out."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Rows in memory, for small relations (runs, models ...)."""
    sql: str = ""
    """A SELECT over `source` (the sources above as one table) that shapes the relation, or ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table that `athanor sql` may read."""

    name: str
    description: str
    columns: tuple[Column, ...] = ()
    """The columns where they are fixed; empty where they follow the files."""
    scan: Callable[[Principal, str], Scan] = field(repr=False)
    """(who, rest) to a scan; `rest` is what stands behind `@` in the name, or ""."""
