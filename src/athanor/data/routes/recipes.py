"""Recipes over HTTP."""

from typing import Annotated, Any

from athanor.data.service.recipes import Recipes
from athanor.data.types.recipes import (
    Applied,
    ApplyOrder,
    ExportForm,
    FittedRecipe,
    FunctionInfo,
    NewRecipe,
    OperationInfo,
    PreviewOrder,
    Recipe,
    RecipeCode,
    RecipePreview,
    RowsOrder,
    Verification,
)
from athanor.kernel.http import Caller, provide, room_router

router = room_router("data", "recipes")
TheRecipes = Annotated[Recipes, provide(Recipes)]


@router.get("/recipe-operations", name="recipe_operations")
def operations(who: Caller, recipes: TheRecipes) -> list[OperationInfo]:
    """All operations that a step may be, with the schema of their parameters."""
    return recipes.operations(who)


@router.get("/recipe-functions", name="recipe_functions")
def functions(who: Caller, recipes: TheRecipes) -> list[FunctionInfo]:
    """All functions of formulas."""
    return recipes.functions(who)


@router.post("/recipe-previews", name="preview_recipe")
def preview(order: PreviewOrder, who: Caller, recipes: TheRecipes) -> RecipePreview:
    """Try steps, or a recipe, on a sample of a dataset."""
    return recipes.preview(who, order)


@router.get("/fitted-recipes/{fitted_id}", name="fitted_recipe")
def fitted(fitted_id: str, who: Caller, recipes: TheRecipes) -> FittedRecipe:
    """A recipe with what it learnt."""
    return recipes.fitted(who, fitted_id)


@router.post("/fitted-recipes/{fitted_id}/rows", name="transform_rows")
def transform(
    fitted_id: str, order: RowsOrder, who: Caller, recipes: TheRecipes
) -> list[dict[str, Any]]:
    """Prepare rows one by one, as serving does."""
    return recipes.transform(who, fitted_id, order.rows)


@router.get("/recipes", name="list_recipes")
def recipes(who: Caller, recipes: TheRecipes) -> list[Recipe]:
    """The newest version of every recipe."""
    return recipes.recipes(who)


@router.put("/recipes/{name}", status_code=201, name="save_recipe")
def save(name: str, new: NewRecipe, who: Caller, recipes: TheRecipes) -> Recipe:
    """Keep steps as the next version of a recipe."""
    return recipes.save(who, name, new)


@router.delete("/recipes/{name}", status_code=204, name="remove_recipe")
def remove(name: str, who: Caller, recipes: TheRecipes) -> None:
    """List a recipe no more."""
    recipes.remove(who, name)


@router.get("/recipes/{name}/versions", name="recipe_history")
def history(name: str, who: Caller, recipes: TheRecipes) -> list[Recipe]:
    """All versions of a recipe, newest first."""
    return recipes.history(who, name)


@router.get("/recipes/{name}/versions/{number}", name="recipe_version")
def recipe(name: str, number: str, who: Caller, recipes: TheRecipes) -> Recipe:
    """One version: a number, or `latest`."""
    return recipes.recipe(who, f"{name}@{number}")


@router.post("/recipes/{name}/versions/{number}/fits", status_code=201, name="fit_recipe")
def fit(name: str, number: str, dataset: str, who: Caller, recipes: TheRecipes) -> FittedRecipe:
    """Let a recipe learn from a dataset."""
    return recipes.fit(who, f"{name}@{number}", dataset)


@router.post("/recipes/{name}/versions/{number}/results", status_code=201, name="apply_recipe")
def apply(name: str, number: str, order: ApplyOrder, who: Caller, recipes: TheRecipes) -> Applied:
    """Make a dataset's version, or a table, of a dataset."""
    return recipes.apply(who, f"{name}@{number}", order)


@router.get("/recipes/{name}/versions/{number}/code", name="export_recipe")
def export(
    name: str, number: str, dataset: str, who: Caller, recipes: TheRecipes,
    form: ExportForm = "sql",
) -> RecipeCode:  # fmt: skip
    """A recipe as SQL, pandas, or JSON with what it learnt."""
    return recipes.export(who, f"{name}@{number}", dataset, form)


@router.get("/recipes/{name}/versions/{number}/verification", name="verify_recipe")
def verify(name: str, number: str, dataset: str, who: Caller, recipes: TheRecipes) -> Verification:
    """The digests of a recipe's three forms on a dataset."""
    return recipes.verify(who, f"{name}@{number}", dataset)
