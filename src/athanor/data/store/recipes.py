"""Where recipes are kept: every version, and those that were removed as a state."""

from typing import Any, Protocol

import msgspec
from sqlalchemy import Column, Integer, String, Table, Text, func, select, update

from athanor.data.types.recipes import Recipe
from athanor.kernel import Database, Instant, Json, metadata


class RecipeStore(Protocol):
    """Recipes by project, name and number."""

    def append_recipe(self, project: str, recipe: Recipe) -> None:
        """Add a version; its number is the next one."""
        ...

    def next_recipe_number(self, project: str, name: str) -> int:
        """The number that the next version gets; removed ones count."""
        ...

    def find_recipe(self, project: str, name: str, number: int | None = None) -> Recipe | None:
        """A version, the newest one without a number; a removed recipe only by number."""
        ...

    def list_recipes(self, project: str, name: str = "") -> list[Recipe]:
        """The newest version of each recipe, by name; of one recipe all, newest first."""
        ...

    def remove_recipe(self, project: str, name: str) -> bool:
        """List a recipe no more; whether it was listed."""
        ...


recipe_table = Table(
    "data_recipe",
    metadata,
    Column("project", String(255), primary_key=True),
    Column("name", String(80), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("steps", Json, nullable=False),
    Column("description", Text, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("removed", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
)
_RECIPE = tuple(recipe_table.c[name] for name in Recipe.__dataclass_fields__)


class SqlRecipeStore:
    """Recipes in the metadata database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append_recipe(self, project: str, recipe: Recipe) -> None:
        """Add a version."""
        row = {name: getattr(recipe, name) for name in Recipe.__dataclass_fields__}
        row |= {"project": project, "steps": msgspec.to_builtins(recipe.steps), "removed": 0}
        with self._database.connection() as connection:
            connection.execute(recipe_table.insert().values(row))

    def next_recipe_number(self, project: str, name: str) -> int:
        """The number that the next version gets."""
        query = select(func.max(recipe_table.c.number)).where(*_named(project, name))
        with self._database.connection() as connection:
            return (connection.execute(query).scalar() or 0) + 1

    def find_recipe(self, project: str, name: str, number: int | None = None) -> Recipe | None:
        """A version, the newest one without a number."""
        query = select(*_RECIPE).where(*_named(project, name))
        if number is None:
            query = query.where(recipe_table.c.removed == 0)
        else:
            query = query.where(recipe_table.c.number == number)
        with self._database.connection() as connection:
            row = connection.execute(
                query.order_by(recipe_table.c.number.desc()).limit(1)
            ).mappings().first()  # fmt: skip
        return None if row is None else _record(row)

    def list_recipes(self, project: str, name: str = "") -> list[Recipe]:
        """The newest version of each recipe; of one recipe all."""
        query = select(*_RECIPE).where(recipe_table.c.project == project)
        query = query.where(recipe_table.c.removed == 0)
        if name:
            query = query.where(recipe_table.c.name == name)
        query = query.order_by(recipe_table.c.name, recipe_table.c.number.desc())
        with self._database.connection() as connection:
            found = [_record(row) for row in connection.execute(query).mappings()]
        if name:
            return found
        newest: dict[str, Recipe] = {}
        for recipe in found:
            newest.setdefault(recipe.name, recipe)
        return list(newest.values())

    def remove_recipe(self, project: str, name: str) -> bool:
        """List a recipe no more."""
        change = update(recipe_table).where(*_named(project, name), recipe_table.c.removed == 0)
        with self._database.connection() as connection:
            return connection.execute(change.values(removed=1)).rowcount > 0


def _named(project: str, name: str) -> tuple[Any, ...]:
    return recipe_table.c.project == project, recipe_table.c.name == name


def _record(row: Any) -> Recipe:
    return msgspec.convert({str(name): value for name, value in row.items()}, Recipe)
