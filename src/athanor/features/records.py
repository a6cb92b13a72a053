"""What is asked of features and told of them: pushes, values online, reports, what Feast had."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.features.types import Applied, Definitions

FEW_ROWS = 30
"""Of fewer rows on a side, what is told of how values moved is mostly chance."""
Presence = Literal["present", "null", "not_found", "expired"]
"""`null`: the newest row says that nothing is known. `expired`: it is older than the TTL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of pushed rows."""

    view: str
    rows: int
    online: int
    """Rows that are now the newest of their key online; the others were older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What became of pushed rows that were taken back."""

    view: str
    rows: int
    online: int
    """Keys that have no row online now; a full materialization brings older ones back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Rows to be pushed: keys, event time, features; and the created time where the view has one.

    Times are ISO 8601; a missing created time is now.
    """

    rows: tuple[dict[str, Any], ...]
    to: Literal["both", "online", "offline"] = "both"
    idempotency_key: str = ""
    """A repetition with the same one changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """Whether a training set's pins still give its rows."""

    name: str
    version: int
    identical: bool
    digest: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialize:
    """What is to be brought online."""

    views: tuple[str, ...] = ()
    """Empty: every view that is for online use."""
    until: datetime | None = None
    """The newest event that counts; None: now."""
    full: bool = False
    """Every key, and not only those that changed since the last time."""
    build: bool = True
    """Look first whether the sources have newer rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineRecord:
    """One row of a view as it is kept online; times are microseconds since 1970."""

    key: str
    event: int
    created: int | None
    ordinal: int
    """Its place in the order of ingestion."""
    packed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineRequest:
    """Whose features are wanted."""

    features: tuple[str, ...]
    """A service's name, or VIEW, VIEW:FEATURE ..."""
    rows: tuple[dict[str, Any], ...]
    """Keys, and the values that on-demand features take from the request."""
    full_names: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineRow:
    """The features of one key."""

    values: dict[str, Any]
    presence: dict[str, Presence]
    events: dict[str, datetime]
    """By view: when the row that was found held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old a view's newest rows are."""

    view: str
    state: Literal["fresh", "stale", "empty"]
    """Without a limit (`max_age` 0) whatever has rows is `fresh`; only their age tells more."""
    message: str
    last_event: datetime | None = None
    """The newest event up to now."""
    age: float | None = None
    """Seconds since the newest event."""
    ahead: int = 0
    """Rows whose events lie in the future: as online, they do not count before."""
    max_age: float = 0.0
    """Seconds that are allowed: the view's `max_age`, else its `ttl`; 0 where it has neither."""
    built_at: datetime | None = None
    version: int | None = None
    behind: tuple[str, ...] = ()
    """Sources that have a newer version than the one that was read."""
    pending: int = 0
    """Pushed rows that are in no stored version yet; joins read them all the same."""
    online_until: datetime | None = None
    """The newest event that counted in the last materialization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far one feature's values have moved."""

    feature: str
    type: str
    distance: float
    """Jensen-Shannon distance, base 2: 0 (equal) to 1 (nothing in common)."""
    stability: float
    """Population stability index; above 0.25 is a large change by the credit industry's rule."""
    missing: tuple[float, float]
    """The shares of missing values: before, after."""
    mean: tuple[float | None, float | None]
    drifted: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """A view's newest rows against older ones."""

    view: str
    version: int
    split: datetime | None
    """Events from here on are compared with those before."""
    rows: tuple[int, int]
    features: tuple[FeatureDrift, ...]
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityReport:
    """Whether the offline history and the online path give the same bytes."""

    rows: int
    """Different rows that were compared, one of them without keys where they were sampled."""
    differing: int
    keys: int = 0
    """Different keys among them."""
    examples: tuple[dict[str, Any], ...] = ()
    """Up to 10: key, feature, offline, online."""
    not_online: int = 0
    """Views that were never materialized."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeastFiles:
    """The Python files of a Feast repository: path to text."""

    files: dict[str, str]
    datasets: dict[str, str] = field(default_factory=dict)
    """By path of a source's file: the dataset that holds its rows here."""
    apply: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FeastImport:
    """What was found in a Feast repository."""

    definitions: Definitions
    sources: dict[str, str]
    """By dataset's name: the path of the file that holds its rows, as Feast names it."""
    skipped: tuple[str, ...]
    """What has no counterpart, each with the reason."""
    applied: Applied | None = None
