"""What is asked of a store that is read, whatever kind it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from athanor.registry.records import ModelRecord, VersionRecord
from athanor.tracking.records import ExperimentRecord, LoggedModelRecord, PointsRecord, RunRecord

BATCH = 100
"""Runs that travel together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of a run or of a logged model, where it lies."""

    path: str
    """Below its owner's artifacts, with slashes."""
    size: int
    mark: str = ""
    """What changes with its content at the source: a time, a digest."""
    digest: str = ""
    """`sha256:<hex>` of its bytes, where the source knows it."""
    local: Path | None = None
    """The file itself, where it lies on this machine."""
    place: str = ""
    """Its URL or the like, where it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of one owner, and why there are none where there should be."""

    found: list[Found] = field(default_factory=list)
    missing: str = ""


Owner = RunRecord | LoggedModelRecord
"""What has files under an id of its own."""


class Source(Protocol):
    """A store to read from. It is never written to."""

    @property
    def name(self) -> str:
        """What it is and where, for people."""
        ...

    def experiments(self) -> list[ExperimentRecord]:
        """All experiments, deleted ones too, by id."""
        ...

    def runs(self, experiment: ExperimentRecord) -> Iterator[list[RunRecord]]:
        """The runs of an experiment without their points, batch by batch."""
        ...

    def marks(self, runs: list[RunRecord]) -> dict[str, str]:
        """By run id, a text that changes when the run's points change."""
        ...

    def points(self, runs: list[RunRecord]) -> dict[str, list[PointsRecord]]:
        """All points of these runs."""
        ...

    def logged_models(self, experiment: ExperimentRecord) -> Iterator[list[LoggedModelRecord]]:
        """The logged models of an experiment, batch by batch."""
        ...

    def models(self) -> Iterator[list[ModelRecord]]:
        """Registered models with their versions, batch by batch."""
        ...

    def files(self, owner: Owner) -> Files:
        """What lies under a run's or a logged model's artifacts."""
        ...

    def open(self, owner: Owner | VersionRecord, file: Found, /) -> IO[bytes]:
        """A file's bytes.

        Raises: OSError.
        """
        ...

    def close(self) -> None:
        """Let connections go."""
        ...
