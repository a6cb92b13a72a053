"""Inputs and outputs as the protocol writes them, and which values fit where."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from athanor.pipelines.authoring.interface import Kind
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    InputArtifact,
    InputParameter,
    OutputArtifact,
    OutputParameter,
)
from athanor.pipelines.logic.values import fit


def fits(wanted: Kind, got: Kind) -> bool:
    """Whether values of one kind may go where another is wanted."""
    if got.guessed or wanted.guessed:
        return bool(wanted.parameter) == bool(got.parameter)
    if wanted.parameter or got.parameter:
        numbers = {"NUMBER_INTEGER", "NUMBER_DOUBLE"}
        both = {wanted.parameter, got.parameter}
        return wanted.parameter == got.parameter or both == numbers
    return True


def input_definitions(
    kinds: Mapping[str, Kind],
    defaults: Mapping[str, Any],
    optional: Any = (),
    *,
    where: str = "the step",
) -> ComponentInputs | None:
    """Inputs as the protocol writes them.

    Raises: WrongType for a default that is not what its hint says, of what `where` names.
    """
    parameters: dict[str, InputParameter] = {}
    artifacts: dict[str, InputArtifact] = {}
    for name, kind in kinds.items():
        may_miss = kind.optional or name in optional
        if not kind.parameter:
            artifacts[name] = InputArtifact(
                artifact_type=kind.schema, is_optional=may_miss, is_artifact_list=kind.many
            )
            continue
        default = defaults.get(name) if name in optional else None
        plain = list(default) if isinstance(default, tuple) else default
        known = plain is not None
        parameters[name] = InputParameter(
            parameter_type=kind.parameter,  # type: ignore[arg-type]
            default_value=fit(plain, kind.parameter, where, name) if known else msgspec.UNSET,
            is_optional=may_miss,
            literals=list(kind.literals),
        )
    if not parameters and not artifacts:
        return None
    return ComponentInputs(parameters=parameters, artifacts=artifacts)


def output_definitions(kinds: Mapping[str, Kind]) -> ComponentOutputs | None:
    """Outputs as the protocol writes them."""
    if not kinds:
        return None
    return ComponentOutputs(
        parameters={
            name: OutputParameter(parameter_type=kind.parameter)  # type: ignore[arg-type]
            for name, kind in kinds.items()
            if kind.parameter
        },
        artifacts={
            name: OutputArtifact(
                artifact_type=kind.schema,
                metadata={"type": kind.artifact},
                is_artifact_list=kind.many,
            )
            for name, kind in kinds.items()
            if not kind.parameter
        },
    )


def slug(name: str) -> str:
    """A name as tasks and components have it: small letters, of any script, digits and hyphens."""
    return re.sub(r"[\W_]+", "-", name.lower()).strip("-") or "step"
