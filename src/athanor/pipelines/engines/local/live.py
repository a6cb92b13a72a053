"""A run that goes on, in memory: rebuilt from the database whenever it must be."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from athanor.kernel import AthanorError
from athanor.lineage import Artifact
from athanor.pipelines.engines.local.compiling import compiled_ahead
from athanor.pipelines.engines.local.environment import environment_of, is_bare
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    ComponentSpec,
    ContainerSpec,
    ExecutorSpec,
    PipelineSpec,
    TaskSpec,
)
from athanor.pipelines.logic.cache import input_parts, key_parts, named_key
from athanor.pipelines.logic.embedding import Embedded, read_embedded, read_operation
from athanor.pipelines.logic.graph import is_loop
from athanor.pipelines.logic.planner import Launch, Planner
from athanor.pipelines.store import Ordered
from athanor.pipelines.types import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """What all tasks of a component have in common."""

    component: ComponentSpec
    executor: ExecutorSpec
    embedded: Embedded | None
    """The function of a step that is ours."""
    schemas: Mapping[str, str]
    """Titles of the types of artifacts, by input or output."""
    is_step: bool
    """And no operation of the platform's, nor an importer."""
    light: bool
    """Whether its processes need no library: a function of numbers and texts."""
    code: bytes | None
    """What that function is compiled to, if it was."""

    @property
    def container(self) -> ContainerSpec:
        """The command and its image; an empty one where the executor is something else."""
        return self.executor.container or ContainerSpec()


@dataclass(slots=True)
class Live:
    """A run that goes on."""

    ordered: Ordered
    spec: PipelineSpec
    planner: Planner
    tasks: dict[str, Task]
    known: dict[str, str]
    """What the run's placeholders stand for."""
    ready: deque[Launch] = field(default_factory=deque)
    launches: dict[str, Launch] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    stopping: bool = False
    error: AthanorError | None = None
    _executables: dict[str, Executable] = field(default_factory=dict)
    _parts: dict[str, dict[str, str]] = field(default_factory=dict)

    def executable(self, component: str) -> Executable:
        """What does the work of a component."""
        found = self._executables.get(component)
        if found is None:
            spec = self.spec.components[component]
            executor = self.spec.deployment_spec.executors[spec.executor_label]
            container = executor.container
            embedded = read_embedded(container) if container is not None else None
            found = self._executables[component] = Executable(
                component=spec,
                executor=executor,
                embedded=embedded,
                schemas=_schemas(spec),
                is_step=container is not None and read_operation(container) is None,
                code=compiled_ahead(embedded) if embedded and not embedded.packages else None,
                light=embedded is not None and not _artifacts(spec) and is_bare(embedded),
            )
        return found

    def key_parts(
        self, launch: Launch, given: Mapping[str, list[Artifact]], named: str
    ) -> dict[str, str]:
        """What a task's cache key is made of; `named` is the key that its author chose."""
        if named:
            return named_key(launch.component, named)
        fixed = self._parts.get(launch.component)
        if fixed is None:
            found = self.executable(launch.component)
            fixed = self._parts[launch.component] = key_parts(
                found.component, found.container, {}, {}, environment_of(found.container)
            )
        digests = {name: [item.digest for item in items] for name, items in given.items()}
        return dict(sorted((fixed | input_parts(launch.inputs.parameters, digests)).items()))

    def task_spec(self, path: str) -> TaskSpec:
        """The task of a path in the specification; of a loop's iteration, the loop."""
        component, task, looping = self.spec.root, TaskSpec(), False
        for name in path.split("/"):
            if looping:  # the iteration's number
                looping = False
                continue
            task = component.dag.tasks[name] if component.dag else TaskSpec()
            component = self.spec.components[task.component_ref.name if task.component_ref else ""]
            looping = is_loop(task)
        return task


def _artifacts(found: ComponentSpec) -> bool:
    """Whether it reads or makes any."""
    inputs, outputs = found.input_definitions, found.output_definitions
    return bool((inputs and inputs.artifacts) or (outputs and outputs.artifacts))


def _schemas(found: ComponentSpec) -> dict[str, str]:
    inputs = found.input_definitions or ComponentInputs()
    outputs = found.output_definitions or ComponentOutputs()
    kinds = {name: item.artifact_type for name, item in inputs.artifacts.items()}
    kinds |= {name: item.artifact_type for name, item in outputs.artifacts.items()}
    return {name: kind.schema_title for name, kind in kinds.items() if kind is not None}
