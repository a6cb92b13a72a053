"""What a run tells of itself, and the experiments that runs belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from athanor.kernel import DEFAULT_PROJECT
from athanor.lineage import RunState

Lifecycle = Literal["active", "deleted"]
View = Literal["active", "deleted", "all"]
"""Which lifecycles a search looks at."""

DEFAULT_EXPERIMENT = "Default"
"""The experiment of a project that runs belong to where nobody says otherwise."""
DEFAULT_EXPERIMENT_ID = "0"
"""That of the project `default`; in other projects it stands for theirs."""
RUN_NAME_TAG = "mlflow.runName"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured point."""

    key: str
    value: float
    """Any float, NaN and infinities too."""
    step: int = 0
    """The iteration, epoch ... that it belongs to."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One setting that a run was made with; it is set once."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMetric:
    """A point to be logged; `at` is now where it is None."""

    key: str
    value: float
    step: int = 0
    at: datetime | None = None


class Point(NamedTuple):
    """A point as stores keep it, without its key."""

    at: int
    """Microseconds since 1970, UTC."""
    step: int
    value: float


class KeyedPoint(NamedTuple):
    """A point with its key, for callers that have many."""

    key: str
    at: int
    """Microseconds since 1970, UTC."""
    step: int
    value: float


class RunLog(NamedTuple):
    """What one request logs to a run, for callers that have many."""

    run: str
    points: Sequence[KeyedPoint]
    params: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Points, settings and tags that are logged together, all or nothing."""

    metrics: list[NewMetric] = field(default_factory=list)
    """At most 1,000."""
    params: dict[str, str] = field(default_factory=dict)
    """At most 100."""
    tags: dict[str, str] = field(default_factory=dict)
    """At most 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Runs that belong together."""

    id: str
    """A number as a text; "0" is the first."""
    project: str = DEFAULT_PROJECT
    name: str
    """One of its own in its project, deleted ones included."""
    artifact_location: str
    """Where its runs keep their files."""
    lifecycle: Lifecycle = "active"
    created_at: datetime
    updated_at: datetime
    """When it was changed, or its newest run began or ended; MLflow's protocol tells the first."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExperiment:
    """An experiment to be made."""

    name: str
    """1 to 500 characters."""
    project: str = DEFAULT_PROJECT
    artifact_location: str = ""
    """A URI; "" has the server keep the files."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentQuery:
    """A search for experiments."""

    project: str = DEFAULT_PROJECT
    filter: str = ""
    """Comparisons of name, creation_time, last_update_time and tags, joined by AND."""
    order_by: list[str] = field(default_factory=list)
    view: View = "active"
    limit: int = 1000
    """1 to 50,000."""
    page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage:
    """What a search found."""

    experiments: list[Experiment]
    next_page_token: str = ""
    """"" at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrackedRun:
    """A run of an experiment, to be opened."""

    experiment: str = DEFAULT_EXPERIMENT_ID
    project: str = DEFAULT_PROJECT
    name: str = ""
    """One is made up where it is empty."""
    user: str = ""
    started_at: datetime | None = None
    """Now where it is None."""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """A run as tracking knows it."""

    id: str
    experiment: str
    name: str
    user: str
    state: RunState
    started_at: datetime
    ended_at: datetime | None = None
    lifecycle: Lifecycle = "active"
    artifact_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """A run with what it told of itself."""

    info: RunInfo
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Point] = field(default_factory=dict)
    """Each metric's last point: that of the greatest (step, time, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """What becomes of a run; None leaves a field as it is."""

    state: RunState | None = None
    name: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQuery:
    """A search for runs."""

    experiments: list[str] = field(default_factory=list)
    """Their ids; none finds nothing."""
    project: str = DEFAULT_PROJECT
    filter: str = ""
    """Comparisons of metrics, params, tags, attributes and datasets, joined by AND."""
    order_by: list[str] = field(default_factory=list)
    """By default the newest first."""
    view: View = "active"
    limit: int = 1000
    """1 to 50,000."""
    page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """What a search found."""

    runs: Sequence[TrackedRun]
    next_page_token: str = ""
    """"" at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """Which points of a metric; the whole history where nothing else is said."""

    first_step: int | None = None
    last_step: int | None = None
    offset: int = 0
    limit: int | None = None
