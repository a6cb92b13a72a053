"""A recipe as the first step of a served model: found, compared with its table, written down."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from athanor.data.errors.recipes import (
    NoSourceOfRecipe,
    RecipeGivesNot,
    RecipeNotOfModel,
    RowsDiffer,
)
from athanor.data.logic.recipes.rows import RowRecipe
from athanor.data.logic.recipes.serving import (
    CODE_FILE,
    PREPARING,
    RECIPE_FILE,
    Prepared,
    by_row,
    needed,
)
from athanor.data.service.datasets import Datasets
from athanor.data.service.recipes import Recipes, table_of
from athanor.data.types import DatasetVersion
from athanor.data.types.recipes import FittedRecipe
from athanor.kernel import Principal, is_id
from athanor.kernel.errors import NotFound
from athanor.kernel.workers import Workers
from athanor.lineage import Lineage

_SAMPLE = 1_000
_TYPES = {
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "text": "string",
    "date": "datetime",
    "timestamp": "datetime",
    "instant": "datetime",
}
"""MLflow's names of the kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A recipe as files that stand around a model."""

    recipe: str
    """NAME@N."""
    files: dict[str, str]
    entry: str
    inputs: tuple[tuple[str, str], ...]
    """The columns that it takes, with MLflow's names of their types."""
    beside: tuple[str, ...] = ()
    """The columns that the model reads and that pass it by."""
    compared: int
    """Rows of the recipe's own table that were prepared both ways, equal to the last byte."""


class Preparations:
    """Finds the fitted recipe that made a model's table."""

    def __init__(
        self, recipes: Recipes, datasets: Datasets, lineage: Lineage, workers: Workers
    ) -> None:
        self._recipes = recipes
        self._datasets = datasets
        self._lineage = lineage
        self._workers = workers

    def prepared(
        self,
        who: Principal,
        recipe: str,
        *,
        model: str,
        reads: Sequence[str],
        beside: Collection[str] = (),
        project: str,
    ) -> Preparation:
        """NAME, NAME@N or the id of a fitted recipe, around the model of this artifact.

        What the recipe does not give may come from `beside` it: features that are looked up.
        Rows of the table that the recipe was made for are prepared by the query that makes training
        tables and one by one; one differing value refuses it.
        Raises: RecipeNotFound, RecipeNotOfModel, RecipeGivesNot, NotByRow, NoSourceOfRecipe,
        RowsDiffer.
        """
        fitted, source = self._fitted(who, recipe, model, project)
        gives = RowRecipe(fitted).columns
        passing = [name for name in reads if name not in gives and name in beside]
        given = [name for name in reads if name in gives]
        if absent := [name for name in reads if name not in gives and name not in beside]:
            raise RecipeGivesNot(fitted.recipe, absent, gives)
        steps, learned = by_row(fitted)
        inputs = needed(fitted, given)
        if strange := [item.name for item in inputs if item.kind not in _TYPES]:
            raise RecipeGivesNot(fitted.recipe, strange, gives)
        work = {
            "steps": msgspec.to_builtins(steps),
            "table": table_of(source),
            "others": {},
            "learned": learned,
        }
        found = self._workers.call(
            "athanor.data.work.recipes:parity", {"work": work, "sample": _SAMPLE}
        )
        if found["differing"]:
            raise RowsDiffer(fitted.recipe, found["rows"], found["differing"])
        told = Prepared(fitted=fitted, gives=tuple(given), beside=tuple(passing))
        return Preparation(
            recipe=fitted.recipe,
            files={CODE_FILE: PREPARING, RECIPE_FILE: msgspec.json.encode(told).decode()},
            entry=CODE_FILE,
            inputs=tuple((item.name, _TYPES[item.kind]) for item in inputs),
            beside=tuple(passing),
            compared=found["rows"],
        )

    def _fitted(
        self, who: Principal, recipe: str, model: str, project: str
    ) -> tuple[FittedRecipe, DatasetVersion]:
        """A fitted recipe, and a version of the dataset that it was made for."""
        runs = [
            node.id
            for node in self._lineage.trace(who, model, "up").nodes
            if node.kind == "run" and node.type == "recipe"
        ]
        if is_id(recipe):
            runs += [
                node.id
                for node in self._lineage.trace(who, recipe, "up").nodes
                if node.kind == "run" and node.type == "recipe"
            ]
            wanted = self._recipes.fitted(who, recipe)
            return wanted, self._source(who, wanted, runs, project)
        asked = self._recipes.recipe(who, recipe, project=project)
        name = asked.name if "@" not in recipe or recipe.endswith("@latest") else ""
        found: dict[str, FittedRecipe] = {}
        for run in runs:
            for edge, artifact in self._lineage.edges(who, run):
                same = artifact.name == f"{asked.name}@{asked.number}" or (
                    name and artifact.name.partition("@")[0] == name
                )
                if edge.as_ == "recipe" and artifact.type == "recipe" and same:
                    found[artifact.digest] = self._recipes.fitted(who, artifact.id)
        if len(found) != 1:
            raise RecipeNotOfModel(recipe, [item.artifact_id for item in found.values()])
        [fitted] = found.values()
        return fitted, self._source(who, fitted, runs, project)

    def _source(
        self, who: Principal, fitted: FittedRecipe, runs: Sequence[str], project: str
    ) -> DatasetVersion:
        """A version of the dataset that the recipe was applied to, or learnt from."""
        references = []
        for run in runs:
            edges = self._lineage.edges(who, run)
            if any(artifact.digest == fitted.digest for _, artifact in edges):
                references += [
                    f"{artifact.metadata['dataset']}@{artifact.metadata['version']}"
                    for edge, artifact in edges
                    if edge.as_ == "dataset" and "dataset" in artifact.metadata
                ]
        for reference in [*references, fitted.learned_from]:
            if reference:
                try:
                    return self._datasets.version(who, reference, project=project)
                except NotFound:
                    continue
        raise NoSourceOfRecipe(fitted.recipe)
