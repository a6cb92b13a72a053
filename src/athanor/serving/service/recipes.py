"""A recipe that a deployment begins with: it becomes code around the model, as one's own does."""

from dataclasses import replace

from athanor.kernel.permissions import Principal
from athanor.registry import InputColumn, PythonCode
from athanor.serving.errors.deployments import RecipeNotAlone, RecipesElsewhere
from athanor.serving.ports import ModelSource, RecipeSource
from athanor.serving.types import Deploy


def prepared(
    who: Principal,
    name: str,
    deploy: Deploy,
    around: tuple[RecipeSource | None, ModelSource],
) -> tuple[Deploy, tuple[InputColumn, ...]]:
    """The same with the recipe as code, and the columns that callers send then.

    Raises: RecipeNotAlone, RecipesElsewhere; what the registry and the recipes raise.
    """
    recipes, models = around
    if not deploy.recipe:
        return deploy, ()
    if deploy.code is not None or deploy.features:
        raise RecipeNotAlone(name, "code" if deploy.code is not None else "features")
    version = models.version(who, deploy.model)
    if recipes is None or version.artifact_id is None:
        raise RecipesElsewhere(name)
    found = recipes.prepared(
        who,
        deploy.recipe,
        model=version.artifact_id,
        reads=[column.name for column in version.signature.inputs],
        project=deploy.project,
    )
    inputs = tuple(InputColumn(name=column, type=kind) for column, kind in found.inputs)
    code = PythonCode(files=found.files, entry=found.entry)
    # What features a live deployment looks up are inputs of its model, not of the recipe.
    return replace(deploy, code=code, features=""), inputs
