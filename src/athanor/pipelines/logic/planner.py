"""The planner: from a pipeline and what has happened so far to what happens next.

Pure and incremental: it holds the state of one run in memory, is told how tasks end, and answers
with moves. An engine carries the moves out and writes them down. After a restart a new planner is
fed with what was written down, and comes to the same place.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET

from athanor.kernel.errors import AthanorError
from athanor.pipelines.errors import BadPipeline, MissingInput, UnknownReference
from athanor.pipelines.ir.spec import ComponentSpec, DagSpec, PipelineSpec, TaskSpec
from athanor.pipelines.logic.conditions import holds
from athanor.pipelines.logic.graph import upstream_of
from athanor.pipelines.logic.values import as_text, fit, type_of

TaskState = Literal["waiting", "running", "done", "failed", "cached", "skipped", "stopped"]
GOOD: frozenset[str] = frozenset({"done", "cached"})
OVER: frozenset[str] = frozenset({"done", "cached", "failed", "skipped", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """Values by name: parameters as JSON values, artifacts as lists of artifact ids."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, list[str]] = field(default_factory=dict)


NOTHING = Bindings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A task has come into being and waits."""

    path: str  # names from the root's task downwards, joined by "/"
    component: str
    is_dag: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A task with an executor is ready: all its inputs are known."""

    path: str
    component: str
    inputs: Bindings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A task that no executor runs has come to its end: a DAG, or a task that will not run."""

    path: str
    state: TaskState
    reason: str = ""
    error: AthanorError | None = None
    outputs: Bindings = NOTHING


Move = Planned | Launch | Settled


@dataclass(slots=True)
class _Node:
    name: str
    path: str
    task: TaskSpec
    component_name: str
    component: ComponentSpec
    scope: "_Scope"
    waits: set[str]
    state: TaskState = "waiting"
    outputs: Bindings = NOTHING
    error: AthanorError | None = None


@dataclass(slots=True)
class _Scope:
    where: str
    dag: DagSpec
    inputs: Bindings
    owner: _Node | None
    nodes: dict[str, _Node] = field(default_factory=dict)
    downstream: dict[str, list[str]] = field(default_factory=dict)
    unfinished: int = 0


class Planner:
    """The plan of one run.

    `start` and `finish` answer with moves, in the order in which they must be carried out.
    """

    def __init__(self, spec: PipelineSpec, inputs: Bindings) -> None:
        if spec.root.dag is None:
            raise BadPipeline("The pipeline's root has no tasks.", hint="Give root a dag.")
        self._spec = spec
        self._name = spec.pipeline_info.name
        self._nodes: dict[str, _Node] = {}
        self._moves: list[Move] = []
        self._ready: deque[_Node] = deque()
        self._ended: deque[_Node] = deque()
        self._stopping = False
        root_inputs = root_bindings(spec, inputs)
        self._root = _Scope(self._name, spec.root.dag, root_inputs, None)
        self.state: TaskState = "waiting"
        """The run's state: `waiting`, `running`, or how it ended."""
        self.outputs: Bindings = NOTHING
        """What the run gives outwards, once it is over."""

    @property
    def inputs(self) -> Bindings:
        """The run's inputs, defaults included."""
        return self._root.inputs

    def start(self) -> list[Move]:
        """Begin: plan the first tasks.

        Raises: BadPipeline when called twice.
        """
        if self.state != "waiting":
            raise BadPipeline(f"{self._name} has begun already.", hint="Make another planner.")
        self.state = "running"
        self._open(self._root)
        return self._settle_down()

    def finish(
        self,
        path: str,
        state: TaskState,
        outputs: Bindings = NOTHING,
        error: AthanorError | None = None,
    ) -> list[Move]:
        """Tell how a launched task ended.

        Raises: UnknownReference when no launched task has this path.
        """
        node = self._nodes.get(path)
        if node is None or node.state != "running" or state not in OVER:
            raise UnknownReference(self._name, "running task", path, self.running)
        node.outputs, node.error = outputs, error
        self._end(node, state)
        return self._settle_down()

    def stop(self) -> list[Move]:
        """Begin nothing any more: waiting tasks become `stopped`; running ones still finish."""
        self._stopping = True
        for node in list(self._nodes.values()):
            if node.state == "waiting":
                self._settle(node, "stopped", reason="the run was cancelled")
        return self._settle_down()

    @property
    def running(self) -> list[str]:
        """Paths of launched tasks that have not ended."""
        return [
            path
            for path, node in self._nodes.items()
            if node.state == "running" and node.component.dag is None
        ]

    def _open(self, scope: _Scope) -> None:
        """Create the nodes of a scope."""
        prefix = f"{scope.owner.path}/" if scope.owner else ""
        for name, task in scope.dag.tasks.items():
            component_name = task.component_ref.name if task.component_ref else ""
            component = self._spec.components.get(component_name)
            if component is None:
                raise UnknownReference(
                    f"Task {name!r}", "component", component_name, self._spec.components
                )
            waits = set(upstream_of(task))
            path = prefix + name
            node = _Node(name, path, task, component_name, component, scope, waits)
            scope.nodes[name] = self._nodes[path] = node
            for other in waits:
                scope.downstream.setdefault(other, []).append(name)
            is_dag = component.dag is not None
            self._moves.append(Planned(path=path, component=component_name, is_dag=is_dag))
        scope.unfinished = len(scope.nodes)
        self._ready.extend(node for node in scope.nodes.values() if not node.waits)
        if not scope.nodes:
            self._close(scope)

    def _settle_down(self) -> list[Move]:
        while self._ready or self._ended:
            if self._ended:
                self._pass_on(self._ended.popleft())
            else:
                node = self._ready.popleft()
                if node.state == "waiting":
                    self._consider(node)
        moves, self._moves = self._moves, []
        return moves

    def _consider(self, node: _Node) -> None:
        """All upstream tasks have ended: launch, open, skip or fail."""
        policy = node.task.trigger_policy
        regardless = policy is not None and policy.strategy == "ALL_UPSTREAM_TASKS_COMPLETED"
        if self._stopping:
            self._settle(node, "stopped", reason="the run was cancelled")
            return
        bad = self._unfulfilled(node)
        if bad is not None and not regardless:
            self._settle(node, "skipped", reason=f"{bad.name} was {_WORDS[bad.state]}")
            return
        try:
            inputs = self._resolve(node)
            condition = policy.condition if policy is not None else ""
            if condition and not holds(condition, inputs.parameters):
                self._settle(node, "skipped", reason=f"its condition is false: {condition}")
                return
        except AthanorError as error:
            self._settle(node, "failed", reason=error.message, error=error)
            return
        node.state = "running"
        if node.component.dag is not None:
            self._open(_Scope(node.path, node.component.dag, inputs, node))
        else:
            self._moves.append(Launch(path=node.path, component=node.component_name, inputs=inputs))

    def _unfulfilled(self, node: _Node) -> _Node | None:
        nodes = node.scope.nodes
        return next((nodes[n] for n in upstream_of(node.task) if nodes[n].state not in GOOD), None)

    def _settle(
        self,
        node: _Node,
        state: TaskState,
        *,
        reason: str = "",
        error: AthanorError | None = None,
    ) -> None:
        node.error = error
        self._moves.append(
            Settled(path=node.path, state=state, reason=reason, error=error, outputs=node.outputs)
        )
        self._end(node, state)

    def _end(self, node: _Node, state: TaskState) -> None:
        node.state = state
        self._ended.append(node)

    def _pass_on(self, node: _Node) -> None:
        """Tell those downstream of an ended node, and its scope."""
        scope = node.scope
        for name in scope.downstream.get(node.name, ()):
            other = scope.nodes[name]
            other.waits.discard(node.name)
            if not other.waits and other.state == "waiting":
                self._ready.append(other)
        scope.unfinished -= 1
        if scope.unfinished == 0:
            self._close(scope)

    def _close(self, scope: _Scope) -> None:
        states = {node.state for node in scope.nodes.values()}
        state: TaskState = "done"
        if "failed" in states:
            state = "failed"
        elif "stopped" in states or (self._stopping and not scope.nodes):
            state = "stopped"
        outputs = self._dag_outputs(scope)
        if scope.owner is None:
            self.state, self.outputs = state, outputs
            return
        scope.owner.outputs = outputs
        self._settle(scope.owner, state)

    def _resolve(self, node: _Node) -> Bindings:
        """The values of a node's inputs. Raises: MissingInput, WrongType and their like."""
        definitions = node.component.input_definitions
        wired = node.task.inputs
        where = f"Task {node.path!r}"
        parameters: dict[str, Any] = {}
        artifacts: dict[str, list[str]] = {}
        for name, source in (wired.parameters if wired else {}).items():
            value = _parameter(node, source)
            if value is not UNSET:
                parameters[name] = value
        _fill_placeholders(parameters)
        for name, origin in (wired.artifacts if wired else {}).items():
            found = _artifact(node, origin)
            if found is not None:
                artifacts[name] = found
        if definitions is not None:
            _complete(where, definitions.parameters, parameters)
            for name, definition in definitions.artifacts.items():
                if name not in artifacts and not definition.is_optional:
                    raise MissingInput(where, name, artifacts)
        return Bindings(parameters=parameters, artifacts=artifacts)

    def _dag_outputs(self, scope: _Scope) -> Bindings:
        wired = scope.dag.outputs
        parameters: dict[str, Any] = {}
        artifacts: dict[str, list[str]] = {}
        if wired is None:
            return NOTHING
        for name, parameter in wired.parameters.items():
            one = parameter.value_from_parameter
            many = parameter.value_from_oneof
            for item in [one] if one else (many.parameter_selectors if many else []):
                outputs = scope.nodes[item.producer_subtask].outputs.parameters
                if item.output_parameter_key in outputs:
                    parameters[name] = outputs[item.output_parameter_key]
                    break
        for name, artifact in wired.artifacts.items():
            found = [
                identity
                for choice in artifact.artifact_selectors
                for identity in scope.nodes[choice.producer_subtask].outputs.artifacts.get(
                    choice.output_artifact_key, ()
                )
            ]
            if found:
                artifacts[name] = found
        return Bindings(parameters=parameters, artifacts=artifacts)


_WORDS = {"failed": "not successful", "skipped": "skipped", "stopped": "stopped"}


def root_bindings(spec: PipelineSpec, inputs: Bindings) -> Bindings:
    """A run's inputs with defaults filled in and types checked.

    Raises: MissingInput, UnknownInput (see `logic.graph`), WrongType.
    """
    where = f"Pipeline {spec.pipeline_info.name!r}"
    definitions = spec.root.input_definitions
    parameters = dict(inputs.parameters)
    if definitions is not None:
        _complete(where, definitions.parameters, parameters)
        for name, definition in definitions.artifacts.items():
            if name not in inputs.artifacts and not definition.is_optional:
                raise MissingInput(where, name, inputs.artifacts)
    return Bindings(parameters=parameters, artifacts=inputs.artifacts)


def replay(planner: Planner, ended: Mapping[str, Settled]) -> tuple[list[Move], Iterable[Launch]]:
    """Start a planner and tell it all that is known to have ended.

    Returns all moves made on the way, and the launches that are still to be carried out.
    """
    moves = planner.start()
    queue = deque(move for move in moves if isinstance(move, Launch))
    left = []
    while queue:
        launch = queue.popleft()
        known = ended.get(launch.path)
        if known is None:
            left.append(launch)
            continue
        more = planner.finish(launch.path, known.state, known.outputs, known.error)
        moves.extend(more)
        queue.extend(move for move in more if isinstance(move, Launch))
    return moves, left


def _complete(where: str, definitions: Mapping[str, Any], parameters: dict[str, Any]) -> None:
    """Fill defaults, check types, and miss what is missing."""
    for name, definition in definitions.items():
        if name not in parameters:
            if definition.default_value is not UNSET:
                parameters[name] = definition.default_value
            elif not definition.is_optional:
                raise MissingInput(where, name, parameters)
            else:
                continue
        parameters[name] = fit(parameters[name], type_of(definition), where, name)


def _parameter(node: _Node, source: Any) -> Any:
    scope = node.scope
    if source.task_output_parameter is not None:
        wanted = source.task_output_parameter
        outputs = scope.nodes[wanted.producer_task].outputs.parameters
        return outputs.get(wanted.output_parameter_key, UNSET)
    if source.component_input_parameter:
        return scope.inputs.parameters.get(source.component_input_parameter, UNSET)
    if source.task_final_status is not None:
        return final_status(scope.nodes[source.task_final_status.producer_task])
    value = source.runtime_value
    if value is None:
        return UNSET
    if value.runtime_parameter:
        return scope.inputs.parameters.get(value.runtime_parameter, UNSET)
    return value.constant if value.constant_value is None else value.constant_value.plain


def final_status(node: _Node) -> dict[str, Any]:
    """How a task ended, as the protocol's PipelineTaskFinalStatus."""
    words = {"done": "COMPLETE", "cached": "COMPLETE", "failed": "FAILED", "stopped": "CANCELLED"}
    error = node.error
    return {
        "state": words.get(node.state, "SKIPPED"),
        "pipelineTaskName": node.name,
        "error": {"code": 9, "message": error.message} if error is not None else {},
    }


def _artifact(node: _Node, source: Any) -> list[str] | None:
    scope = node.scope
    if source.task_output_artifact is not None:
        wanted = source.task_output_artifact
        outputs = scope.nodes[wanted.producer_task].outputs.artifacts
        return outputs.get(wanted.output_artifact_key)
    return scope.inputs.artifacts.get(source.component_input_artifact)


def _fill_placeholders(parameters: dict[str, Any]) -> None:
    """Replace `{{$.inputs.parameters['x']}}` in texts by the task's other inputs."""
    for name, value in parameters.items():
        if not isinstance(value, str) or "{{$.inputs.parameters[" not in value:
            continue
        text = value
        for other, replacement in parameters.items():
            mark = "{{$.inputs.parameters['" + other + "']}}"
            if other != name and mark in text:
                text = text.replace(mark, as_text(replacement))
        parameters[name] = text
