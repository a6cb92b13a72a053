"""Pipeline runs, their tasks, and what starts them: the nouns."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.kernel import DEFAULT_PROJECT

TaskState = Literal["waiting", "running", "done", "failed", "cached", "skipped", "stopped"]
RunState = Literal["waiting", "running", "done", "failed", "stopped"]
ACTIVE: tuple[RunState, ...] = ("waiting", "running")
"""The states of a run that goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A pipeline to be run, and on what."""

    pipeline: str = ""
    """A name from the gallery; or give `spec` or `yaml`."""
    spec: dict[str, Any] | None = None
    """A PipelineSpec as plain data."""
    yaml: str | None = None
    """A compiled pipeline as text."""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    """References by input name, such as `{"data": "dataset:churn@latest"}`; pinned at once."""
    cache: bool = True
    """False: every task runs, whatever ran before."""
    labels: dict[str, str] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    key: str | None = None
    """A second submission with the same key returns the first one's run."""
    code: dict[str, Any] = field(default_factory=dict)
    """What the submitter's process says of its code: commit, changes, entry point ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactValue:
    """An artifact as an input or output."""

    id: str
    type: str
    uri: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of a run."""

    id: str
    """The id of its run in the lineage, too."""
    run: str
    name: str
    """Its place: names from the outermost DAG inwards, joined by `/`."""
    component: str
    kind: Literal["step", "operation", "dag"]
    state: TaskState
    attempt: int = 0
    """1, 2, 3 ... ; 0 before the first."""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    """Ids of the input artifacts."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Output parameters by name."""
    made: dict[str, list[str]] = field(default_factory=dict)
    """Ids of the output artifacts."""
    reason: str = ""
    """Why it was skipped, cached or stopped."""
    error: dict[str, Any] | None = None
    key: str = ""
    """The cache key."""
    resources: dict[str, float] = field(default_factory=dict)
    """`cpu_seconds`, `wall_seconds`, `max_rss_bytes`."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """One run of a pipeline."""

    id: str
    """The id of its run in the lineage, too."""
    project: str
    pipeline: str
    state: RunState
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    """Ids of the input artifacts, pinned when it was submitted."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Output parameters by name, and artifacts as `{"id", "type", "uri", "digest"}`."""
    labels: dict[str, str] = field(default_factory=dict)
    created_by: str
    trigger: str | None = None
    """The name of the trigger that started it."""
    error: dict[str, Any] | None = None
    created_at: datetime
    ended_at: datetime | None = None
    tasks: list[Task] = field(default_factory=list)
    """Filled where one run is asked for, empty in lists."""
    counts: dict[str, int] = field(default_factory=dict)
    """How many tasks there are by state, without those that only hold others; filled likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a task ran, or why it did not have to."""

    run: str
    task: str
    state: TaskState
    key: str
    parts: dict[str, str]
    """What the key is made of."""
    compared_with: str | None
    """The run whose equal-named task the key is compared with."""
    differences: list[str]
    """What is not equal; empty when the keys are."""
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrigger:
    """Something that starts a pipeline by itself."""

    name: str
    submission: Submission
    """What is run. Texts in its parameters and artifacts may hold `{event.FIELD}`."""
    action: str = ""
    """The event that fires it, such as `data.version.created`."""
    match: dict[str, Any] = field(default_factory=dict)
    """What the event's detail (or its `subject`) must hold, such as `{"dataset": "churn"}`."""
    cron: str = ""
    """Or a schedule: minute hour day month weekday, in UTC."""
    cooldown: float = 0.0
    """Seconds after a firing in which it does not fire again."""
    overlap: Literal["skip", "latest"] = "skip"
    """What happens to an event while a run of this trigger goes on: nothing, or one run for the
    latest such event when it has ended."""
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as it stands."""

    id: str
    name: str
    project: str
    kind: Literal["event", "cron", "manual"]
    submission: Submission
    action: str = ""
    match: dict[str, Any] = field(default_factory=dict)
    cron: str = ""
    cooldown: float = 0.0
    overlap: Literal["skip", "latest"] = "skip"
    next_fire: datetime | None = None
    last_fired: datetime | None = None
    last_run: str | None = None
    created_by: str = ""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOrder:
    """What it takes to run a step once more."""

    run: str
    task: str
    attempt: int
    order: str
    """Its code, inputs and wanted outputs, as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKeys:
    """A secret by its name, and what it holds by theirs."""

    name: str
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryEntry:
    """A ready-made pipeline."""

    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A pipeline as text."""

    name: str
    yaml: str
    inputs: dict[str, str] = field(default_factory=dict)
    """Names of its inputs with their types."""
