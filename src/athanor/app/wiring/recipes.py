"""Recipes on datasets; and what pipelines ask of the data room."""

from typing import TYPE_CHECKING

from athanor.data import Checks, Datasets, Ground, Recipes, SqlRecipeStore
from athanor.data import operations as data_operations
from athanor.lineage import Lineage, Operation

if TYPE_CHECKING:
    from athanor.app.house import House


def join_recipes(house: "House", steps: dict[str, Operation]) -> None:
    """Make the recipes; offer the data room's steps to pipelines."""
    ground = Ground(
        database=house.database,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
        workers=house.workers,
    )
    datasets, lineage = house.services[Datasets], house.services[Lineage]
    recipes = Recipes(SqlRecipeStore(house.database), datasets, lineage, ground)
    steps |= data_operations(datasets, recipes, lineage)
    house.services |= {Recipes: recipes, Checks: Checks(datasets, ground)}
    house.counters["recipes"] = lambda who: len(recipes.recipes(who))
