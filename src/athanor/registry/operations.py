"""What pipelines ask of the registry: platform steps, and references to versions.

Idempotent by the call's key: a repetition finds the version that the first one made.
"""

from typing import Any

import msgspec

from athanor.kernel import Events, Principal, Verdict
from athanor.lineage import (
    Artifact,
    Lineage,
    Operation,
    OperationCall,
    OperationResult,
    Resolver,
)
from athanor.registry.errors import AliasMovedMeanwhile, AliasProtected, OperationLacks
from athanor.registry.protection import CHALLENGER_REFUSED
from athanor.registry.service import Models, held
from athanor.registry.types import NewModelVersion


def operations(models: Models, events: Events) -> dict[str, Operation]:
    """The platform steps of this room, by name.

    `model.register`: artifact `model`; parameters `name`, `metrics` (dict), `verdict` (dict of
    a gate, or none), `promote` (bool, default True). Gives `registered` (bool), `model`,
    `version` (0 if it was refused), `reference`, `promoted` (bool: a protected alias may wait for
    people) and `reason`. A model whose gate did not pass is not registered: nothing changes but
    the event that tells of it.

    `model.promote`: parameters `name`, `version`, `reason`. Gives `model`, `version`.
    """
    return {
        "model.register": lambda who, call: _register(models, events, who, call),
        "model.promote": lambda who, call: _promote(models, who, call),
    }


def resolver(models: Models, lineage: Lineage) -> Resolver:
    """What finds the artifact behind `model:churn@champion`."""

    def resolve(who: Principal, rest: str) -> Artifact:
        return lineage.artifact(who, held(models.version(who, rest)))

    return resolve


def _register(
    models: Models, events: Events, who: Principal, call: OperationCall
) -> OperationResult:
    name = str(_parameter(call, "name"))
    told = call.parameters.get("verdict")
    verdict = msgspec.convert(told, Verdict) if told else None
    if verdict is not None and not verdict.passed:
        detail = {
            "model": name,
            "run": call.run_id,
            "gate": verdict.gate,
            "reason": verdict.reason,
            "measured": verdict.measured,
        }
        events.tell(who, CHALLENGER_REFUSED, name, detail, project=call.project)
        return _not_registered(name, verdict.reason)
    offered = call.artifacts.get("model")
    if not offered:
        raise OperationLacks(call.task, "model")
    if call.parameters.get("if_model") and offered[0].type != "model":
        return _not_registered(name, f"the result is a {offered[0].type}, not a model")
    version = models.register(
        who,
        NewModelVersion(
            model=name,
            artifact_id=offered[0].id,
            run_id=call.run_id,
            key=call.key,
            metrics=_figures(call.parameters.get("metrics") or {}),
            verdict=verdict,
            project=call.project,
        ),
    )
    reason = verdict.reason if verdict else "no gate was asked"
    promoted = False
    if call.parameters.get("promote", True):
        try:
            models.promote(who, version.reference, reason=reason)
            promoted = True
        except (AliasProtected, AliasMovedMeanwhile) as waits:
            # The version is there and the verdicts are kept: people go on from here.
            reason = waits.message
    return OperationResult(
        parameters={
            "registered": True,
            "model": name,
            "version": version.number,
            "reference": version.reference,
            "promoted": promoted,
            "reason": reason,
        },
    )


def _not_registered(name: str, reason: str) -> OperationResult:
    return OperationResult(
        parameters={
            "registered": False,
            "model": name,
            "version": 0,
            "reference": "",
            "promoted": False,
            "reason": reason,
        }
    )


def _promote(models: Models, who: Principal, call: OperationCall) -> OperationResult:
    reference = f"{_parameter(call, 'name')}@{_parameter(call, 'version')}"
    version = models.promote(who, reference, reason=str(call.parameters.get("reason", "")))
    return OperationResult(parameters={"model": version.model, "version": version.number})


def _parameter(call: OperationCall, name: str) -> Any:
    if call.parameters.get(name) in {None, ""}:
        raise OperationLacks(call.task, name)
    return call.parameters[name]


def _figures(metrics: dict[str, Any]) -> dict[str, float]:
    return {
        name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))
    }
