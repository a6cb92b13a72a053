"""What stands in a model card."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a card that somebody wrote."""

    title: str
    """One line, 1 to 100 characters."""
    text: str
    """Markdown, at most 100,000 characters. Markup of HTML is shown as text."""
    written_by: str
    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A version's card: what the platform knows, and what people wrote."""

    model: str
    number: int
    text: str
    """All of it, in Markdown."""
    sections: list[Section] = field(default_factory=list)
    """What people wrote, in the order in which it was first written."""
    suggested: list[str] = field(default_factory=list)
    """Titles that a card should have and nobody has written yet."""
