"""What an endpoint's prediction log keeps, and what a power cut may cost."""

from dataclasses import dataclass
from typing import Literal

Durability = Literal["os", "fsync", "off"]
"""`os`: an answer leaves once its row is with the operating system; the death of a process loses
nothing, a power cut the last second. `fsync`: it waits for the group's sync; nothing is lost.
`off`: rows are kept in memory for up to a second, and lost with the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPolicy:
    """How an endpoint's predictions are logged."""

    durability: Durability = "os"
    sample: float = 1.0
    """The part of the requests that is logged, 0 to 1; the id of a request decides, the same way in
    every process."""
    redact: tuple[str, ...] = ()
    """Columns whose values are masked before they are logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """How far the prediction log is behind."""

    endpoint: str
    policy: LogPolicy
    hot_segments: int = 0
    """Segments that are not in the Delta table yet, of all endpoints."""
    hot_bytes: int = 0
    oldest_hot_seconds: float = 0.0
    """Since the last row of the oldest of them was written."""
