"""The nouns of evaluation."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from athanor.kernel import DEFAULT_PROJECT


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
    """One kept evaluation report: `report.json` and `report.html` in one artifact."""

    id: str
    """The id of its artifact."""
    project: str = DEFAULT_PROJECT
    title: str
    target: str
    rows: int
    """Labelled rows that it rests on."""
    metrics: dict[str, float] = field(default_factory=dict)
    digest: str
    run_id: str
    """The run that made it."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A report with all its data."""

    report: Report
    data: dict[str, Any]
    """What `report.json` holds."""
    model: str = ""
    """The registered version that it is of, such as `churn@2`; "" where the model is none, as one
    that was refused at the gate."""
