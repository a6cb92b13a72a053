"""Whether day or month stands first in dates such as 03/04/2026, and what a column tells of it.

Parts that are all at most 12 can be read both ways. What a column was read as stands in its note,
so that rows that are appended are read as those before them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from athanor.data.types.datasets import DATE_ORDERS

Way = Literal["dmy", "mdy"]

_WAYS: tuple[Way, ...] = ("dmy", "mdy")
_READ = "dates are read as "
_GUESSED = ", by guess: no part is above 12 (--dates says it)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DateOrder:
    """How the dates of a column are written."""

    way: Way
    sure: bool
    """False: neither part was above 12 in any row."""
    stated: bool = False
    """Whether somebody said so of the very file."""

    def note(self) -> str:
        """As a sentence of a column's note."""
        return f"{_READ}{DATE_ORDERS[self.way]}{'' if self.sure else _GUESSED}."


def told(note: str) -> DateOrder | None:
    """The order that a column's note tells."""
    for way in _WAYS:
        if _READ + DATE_ORDERS[way] in note:
            return DateOrder(way=way, sure=_GUESSED not in note)
    return None


def by_column(notes: Mapping[str, str]) -> dict[str, DateOrder]:
    """The orders that the notes of columns tell."""
    found = {name: told(note) for name, note in notes.items()}
    return {name: order for name, order in found.items() if order is not None}


def kept(note: str, before: str) -> str:
    """A column's new note, with the order of its earlier rows where it tells none."""
    order = told(before)
    if order is None or told(note) is not None:
        return note
    return " ".join(part for part in (note, order.note()) if part)
