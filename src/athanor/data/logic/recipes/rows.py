"""A planned recipe row by row: what serving runs. Nothing heavy is loaded for it."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from athanor.data.errors.recipes import NotByRow, UnfitRow
from athanor.data.logic.recipes.forms import cell_of
from athanor.data.logic.recipes.kinds import WORDS, Kind, Schema
from athanor.data.logic.recipes.operations import OPERATIONS
from athanor.data.logic.recipes.plans import Planned, Surroundings, planned
from athanor.data.logic.recipes.table import Cells, Projection, Selection
from athanor.data.types.recipes import FittedRecipe

_MOST = (1 << 63) - 1


class RowRecipe:
    """A fitted recipe as a function of rows, for serving.

    Operations that choose rows let every row pass; those that need other rows are refused when it
    is made.
    """

    def __init__(self, fitted: FittedRecipe) -> None:
        """Raises: NotByRow, BadStep."""
        schema: dict[str, Kind] = {item.name: item.kind for item in fitted.source}  # type: ignore[misc]
        around = Surroundings(schema=schema, tables={}, learned=fitted.learned, others={})
        for number, step in enumerate(fitted.steps, 1):
            operation = OPERATIONS.get(step.operation)
            if operation is not None and operation.serving == "no":
                raise NotByRow(number, step.operation)
        steps = planned(fitted.steps, around)
        self._source = schema
        self._after: Schema = steps[-1].after if steps else schema
        self._steps = [made for step in steps if (made := _row_step(step)) is not None]

    @property
    def columns(self) -> Schema:
        """The columns that it gives, with their kinds."""
        return self._after

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> list[Cells]:
        """Rows of JSON's values (times as ISO 8601) or of Python's, prepared.

        A column that a row lacks is missing in it. Raises: UnfitRow.
        """
        found = []
        for number, row in enumerate(rows, 1):
            cells = {
                name: taken_in(row.get(name), kind, number, name)
                for name, kind in self._source.items()
            }
            for step in self._steps:
                cells = step(cells)
            found.append({name: given_out(cells[name], kind) for name, kind in self._after.items()})
        return found


def _row_step(step: Planned) -> Callable[[Cells], Cells] | None:
    plan = step.plan
    if not isinstance(plan, Projection):
        return None
    cells = [(name, cell_of(item)) for name, item in plan.columns]
    return lambda row: {name: cell(row) for name, cell in cells}


def all_rows(steps: Sequence[Planned], rows: list[Cells]) -> list[Cells]:
    """The recipe on a whole table of Python's rows: the third form, whatever the operations."""
    for step in steps:
        plan = step.plan
        if isinstance(plan, Projection):
            cells = [(name, cell_of(item)) for name, item in plan.columns]
            rows = [{name: cell(row) for name, cell in cells} for row in rows]
        elif isinstance(plan, Selection):
            condition = cell_of(plan.condition)
            rows = [row for row in rows if condition(row)]
        else:
            rows = plan.rows(rows)
    return rows


def taken_in(value: Any, kind: Kind, row: int = 1, column: str = "") -> Any:
    """A cell as recipes know it.

    Raises: UnfitRow where it is of another kind.
    """
    if value is None or kind == "other":
        return value
    reader = _READERS[kind]
    try:
        return reader(value)
    except (TypeError, ValueError, OverflowError) as error:
        shown = repr(value)[:60]
        raise UnfitRow(row, column, f"{shown} is not of {WORDS[kind]}.") from error


def given_out(value: Any, kind: Kind) -> Any:
    """A cell as Python's own: days as date, instants with their zone."""
    if value is None:
        return None
    if kind == "date":
        return value.date()
    return value.replace(tzinfo=UTC) if kind == "instant" else value


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("true and false are no numbers")
    found = int(value)
    if found != value or not -_MOST - 1 <= found <= _MOST:
        raise ValueError("not a whole number of 64 bits")
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, (bool, str)):
        raise TypeError("not a number")
    found = float(value)
    return found + 0.0 if math.isfinite(found) else None


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither true nor false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _day(value: Any) -> datetime:
    found = _moment(value)
    return found.replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise TypeError("not a time")


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "text": _text,
    "date": _day,
    "timestamp": _moment,
    "instant": _moment,
}
