"""The nouns of the features room: entities, views, services, their versions, training sets.

The rules of a point-in-time join, R1 to R12, stand in `athanor.features.logic.joining`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.kernel import DEFAULT_PROJECT

FORMAT_VERSION = 1
"""Of everything that this room writes to disk or into an artifact's metadata."""

ValueType = Literal["integer", "number", "boolean", "text", "date", "timestamp", "vector"]
KEY_TYPES: tuple[ValueType, ...] = ("integer", "text", "boolean", "date", "timestamp")
"""What a key may be. Numbers with fractions name nothing."""
SourceKind = Literal["dataset", "sql", "recipe", "python", "push"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One named and typed value."""

    name: str
    type: ValueType | Literal[""] = ""
    """Empty: as the source has it."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """What features are about: a customer, a shop, a pair of both."""

    name: str
    keys: tuple[Field, ...] = ()
    """The columns that name one; empty: one column called as the entity."""
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    created_at: datetime | None = None
    created_by: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its key columns."""
        return tuple(item.name for item in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSource:
    """Where a view's rows come from."""

    kind: SourceKind = "dataset"
    """`push`: from nowhere but `push`."""
    dataset: str = ""
    """Of a dataset or a recipe: NAME, which follows the newest version, or NAME@3."""
    sql: str = ""
    """A SELECT over datasets and the platform's tables."""
    recipe: str = ""
    """The recipe's name, or NAME@2."""
    code: str = ""
    """The source of a Python function; it takes DataFrames and returns one."""
    function: str = ""
    """The function's name in `code`; empty: the only one."""
    inputs: tuple[str, ...] = ()
    """The datasets that the function takes, in the order of its parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewTest:
    """Something that a view's rows must fulfil before they are used."""

    kind: Literal["missing", "range", "values", "rows", "unique", "fresh"]
    column: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    """missing {share}; range {minimum, maximum}; values {values}; rows {minimum}; fresh
    {seconds}. `unique` asks that no key has two rows of one event time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of an entity, with the time at which they held."""

    name: str
    entities: tuple[str, ...]
    source: ViewSource = field(default_factory=ViewSource)
    event_time: str = ""
    """The column that says when a row's facts held; naive times are UTC."""
    created_time: str = ""
    """The column that says when a row became known; "" where nobody knows."""
    known_at: bool = True
    """A row counts from its created time on. False: that only decides between rows of one event
    time, as in Feast."""
    ttl: float = 0.0
    """Seconds after its event that a row may still be used; 0 sets no limit."""
    features: tuple[Field, ...] = ()
    """Empty: every column that is no key and no time."""
    max_age: float = 0.0
    """Seconds after which the newest event makes the view stale; 0: as `ttl` says."""
    tests: tuple[ViewTest, ...] = ()
    online: bool = True
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    revision: int = 0
    """1, 2, 3 ...: counts the changes of the definition."""
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemandView:
    """Features that are computed when they are asked for, from others and from the request."""

    name: str
    inputs: tuple[str, ...] = ()
    """Features that it reads: VIEW:FEATURE or VIEW."""
    request: tuple[Field, ...] = ()
    """Values that come with the request or stand in the rows of a training set."""
    features: tuple[Field, ...] = ()
    """What it gives."""
    expressions: dict[str, str] = field(default_factory=dict)
    """By feature: a formula over the inputs, `amount / (limit + 1)`."""
    code: str = ""
    """Or a Python function of a row (dict) that returns the features (dict)."""
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    revision: int = 0
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureService:
    """The features that one model reads, under one name."""

    name: str
    features: tuple[str, ...]
    """VIEW, VIEW:FEATURE, or PROJECT/VIEW:FEATURE, on-demand views included."""
    full_names: bool = False
    """Columns are called VIEW__FEATURE."""
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    revision: int = 0
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """Everything that is to be defined together, or not at all."""

    entities: tuple[Entity, ...] = ()
    views: tuple[FeatureView, ...] = ()
    on_demand: tuple[OnDemandView, ...] = ()
    services: tuple[FeatureService, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of definitions."""

    created: tuple[str, ...] = ()
    """As KIND NAME: `view spending`."""
    changed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One hit of a search."""

    kind: Literal["entity", "view", "feature", "on_demand", "service"]
    project: str
    name: str
    """Of a feature: VIEW:FEATURE. Put PROJECT/ in front to use it from another project."""
    type: str = ""
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    used_by: tuple[str, ...] = ()
    """Services that read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What came of one of a view's tests."""

    kind: str
    column: str
    passed: bool
    message: str
    count: int = 0
    """Rows that break it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewVersion:
    """A view's rows at one moment, stored in the order of their keys and times."""

    view: str
    project: str = DEFAULT_PROJECT
    number: int
    """1, 2, 3 ... per view."""
    revision: int
    """Of the definition."""
    base: int
    """The version from which on rows were only added, and none taken back."""
    bounds: tuple[tuple[int, int], ...] = ()
    """(version, rows): the first `rows` of the source came in that version or before."""
    state: Literal["ready", "refused", "erased"] = "ready"
    """`refused`: a test failed; the version before stays in use. `erased`: it held rows of a person
    who was erased, and is gone."""
    artifact_id: str
    run_id: str
    digest: str
    blob: str
    """The digest of the Parquet file."""
    rows: int
    keys: int
    """Different ones."""
    fields: tuple[Field, ...]
    """The features, typed."""
    key_types: tuple[ValueType, ...]
    unique: bool
    """No key has two rows of one event time."""
    created: bool
    """There is a time at which rows became known."""
    first_event: datetime | None = None
    last_event: datetime | None = None
    sources: dict[str, str] = field(default_factory=dict)
    """What was read: dataset@version to its artifact."""
    pushed: int = 0
    """Pushes up to this one are among the rows."""
    history: str = ""
    """The blob of all pushed rows among them, or ""."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Rows that can never be found: `null_key`, `null_event`."""
    tests: tuple[TestResult, ...] = ()
    created_at: datetime
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpineSource:
    """The rows that features are looked up for."""

    dataset: str = ""
    """NAME or NAME@3, or else:"""
    sql: str = ""
    """a SELECT over datasets and the platform's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What a training set is made of."""

    features: tuple[str, ...]
    """A service's name, or VIEW, VIEW:FEATURE ..."""
    spine: SpineSource = field(default_factory=SpineSource)
    at: str = "event_timestamp"
    """The spine's column of instants as of which features are looked up."""
    known_at: bool | None = None
    """Only rows that were known by then. None: as each view says that has a created time."""
    full_names: bool | None = None
    """Columns are called VIEW__FEATURE. None: as the service says."""
    versions: dict[str, int] = field(default_factory=dict)
    """By view: an older version, instead of the newest."""
    target: str = ""
    """The column to be predicted: the dataset's role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """A dataset version that was made by a point-in-time join, and what it takes to make it again.

    The same pins give the same rows, bit for bit.
    """

    name: str
    """Of the dataset."""
    version: int
    project: str = DEFAULT_PROJECT
    request: TrainingRequest
    pins: dict[str, Any]
    """The versions and blobs that were read."""
    digest: str
    rows: int
    columns: tuple[str, ...]
    artifact_id: str
    run_id: str
    missing: dict[str, float] = field(default_factory=dict)
    """By feature: the share of rows for which nothing was found."""
    state: Literal["ready", "quarantined"] = "ready"
    """Of the dataset's version: a quarantined one is not what NAME means, nor trained on."""
    reasons: tuple[str, ...] = ()
    """Why it is in quarantine."""
    warnings: tuple[str, ...] = ()
    """What looks wrong, such as a view whose rows were all known too late."""
    erased: tuple[str, ...] = ()
    """What of it went with the rows of a person: itself, or versions of views that it was made of.
    Then it can't be made again."""
    created_at: datetime
    created_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialization:
    """How far one view is online."""

    view: str
    project: str = DEFAULT_PROJECT
    version: int
    until: datetime
    state: Literal["running", "done", "failed"]
    full: bool
    base: int = 0
    """Of the version: rows of another base were replaced."""
    ordinal: int = 0
    """The newest row's place in the order of ingestion."""
    chunks: int = 0
    """Done so far; one that was killed goes on from here."""
    rows: int = 0
    """Keys that were looked at."""
    written: int = 0
    """Keys whose online row changed."""
    removed: int = 0
    error: str = ""
    started_at: datetime
    ended_at: datetime | None = None
