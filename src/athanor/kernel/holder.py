"""Who holds rows of a person: a port, room by room, to find them and to remove them."""

import re
from dataclasses import dataclass
from decimal import Decimal
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
        """Whether a cell holds the value; among numbers 12.0 is 12."""
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        if isinstance(cell, int | float | Decimal) and not isinstance(cell, bool):
            return _whole(str(cell)) == _whole(self.value)
        return cell is not None and str(cell) == self.value


def _whole(number: str) -> str:
    return re.sub(r"\.0+$", "", number)


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
