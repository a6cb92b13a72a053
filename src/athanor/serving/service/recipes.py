"""A recipe that a deployment begins with: it becomes code around the model, as one's own does.

Features that are looked up come before it: it may read them, and those that only the model reads
pass it by.
"""

from dataclasses import replace

from athanor.kernel.permissions import Principal
from athanor.registry import InputColumn, PythonCode
from athanor.serving.errors.deployments import RecipeNotAlone, RecipesElsewhere
from athanor.serving.ports import FeatureSource, ModelSource, RecipeSource
from athanor.serving.service.features import service_of
from athanor.serving.types import Deploy, Endpoint


def prepared(
    who: Principal,
    name: str,
    deploy: Deploy,
    endpoint: Endpoint | None,
    around: tuple[RecipeSource | None, FeatureSource | None, ModelSource],
) -> tuple[Deploy, tuple[InputColumn, ...]]:
    """The same with the recipe as code, and the columns that the model takes then.

    Raises: RecipeNotAlone, RecipesElsewhere; what the registry, the features and the recipes raise.
    """
    recipes, features, models = around
    if not deploy.recipe:
        return deploy, ()
    if deploy.code is not None:
        raise RecipeNotAlone(name)
    version = models.version(who, deploy.model)
    if recipes is None or version.artifact_id is None:
        raise RecipesElsewhere(name)
    service, project = service_of(deploy, endpoint)
    looked_up: set[str] = set()
    if service and features is not None:
        looked_up = set(features.plan_for([service], project=project).columns)
    reads = {column.name: column for column in version.signature.inputs}
    found = recipes.prepared(
        who,
        deploy.recipe,
        model=version.artifact_id,
        reads=list(reads),
        beside=looked_up,
        project=deploy.project,
    )
    inputs = [InputColumn(name=column, type=kind) for column, kind in found.inputs]
    inputs += [
        InputColumn(name=item, type=reads[item].type)
        for item in found.beside
        if item not in dict(found.inputs)
    ]
    code = PythonCode(files=found.files, entry=found.entry)
    if deploy.features is None and not looked_up & {column.name for column in inputs}:
        # What the live deployment looks up is nothing that this one reads.
        deploy = replace(deploy, features="")
    return replace(deploy, code=code), tuple(inputs)
