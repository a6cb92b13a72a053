"""The nouns of monitoring."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ColumnKind(StrEnum):
    """How a column's values are counted."""

    NUMBER = "number"
    CATEGORY = "category"


class WindowVerdict(StrEnum):
    """What a window of predictions shows, in one word."""

    HEALTHY = "healthy"
    DRIFTED = "drifted"
    """Inputs or outputs differ from the reference by more than healthy windows do."""
    DAMAGED = "damaged"
    """More values are missing, unseen, out of range or mistyped than the reference explains."""
    DEGRADED = "degraded"
    """Measured with the labels that arrived, the model is worse than it was at its evaluation."""
    TOO_SMALL = "too small"
    """Fewer rows than the stated minimum: nothing is said."""


class AlertKind(StrEnum):
    """What an alert is about."""

    DRIFT = "drift"
    QUALITY = "quality"
    PERFORMANCE = "performance"
    DATA = "data"
    CANARY = "canary"
    PIPELINE = "pipeline"
    MONITOR = "monitor"
    """A monitor that can't look."""


class AlertState(StrEnum):
    """Whether somebody still has to look at an alert."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a category and its share."""

    name: str
    share: float
    """Of the rows that are not missing, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One column in one set of rows."""

    rows: int
    missing: float
    """Share of the rows, 0 to 1."""
    mean: float | None = None
    """Of a number's values."""
    deviation: float | None = None
    """Standard deviation of a number's values."""
    lowest: float | None = None
    highest: float | None = None
    levels: list[Level] = field(default_factory=list)
    """The most frequent levels of a category, most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A statistic, and what healthy windows of the same size show."""

    value: float
    healthy: float
    """Healthy windows of this size stay below it with probability `WindowReport.level`."""
    p_value: float
    """Share of healthy windows of this size that show as much or more; of this statistic alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFinding:
    """One column of a window, compared with the reference."""

    column: str
    kind: ColumnKind
    role: str = "input"
    """`input`, or `output` for the model's score and label."""
    drifted: bool
    p_value: float
    """Of the strongest of the tested statistics, corrected for taking the strongest."""
    adjusted: float
    """Corrected for all columns: drifted where it is at most the stated false-alarm rate."""
    measures: dict[str, Measured] = field(default_factory=dict)
    """The tested statistics: `js`, `chi2` and, for numbers, `anderson`."""
    shown: dict[str, float] = field(default_factory=dict)
    """Statistics that are shown and not tested: `psi`, `wasserstein` (in standard deviations)."""
    reference: Summary
    window: Summary
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFinding:
    """A share of bad values that the reference does not explain."""

    column: str
    problem: str
    """`missing`, `unseen`, `out of range`, `wrong type` or `column absent`."""
    share: float
    """In the window, 0 to 1."""
    usual: float
    """In the reference, 0 to 1."""
    p_value: float
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How good the model was on the rows whose labels have arrived."""

    metric: str
    """`roc_auc` or `accuracy`."""
    labelled: int
    """Rows with a label."""
    rows: int
    """Rows of the window, labelled or not."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """A 95 % interval."""
    reference: float | None = None
    """The same metric at the model's evaluation."""
    p_value: float | None = None
    """Of a model that is no worse than its evaluation showed."""
    degraded: bool = False
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReport:
    """What one window of predictions shows. Its data has no times, so that equal work is equal."""

    format_version: int = 1
    verdict: WindowVerdict
    reason: str
    """One sentence in plain words."""
    rows: int
    reference_rows: int
    minimum_rows: int
    false_alarm_rate: float
    """At most this share of healthy windows is flagged, all columns together."""
    level: float
    """The probability that `Measured.healthy` belongs to."""
    replicates: int
    """How many healthy windows were simulated by resampling."""
    resampled: str = "rows"
    """What was resampled: `rows`, or whole blocks of the named column."""
    columns: list[ColumnFinding] = field(default_factory=list)
    quality: list[QualityFinding] = field(default_factory=list)
    performance: Performance | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    """Columns that were not compared, and why."""

    @property
    def drifted(self) -> list[str]:
        """The input columns that drifted, strongest evidence first."""
        found = [item for item in self.columns if item.drifted and item.role == "input"]
        return [item.column for item in sorted(found, key=lambda item: item.p_value)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """How an endpoint is watched."""

    window_rows: int = 500
    """Predictions in a window; windows do not overlap."""
    minimum_rows: int = 200
    """A window run by hand may be smaller than `window_rows`, but not than this."""
    false_alarm_rate: float = 0.001
    """At most this share of healthy windows is flagged, all columns together."""
    replicates: int = 2000
    """Healthy windows simulated per column."""
    block: str | None = None
    """An input column whose equal values belong together (a day, a user): resampled whole."""
    leave_out: tuple[str, ...] = ()
    """Input columns that are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a monitor has read the prediction log: everything up to this row is judged."""

    at: datetime
    id: str = ""
    """Of the last judged prediction; "" where none was judged since `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What watches an endpoint."""

    id: str
    project: str
    endpoint: str
    """Each endpoint has one monitor, of the same name."""
    model: str
    version: int
    """The champion: the version that has the traffic, or most of it."""
    deployment: str
    reference_id: str | None = None
    """The artifact of the training table; None where the lineage knows none."""
    sketch: str | None = None
    """The blob that holds the kept summary of the reference; made at the first window."""
    settings: MonitorSettings = field(default_factory=MonitorSettings)
    state: str = "watching"
    """`watching`, `paused`, `no reference`, or `failed`: it can't look, and tries again."""
    problem: str = ""
    """Why it can't look."""
    read: Cursor
    windows: int = 0
    """Windows judged so far, of all versions."""
    last_verdict: WindowVerdict | None = None
    last_run_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One judged window."""

    id: str
    """Also the id of the run of kind `monitor` that judged it."""
    endpoint: str
    model: str
    version: int
    number: int
    """1, 2, 3 ... per endpoint; 0 where it was too small to be kept."""
    rows: int
    first_at: datetime | None = None
    """When the window's first prediction was made."""
    last_at: datetime | None = None
    verdict: WindowVerdict
    reason: str
    drifted: list[str] = field(default_factory=list)
    """Input columns, strongest evidence first."""
    report_id: str | None = None
    """The artifact that holds the `WindowReport`."""
    performance: Performance | None = None
    """Judged once, when nine in ten of the rows have their label."""
    judged_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """What to change about a monitor; None leaves it."""

    window_rows: int | None = None
    minimum_rows: int | None = None
    false_alarm_rate: float | None = None
    replicates: int | None = None
    block: str | None = None
    """"" for none."""
    leave_out: list[str] | None = None
    paused: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that somebody, or a trigger, should look at."""

    id: str
    project: str
    kind: AlertKind
    subject: str
    """What it is about: an endpoint, a dataset, a pipeline."""
    state: AlertState = AlertState.OPEN
    explanation: str
    """Plain words."""
    columns: list[str] = field(default_factory=list)
    """The columns that it is about, strongest evidence first."""
    false_alarm_rate: float | None = None
    """The share of healthy windows, at most, that raise such an alert."""
    detail: dict[str, Any] = field(default_factory=dict)
    """Of an endpoint: `endpoint`, `model`, `version`, `monitor`, `window`, `report`, `since`."""
    times: int = 1
    """How often it was found while open."""
    raised_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_by: str = ""
    closed_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts to list; a field left None does not filter."""

    state: AlertState | None = None
    kind: AlertKind | None = None
    subject: str | None = None
    project: str | None = None
    limit: int = 100
    """1 to 1,000; the newest come first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """What a figure of monitoring means."""

    name: str
    title: str
    what: str
    """What it measures."""
    how: str
    """How it is computed, and from which source."""
    meaning: str
    """How to read it, and when it is too high."""
    misleads: str
    """When not to trust it."""
