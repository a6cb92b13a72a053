"""What a simulated drift did: the record that a monitor's findings are compared with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftTruth:
    """What was changed, and when: what a monitor's findings are compared with."""

    simulated: bool = True
    kind: str  # "covariate and concept", "covariate", or "none"
    month: int | None = None  # first drifted month, from 1
    starts_at: str | None = None  # ISO 8601, UTC
    from_row: int | None = None  # first drifted row, from 0
    columns: tuple[str, ...] = ()  # the columns whose marginal changes; no other one does
    changes: dict[str, str] = field(default_factory=dict)  # column -> what was done, in words
    concept: str = ""  # how the label's rule changed, in words

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)
