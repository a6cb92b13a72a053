"""What upper rooms give to lower ones: how values become files, and what a platform step does."""

import builtins
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.lineage.types import Artifact, NewArtifact


class Materializer(Protocol):
    """How values of some Python types become files, and files values again.

    Handed around as import strings (`package.module:Class`), loaded where a value is at hand: in a
    worker. Never pickles.
    """

    type: str
    """The artifact type that it writes: `table`, `model`, `file` ..."""

    def handles(self, python_type: builtins.type) -> bool:
        """Whether values of this type are its business."""
        ...

    def save(self, value: object, folder: Path) -> dict[str, Any]:
        """Write the value into an empty folder; returns JSON-able metadata."""
        ...

    def load(self, folder: Path, metadata: dict[str, Any], python_type: builtins.type) -> object:
        """Read the value back, as `python_type` where there is a choice."""
        ...

    def digest(self, folder: Path) -> str:
        """The canonical digest of what `save` wrote: equal values give equal digests."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationCall:
    """One call of a platform step."""

    run_id: str
    """The task's run."""
    task: str
    """The task's name in its pipeline."""
    key: str
    """Equal for repetitions of the same call: what makes it idempotent."""
    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[Artifact]] = field(default_factory=dict)
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationResult:
    """What a platform step made."""

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)


class Operation(Protocol):
    """A platform step: run by the engine in the server, in one transaction with its task's end.

    As long as it runs, nobody else writes to the database; one that works long is given as a
    `LongOperation`.
    """

    def __call__(self, who: Principal, call: OperationCall) -> OperationResult:
        """Do it; a repetition with the same key changes nothing and answers the same."""
        ...


@dataclass(frozen=True, slots=True)
class LongOperation:
    """A platform step that works before it writes: others may write to the database meanwhile.

    What it writes is not in one transaction with its task's end: where the server is killed between
    the two, it is called again with the same key.
    """

    act: Operation

    def __call__(self, who: Principal, call: OperationCall) -> OperationResult:
        """Do it."""
        return self.act(who, call)


class Resolver(Protocol):
    """Finds the artifact behind `kind:rest`."""

    def __call__(self, who: Principal, rest: str) -> Artifact:
        """The artifact. Raises: a NotFound with a hint."""
        ...


__all__ = [
    "LongOperation",
    "Materializer",
    "NewArtifact",
    "Operation",
    "OperationCall",
    "OperationResult",
    "Resolver",
]
