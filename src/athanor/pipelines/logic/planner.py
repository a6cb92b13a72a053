"""The planner: from a pipeline and what has happened so far to what happens next.

Pure and incremental: it holds the state of one run in memory, is told how tasks end, and answers
with moves. An engine carries the moves out and writes them down. After a restart a new planner is
fed with what was written down, and comes to the same place.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from athanor.kernel.errors import AthanorError
from athanor.pipelines.errors import BadPipeline, UnknownReference
from athanor.pipelines.ir.spec import ComponentSpec, DagSpec, PipelineSpec, TaskSpec
from athanor.pipelines.logic.bindings import (
    NOTHING,
    Bindings,
    Resolved,
    collected,
    dag_outputs,
    resolve,
    resolve_settings,
    root_bindings,
)
from athanor.pipelines.logic.conditions import holds, in_words
from athanor.pipelines.logic.graph import is_loop, upstream_of
from athanor.pipelines.logic.platforms import settings_of

__all__ = [
    "GOOD",
    "NOTHING",
    "OVER",
    "Bindings",
    "Launch",
    "Move",
    "Planned",
    "Planner",
    "Settled",
    "TaskState",
    "replay",
    "root_bindings",
]

TaskState = Literal["waiting", "running", "done", "failed", "cached", "skipped", "stopped"]
GOOD: frozenset[str] = frozenset({"done", "cached"})
OVER: frozenset[str] = frozenset({"done", "cached", "failed", "skipped", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A task has come into being and waits."""

    path: str
    """Names from the root's task downwards, joined by "/"; an iteration's name is its number."""
    component: str
    is_dag: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A task with an executor is ready: all its inputs are known."""

    path: str
    component: str
    inputs: Bindings
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the platform's part of the pipeline says of it: secrets, volumes, time limits."""


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
    given: Bindings | None = None
    """What an iteration of a loop is given; other tasks find their inputs when they are ready."""
    state: TaskState = "waiting"
    outputs: Bindings = NOTHING
    error: AthanorError | None = None


@dataclass(slots=True)
class _Scope:
    where: str
    dag: DagSpec
    inputs: Bindings
    owner: "_Node | None"
    known: Mapping[str, str]
    nodes: dict[str, _Node] = field(default_factory=dict)
    downstream: dict[str, list[str]] = field(default_factory=dict)
    unfinished: int = 0
    loop: bool = False
    """Whether its tasks are the iterations of its owner."""
    held_back: deque[_Node] = field(default_factory=deque)
    """Iterations that wait until others have ended: the loop limits how many run at once."""

    def outputs_of(self, task: str) -> Bindings:
        """What a task has given so far."""
        return self.nodes[task].outputs

    def status_of(self, task: str) -> dict[str, Any]:
        """How a task ended."""
        node = self.nodes[task]
        return _final_status(node, self.known.get(".pipeline_job_resource_name", ""))


class Planner:
    """The plan of one run.

    `start` and `finish` answer with moves, in the order in which they must be carried out.
    """

    def __init__(
        self, spec: PipelineSpec, inputs: Bindings, known: Mapping[str, str] | None = None
    ) -> None:
        """`known` are placeholders that the run fills, such as `.pipeline_job_id`."""
        if spec.root.dag is None:
            raise BadPipeline("The pipeline's root has no tasks.", hint="Give root a dag.")
        self._spec = spec
        self._name = spec.pipeline_info.name
        self._known = dict(known or {})
        self._nodes: dict[str, _Node] = {}
        self._moves: list[Move] = []
        self._ready: deque[_Node] = deque()
        self._ended: deque[_Node] = deque()
        self._stopping = False
        root_inputs = root_bindings(spec, inputs)
        self._root = _Scope(self._name, spec.root.dag, root_inputs, None, self._known)
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
            if node.state == "running" and node.component.dag is None and not is_loop(node.task)
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
            node = _Node(name, prefix + name, task, component_name, component, scope, waits)
            for other in waits:
                scope.downstream.setdefault(other, []).append(name)
            self._add(node)
        scope.unfinished = len(scope.nodes)
        self._ready.extend(node for node in scope.nodes.values() if not node.waits)
        if not scope.nodes:
            self._close(scope)

    def _open_loop(self, owner: _Node, rounds: list[Bindings]) -> None:
        """Create the iterations of a loop, and let as many begin as it allows."""
        scope = _Scope(owner.path, DagSpec(), NOTHING, owner, self._known, loop=True)
        once = msgspec.structs.replace(
            owner.task,
            parameter_iterator=None,
            artifact_iterator=None,
            trigger_policy=None,
            dependent_tasks=[],
            inputs=None,
        )
        for number, given in enumerate(rounds):
            name, path = str(number), f"{owner.path}/{number}"
            self._add(
                _Node(name, path, once, owner.component_name, owner.component, scope, set(), given)
            )
        scope.unfinished = len(scope.nodes)
        policy = owner.task.iterator_policy
        limit = (policy.parallelism_limit if policy else 0) or len(scope.nodes)
        nodes = list(scope.nodes.values())
        self._ready.extend(nodes[:limit])
        scope.held_back.extend(nodes[limit:])
        if not nodes:
            self._close(scope)

    def _add(self, node: _Node) -> None:
        node.scope.nodes[node.name] = self._nodes[node.path] = node
        is_dag = node.component.dag is not None or is_loop(node.task)
        self._moves.append(Planned(path=node.path, component=node.component_name, is_dag=is_dag))

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
            resolved = self._resolve(node)
            condition = policy.condition if policy is not None else ""
            values = resolved.bindings.parameters
            if condition and not holds(condition, values):
                reason = f"its condition is false: {in_words(condition, values)}"
                self._settle(node, "skipped", reason=reason)
                return
        except AthanorError as error:
            self._settle(node, "failed", reason=error.message, error=error)
            return
        node.state = "running"
        if resolved.iterations is not None:
            self._open_loop(node, resolved.iterations)
        elif node.component.dag is not None:
            dag, given = node.component.dag, resolved.bindings
            self._open(_Scope(node.path, dag, given, node, self._known))
        else:
            self._moves.append(
                Launch(
                    path=node.path,
                    component=node.component_name,
                    inputs=resolved.bindings,
                    settings=resolve_settings(
                        settings_of(node.component), node.scope, f"Task {node.path!r}"
                    ),
                )
            )

    def _resolve(self, node: _Node) -> Resolved:
        if node.given is not None:
            return Resolved(bindings=node.given)
        known = self._known | {
            ".pipeline_task_name": node.name,
            ".pipeline_task_uuid": _uuid(self._known.get(".pipeline_job_uuid", ""), node.path),
        }
        return resolve(
            node.task, node.component, node.scope, where=f"Task {node.path!r}", known=known
        )

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
        if scope.held_back:
            self._ready.append(scope.held_back.popleft())
        if scope.unfinished == 0:
            self._close(scope)

    def _close(self, scope: _Scope) -> None:
        states = {node.state for node in scope.nodes.values()}
        state: TaskState = "done"
        if "failed" in states:
            state = "failed"
        elif "stopped" in states or (self._stopping and not scope.nodes):
            state = "stopped"
        owner = scope.owner
        if owner is not None and scope.loop:
            rounds = (node.outputs for node in scope.nodes.values())
            owner.outputs = collected(owner.component.output_definitions, rounds)
        else:
            outputs = dag_outputs(scope.dag.outputs, scope)
            if owner is None:
                self.state, self.outputs = state, outputs
                return
            owner.outputs = outputs
        self._settle(owner, state)


_WORDS = {"failed": "not successful", "skipped": "skipped", "stopped": "stopped"}


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


def _final_status(node: _Node, job: str) -> dict[str, Any]:
    """How a task ended, as the protocol's PipelineTaskFinalStatus."""
    words = {"done": "COMPLETE", "cached": "COMPLETE", "failed": "FAILED", "stopped": "CANCELLED"}
    error = node.error
    return {
        "state": words.get(node.state, "SKIPPED"),
        "pipelineJobResourceName": job,
        "pipelineTaskName": node.name,
        "error": {"code": 9, "message": error.message} if error is not None else {},
    }


def _uuid(job: str, path: str) -> str:
    """A task's name for itself, the same one after a restart."""
    return hashlib.sha256(f"{job}/{path}".encode()).hexdigest()[:32]
