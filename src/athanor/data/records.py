"""The nouns around versions: where they come from, what is said of them, how they differ."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.data.types import Mode, ReadOptions, Roles, SchemaRule

SourceKind = Literal["", "url", "query", "delta", "folder", "files", "dvc"]
SplitKind = Literal["random", "stratified", "group", "time", "column"]
ContentFormat = Literal["parquet", "arrow", "csv", "jsonl"]
CONTENT_TYPES: dict[str, str] = {
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """Where the server is to take a dataset's next version from."""

    uri: str = ""
    """A URL of any fsspec scheme; a path on the server's machine (a file, a folder, a Delta table,
    a .dvc file); a pattern of either, such as `/data/sales-*.csv`, whose files are one table; or,
    with `sql`, an SQLAlchemy URL or duckdb:///FILE, empty for our own tables."""
    sql: str = ""
    kind: SourceKind = ""
    """Empty: found by the address, and a folder by its content: of CSV, Parquet, JSON-lines or
    Arrow files alone it is one table (`files`), else a table that lists its files (`folder`)."""
    version: int | None = None
    """Of a Delta table: its version; None is its newest."""
    labels: str = ""
    """Of a folder: the CSV or JSON-lines file in it whose columns label its files; empty: found."""
    remote: str = ""
    """Of a .dvc file: the URL of the remote; empty: as .dvc/config says."""
    options: dict[str, str] = field(default_factory=dict)
    """Given to fsspec: `endpoint_url`, `anon` ... They are not kept."""
    mode: Mode = "replace"
    roles: Roles = field(default_factory=Roles)
    read: ReadOptions = field(default_factory=ReadOptions)
    schema: SchemaRule = "widen"
    look: bool = True
    """False: the rows are stored unseen; they are profiled when somebody asks, and not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMark:
    """What is to be said; None leaves as it is."""

    tags: tuple[str, ...] | None = None
    """Of a version: names for it in this dataset (a tag that another version had moves here). Of a
    dataset: words to find it by."""
    note: str | None = None
    owners: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is said about a version, or about a dataset."""

    number: int
    """The version; 0 for the dataset."""
    tags: tuple[str, ...] = ()
    note: str = ""
    owners: tuple[str, ...] = ()
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSplit:
    """How a version is to be divided."""

    name: str = "default"
    kind: SplitKind = "random"
    """`random`; `stratified` keeps the shares of `column`'s values (the target's by default);
    `group` keeps the rows of one value of `column` together (the id's by default); `time` puts the
    oldest rows by `column` (the time's by default) first, equal times together; `column` takes the
    parts that stand in `column`."""
    shares: dict[str, float] = field(
        default_factory=lambda: {"train": 0.7, "validation": 0.15, "test": 0.15}
    )
    """Parts and their shares, in order; they add up to 1. Not used by `column`."""
    column: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Something that two parts share and should not: the second can be foretold by the first."""

    kind: Literal["rows", "features", "id", "group", "time", "file"]
    parts: tuple[str, str]
    column: str = ""
    count: int
    """Rows of the second part that are concerned."""
    rows: tuple[int, ...] = ()
    """The first of them, numbered from 1 in the version; at most 20."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A named division of a version's rows; it never changes."""

    name: str
    number: int
    """The version's."""
    kind: SplitKind
    column: str
    seed: int
    parts: dict[str, int]
    """The rows of each part."""
    overlaps: tuple[Overlap, ...]
    assignment: str
    """The digest of the blob that tells each row's part."""
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChange:
    """A column whose type differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaDiff:
    """How the columns of two versions differ."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[TypeChange, ...] = ()
    reordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row that differs."""

    key: dict[str, Any]
    """The key's columns; of a table without a key, the whole row."""
    change: Literal["added", "removed", "changed"]
    before: dict[str, Any] = field(default_factory=dict)
    """The cells that differ, as they were."""
    after: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsDiff:
    """How the rows of two versions differ."""

    key: tuple[str, ...]
    """Empty: whole rows were compared, and none counts as changed."""
    before: int
    after: int
    added: int
    removed: int
    changed: int
    unchanged: int
    changes: dict[str, int] = field(default_factory=dict)
    """In how many of the changed rows each column differs."""
    examples: tuple[RowChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDiff:
    """How the values of a column are distributed in both versions."""

    name: str
    type: str
    stability: float
    """Population stability index, from 0; below 0.1 little has changed, above 0.25 much. In tenths
    of the earlier rows, or their 20 most frequent words; missing values have a bin of their own."""
    missing: tuple[float, float]
    """Shares, 0 to 1, before and after."""
    distinct: tuple[int, int]
    mean: tuple[float | None, float | None] = (None, None)
    minimum: tuple[Any, Any] = (None, None)
    maximum: tuple[Any, Any] = (None, None)
    new_values: tuple[str, ...] = ()
    """Of a category: frequent values that there were not before."""
    lost_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """How one version differs from another."""

    before: str
    """NAME@NUMBER."""
    after: str
    same: bool
    """Whether both have the same digest."""
    columns: SchemaDiff
    rows: RowsDiff
    distributions: tuple[ColumnDiff, ...]
    """Of the columns that both have; the least stable first."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumOrder:
    """What may go."""

    dry_run: bool = True
    days: float = 0.0
    """Only versions that were deleted so long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vacuumed:
    """What went, or would go, and what stays though it is deleted."""

    dry_run: bool
    versions: tuple[int, ...]
    kept: dict[str, str]
    """Deleted versions whose files stay, by number, each with the reason."""
    files: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcExport:
    """A DVC project that holds a version."""

    folder: str
    """Where it lies on the server's machine."""
    file: str
    """The .dvc file in it."""
    remote: str
    """The folder or URL of the remote, laid out as DVC does."""
    md5: str
    size: int
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlExport:
    """A query whose whole answer is wanted as a file."""

    sql: str
    format: ContentFormat = "parquet"
    seconds: float = 600.0
    memory_mb: int = 2_048
