"""One DAG being written down: its tasks, what comes into it and what goes out of it."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from athanor.pipelines.authoring.interface import SINGLE, Kind
from athanor.pipelines.authoring.settings import Changes, retry_policy
from athanor.pipelines.authoring.values import Condition, Reference
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.ir.spec import (
    ArtifactItems,
    ArtifactIterator,
    ArtifactSelector,
    CachingOptions,
    ComponentRef,
    DagOutputArtifact,
    DagOutputParameter,
    DagOutputs,
    DagSpec,
    IteratorPolicy,
    ParameterItems,
    ParameterIterator,
    ParameterSelector,
    ParameterSelectors,
    RetryPolicy,
    TaskFinalStatus,
    TaskInfo,
    TaskInputArtifact,
    TaskInputParameter,
    TaskInputs,
    TaskOutputArtifact,
    TaskOutputParameter,
    TaskSpec,
    TriggerPolicy,
)

CHANNEL = "pipelinechannel--"
"""How the protocol's compilers call what passes from one DAG into another."""
_TOKEN = re.compile(r"\{\{\$athanor:(\d+)\}\}")
Block = Literal["root", "branch", "branches", "loop", "exit", "pipeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """What a loop goes through."""

    item: str
    """The input of its body that holds the item."""
    kind: Kind
    raw: str = ""
    """The items as JSON; or `source` names the input that holds them."""
    source: str = ""
    limit: int = 0


@dataclass(slots=True)
class Pending:
    """A task as it grows."""

    component: str
    parameters: dict[str, TaskInputParameter] = field(default_factory=dict)
    artifacts: dict[str, TaskInputArtifact] = field(default_factory=dict)
    after: dict[str, None] = field(default_factory=dict)
    shown: str = ""
    cache: bool = False
    cache_key: str = ""
    retry: RetryPolicy | None = None
    condition: str = ""
    loop: Loop | None = None
    regardless: bool = False
    told: list[str] = field(default_factory=list)
    """Inputs that are told how the tasks before ended."""
    changes: Changes = field(default_factory=Changes)

    def finish(self, name: str) -> TaskSpec:
        """The task as the protocol writes it."""
        self._tell(name)
        inputs = TaskInputs(parameters=self.parameters, artifacts=self.artifacts)
        changes = self.changes
        retry = self.retry
        if changes.retries is not None:
            retry = retry_policy(changes.retries, changes.backoff, changes.factor, changes.most)
        cache = self.cache if changes.cache is None else changes.cache
        key = changes.cache_key or self.cache_key
        trigger = None
        if self.condition or self.regardless:
            trigger = TriggerPolicy(
                condition=self.condition,
                strategy="ALL_UPSTREAM_TASKS_COMPLETED"
                if self.regardless
                else "TRIGGER_STRATEGY_UNSPECIFIED",
            )
        return TaskSpec(
            task_info=TaskInfo(name=self.shown or name),
            component_ref=ComponentRef(name=self.component),
            inputs=inputs if self.parameters or self.artifacts else None,
            dependent_tasks=sorted(self.after),
            caching_options=CachingOptions(enable_cache=True, cache_key=key) if cache else None,
            retry_policy=retry,
            trigger_policy=trigger,
            parameter_iterator=self._through_parameters(),
            artifact_iterator=self._through_artifacts(),
            iterator_policy=self._limit(),
        )

    def _tell(self, name: str) -> None:
        if self.told and len(self.after) != 1:
            raise BadPipeline(
                f"Task {name!r} takes the final status of a task, and waits for "
                f"{len(self.after)} of them.",
                hint="Use it as `with ExitHandler(task):`, or after one task alone with "
                ".ignore_upstream_failure().",
            )
        for key in self.told:
            producer = next(iter(self.after))
            self.parameters[key] = TaskInputParameter(
                task_final_status=TaskFinalStatus(producer_task=producer)
            )

    def _through_parameters(self) -> ParameterIterator | None:
        loop = self.loop
        if loop is None or not loop.kind.parameter:
            return None
        items = ParameterItems(input_parameter=loop.source)
        if loop.raw:
            items = ParameterItems(raw=loop.raw)
        return ParameterIterator(items=items, item_input=loop.item)

    def _through_artifacts(self) -> ArtifactIterator | None:
        loop = self.loop
        if loop is None or loop.kind.parameter:
            return None
        return ArtifactIterator(
            items=ArtifactItems(input_artifact=loop.source), item_input=loop.item
        )

    def _limit(self) -> IteratorPolicy | None:
        limited = self.loop is not None and self.loop.limit
        return IteratorPolicy(parallelism_limit=self.loop.limit) if limited and self.loop else None


class Scope:
    """One DAG being written down: the pipeline itself, or the body of a block in it."""

    def __init__(self, parent: "Scope | None", own_task: str = "", block: Block = "root") -> None:
        self.parent = parent
        self.own_task = own_task  # the name of this DAG's task in the parent
        self.block = block
        self.tasks: dict[str, Pending] = {}
        self.inputs: dict[str, Kind] = {}
        self.brought: dict[str, Reference] = {}
        self.outputs: dict[str, tuple[list[tuple[str, str]], Kind]] = {}
        """By name: the tasks' outputs of which the first that is there is given outwards."""
        self.conditions: list[Condition] = []
        """Of branches: the conditions so far."""
        self.closed = False
        """Of branches: whether there is an Else."""
        self.tokens: list[Reference] = parent.tokens if parent is not None else []

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

    def numbered(self, word: str) -> str:
        """The next name of a kind of block: `condition-1`, `condition-2` ..."""
        number = sum(bool(re.fullmatch(rf"{word}-\d+", task)) for task in self.tasks) + 1
        return self.free_name(f"{word}-{number}")

    def token_of(self, reference: Reference) -> str:
        """What stands for a value in a text until the text is wired."""
        self.tokens.append(reference)
        return f"{{{{$athanor:{len(self.tokens) - 1}}}}}"

    def tokens_in(self, text: str) -> Iterator[tuple[str, Reference]]:
        """The marks of values in a text, and what they stand for."""
        for found in _TOKEN.finditer(text):
            yield found[0], self.tokens[int(found[1])]

    def bring(self, reference: Reference) -> tuple[str, str, str]:
        """Make a value known here: its task (empty for an input of this DAG), key and selector.

        A value of an enclosing scope becomes an input of each DAG on the way; one of a block that
        is closed comes out where the block lets it.
        Raises: BadPipeline.
        """
        around = set(self._around())
        while reference.scope not in around:
            reference = reference.scope.let_out(reference)
        if reference.scope is self:
            return reference.task, reference.key, reference.selector
        if self.parent is None:
            raise _foreign(reference)
        task, key, selector = self.parent.bring(reference)
        picked = re.sub(r"[^A-Za-z0-9]+", "-", selector).strip("-")
        name = channel(task, key) + (f"-subvar-{picked}" if picked else "")
        if name not in self.inputs:
            self.inputs[name] = reference.kind
            self.brought[name] = reference
            kept = Reference(self.parent, task, key, reference.kind, selector=selector)
            self.parent.wire(self.own_task, name, kept)
        return "", name, ""

    def let_out(self, reference: Reference) -> Reference:
        """A value of this block as its block's task gives it outwards.

        Raises: BadPipeline where the block lets nothing out without more words.
        """
        parent = self.parent
        if parent is None or self.block == "pipeline":
            raise _foreign(reference)
        if self.block == "branch" and not reference.collected:
            raise BadPipeline(
                f"{reference!r} is of a branch that may not run.",
                hint="Take OneOf(...) over the branches of an If with Else, or use it inside of "
                "its own branch.",
            )
        kind = reference.kind
        if self.block == "loop":
            if not reference.collected:
                raise BadPipeline(
                    f"{reference!r} is of a loop, which gives one value in each round.",
                    hint="Take all of them: Collected(value).",
                )
            kind = (
                Kind(parameter="LIST", item=kind)
                if kind.parameter
                else dataclasses.replace(kind, many=True)
            )
        name = self.give(reference, kind)
        found = Reference(parent, self.own_task, name, kind, selector=reference.selector)
        found.collected = reference.collected
        return found

    def give(self, reference: Reference, kind: Kind) -> str:
        """Give a value of this scope outwards; returns the output's name."""
        name = channel(reference.task, reference.key)
        self.outputs[name] = ([(reference.task, reference.key)], kind)
        return name

    def wire(self, task: str, name: str, reference: Reference) -> None:
        """Connect an input of a task with a value of this scope."""
        pending = self.tasks[task]
        origin, key = reference.task, reference.key
        if origin and origin != task:
            pending.after[origin] = None
        if reference.kind.parameter or reference.selector:
            source = TaskInputParameter(component_input_parameter=key)
            if origin:
                link = TaskOutputParameter(producer_task=origin, output_parameter_key=key)
                source = TaskInputParameter(task_output_parameter=link)
            pending.parameters[name] = _selected(source, reference.selector)
            return
        found = TaskInputArtifact(component_input_artifact=key)
        if origin:
            edge = TaskOutputArtifact(producer_task=origin, output_artifact_key=key)
            found = TaskInputArtifact(task_output_artifact=edge)
        pending.artifacts[name] = found

    def dag(self) -> DagSpec:
        """The DAG as the protocol writes it."""
        parameters, artifacts = {}, {}
        for name, (origins, kind) in self.outputs.items():
            if not kind.parameter:
                picked = [
                    ArtifactSelector(producer_subtask=task, output_artifact_key=key)
                    for task, key in origins
                ]
                artifacts[name] = DagOutputArtifact(artifact_selectors=picked)
                continue
            chosen = [
                ParameterSelector(producer_subtask=task, output_parameter_key=key)
                for task, key in origins
            ]
            parameters[name] = DagOutputParameter(value_from_parameter=chosen[0])
            if len(chosen) > 1:
                many = ParameterSelectors(parameter_selectors=chosen)
                parameters[name] = DagOutputParameter(value_from_oneof=many)
        outputs = DagOutputs(parameters=parameters, artifacts=artifacts) if self.outputs else None
        return DagSpec(
            tasks={name: task.finish(name) for name, task in self.tasks.items()}, outputs=outputs
        )

    def _around(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


def channel(task: str, key: str) -> str:
    """The name under which a value passes from one DAG into another.

    Kubeflow's local runner finds `Output` behind one hyphen, and other outputs behind two.
    """
    if not task:
        return f"{CHANNEL}{key.removeprefix(CHANNEL)}"
    key = key.removeprefix(CHANNEL)
    return f"{CHANNEL}{task}-{key}" if key == SINGLE else f"{CHANNEL}{task}--{key}"


def _selected(source: TaskInputParameter, selector: str) -> TaskInputParameter:
    if not selector:
        return source
    fields: dict[str, Any] = {
        name: getattr(source, name)
        for name in ("component_input_parameter", "task_output_parameter")
    }
    return TaskInputParameter(
        **fields, parameter_expression_selector=f"parseJson(string_value){selector}"
    )


def _foreign(reference: Reference) -> BadPipeline:
    return BadPipeline(
        f"{reference!r} belongs to another pipeline or to a branch that is closed.",
        hint="Use it inside of its own block, or return it from the pipeline.",
    )
