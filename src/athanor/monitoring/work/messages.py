"""What the service and its workers tell each other. Light: both sides import it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from athanor.monitoring.types import Cursor, MonitorSettings, Performance, WindowReport

LOOK = "athanor.monitoring.work.look:look"
"""The worker's function, by name: it needs NumPy and pyarrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The model that is watched, as far as a look needs it."""

    endpoint: str
    model: str
    version: int
    inputs: list[str] = field(default_factory=list)
    """The columns that the model reads."""
    positive: str | None = None
    """The class that scores are the probability of, as text; None unless there are two."""
    performance: dict[str, float] = field(default_factory=dict)
    """The evaluation's `roc_auc` and `accuracy`, where it has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A window whose performance is still to be judged."""

    id: str
    model: str
    version: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rows of the training table lie: Parquet files, or a version of a Delta table."""

    files: list[str] = field(default_factory=list)
    table_uri: str = ""
    delta_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker is to look at."""

    sources: Mapping[str, Mapping[str, list[str]]]
    """`predictions` and `labels`, each with its `parquet` and `jsonl` files."""
    watched: Watched
    settings: MonitorSettings
    read: Cursor
    """Everything up to here is judged."""
    sketch: bytes | None = None
    """The reference's summary; None where it is still to be made from the table."""
    table: Place
    pending: list[Pending] = field(default_factory=list)
    rest: bool = False
    """Also judge what does not fill a window, where it is enough to say something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A window that was judged."""

    report: WindowReport
    first_at: datetime
    last: Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look found."""

    windows: list[Judged]
    left: int
    """New predictions that do not fill a window yet."""
    sketch: bytes | None = None
    """The reference's summary, where it was made or completed now."""
    performance: dict[str, Performance] = field(default_factory=dict)
    """By the window's id."""
