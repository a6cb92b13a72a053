"""Who holds rows of a person: a port, room by room, to find them and to remove them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Protocol

from athanor.kernel.permissions import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person, or anything else that rows are about, by a column that names it."""

    column: str
    """The column's name, in whatever table has it."""
    value: str
    """Its value, as text."""

    def is_in(self, cell: object) -> bool:
        """Whether a cell holds the value: among numbers 12.0 is 12, times are compared as instants.

        What has no zone is UTC. Times that are kept as texts of ISO 8601 are times, too.
        """
        if cell is None:
            return False
        if isinstance(cell, bool):
            return str(cell).lower() == self.value.lower()
        if isinstance(cell, int | float | Decimal):
            wanted = _number(self.value)
            return wanted is not None and _number(str(cell)) == wanted
        if str(cell) == self.value:
            return True
        if not isinstance(cell, str | date):
            return False
        at = _instant(self.value)
        return at is not None and _instant(str(cell)) == at


@lru_cache(maxsize=256)
def _number(text: str) -> Decimal | None:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    # Python's own way of writing, 1_000, is nobody's number.
    return found if found.is_finite() and "_" not in text else None


@lru_cache(maxsize=256)
def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if "-" in text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Something that holds a person's rows, or was made of them."""

    room: str
    kind: str
    """`version`, `artifact`, `run`, `model`, `prediction`, `label`, `feature`, `example`, `file`,
    `ticket`, `training set`, `summary`, `blob` ...; `derived` for a dataset's version that was made
    of such rows but lost the column."""
    name: str
    id: str = ""
    rows: int = 0
    """How many of the person's rows; 0 for what was made of them."""
    erased: bool = False
    """Whether they are gone now."""
    note: str = ""


class Holder(Protocol):
    """A room that may hold rows of a person."""

    def holdings(self, person: Person, who: Principal) -> list[Holding]:
        """What it holds."""
        ...

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Remove the person's rows, for good; what was removed, and what could not be."""
        ...
