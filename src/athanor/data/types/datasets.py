"""The nouns of the data room: datasets, their versions, profiles, expectations and their results.

Row numbers count the data rows of a file from 1; the header is not a row.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

FORMAT_VERSION = 1
"""Of everything that this room writes to disk or into an artifact's metadata."""

Mode = Literal["replace", "append"]
VersionState = Literal["ready", "quarantined"]
Severity = Literal["fail", "warn"]
SchemaRule = Literal["widen", "strict", "union"]
"""`widen`: columns may come, whole numbers become numbers, days become times. `strict`: nothing may
change. `union`: columns may also be absent; they are missing in the new rows."""
DateWay = Literal["", "dmy", "mdy"]
DATE_ORDERS = {"dmy": "day, month, year", "mdy": "month, day, year"}
ColumnType = Literal[
    "integer", "number", "boolean", "text", "date", "timestamp", "decimal", "binary", "nested"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """What columns are for. Empty where it was not said."""

    target: str = ""
    """The column that models learn to predict."""
    id: str = ""
    """The column that names a row; unique and never missing."""
    time: str = ""
    """The column that says when a row's facts held."""
    sensitive: tuple[str, ...] = ()
    """Columns whose groups must be treated alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How a file is to be read where the reader should not find it out by itself."""

    text: tuple[str, ...] = ()
    """Columns that stay text, whatever they look like (postal codes, ticket numbers)."""
    missing: tuple[str, ...] = ()
    """Further words that stand for a missing value, in every column."""
    delimiter: str = ""
    """One character; empty: found."""
    decimal: str = ""
    """"." or ","; empty: found."""
    encoding: str = ""
    """A Python codec's name; empty: found."""
    dates: DateWay = ""
    """Whether 03/04/2026 is in April ("dmy") or in March ("mdy"); empty: as in the rows that these
    are appended to, else found: month first, where no part is above 12."""
    first: float = 1.0
    """Only this share of the rows, 0 to 1: the first by the time column, else in file order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A file that is to become a dataset's next version."""

    path: Path
    """Where the file lies; on HTTP, where the upload was put. A folder of Parquet files is one
    table, in the order of their names; such a folder is not kept as it came."""
    file_name: str = ""
    """What the file is called by its owner; empty: the path's last part."""
    mode: Mode = "replace"
    """`replace`: the file is the whole table. `append`: its rows come after the latest's."""
    roles: Roles = field(default_factory=Roles)
    """Empty roles keep those that the dataset has."""
    read: ReadOptions = field(default_factory=ReadOptions)
    keep: bool = True
    """Whether the file is kept as it came, byte by byte, beside the table that is made of it."""
    schema: SchemaRule = "widen"
    """How the columns may differ from the latest version's."""
    look: bool = True
    """False: the rows are stored unseen; they are profiled when somebody asks, and not checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a version."""

    name: str
    type: ColumnType
    stored: str
    """The Arrow type that it is stored as, as Arrow writes it: "int64", "timestamp[us]" ..."""
    note: str = ""
    """What was changed on the way in, or ""."""
    given: str = ""
    """The Arrow type that it came with, where that is another: it has it again on the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that every version of a dataset must fulfil."""

    kind: str
    """One of `EXPECTATION_KINDS`."""
    column: str = ""
    """The column that it is about; empty: the table."""
    severity: Severity = "fail"
    """`fail` keeps a version that breaks it in quarantine; `warn` says it."""
    parameters: dict[str, Any] = field(default_factory=dict)


EXPECTATION_KINDS: dict[str, str] = {
    "columns": "The named columns are there, with their types. {columns: {name: type}}",
    "type": "Every value has the type. {type}",
    "range": "Values lie between two bounds, both included; of times, ISO 8601 or now. "
    "{minimum, maximum}",
    "values": "Values are of a set, but for a share. {values, other_share}",
    "missing": "At most this share of the values is missing. {share}",
    "unique": "No two rows have the same value (together with {within}, if given).",
    "duplicates": "At most this share of the rows repeats another row. {share}",
    "rows": "There are so many rows. {minimum, maximum}",
    "label": "The target is known in all but a share of rows, in at least 2 classes. {share}",
    "pattern": "Texts match a regular expression, but for a share. {pattern, other_share}",
    "length": "Texts have so many characters. {minimum, maximum, other_share}",
    "compare": "A column is <, <=, >, >=, = or != another, row by row. {operator, other}",
    "unique_together": "No two rows have the same values in these columns. {columns}",
    "distinct": "There are so many different values. {minimum, maximum}",
    "statistic": "The mean, median, sd, sum, minimum or maximum lies between two bounds. "
    "{statistic, minimum, maximum}",
    "foreign_key": "Values stand in a column of another dataset. {dataset, column, other_share}",
    "freshness": "The newest time is at most so old. {hours}",
    "distribution": "Values are distributed as in another dataset: by psi or ks at most so far "
    "from it. {reference, measure, maximum}",
    "sql": "No row breaks a condition, or comes of a query over the table `data`. "
    "{condition} or {query}",
    "leakage": "No column tells the target by itself (such columns are left out). {score}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What came of one expectation on one version."""

    kind: str
    column: str
    passed: bool
    severity: Severity
    message: str
    """One sentence: what was expected, what was found."""
    count: int = 0
    """How many rows break it."""
    rows: tuple[int, ...] = ()
    """The first of those rows, at most 20."""
    left_out: tuple[str, ...] = ()
    """Columns that training should leave out because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that a version was read from."""

    file: str
    digest: str
    size: int
    """Bytes, as they were handed in (compressed ones where the file was)."""
    artifact_id: str = ""
    format: str = ""
    """"csv", "jsonl" or "parquet"."""
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    compression: str = ""
    kind: str = "file"
    """`file`, `frame`, `url`, `query`, `folder`, `delta`, `dvc` or `erased`."""
    uri: str = ""
    """Where it came from, without secrets; empty for a file that was handed in."""
    sql: str = ""
    """The query that gave the rows."""
    packs: str = ""
    """Of a folder: the digest of the stored folder of packs that hold its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """One immutable version of a dataset."""

    dataset: str
    number: int
    """1, 2, 3 ... per dataset; a quarantined version has a number too."""
    state: VersionState
    artifact_id: str
    run_id: str
    digest: str
    """Of the rows in their stored order, whatever file they came from."""
    mode: Mode
    rows: int
    """Of the whole version; of a quarantined append, those of its file alone."""
    columns: tuple[Column, ...]
    roles: Roles
    left_out: dict[str, str]
    """Columns that training should leave out, each with the reason."""
    table_uri: str
    """The Delta table: a path or URL."""
    delta_version: int
    files: tuple[str, ...]
    """The Parquet files of this version in the order of their rows, relative to the table."""
    checks: tuple[CheckResult, ...]
    source: Source
    notes: tuple[str, ...]
    """What was normalised on the way in, in plain words."""
    profile_digest: str
    """The blob that holds the profile as JSON; empty until somebody asks for one."""
    created_at: datetime
    created_by: str
    deleted_at: datetime | None = None
    """A deleted version can be restored until its files are vacuumed."""
    purged_at: datetime | None = None
    """Since when its files are gone."""
    purged_for: str | None = None
    """`vacuum` or `erased`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named table with numbered versions."""

    id: str
    project: str
    name: str
    roles: Roles
    created_at: datetime
    created_by: str
    latest: int | None = None
    """The newest ready version, which `@latest` means."""
    versions: int = 0
    """How many there are, quarantined ones included."""
    rows: int | None = None
    """Of the latest."""
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a histogram: low <= value < high (the last bar takes its high too)."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopValue:
    """A frequent value, as text."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What one column holds. Figures that make no sense for its type are None or empty."""

    name: str
    type: ColumnType
    semantic: str
    """"id", "category", "number", "count", "money", "flag", "date", "email", "url", "text",
    "constant" or "empty"."""
    rows: int
    missing: int
    distinct: int
    """Different values; above 200,000 rows an estimate (HyperLogLog, error about 2 %)."""
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    sd: float | None = None
    """Sample standard deviation (n - 1)."""
    quantiles: dict[str, float] = field(default_factory=dict)
    """At 0.01, 0.05, 0.25, 0.5, 0.75, 0.95 and 0.99; above 200,000 rows of a sample
    of 100,000."""
    negative: int = 0
    zeros: int = 0
    infinite: int = 0
    """NaN and infinities; they take no part in the other figures."""
    outliers: int = 0
    """Values beyond the quartiles by more than three times their distance (Tukey's far out)."""
    fences: tuple[float, float] | None = None
    """The bounds that they lie beyond."""
    singletons: int = 0
    """Values that stand in exactly one row; counted for categories only."""
    lengths: tuple[int, int] | None = None
    """The shortest and the longest text, in characters."""
    histogram: tuple[Bin, ...] = ()
    top: tuple[TopValue, ...] = ()
    """The most frequent values, most frequent first; at most 50."""
    correlation: float | None = None
    """With a numeric or two-class target: Pearson's, over rows where both are known."""
    association: float | None = None
    """With a target of classes: Cramer's V (bias not corrected), numbers in ten quantile bins;
    with a numeric target, of categories: the correlation ratio (eta)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about a table that its owner should know, in plain words."""

    code: str
    column: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A column which alone tells the target."""

    column: str
    score: float
    """Held-out AUC (classes) or absolute rank correlation (numbers), 0 to 1."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A table at a glance."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    duplicates: int
    """Rows that repeat an earlier row in every column."""
    target: str = ""
    correlations: dict[str, dict[str, float]] = field(default_factory=dict)
    """Pearson's between numeric columns (at most 40 of them), upper triangle."""
    associations: dict[str, dict[str, float]] = field(default_factory=dict)
    """Cramer's V between categories (at most 30 columns), upper triangle; from a sample."""
    telling: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of categories whose Cramer's V is at least 0.98, both ways: how well the one tells the other
    (Goodman and Kruskal's lambda), 0 to 1. A zone tells its city; the city tells no zone."""
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    """By category, then number: the correlation ratio (eta), 0 to 1; from a sample."""
    sample: dict[str, tuple[float | str | None, ...]] = field(default_factory=dict)
    """Rows for scatter plots: at most 500, of numbers and of the target, column by column."""
    leaks: tuple[Leak, ...] = ()
    warnings: tuple[Remark, ...] = ()
    format_version: int = FORMAT_VERSION

    def column(self, name: str) -> ColumnProfile | None:
        """The profile of one column, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedRow:
    """A row with its number."""

    row: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Why a version stands apart, and a look at the rows that are to blame."""

    version: DatasetVersion
    failing: tuple[CheckResult, ...]
    rows: tuple[NumberedRow, ...]
    """The rows named by the failing checks; at most 50."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A folder whose new files become versions."""

    dataset: str
    folder: str
    """Its full path on the server's machine."""
    mode: Mode
    roles: Roles = field(default_factory=Roles)
    """For the first version, where the dataset begins with the folder's first file."""
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFile:
    """What became of a file in a watched folder."""

    dataset: str
    file: str
    digest: str
    outcome: Literal["taken", "quarantined", "refused"]
    version: int | None
    message: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTable:
    """A table that SQL may read."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question in SQL."""

    sql: str
    limit: int = 10_000
    """Rows that come back at most."""
    seconds: float = 60.0
    memory_mb: int = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The answer: column names and types, and rows as JSON-able values."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """DuckDB's names."""
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool
    """Whether there were more rows than the limit."""
    relations: tuple[str, ...]
    """What was read."""
    seconds: float
