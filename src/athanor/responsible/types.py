"""The nouns of evaluation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """What a figure of a report means."""

    name: str
    title: str
    what: str
    """What it is, in one sentence."""
    how: str
    """How it is computed."""
    reading: str
    """What a value means."""
    misleads: str
    """When it misleads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One kept evaluation report."""

    id: str
    """The id of its artifact."""
    name: str
    title: str
    digest: str
    run_id: str | None = None
    """The run that made it."""
    summary: dict[str, Any]
    """`roc_auc`, `rows`, `model` ...: what a list shows."""
    created_at: datetime
