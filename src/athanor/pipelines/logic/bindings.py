"""Bindings: what a task is given, found among its neighbours' outputs and its DAG's inputs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from athanor.pipelines.errors import MissingInput, WrongType
from athanor.pipelines.ir.spec import (
    ComponentOutputs,
    ComponentSpec,
    DagOutputs,
    PipelineSpec,
    TaskInputArtifact,
    TaskInputParameter,
    TaskSpec,
)
from athanor.pipelines.logic.graph import is_loop
from athanor.pipelines.logic.placeholders import Find, fill, mentioned, names_of, select
from athanor.pipelines.logic.values import converted, fit, listed, type_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """Values by name: parameters as JSON values, artifacts as lists of artifact ids."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, list[str]] = field(default_factory=dict)


NOTHING = Bindings()


class Neighbourhood(Protocol):
    """What a task sees: its DAG's inputs and the tasks beside it."""

    inputs: Bindings

    def outputs_of(self, task: str) -> Bindings:
        """What a task beside it has given so far."""
        ...

    def status_of(self, task: str) -> dict[str, Any]:
        """How a task beside it ended, as the protocol's PipelineTaskFinalStatus."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a task is given: to itself, or to each of its iterations."""

    bindings: Bindings
    iterations: list[Bindings] | None = None
    """None where the task is no loop."""


def resolve(
    task: TaskSpec,
    component: ComponentSpec,
    near: Neighbourhood,
    *,
    where: str,
    known: Mapping[str, str],
) -> Resolved:
    """The values of a task's inputs; `known` are placeholders that the run fills.

    Raises: MissingInput, WrongType, BadLoop, BadSelector, UnknownPlaceholder.
    """
    wired = task.inputs
    parameters: dict[str, Any] = {}
    artifacts: dict[str, list[str]] = {}
    constants: dict[str, Any] = {}
    for name, source in (wired.parameters if wired else {}).items():
        value = _parameter(near, source, where)
        if _is_constant(source):
            constants[name] = value
        if value is not UNSET:
            parameters[name] = value
    for name, origin in (wired.artifacts if wired else {}).items():
        found = _artifact(near, origin)
        if found is not None:
            artifacts[name] = found
    _fill_constants(parameters, constants, known)
    given = Bindings(parameters=parameters, artifacts=artifacts)
    if not is_loop(task):
        return Resolved(bindings=complete(component, given, where))
    rounds = [complete(component, item, where) for item in _iterations(task, given, where)]
    return Resolved(bindings=given, iterations=rounds)


def complete(component: ComponentSpec, given: Bindings, where: str) -> Bindings:
    """The values with defaults filled in, and types as an executor or the root wants them.

    A DAG in the middle hands on what it gets: compiled files give its channels types that their
    values do not have. Raises: MissingInput, WrongType.
    """
    definitions = component.input_definitions
    parameters = dict(given.parameters)
    if definitions is None:
        return given
    for name, definition in definitions.parameters.items():
        if name not in parameters:
            if definition.default_value is not UNSET:
                parameters[name] = definition.default_value
            elif not definition.is_optional:
                raise MissingInput(where, name, parameters)
            else:
                continue
        if component.dag is None:
            parameters[name] = _fitted(parameters[name], type_of(definition), where, name)
    for name, artifact in definitions.artifacts.items():
        if name not in given.artifacts and not artifact.is_optional:
            hint = (
                f"Give {name!r} a value, or a default. If a step should have given it: it returned "
                "None, where a `return` may be missing."
            )
            raise MissingInput(where, name, hint=hint)
    return Bindings(parameters=parameters, artifacts=given.artifacts)


def root_bindings(spec: PipelineSpec, inputs: Bindings) -> Bindings:
    """A run's inputs with defaults filled in and types checked.

    Raises: MissingInput, UnknownInput (see `logic.graph`), WrongType.
    """
    where = f"Pipeline {spec.pipeline_info.name!r}"
    found = complete(spec.root, inputs, where)
    definitions = spec.root.input_definitions
    if definitions is None:
        return found
    fitted = {
        name: fit(value, type_of(definitions.parameters[name]), where, name)
        if name in definitions.parameters
        else value
        for name, value in found.parameters.items()
    }
    return Bindings(parameters=fitted, artifacts=found.artifacts)


def resolve_settings(settings: Any, near: Neighbourhood, where: str) -> Any:
    """Platform settings with what tasks and inputs give in them.

    What `secretNameParameter` refers to stands under `secretName`.
    """
    if isinstance(settings, list):
        return [resolve_settings(item, near, where) for item in settings]
    if not isinstance(settings, dict):
        return settings
    found: dict[str, Any] = {}
    for name, item in settings.items():
        if name.endswith("NameParameter") and isinstance(item, dict):
            source = msgspec.convert(item, TaskInputParameter)
            value = _parameter(near, source, where)
            found[name.removesuffix("Parameter")] = None if value is UNSET else value
        elif name not in found:
            found[name] = resolve_settings(item, near, where)
    return found


def dag_outputs(wired: DagOutputs | None, near: Neighbourhood) -> Bindings:
    """What a DAG gives outwards, of what its tasks gave. Outputs of tasks that did not run lack."""
    if wired is None:
        return NOTHING
    parameters: dict[str, Any] = {}
    artifacts: dict[str, list[str]] = {}
    for name, parameter in wired.parameters.items():
        one = parameter.value_from_parameter
        many = parameter.value_from_oneof
        for item in [one] if one else (many.parameter_selectors if many else []):
            outputs = near.outputs_of(item.producer_subtask).parameters
            if item.output_parameter_key in outputs:
                parameters[name] = outputs[item.output_parameter_key]
                break
    for name, artifact in wired.artifacts.items():
        lists = [
            near.outputs_of(choice.producer_subtask).artifacts.get(choice.output_artifact_key)
            for choice in artifact.artifact_selectors
        ]
        there = [found for found in lists if found is not None]
        if there:
            artifacts[name] = [item for found in there for item in found]
    return Bindings(parameters=parameters, artifacts=artifacts)


def collected(outputs: ComponentOutputs | None, rounds: Iterable[Bindings]) -> Bindings:
    """What a loop gives outwards: each parameter as a list, all artifacts in one list.

    Iterations that gave nothing, since a condition was false, are passed over.
    """
    definitions = outputs or ComponentOutputs()
    items = list(rounds)
    return Bindings(
        parameters={
            name: [item.parameters[name] for item in items if name in item.parameters]
            for name in definitions.parameters
        },
        artifacts={
            name: [one for item in items for one in item.artifacts.get(name, ())]
            for name in definitions.artifacts
        },
    )


def _fitted(value: Any, kind: str, where: str, name: str) -> Any:
    try:
        return fit(value, kind, where, name)
    except WrongType:
        other = converted(value, kind)
        if other is UNSET:
            raise
        return other


def _iterations(task: TaskSpec, given: Bindings, where: str) -> Iterator[Bindings]:
    parameter, artifact = task.parameter_iterator, task.artifact_iterator
    if parameter is not None and parameter.items is not None:
        if parameter.items.raw is not UNSET:
            items = fill(listed(parameter.items.raw, where), names_of(given.parameters, {}))
        else:
            name = parameter.items.input_parameter
            if name not in given.parameters:
                raise MissingInput(where, name, given.parameters)
            items = listed(given.parameters[name], where)
        for item in items:
            yield Bindings(
                parameters={**given.parameters, parameter.item_input: item},
                artifacts=given.artifacts,
            )
    elif artifact is not None and artifact.items is not None:
        for one in given.artifacts.get(artifact.items.input_artifact, ()):
            yield Bindings(
                parameters=given.parameters,
                artifacts={**given.artifacts, artifact.item_input: [one]},
            )


def _is_constant(source: TaskInputParameter) -> bool:
    value = source.runtime_value
    return value is not None and not value.runtime_parameter


def _fill_constants(
    parameters: dict[str, Any], constants: Mapping[str, Any], known: Mapping[str, str]
) -> None:
    """Fill what the author wrote; a constant may ask for another one, so those come first."""
    waiting = dict(constants)
    find: Find = names_of(parameters, known)
    while waiting:
        ready = [name for name, value in waiting.items() if not mentioned(value) & waiting.keys()]
        for name in ready or list(waiting):
            value = waiting.pop(name)
            if value is not UNSET:
                parameters[name] = fill(value, find)


def _parameter(near: Neighbourhood, source: TaskInputParameter, where: str) -> Any:
    value = _unpicked(near, source)
    if source.parameter_expression_selector and value is not UNSET:
        return select(value, source.parameter_expression_selector, where)
    return value


def _unpicked(near: Neighbourhood, source: TaskInputParameter) -> Any:
    if source.task_output_parameter is not None:
        wanted = source.task_output_parameter
        outputs = near.outputs_of(wanted.producer_task).parameters
        return outputs.get(wanted.output_parameter_key, UNSET)
    if source.component_input_parameter:
        return near.inputs.parameters.get(source.component_input_parameter, UNSET)
    if source.task_final_status is not None:
        return near.status_of(source.task_final_status.producer_task)
    value = source.runtime_value
    if value is None:
        return UNSET
    if value.runtime_parameter:
        return near.inputs.parameters.get(value.runtime_parameter, UNSET)
    return value.constant if value.constant_value is None else value.constant_value.plain


def _artifact(near: Neighbourhood, source: TaskInputArtifact) -> list[str] | None:
    if source.task_output_artifact is not None:
        wanted = source.task_output_artifact
        return near.outputs_of(wanted.producer_task).artifacts.get(wanted.output_artifact_key)
    return near.inputs.artifacts.get(source.component_input_artifact)
