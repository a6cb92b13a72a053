"""A run that goes on, in memory: rebuilt from the database whenever it must be."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from athanor.kernel import AthanorError, error_from_dict
from athanor.lineage import Artifact
from athanor.pipelines.engines.local.compiling import compiled_ahead
from athanor.pipelines.engines.local.environment import environment_of, is_bare
from athanor.pipelines.errors import TaskFailed
from athanor.pipelines.ir.spec import (
    ComponentInputs,
    ComponentOutputs,
    ComponentSpec,
    ContainerSpec,
    ExecutorSpec,
    PipelineSpec,
    Resources,
    RetryPolicy,
    TaskSpec,
)
from athanor.pipelines.logic.cache import input_parts, key_parts, named_key
from athanor.pipelines.logic.embedding import Embedded, read_embedded, read_operation
from athanor.pipelines.logic.graph import is_loop
from athanor.pipelines.logic.placeholders import fill, names_of
from athanor.pipelines.logic.planner import Bindings, Launch, Planner, Settled
from athanor.pipelines.store import Ordered
from athanor.pipelines.types import PipelineRun, Task


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

    def note(self, path: str, error: AthanorError | None) -> None:
        """Keep a task's failure, if it is one: the first is the run's."""
        if error is not None and self.error is None:
            self.error = TaskFailed(path, error)

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

    def resources(self, launch: Launch) -> Resources | None:
        """The cores, memory and accelerators that a task asks for, if it does."""
        asked = self.executable(launch.component).container.resources
        if asked is None:
            return None
        find = names_of(launch.inputs.parameters, self.known)
        return msgspec.convert(fill(msgspec.to_builtins(asked), find), Resources, strict=False)

    def retry_policy(self, path: str) -> RetryPolicy:
        """How often a task is tried again, and when."""
        return self.task_spec(path).retry_policy or RetryPolicy()

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


def known_of(run: PipelineRun, spec: PipelineSpec, workspace: Path) -> dict[str, str]:
    """What a run's placeholders stand for, the same after a restart."""
    name = f"{run.pipeline}-{run.id}"
    begun = f"{run.created_at:%Y-%m-%dT%H:%M:%SZ}"
    return {
        ".pipeline_job_name": name,
        ".pipeline_job_resource_name": name,
        ".pipeline_job_uuid": run.id,
        ".pipeline_root": spec.default_pipeline_root or str(workspace.parent),
        ".pipeline_job_create_time_utc": begun,
        ".pipeline_job_schedule_time_utc": begun,
        ".workspace_path": str(workspace),
    }


def settled_before(task: Task) -> Settled:
    """How a task ended, as the planner is told of it."""
    return Settled(
        path=task.name,
        state=task.state,
        error=error_from_dict(task.error) if task.error else None,
        outputs=Bindings(parameters=task.outputs, artifacts=task.made),
    )


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
