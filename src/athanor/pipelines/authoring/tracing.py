"""Writing a pipeline down: its function is called once, and each step called in it adds a task."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import msgspec

from athanor.pipelines.authoring.definitions import (
    fits,
    input_definitions,
    output_definitions,
    slug,
)
from athanor.pipelines.authoring.interface import Interface, Kind, kind_of_value
from athanor.pipelines.authoring.scopes import Block, Pending, Scope
from athanor.pipelines.authoring.settings import retry_policy
from athanor.pipelines.authoring.values import Compared, Reference, Task
from athanor.pipelines.errors import BadPipeline, MissingInput, UnknownInput, WrongType
from athanor.pipelines.ir.spec import (
    ComponentSpec,
    ContainerSpec,
    ExecutorSpec,
    TaskInputParameter,
    ValueOrRuntimeParameter,
)
from athanor.pipelines.logic.values import fit

if TYPE_CHECKING:
    from athanor.pipelines.authoring.steps import Step

_current: ContextVar["Trace | None"] = ContextVar("trace", default=None)
_STATUS = "TASK_FINAL_STATUS"


def current_trace() -> "Trace | None":
    """The pipeline being written down right now, if any."""
    return _current.get()


class Trace:
    """A pipeline being written down, with all its components."""

    def __init__(self) -> None:
        self.root = Scope(None)
        self.scope = self.root
        self.components: dict[str, ComponentSpec] = {}
        self.executors: dict[str, ExecutorSpec] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        """By executor: the variables that secrets fill, `{"PASSWORD": "warehouse/password"}`."""
        self.volumes: dict[str, dict[str, str]] = {}
        """By executor: claims by the paths of their mounts."""
        self.loops = 0
        self.nested: list[Callable[..., Any]] = []
        """The functions of the inner pipelines being written down, outermost first."""
        self._blocks: list[tuple[str, Scope]] = []

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
        interface = step.interface
        told = [
            key
            for key, item in interface.inputs.items()
            if item.kind is not None and item.kind.parameter == _STATUS
        ]
        given = bind(step.name, interface, args, kwargs, told=told)
        kinds = _kinds(step.name, interface, given)
        label = self._define(slug(step.name), kinds, interface, step.container)
        executor = self.components[label].executor_label
        for wanted, kept in (("secrets", self.secrets), ("volumes", self.volumes)):
            if found := step.settings.get(wanted):
                kept[executor] = dict(cast("Mapping[str, str]", found))
        pending = Pending(label, told=[key for key in told if key not in given])
        cache = step.settings.get("cache", True)
        pending.cache, pending.cache_key = bool(cache), cache if isinstance(cache, str) else ""
        if retries := step.settings.get("retries", 0):
            pending.retry = retry_policy(retries, f"{step.settings.get('backoff', 1.0):g}s")
        return self._place(step.name, pending, given, kinds, interface.outputs)

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
        return self._place(name, Pending(label), given, kinds, outputs)

    def add_block(self, name: str, block: Block) -> Scope:
        """Add a task that is a DAG of its own; returns its scope, empty as yet."""
        label = self._free_label(name)
        self.components[label] = ComponentSpec()
        self.scope.tasks[name] = Pending(label)
        inner = Scope(self.scope, name, block)
        self._blocks.append((label, inner))
        return inner

    def block_of(self, scope: Scope, task: str) -> Scope | None:
        """The scope of a task of another scope; None where it is no block."""
        found = (
            inner for _, inner in self._blocks if inner.parent is scope and inner.own_task == task
        )
        return next(found, None)

    @contextmanager
    def inside(self, inner: Scope) -> Iterator[None]:
        """Tasks added inside are of this scope."""
        outer, self.scope = self.scope, inner
        try:
            yield
        finally:
            self.scope = outer
        if not inner.tasks:
            raise BadPipeline(
                f"The body of {inner.own_task!r} has no steps.", hint="Call a step inside of it."
            )

    def connect(self, step: str, task: str, key: str, value: Any, kind: Kind) -> None:
        """Give an input of a task its value: an output, or a constant.

        Raises: WrongType, BadPipeline.
        """
        where = f"step {step!r}"
        if isinstance(value, Reference):
            origin, source, selector = self.scope.bring(value)
            if not fits(kind, value.kind):
                raise WrongType(where, key, kind.words, value.kind.words)
            wired = Reference(self.scope, origin, source, kind, selector=selector)
            self.scope.wire(task, key, wired)
            return
        if kind.artifact:
            raise _no_artifact(where, key, kind, value)
        plain = self._filled(where, task, key, list(value) if isinstance(value, tuple) else value)
        fitted = fit(plain, kind.parameter, where, key)
        if kind.literals and fitted not in kind.literals:
            raise WrongType(where, key, f"one of {list(kind.literals)}", repr(fitted))
        constant = ValueOrRuntimeParameter(constant=fitted)
        self.scope.tasks[task].parameters[key] = TaskInputParameter(runtime_value=constant)

    def finish(self) -> None:
        """Write the components of all blocks, and the containers of tasks with settings."""
        for scope in [self.root, *(inner for _, inner in self._blocks)]:
            for name, pending in scope.tasks.items():
                if pending.changes.of_container:
                    self._own_component(name, pending)
        for label, inner in reversed(self._blocks):
            outputs = {name: kind for name, (_, kind) in inner.outputs.items()}
            self.components[label] = ComponentSpec(
                dag=inner.dag(),
                input_definitions=input_definitions(inner.inputs, {}),
                output_definitions=output_definitions(outputs),
            )

    def _own_component(self, name: str, pending: Pending) -> None:
        known = self.components[pending.component]
        executor = self.executors.get(known.executor_label)
        if executor is None or executor.container is None:
            raise BadPipeline(
                f"Task {name!r} has no process of its own whose surroundings could be set.",
                hint="Set them for the steps inside of it.",
            )
        container = pending.changes.applied(executor.container)
        label = self._free_label(pending.component.removeprefix("comp-"))
        executor_label = "exec-" + label.removeprefix("comp-")
        self.executors[executor_label] = msgspec.structs.replace(executor, container=container)
        for kept in (self.secrets, self.volumes):
            if known.executor_label in kept:
                kept[executor_label] = kept[known.executor_label]
        self.components[label] = msgspec.structs.replace(known, executor_label=executor_label)
        pending.component = label

    def _define(
        self, name: str, kinds: Mapping[str, Kind], interface: Interface, container: ContainerSpec
    ) -> str:
        """The label of the component for these inputs; an equal one is used again.

        One that makes artifacts is not: Kubeflow's local runner writes those of all tasks of one
        component to the same place.
        """
        defaults = {key: item.default for key, item in interface.inputs.items()}
        optional = {key for key, item in interface.inputs.items() if item.has_default}
        component = ComponentSpec(
            input_definitions=input_definitions(kinds, defaults, optional, where=f"step {name!r}"),
            output_definitions=output_definitions(interface.outputs),
        )
        executor = ExecutorSpec(container=container)
        alone = any(kind.artifact for kind in interface.outputs.values())
        for label, known in [] if alone else self.components.items():
            bare = msgspec.structs.replace(known, executor_label="")
            if bare == component and self.executors.get(known.executor_label) == executor:
                return label
        label = self._free_label(name)
        executor_label = next(
            (held for held, found in self.executors.items() if found == executor),
            "exec-" + label.removeprefix("comp-"),
        )
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
        pending: Pending,
        given: Mapping[str, Any],
        kinds: Mapping[str, Kind],
        outputs: Mapping[str, Kind],
    ) -> Task:
        task = self.scope.free_name(slug(name))
        self.scope.tasks[task] = pending
        try:
            for key, value in given.items():
                self.connect(name, task, key, value, kinds[key])
        except BaseException:
            del self.scope.tasks[task]
            raise
        return Task(self.scope, task, outputs)

    def _filled(self, where: str, task: str, key: str, value: Any) -> Any:
        """A constant in which values of the run stand as placeholders, wired beside it."""
        if isinstance(value, list):
            return [self._filled(where, task, key, item) for item in value]
        if isinstance(value, dict):
            return {name: self._filled(where, task, key, item) for name, item in value.items()}
        value = _single(value)
        if isinstance(value, Reference):
            if not value.kind.parameter:
                raise WrongType(where, key, "constants", "a list or mapping that holds artifacts")
            value = str(value)
        if not isinstance(value, str):
            return value
        for mark, reference in list(self.scope.tokens_in(value)):
            origin, source, selector = self.scope.bring(reference)
            name = f"{key}-{origin}-{source}{selector}" if origin else source
            name = "pipelinechannel--" + slug(name.removeprefix("pipelinechannel--"))
            kept = Reference(self.scope, origin, source, reference.kind, selector=selector)
            self.scope.wire(task, name, kept)
            value = value.replace(mark, f"{{{{$.inputs.parameters['{name}']}}}}")
        return value


def bind(
    name: str,
    interface: Interface,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    told: list[str] | None = None,
    what: str = "Step",
) -> dict[str, Any]:
    """Arguments by the names of a function's inputs, tasks replaced by their only output.

    `told` are inputs that the run fills. Raises: MissingInput, UnknownInput.
    """
    where = f"{what} {name!r}"
    filled = told or []
    names = [key for key in interface.inputs if key not in filled]
    if len(args) > len(names):
        raise UnknownInput(where, f"argument {len(names) + 1}", names)
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in names or key in given:
            raise UnknownInput(where, key, names)
        given[key] = value
    for key in names:
        if key not in given and not interface.inputs[key].has_default:
            raise MissingInput(where, key)
    given = {key: _single(value) for key, value in given.items()}
    return {key: value for key, value in given.items() if value is not None}


def _no_artifact(where: str, key: str, kind: Kind, value: Any) -> WrongType:
    """What is said of a value of the writing that stands where an artifact of the run should."""
    if callable(value) and hasattr(value, "function"):
        name = getattr(value, "name", key)
        return WrongType(
            where, key, kind.words, f"{value!r} itself", hint=f"Call it: {name}(...) gives one."
        )
    parts = value if isinstance(value, list | tuple) else []
    if any(isinstance(part, Compared) for part in parts):
        hint = "Make them in a loop, `with ParallelFor(items) as item:`, and pass Collected(...)."
        return WrongType(where, key, kind.words, "a list written down here", hint=hint)
    if dataclasses.is_dataclass(value):
        hint = f"Hint {key!r} as a dict, and pass dataclasses.asdict(...) of it."
        return WrongType(where, key, kind.words, f"the {type(value).__name__} itself", hint=hint)
    if isinstance(value, str | int | float | list | tuple | dict):
        got = f"the constant {value!r:.60}"
    else:
        got = f"a {type(value).__name__} that was made while the pipeline is written down"
    hint = (
        "Make it in a step and pass what the step gives; or let the pipeline take it as a "
        "parameter, which a run is given by --artifact NAME=REFERENCE."
    )
    return WrongType(where, key, kind.words, got, hint=hint)


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
