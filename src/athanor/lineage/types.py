"""Runs, artifacts, and the edges between them: the nouns that every room shares."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from athanor.kernel import DEFAULT_PROJECT

RunState = Literal["waiting", "running", "done", "failed", "cached", "skipped", "stopped"]
ENDED: frozenset[RunState] = frozenset({"done", "failed", "cached", "skipped", "stopped"})
"""The states that a run does not leave."""

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Something that does work: a script, a pipeline, one task of it, an evaluation ..."""

    id: str
    """32 hex digits; the MLflow run id too."""
    project: str
    kind: str
    """`script`, `pipeline`, `task`, `trial`, `ingest`, `evaluation`, `batch`, `monitor` ..."""
    name: str
    state: RunState
    parent: str | None = None
    created_by: str
    started_at: datetime
    ended_at: datetime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, float] = field(default_factory=dict)
    """What it used: `cpu_seconds`, `wall_seconds`, `max_rss_bytes` ..."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Interpreter, packages, hardware."""
    code: dict[str, Any] = field(default_factory=dict)
    """Source digest, commit, entry point."""
    error: dict[str, Any] | None = None
    """Why it failed: `error`, `message`, `hint`."""
    cost: float | None = None
    carbon: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be opened."""

    kind: str
    name: str
    project: str = DEFAULT_PROJECT
    id: str | None = None
    """Given by the caller where opening must be idempotent; made here otherwise."""
    state: RunState = "running"
    parent: str | None = None
    started_at: datetime | None = None
    """Now where it is None."""
    labels: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    code: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    id: str
    state: RunState
    resources: dict[str, float] = field(default_factory=dict)
    """All that it used."""
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAmendment:
    """What is to be corrected about a run; None leaves a field as it is."""

    state: RunState | None = None
    name: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; a field left None does not filter."""

    project: str | None = None
    kind: str | None = None
    state: str | None = None
    parent: str | None = None
    name: str | None = None
    limit: int = 100
    """1 to 1,000."""
    before: str | None = None
    """Only runs older than this run id: the next page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Something that a run made or used."""

    id: str
    project: str
    type: str
    """`dataset`, `table`, `model`, `report`, `file`, `folder`, `value`, `metrics`, `prediction`."""
    name: str
    uri: str
    digest: str
    """The content's, canonical by type: equal work gives equal digests. `sha256:<hex>`."""
    size: int
    """Bytes."""
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime

    @property
    def folder(self) -> str:
        """The digest of the list of its files, for one that is a folder."""
        told = self.metadata.get("blob")
        return str(told) if told else f"sha256:{self.uri.rsplit('/', 1)[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArtifact:
    """An artifact to be recorded."""

    type: str
    name: str
    uri: str
    digest: str
    size: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A run used an artifact (`consumed`), or made it (`produced`)."""

    run: str
    artifact: str
    relation: Literal["consumed", "produced"]
    as_: str
    """Under which name: the input's or the output's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A run or an artifact, as the graph shows it."""

    id: str
    kind: Literal["run", "artifact"]
    type: str
    """The run's kind or the artifact's type."""
    name: str
    state: str = ""
    """Of a run."""
    digest: str = ""
    """Of an artifact."""
    depth: int = 0
    """Steps away from where the trace began."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One arrow of the graph, in the direction of the work: from what came first."""

    source: str
    target: str
    as_: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What something came from, or what was made of it."""

    root: str
    direction: Direction
    nodes: list[Node]
    """Nearest first."""
    edges: list[Link]
