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
    every_seconds: float = 5.0
    """How often new predictions are looked for."""
    replicates: int = 2000
    """Healthy windows simulated per column."""
    block: str | None = None
    """An input column whose equal values belong together (a day, a user): resampled whole."""
    leave_out: tuple[str, ...] = ()
    """Input columns that are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What watches an endpoint."""

    id: str
    project: str
    name: str
    """The endpoint's name: each has one monitor."""
    endpoint: str
    model: str
    version: int
    """The champion, whose training data is the reference."""
    reference_artifact_id: str | None
    """The training table; None if the lineage knows none, and then `state` says so."""
    sketch_digest: str | None = None
    """The kept summary of the reference; made at the first run."""
    settings: MonitorSettings
    state: str = "watching"
    """`watching`, `paused`, or `no reference`."""
    windows: int = 0
    """Windows judged since the champion was deployed."""
    last_verdict: WindowVerdict | None = None
    created_at: datetime
    updated_at: datetime
    last_run_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRun:
    """One window's result."""

    id: str
    monitor: str
    """The monitor's name."""
    model: str
    version: int
    window: int
    """1, 2, 3 ... per monitor."""
    first_row: int
    """The window's first prediction of this version, from 0 in the order of the log."""
    rows: int
    verdict: WindowVerdict
    reason: str
    drifted: list[str] = field(default_factory=list)
    evidence: float = 1.0
    """The e-detector over all windows since deployment; 1 is none."""
    report_artifact_id: str | None = None
    run_id: str | None = None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that somebody, or a trigger, should look at."""

    id: str
    project: str
    kind: AlertKind
    subject: str
    """What it is about: an endpoint, a dataset or a pipeline."""
    state: AlertState
    columns: list[str] = field(default_factory=list)
    explanation: str
    """Plain words."""
    false_alarm_rate: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    """`endpoint`, `model`, `version`, `monitor`, `window`, `report` where there are such."""
    times: int = 1
    """How often it was found while open."""
    raised_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_because: str = ""
