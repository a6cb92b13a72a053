"""What pipelines ask of the data room: platform steps, idempotent by the call's key."""

from typing import Any

import msgspec

from athanor.data.errors.recipes import StepLacks
from athanor.data.service import Datasets
from athanor.data.service.recipes import Recipes
from athanor.data.types.recipes import ApplyOrder
from athanor.kernel import Principal
from athanor.lineage import (
    Artifact,
    Lineage,
    LongOperation,
    Operation,
    OperationCall,
    OperationResult,
)


def operations(datasets: Datasets, recipes: Recipes, lineage: Lineage) -> dict[str, Operation]:
    """The platform steps of this room, by name.

    `data.recipe`: artifact `dataset`; parameters `recipe` (NAME or NAME@2), `into` (a dataset
    whose next version the result becomes; without it a table), `learned_from`, `fitted`. Gives
    the artifacts `dataset` (the version or the table) and `recipe` (fitted), and the parameters
    `rows`, `digest`, `version` and `state`.

    `data.check`: artifact `dataset`. Gives the parameters `passed` (bool), `failed` (their number)
    and `results`.
    """
    return {
        "data.recipe": LongOperation(lambda who, call: _recipe(recipes, lineage, who, call)),
        "data.check": LongOperation(lambda who, call: _check(datasets, who, call)),
    }


def _recipe(
    recipes: Recipes, lineage: Lineage, who: Principal, call: OperationCall
) -> OperationResult:
    name = call.parameters.get("recipe")
    if not name:
        raise StepLacks(call.task, "recipe")
    given = {
        key: str(call.parameters[key])
        for key in ("into", "learned_from", "fitted")
        if call.parameters.get(key)
    }
    order = ApplyOrder(dataset=_reference(call), **given)
    done = recipes.apply(who, str(name), order, project=call.project)
    return OperationResult(
        parameters={
            "rows": done.rows,
            "digest": done.digest,
            "version": done.dataset,
            "state": done.state,
        },
        artifacts={
            "dataset": lineage.artifact(who, done.artifact_id),
            "recipe": lineage.artifact(who, done.fitted_id),
        },
    )


def _check(datasets: Datasets, who: Principal, call: OperationCall) -> OperationResult:
    results = datasets.check(who, _reference(call), project=call.project)
    failed = [item for item in results if not item.passed and item.severity == "fail"]
    told: list[dict[str, Any]] = msgspec.to_builtins(results)
    return OperationResult(
        parameters={"passed": not failed, "failed": len(failed), "results": told}
    )


def _reference(call: OperationCall) -> str:
    """NAME@N of the dataset that the step was given."""
    offered = call.artifacts.get("dataset")
    artifact: Artifact | None = offered[0] if offered else None
    told = artifact.metadata if artifact is not None else {}
    if "dataset" not in told or "version" not in told:
        raise StepLacks(call.task, "dataset")
    return f"{told['dataset']}@{told['version']}"
