"""A fitted recipe in front of a model: the code and the data that stand in the model's folder."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from athanor.data.logic.recipes.operations import OPERATIONS
from athanor.data.logic.recipes.plans import Surroundings, planned
from athanor.data.logic.recipes.rows import RowRecipe
from athanor.data.logic.recipes.table import Projection
from athanor.data.logic.recipes.typed import Typed
from athanor.data.types.recipes import FittedRecipe, RecipeColumn, Step

RECIPE_FILE = "recipe.json"
CODE_FILE = "prepare.py"
PREPARING = '''"""A fitted recipe: each record is prepared as the model's training table was."""

from pathlib import Path

from athanor.data import preparer

preprocess = preparer(Path(__file__).with_name("recipe.json"))
'''
"""The whole code. What it does is told by the data beside it, so that nobody has to agree to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What `recipe.json` holds."""

    fitted: FittedRecipe
    gives: tuple[str, ...]
    """The columns that the model reads of what it makes."""
    beside: tuple[str, ...] = ()
    """The columns that the model reads as they come."""


def preparer(path: Path) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    """What prepares records as the fitted recipe in this file says.

    Raises: NotByRow, BadStep; when called UnfitRow.
    """
    told = msgspec.json.decode(path.read_bytes(), type=Prepared)
    recipe = RowRecipe(told.fitted)

    def prepare(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {name: _plain(row[name]) for name in told.gives}
            | {name: record.get(name) for name in told.beside}
            for record, row in zip(records, recipe(records), strict=True)
        ]

    return prepare


def needed(fitted: FittedRecipe, wanted: Collection[str]) -> list[RecipeColumn]:
    """The columns of a record that these columns are made of, in the recipe's order.

    Raises: BadStep.
    """
    schema: dict[str, Any] = {item.name: item.kind for item in fitted.source}
    around = Surroundings(schema=schema, tables={}, learned=fitted.learned, others={})
    names = set(wanted)
    for step in reversed(planned(fitted.steps, around)):
        if isinstance(step.plan, Projection):
            made = dict(step.plan.columns)
            names = {name for item in names if item in made for name in _read(made[item])}
    return [item for item in fitted.source if item.name in names]


def by_row(fitted: FittedRecipe) -> tuple[list[Step], dict[str, dict[str, Any]]]:
    """The steps that change a row, and what they learnt by their new numbers.

    The others choose rows, and let every one pass in serving.
    """
    kept = [
        (step, fitted.learned.get(str(number)))
        for number, step in enumerate(fitted.steps, 1)
        if OPERATIONS[step.operation].serving == "row"
    ]
    learned = {str(place): told for place, (_, told) in enumerate(kept, 1) if told is not None}
    return [step for step, _ in kept], learned


def _read(item: Typed) -> Iterator[str]:
    if item.what == "column":
        yield item.value
    for argument in item.arguments:
        yield from _read(argument)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
