"""Writing a pipeline down: its function is called once, and each step called in it adds a task."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from athanor.pipelines.authoring.interface import Interface, Kind, kind_of_value
from athanor.pipelines.authoring.values import Condition, Reference, Task
from athanor.pipelines.errors import BadPipeline, MissingInput, UnknownInput, WrongType
from athanor.pipelines.ir.spec import (
    ArtifactSelector,
    CachingOptions,
    ComponentInputs,
    ComponentOutputs,
    ComponentRef,
    ComponentSpec,
    ContainerSpec,
    DagOutputArtifact,
    DagOutputParameter,
    DagOutputs,
    DagSpec,
    ExecutorSpec,
    InputArtifact,
    InputParameter,
    OutputArtifact,
    OutputParameter,
    ParameterSelector,
    RetryPolicy,
    TaskInfo,
    TaskInputArtifact,
    TaskInputParameter,
    TaskInputs,
    TaskOutputArtifact,
    TaskOutputParameter,
    TaskSpec,
    TriggerPolicy,
    ValueOrRuntimeParameter,
)
from athanor.pipelines.logic.values import WORDS, fit

if TYPE_CHECKING:
    from athanor.pipelines.authoring.steps import Step

_current: ContextVar["Trace | None"] = ContextVar("trace", default=None)
_CHANNEL = "pipelinechannel--"


def current_trace() -> "Trace | None":
    """The pipeline being written down right now, if any."""
    return _current.get()


@dataclass(slots=True)
class _Pending:
    """A task as it grows."""

    component: str
    parameters: dict[str, TaskInputParameter] = field(default_factory=dict)
    artifacts: dict[str, TaskInputArtifact] = field(default_factory=dict)
    after: dict[str, None] = field(default_factory=dict)
    shown: str = ""
    cache: bool = False
    retries: int = 0
    condition: str = ""

    def finish(self, name: str) -> TaskSpec:
        """The task as the protocol writes it."""
        inputs = TaskInputs(parameters=self.parameters, artifacts=self.artifacts)
        retry = None
        if self.retries:
            retry = RetryPolicy(max_retry_count=self.retries, backoff_duration="1s")
        return TaskSpec(
            task_info=TaskInfo(name=self.shown or name),
            component_ref=ComponentRef(name=self.component),
            inputs=inputs if self.parameters or self.artifacts else None,
            dependent_tasks=sorted(self.after),
            caching_options=CachingOptions(enable_cache=True) if self.cache else None,
            retry_policy=retry,
            trigger_policy=TriggerPolicy(condition=self.condition) if self.condition else None,
        )


class Scope:
    """One DAG being written down: the pipeline itself, or the body of an `If`."""

    def __init__(self, parent: "Scope | None", own_task: str = "") -> None:
        self.parent = parent
        self.own_task = own_task  # the name of this DAG's task in the parent
        self.tasks: dict[str, _Pending] = {}
        self.inputs: dict[str, Kind] = {}
        self.outputs: dict[str, tuple[str, str, Kind]] = {}

    def order(self, task: str, others: list[str]) -> None:
        """Make a task wait for others of this scope."""
        for other in others:
            if other not in self.tasks:
                raise BadPipeline(
                    f"Task {task!r} can't wait for {other!r}: it is in another branch.",
                    hint="Call .after() on tasks of the same block.",
                )
            self.tasks[task].after[other] = None

    def show_as(self, task: str, name: str) -> None:
        """Show a task under another name."""
        self.tasks[task].shown = name

    def free_name(self, wanted: str) -> str:
        """A name that no task has: the wanted one, or with a number behind it."""
        name, number = wanted, 1
        while name in self.tasks:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def bring(self, reference: Reference) -> tuple[str, str]:
        """Make a value known here: (task, output key), the task empty for an input of this DAG.

        A value from an enclosing scope becomes an input of each DAG on the way.
        """
        if reference.scope is self:
            return reference.task, reference.key
        if self.parent is None:
            raise BadPipeline(
                f"{reference!r} belongs to another pipeline or to a branch that is closed.",
                hint="Use it inside of its own block, or return it from the pipeline.",
            )
        task, key = self.parent.bring(reference)
        name = f"{_CHANNEL}{task}-{key}" if task else f"{_CHANNEL}{key.removeprefix(_CHANNEL)}"
        if name not in self.inputs:
            self.inputs[name] = reference.kind
            self.parent.wire(self.own_task, name, task, key, reference.kind)
        return "", name

    def wire(self, task: str, name: str, origin: str, key: str, kind: Kind) -> None:
        """Connect an input of a task with an output of another one, or an input of this DAG."""
        pending = self.tasks[task]
        if origin and origin != task:
            pending.after[origin] = None
        if kind.parameter:
            source = TaskInputParameter(component_input_parameter=key)
            if origin:
                link = TaskOutputParameter(producer_task=origin, output_parameter_key=key)
                source = TaskInputParameter(task_output_parameter=link)
            pending.parameters[name] = source
            return
        found = TaskInputArtifact(component_input_artifact=key)
        if origin:
            edge = TaskOutputArtifact(producer_task=origin, output_artifact_key=key)
            found = TaskInputArtifact(task_output_artifact=edge)
        pending.artifacts[name] = found

    def dag(self) -> DagSpec:
        """The DAG as the protocol writes it."""
        parameters, artifacts = {}, {}
        for name, (task, key, kind) in self.outputs.items():
            if kind.parameter:
                chosen = ParameterSelector(producer_subtask=task, output_parameter_key=key)
                parameters[name] = DagOutputParameter(value_from_parameter=chosen)
            else:
                picked = ArtifactSelector(producer_subtask=task, output_artifact_key=key)
                artifacts[name] = DagOutputArtifact(artifact_selectors=[picked])
        outputs = DagOutputs(parameters=parameters, artifacts=artifacts) if self.outputs else None
        return DagSpec(
            tasks={name: task.finish(name) for name, task in self.tasks.items()}, outputs=outputs
        )


class Trace:
    """A pipeline being written down, with all its components."""

    def __init__(self) -> None:
        self.root = Scope(None)
        self.scope = self.root
        self.components: dict[str, ComponentSpec] = {}
        self.executors: dict[str, ExecutorSpec] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Steps called inside add tasks here."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def add_step(self, step: "Step[Any, Any]", args: tuple[Any, ...], kwargs: Any) -> Task:
        """Add a task that runs a step.

        Raises: MissingInput, UnknownInput, WrongType, BadPipeline.
        """
        given = bind(step.name, step.interface, args, kwargs)
        kinds = _kinds(step.name, step.interface, given)
        label = self._define(slug(step.name), kinds, step.interface, step.container)
        pending = _Pending(label, cache=step.options.cache, retries=step.options.retries)
        return self._place(step.name, pending, given, kinds, step.interface.outputs)

    def add_operation(
        self, name: str, container: ContainerSpec, given: Mapping[str, Any], outputs: Any
    ) -> Task:
        """Add a task that runs a platform operation, whose inputs are what it is given."""
        interface = Interface(inputs={}, outputs=outputs)
        kinds = {}
        for key, value in given.items():
            kind = value.kind if isinstance(value, Reference) else kind_of_value(value)
            if kind is None:
                raise WrongType(f"Operation {name!r}", key, "JSON values", type(value).__name__)
            kinds[key] = kind
        label = self._define(slug(name), kinds, interface, container)
        return self._place(name, _Pending(label), given, kinds, outputs)

    @contextmanager
    def branch(self, condition: Condition) -> Iterator[None]:
        """Tasks added inside run only where the condition holds."""
        outer = self.scope
        number = sum(task.startswith("condition-") for task in outer.tasks) + 1
        name = outer.free_name(f"condition-{number}")
        label = self._free_label(name)
        pending = _Pending(label)
        outer.tasks[name] = pending
        inner = Scope(outer, name)
        texts = [
            _term(inner, condition.left),
            condition.mark,
            _term(inner, condition.right, condition.left.kind),
        ]
        pending.condition = " ".join(texts)
        self.components[label] = ComponentSpec()
        self.scope = inner
        try:
            yield
        finally:
            self.scope = outer
        if not inner.tasks:
            raise BadPipeline("The body of an If has no steps.", hint="Call a step inside of it.")
        self.components[label] = ComponentSpec(
            dag=inner.dag(), input_definitions=input_definitions(inner.inputs, {})
        )

    def _define(
        self, name: str, kinds: Mapping[str, Kind], interface: Interface, container: ContainerSpec
    ) -> str:
        """The label of the component for these inputs; an equal one is used again."""
        defaults = {key: item.default for key, item in interface.inputs.items()}
        optional = {key for key, item in interface.inputs.items() if item.has_default}
        component = ComponentSpec(
            input_definitions=input_definitions(kinds, defaults, optional),
            output_definitions=output_definitions(interface.outputs),
        )
        executor = ExecutorSpec(container=container)
        for label, known in self.components.items():
            bare = msgspec.structs.replace(known, executor_label="")
            if bare == component and self.executors.get(known.executor_label) == executor:
                return label
        label = self._free_label(name)
        executor_label = "exec-" + label.removeprefix("comp-")
        self.executors[executor_label] = executor
        self.components[label] = msgspec.structs.replace(component, executor_label=executor_label)
        return label

    def _free_label(self, name: str) -> str:
        label, number = f"comp-{name}", 1
        while label in self.components:
            number += 1
            label = f"comp-{name}-{number}"
        return label

    def _place(
        self,
        name: str,
        pending: _Pending,
        given: Mapping[str, Any],
        kinds: Mapping[str, Kind],
        outputs: Mapping[str, Kind],
    ) -> Task:
        task = self.scope.free_name(slug(name))
        self.scope.tasks[task] = pending
        try:
            for key, value in given.items():
                self._connect(name, task, key, value, kinds[key])
        except BaseException:
            del self.scope.tasks[task]
            raise
        return Task(self.scope, task, outputs)

    def _connect(self, step: str, task: str, key: str, value: Any, kind: Kind) -> None:
        where = f"step {step!r}"
        if isinstance(value, Reference):
            if not fits(kind, value.kind):
                raise WrongType(where, key, kind.words, value.kind.words)
            origin, source = self.scope.bring(value)
            self.scope.wire(task, key, origin, source, kind)
            return
        if kind.artifact:
            raise WrongType(where, key, kind.words, f"the constant {value!r:.60}")
        plain = list(value) if isinstance(value, tuple) else value
        _refuse_references(where, key, plain)
        fitted = fit(plain, kind.parameter, where, key)
        if kind.literals and fitted not in kind.literals:
            raise WrongType(where, key, f"one of {list(kind.literals)}", repr(fitted))
        constant = ValueOrRuntimeParameter(constant=fitted)
        self.scope.tasks[task].parameters[key] = TaskInputParameter(runtime_value=constant)


def bind(
    name: str, interface: Interface, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by the names of a function's inputs, tasks replaced by their only output.

    Raises: MissingInput, UnknownInput.
    """
    where = f"Step {name!r}"
    names = list(interface.inputs)
    if len(args) > len(names):
        raise UnknownInput(where, f"argument {len(names) + 1}", names)
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in interface.inputs or key in given:
            raise UnknownInput(where, key, names)
        given[key] = value
    for key, item in interface.inputs.items():
        if key not in given and not item.has_default:
            raise MissingInput(where, key)
    given = {key: _single(value) for key, value in given.items()}
    return {key: value for key, value in given.items() if value is not None}


def fits(wanted: Kind, got: Kind) -> bool:
    """Whether values of one kind may go where another is wanted."""
    if wanted.parameter or got.parameter:
        numbers = {"NUMBER_INTEGER", "NUMBER_DOUBLE"}
        both = {wanted.parameter, got.parameter}
        return wanted.parameter == got.parameter or both == numbers
    return True


def input_definitions(
    kinds: Mapping[str, Kind], defaults: Mapping[str, Any], optional: Any = ()
) -> ComponentInputs | None:
    """Inputs as the protocol writes them."""
    parameters: dict[str, InputParameter] = {}
    artifacts: dict[str, InputArtifact] = {}
    for name, kind in kinds.items():
        may_miss = kind.optional or name in optional
        if not kind.parameter:
            artifacts[name] = InputArtifact(artifact_type=kind.schema, is_optional=may_miss)
            continue
        default = defaults.get(name) if name in optional else None
        plain = list(default) if isinstance(default, tuple) else default
        known = plain is not None
        parameters[name] = InputParameter(
            parameter_type=kind.parameter,  # type: ignore[arg-type]
            default_value=fit(plain, kind.parameter, "the step", name) if known else msgspec.UNSET,
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
            name: OutputArtifact(artifact_type=kind.schema, metadata={"type": kind.artifact})
            for name, kind in kinds.items()
            if not kind.parameter
        },
    )


def slug(name: str) -> str:
    """A name as tasks and components have it: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "step"


def _single(value: Any) -> Any:
    return value.single() if isinstance(value, Task) else value


def _kinds(name: str, interface: Interface, given: Mapping[str, Any]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for key, item in interface.inputs.items():
        kind = item.kind
        if kind is None:
            value = given.get(key)
            kind = value.kind if isinstance(value, Reference) else kind_of_value(value)
        if kind is None:
            raise WrongType(
                f"step {name!r}", key, "a value or an output", type(given[key]).__name__
            )
        kinds[key] = kind
    return kinds


def _refuse_references(where: str, key: str, value: Any) -> None:
    items = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
    for item in items:
        if isinstance(item, Reference | Task):
            raise WrongType(
                where, key, "constants", "a list or mapping that holds outputs of tasks"
            )
        _refuse_references(where, key, item)


def _term(scope: Scope, value: Any, other: Kind | None = None) -> str:
    value = _single(value)
    if isinstance(value, Reference):
        if value.kind.parameter not in WORDS:
            raise BadPipeline(
                f"{value!r} is an artifact; conditions compare parameters.",
                hint="Return a number, text or bool from a step, and compare that.",
            )
        _, name = scope.bring(value)
        text = f"inputs.parameter_values['{name}']"
        numeric = value.kind.parameter in {"NUMBER_INTEGER", "NUMBER_DOUBLE"}
        casts = {"NUMBER_INTEGER": "int", "NUMBER_DOUBLE": "double"}
        return f"{casts[value.kind.parameter]}({text})" if numeric else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        whole = other is not None and other.parameter == "NUMBER_DOUBLE"
        return repr(float(value)) if whole else repr(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"
    raise BadPipeline(
        f"A condition can't compare with a {type(value).__name__}.",
        hint="Compare with a text, number or bool.",
    )
