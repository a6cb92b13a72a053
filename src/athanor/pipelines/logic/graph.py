"""The shape of a pipeline: who waits for whom, and whether all names point at something."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from athanor.pipelines.errors import (
    BadPipeline,
    MissingInput,
    NotSupportedYet,
    PipelineCycle,
    UnknownInput,
    UnknownPlaceholder,
    UnknownReference,
    WrongType,
)
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    ComponentSpec,
    ContainerSpec,
    DagSpec,
    InputParameter,
    ParameterItems,
    PipelineSpec,
    TaskInputParameter,
    TaskInputs,
    TaskSpec,
)
from athanor.pipelines.logic.conditions import check_words
from athanor.pipelines.logic.containers import named_in, read_lightweight
from athanor.pipelines.logic.embedding import read_embedded
from athanor.pipelines.logic.placeholders import has_placeholder, mentioned, unheard_of
from athanor.pipelines.logic.values import WORDS, fit, listed, type_of

_CHANNEL = "pipelinechannel--"
"""How the SDK calls what passes through a DAG; the types that it gives to these may be wrong."""


def is_loop(task: TaskSpec) -> bool:
    """Whether a task is done once for each item of a list."""
    return task.parameter_iterator is not None or task.artifact_iterator is not None


def upstream_of(task: TaskSpec) -> list[str]:
    """The tasks that a task waits for, in order: those named, and those whose outputs it takes.

    Compiled files leave out the former here and there, so that both are read.
    """
    names = dict.fromkeys(task.dependent_tasks)
    if task.inputs is not None:
        for parameter in task.inputs.parameters.values():
            if parameter.task_output_parameter is not None:
                names[parameter.task_output_parameter.producer_task] = None
            if parameter.task_final_status is not None:
                names[parameter.task_final_status.producer_task] = None
        for artifact in task.inputs.artifacts.values():
            if artifact.task_output_artifact is not None:
                names[artifact.task_output_artifact.producer_task] = None
    return list(names)


def check(spec: PipelineSpec) -> None:
    """Check a whole pipeline before anything of it runs.

    Raises: BadPipeline and its kinds: UnknownReference, PipelineCycle, MissingInput,
    UnknownInput, WrongType, NotSupportedYet.
    """
    if not spec.pipeline_info.name:
        raise BadPipeline("The pipeline has no name.", hint="Set pipelineInfo.name.")
    if spec.root.dag is None:
        raise BadPipeline("The pipeline's root has no tasks.", hint="Give root a dag.")
    _check_scope(spec, "the root", spec.root)
    for name, component in spec.components.items():
        where = f"component {name!r}"
        if component.dag is not None:
            _check_scope(spec, where, component)
        else:
            _check_executor(spec, where, component)
    _check_nesting(spec)


def check_inputs(
    spec: PipelineSpec, parameters: Mapping[str, Any], artifacts: Any, *, whole: bool = False
) -> None:
    """Check the names that a submission gives, and if it is `whole`, that it lacks none.

    Raises: UnknownInput, WrongType, MissingInput.
    """
    where = f"Pipeline {spec.pipeline_info.name!r}"
    definitions = spec.root.input_definitions
    values = definitions.parameters if definitions else {}
    files = definitions.artifacts if definitions else {}
    for name in parameters:
        if name in files:
            hint = f"Give: {_by_artifact(name)}"
            raise WrongType(where, name, "an artifact", "a parameter", hint=hint)
    for name in artifacts:
        if name in values:
            hint = f"Give: {_by_parameter(name)}"
            raise WrongType(where, name, "a parameter", "an artifact", hint=hint)
    for name in [*parameters, *artifacts]:
        if name not in values and name not in files:
            raise UnknownInput(where, name, {**values, **files})
    if definitions is None or not whole:
        return
    lacking_files = [
        name for name, item in files.items() if name not in artifacts and not item.is_optional
    ]
    lacking_values = [
        name
        for name, item in values.items()
        if name not in parameters and not item.is_optional and item.default_value is UNSET
    ]
    lacking = [*lacking_files, *lacking_values]
    if lacking:
        give = [_by_artifact(name) for name in lacking_files]
        give += [_by_parameter(name) for name in lacking_values]
        raise MissingInput(where, lacking[0], hint=f"Give: {' '.join(give)}")


def _by_parameter(name: str) -> str:
    return f"--param {name}=VALUE"


def _by_artifact(name: str) -> str:
    return f"--artifact {name}=dataset:NAME@latest"


def find_cycle(edges: Mapping[str, list[str]]) -> list[str]:
    """A circle in a graph as a list of its names, the first repeated at the end; or []."""
    done: set[str] = set()
    for start in edges:
        trail: dict[str, Iterator[str]] = {}
        stack = [start] if start not in done else []
        while stack:
            name = stack[-1]
            if name not in trail:
                trail[name] = iter(edges.get(name, ()))
            following = next((item for item in trail[name] if item not in done), None)
            if following is None:
                done.add(name)
                trail.pop(stack.pop())
            elif following in trail:
                ring = list(trail)[list(trail).index(following) :]
                return [*ring, following]
            else:
                stack.append(following)
    return []


def _check_scope(spec: PipelineSpec, where: str, component: ComponentSpec) -> None:
    dag = component.dag
    if dag is None:
        return
    for name, task in dag.tasks.items():
        reference = task.component_ref.name if task.component_ref else ""
        if reference not in spec.components:
            place = f"Task {name!r} of {where}"
            raise UnknownReference(place, "component", reference, spec.components)
    for name, task in dag.tasks.items():
        _check_task(spec, f"Task {name!r} of {where}", component, task)
    ring = find_cycle({name: upstream_of(task) for name, task in dag.tasks.items()})
    if ring:
        raise PipelineCycle(where, ring)
    _check_dag_outputs(where, dag)


def _check_task(spec: PipelineSpec, where: str, parent: ComponentSpec, task: TaskSpec) -> None:
    tasks = parent.dag.tasks if parent.dag else {}
    reference = task.component_ref.name if task.component_ref else ""
    component = spec.components[reference]
    _check_loop(where, task, component)
    if task.trigger_policy is not None and task.trigger_policy.condition:
        check_words(task.trigger_policy.condition)
    for other in upstream_of(task):
        if other not in tasks:
            raise UnknownReference(where, "task", other, tasks)
    _check_parameters(spec, where, parent, task, component)
    _check_artifacts(spec, where, parent, task, component)


def _check_loop(where: str, task: TaskSpec, component: ComponentSpec) -> None:
    """The list that a loop goes through is one of its inputs, and the item one of its component."""
    if task.parameter_iterator is not None and task.artifact_iterator is not None:
        raise BadPipeline(
            f"{where} goes through parameters and artifacts at once.",
            hint="Give it one iterator.",
        )
    given = task.inputs or TaskInputs()
    known = component.input_definitions or ComponentInputs()
    if (loop := task.parameter_iterator) is not None:
        items = loop.items or ParameterItems()
        if items.raw is not UNSET:
            listed(items.raw, where)
        if items.raw is UNSET and items.input_parameter not in given.parameters:
            raise UnknownReference(where, "input", items.input_parameter, given.parameters)
        if loop.item_input not in known.parameters:
            raise UnknownReference(where, "input", loop.item_input, known.parameters)
    if (over := task.artifact_iterator) is not None:
        name = over.items.input_artifact if over.items else ""
        if name not in given.artifacts:
            raise UnknownReference(where, "input", name, given.artifacts)
        if over.item_input not in known.artifacts:
            raise UnknownReference(where, "input", over.item_input, known.artifacts)


def _check_parameters(
    spec: PipelineSpec, where: str, parent: ComponentSpec, task: TaskSpec, component: ComponentSpec
) -> None:
    known = component.input_definitions.parameters if component.input_definitions else {}
    outer = parent.input_definitions.parameters if parent.input_definitions else {}
    given = task.inputs.parameters if task.inputs else {}
    for name, source in given.items():
        definition = known.get(name)
        wanted = type_of(definition) if definition else ""
        got = _type_given(spec, where, parent, source, outer)
        constant = source.runtime_value.constant if source.runtime_value else UNSET
        if constant is not UNSET:
            for asked in sorted(mentioned(constant) - given.keys()):
                raise UnknownPlaceholder(f"{{{{$.inputs.parameters['{asked}']}}}}", where, given)
        if component.dag is not None or source.parameter_expression_selector:
            continue
        if constant is not UNSET and not has_placeholder(constant):
            fit(constant, wanted, where, name)
        if wanted in WORDS and got in WORDS and not _accepts(wanted, got):
            raise WrongType(where, name, WORDS[wanted], WORDS[got])
    item = task.parameter_iterator.item_input if task.parameter_iterator else ""
    for name, definition in known.items():
        optional = definition.is_optional or definition.default_value is not UNSET
        if name not in given and name != item and not optional:
            raise MissingInput(where, name, given)


def _type_given(
    spec: PipelineSpec,
    where: str,
    parent: ComponentSpec,
    source: TaskInputParameter,
    outer: Mapping[str, InputParameter],
) -> str:
    """The type of what a parameter is wired to; "" where it is not sure."""
    if source.task_output_parameter is not None:
        link = source.task_output_parameter
        outputs = _outputs(spec, parent, link.producer_task).parameters
        if link.output_parameter_key not in outputs:
            origin = f"output of task {link.producer_task!r}"
            raise UnknownReference(where, origin, link.output_parameter_key, outputs)
        sure = not _is_dag(spec, parent, link.producer_task)
        return type_of(outputs[link.output_parameter_key]) if sure else ""
    name = source.component_input_parameter
    if not name:
        return ""
    if name not in outer:
        raise UnknownReference(where, "input", name, outer)
    return "" if name.startswith(_CHANNEL) else type_of(outer[name])


def _accepts(wanted: str, got: str) -> bool:
    numbers = {"NUMBER_INTEGER", "NUMBER_DOUBLE"}
    return wanted == got or (wanted in numbers and got in numbers)


def _check_artifacts(
    spec: PipelineSpec, where: str, parent: ComponentSpec, task: TaskSpec, component: ComponentSpec
) -> None:
    known = component.input_definitions.artifacts if component.input_definitions else {}
    outer = parent.input_definitions.artifacts if parent.input_definitions else {}
    given = task.inputs.artifacts if task.inputs else {}
    for source in given.values():
        if source.task_output_artifact is not None:
            link = source.task_output_artifact
            outputs = _outputs(spec, parent, link.producer_task).artifacts
            if link.output_artifact_key not in outputs:
                origin = f"output of task {link.producer_task!r}"
                raise UnknownReference(where, origin, link.output_artifact_key, outputs)
        elif source.component_input_artifact not in outer:
            raise UnknownReference(where, "input", source.component_input_artifact, outer)
    item = task.artifact_iterator.item_input if task.artifact_iterator else ""
    for name, definition in known.items():
        if name not in given and name != item and not definition.is_optional:
            raise MissingInput(where, name, given)


def _is_dag(spec: PipelineSpec, parent: ComponentSpec, name: str) -> bool:
    """Whether a task is a DAG or a loop, whose channels have types that their values don't have."""
    task = parent.dag.tasks[name] if parent.dag else TaskSpec()
    reference = task.component_ref.name if task.component_ref else ""
    component = spec.components.get(reference, ComponentSpec())
    return component.dag is not None or is_loop(task)


def _outputs(spec: PipelineSpec, parent: ComponentSpec, name: str) -> ComponentOutputs:
    task = parent.dag.tasks[name] if parent.dag else TaskSpec()
    reference = task.component_ref.name if task.component_ref else ""
    component = spec.components.get(reference, ComponentSpec())
    return component.output_definitions or ComponentOutputs()


def _check_dag_outputs(where: str, dag: DagSpec) -> None:
    if dag.outputs is None:
        return
    names = [
        item.producer_subtask
        for output in dag.outputs.artifacts.values()
        for item in output.artifact_selectors
    ]
    for output in dag.outputs.parameters.values():
        one, many = output.value_from_parameter, output.value_from_oneof
        names += [item.producer_subtask for item in ([one] if one else [])]
        names += [item.producer_subtask for item in (many.parameter_selectors if many else [])]
    for name in names:
        if name not in dag.tasks:
            raise UnknownReference(f"The outputs of {where}", "task", name, dag.tasks)


def _check_executor(spec: PipelineSpec, where: str, component: ComponentSpec) -> None:
    executors = spec.deployment_spec.executors
    executor = executors.get(component.executor_label)
    if executor is None:
        raise UnknownReference(where.capitalize(), "executor", component.executor_label, executors)
    if executor.container is not None and read_embedded(executor.container) is None:
        _check_command(where, component, executor.container)
    if executor.container is None and executor.importer is None:
        kind = "resolver" if executor.resolver else "a custom job"
        raise NotSupportedYet(where.capitalize(), f"an executor of the kind {kind}")


def _check_command(where: str, component: ComponentSpec, container: ContainerSpec) -> None:
    """The placeholders of a command name inputs and outputs of its component.

    Those in the source of a function are its author's texts.
    """
    words = container.args
    if read_lightweight(container) is None:
        words = [*container.command, *container.args]
    for mark in unheard_of(words):
        raise UnknownPlaceholder(mark, where)
    inputs = component.input_definitions or ComponentInputs()
    outputs = component.output_definitions or ComponentOutputs()
    known: dict[tuple[str, str], Mapping[str, Any]] = {
        ("inputs", "parameters"): inputs.parameters,
        ("inputs", "artifacts"): inputs.artifacts,
        ("outputs", "parameters"): outputs.parameters,
        ("outputs", "artifacts"): outputs.artifacts,
    }
    for mark, side, what, name in named_in(words):
        there = known[side, what]
        if name not in there and not name.startswith(_CHANNEL):
            raise UnknownPlaceholder(mark, where, there)


def _check_nesting(spec: PipelineSpec) -> None:
    """Refuse components that contain themselves."""
    edges = {
        name: [
            task.component_ref.name
            for task in (component.dag.tasks if component.dag else {}).values()
            if task.component_ref
        ]
        for name, component in spec.components.items()
    }
    ring = find_cycle(edges)
    if ring:
        raise PipelineCycle("the components (one contains the other)", ring)
