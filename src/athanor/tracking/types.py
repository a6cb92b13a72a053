"""What a run tells of itself: parameters and metrics."""

from dataclasses import dataclass, field
from datetime import datetime


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Points and settings that are logged together, all or nothing."""

    metrics: list[NewMetric] = field(default_factory=list)
    """At most 1,000."""
    params: dict[str, str] = field(default_factory=dict)
    """At most 100."""
