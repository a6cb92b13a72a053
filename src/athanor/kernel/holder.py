"""Who holds rows of a person: a port, room by room, to find them and to remove them."""

from dataclasses import dataclass
from typing import Protocol

from athanor.kernel.permissions import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person, or anything else that rows are about, by a column that names it."""

    column: str
    """The column's name, in whatever table has it."""
    value: str
    """Its value, as text."""


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
