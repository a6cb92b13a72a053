"""What is asked of a clean-up, and what it tells."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["run", "experiment", "logged model", "blob", "upload", "work", "cache", "copy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanOrder:
    """What to clean."""

    dry_run: bool = True
    """Say what would go, and remove nothing."""
    grace_days: float = 30.0
    """Runs, experiments and models that were deleted earlier than this go for good; and caches that
    were not touched since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that nobody needs."""

    kind: Kind
    what: str
    size: int
    """Bytes; 0 for rows of the database."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """All findings of a kind."""

    kind: Kind
    count: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What goes, or what would go."""

    dry_run: bool
    sums: list[Sum]
    size: int
    """Bytes."""
    findings: list[Finding]
    """At most 1,000."""
    kept: dict[str, str] = field(default_factory=dict)
    """Deleted runs that stay all the same, and why."""
