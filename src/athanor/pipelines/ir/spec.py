"""Kubeflow Pipelines v2 `PipelineSpec` as typed records of our own.

Source: `api/v2alpha1/pipeline_spec.proto` of kubeflow/pipelines 2.17. Names are those of the
protocol; fields are written in its JSON form (camel case). Absent and empty are told apart
where the protocol does so: a message is `None`, a free value `UNSET`, when it is absent.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

PrimitiveType = Literal["PRIMITIVE_TYPE_UNSPECIFIED", "INT", "DOUBLE", "STRING"]
ParameterType = Literal[
    "PARAMETER_TYPE_ENUM_UNSPECIFIED",
    "NUMBER_DOUBLE",
    "NUMBER_INTEGER",
    "STRING",
    "BOOLEAN",
    "LIST",
    "STRUCT",
    "TASK_FINAL_STATUS",
    "TASK_CONFIG",
]
TriggerStrategy = Literal[
    "TRIGGER_STRATEGY_UNSPECIFIED",
    "ALL_UPSTREAM_TASKS_SUCCEEDED",
    "ALL_UPSTREAM_TASKS_COMPLETED",
]


class Record(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """What every record of the protocol shares: immutable, keyword-only, strict about names."""


class ArtifactTypeSchema(Record, frozen=True, kw_only=True):
    """The type of an artifact: a title such as `system.Dataset`, or a schema."""

    schema_title: str = ""
    schema_uri: str = ""
    instance_schema: str = ""
    schema_version: str = ""


class TypedValue(Record, frozen=True, kw_only=True):
    """A value with its type as field name (deprecated by the protocol, still met)."""

    int_value: int | str | UnsetType = UNSET
    double_value: float | UnsetType = UNSET
    string_value: str | UnsetType = UNSET

    @property
    def plain(self) -> Any:
        """The value itself; whole numbers may come as text (JSON has no 64 bit integers)."""
        if self.int_value is not UNSET:
            return int(self.int_value)
        return self.double_value if self.double_value is not UNSET else self.string_value


class ValueOrRuntimeParameter(Record, frozen=True, kw_only=True):
    """A constant, or the name of an input parameter that holds the value."""

    constant: Any = UNSET
    runtime_parameter: str = ""
    constant_value: TypedValue | None = None


class InputArtifact(Record, frozen=True, kw_only=True):
    """An artifact that a component takes."""

    artifact_type: ArtifactTypeSchema | None = None
    is_artifact_list: bool = False
    is_optional: bool = False
    description: str = ""


class InputParameter(Record, frozen=True, kw_only=True):
    """A parameter that a component takes."""

    parameter_type: ParameterType | None = None
    type: PrimitiveType | None = None
    default_value: Any = UNSET
    is_optional: bool = False
    description: str = ""
    literals: list[Any] = []


class ComponentInputs(Record, frozen=True, kw_only=True):
    """What a component takes, by name."""

    artifacts: dict[str, InputArtifact] = {}
    parameters: dict[str, InputParameter] = {}


class OutputArtifact(Record, frozen=True, kw_only=True):
    """An artifact that a component makes."""

    artifact_type: ArtifactTypeSchema | None = None
    properties: dict[str, ValueOrRuntimeParameter] = {}
    custom_properties: dict[str, ValueOrRuntimeParameter] = {}
    metadata: dict[str, Any] = {}
    is_artifact_list: bool = False
    description: str = ""


class OutputParameter(Record, frozen=True, kw_only=True):
    """A parameter that a component makes."""

    parameter_type: ParameterType | None = None
    type: PrimitiveType | None = None
    description: str = ""


class ComponentOutputs(Record, frozen=True, kw_only=True):
    """What a component makes, by name."""

    artifacts: dict[str, OutputArtifact] = {}
    parameters: dict[str, OutputParameter] = {}


class ArtifactSelector(Record, frozen=True, kw_only=True):
    """One output artifact of one task inside the DAG."""

    producer_subtask: str = ""
    output_artifact_key: str = ""


class DagOutputArtifact(Record, frozen=True, kw_only=True):
    """The artifacts that together are one output of the DAG."""

    artifact_selectors: list[ArtifactSelector] = []


class ParameterSelector(Record, frozen=True, kw_only=True):
    """One output parameter of one task inside the DAG."""

    producer_subtask: str = ""
    output_parameter_key: str = ""


class ParameterSelectors(Record, frozen=True, kw_only=True):
    """Candidates for one value: the one whose task ran gives it."""

    parameter_selectors: list[ParameterSelector] = []


class DagOutputParameter(Record, frozen=True, kw_only=True):
    """Where an output parameter of the DAG comes from."""

    value_from_parameter: ParameterSelector | None = None
    value_from_oneof: ParameterSelectors | None = None


class DagOutputs(Record, frozen=True, kw_only=True):
    """What the DAG gives outwards, by name."""

    artifacts: dict[str, DagOutputArtifact] = {}
    parameters: dict[str, DagOutputParameter] = {}


class TaskOutputArtifact(Record, frozen=True, kw_only=True):
    """An output artifact of a task beside this one."""

    producer_task: str = ""
    output_artifact_key: str = ""


class TaskInputArtifact(Record, frozen=True, kw_only=True):
    """Where a task's input artifact comes from."""

    task_output_artifact: TaskOutputArtifact | None = None
    component_input_artifact: str = ""


class TaskOutputParameter(Record, frozen=True, kw_only=True):
    """An output parameter of a task beside this one."""

    producer_task: str = ""
    output_parameter_key: str = ""


class TaskFinalStatus(Record, frozen=True, kw_only=True):
    """How a task beside this one ended."""

    producer_task: str = ""


class TaskInputParameter(Record, frozen=True, kw_only=True):
    """Where a task's input parameter comes from, and what to pick from it."""

    task_output_parameter: TaskOutputParameter | None = None
    runtime_value: ValueOrRuntimeParameter | None = None
    component_input_parameter: str = ""
    task_final_status: TaskFinalStatus | None = None
    parameter_expression_selector: str = ""


class TaskInputs(Record, frozen=True, kw_only=True):
    """A task's inputs, by name."""

    parameters: dict[str, TaskInputParameter] = {}
    artifacts: dict[str, TaskInputArtifact] = {}


class TaskInfo(Record, frozen=True, kw_only=True):
    """How a task is shown."""

    name: str = ""


class CachingOptions(Record, frozen=True, kw_only=True):
    """Whether a task may take its outputs from an earlier equal one."""

    enable_cache: bool = False
    cache_key: str = ""


class ComponentRef(Record, frozen=True, kw_only=True):
    """The name of a component."""

    name: str = ""


class TriggerPolicy(Record, frozen=True, kw_only=True):
    """When a task runs: a CEL condition, and what its upstream tasks must have come to."""

    condition: str = ""
    strategy: TriggerStrategy = "TRIGGER_STRATEGY_UNSPECIFIED"


class ArtifactItems(Record, frozen=True, kw_only=True):
    """The input that holds the artifacts to go through."""

    input_artifact: str = ""


class ArtifactIterator(Record, frozen=True, kw_only=True):
    """One sub-task per artifact of a list."""

    items: ArtifactItems | None = None
    item_input: str = ""


class ParameterItems(Record, frozen=True, kw_only=True):
    """The items to go through: a JSON array, or the input that holds them."""

    raw: str | UnsetType = UNSET
    input_parameter: str = ""


class ParameterIterator(Record, frozen=True, kw_only=True):
    """One sub-task per item of a list."""

    items: ParameterItems | None = None
    item_input: str = ""


class RetryPolicy(Record, frozen=True, kw_only=True):
    """How often and how soon a failed task is tried again. Durations are text such as `5s`."""

    max_retry_count: int = 0
    backoff_duration: str = ""
    backoff_factor: float = 0.0
    backoff_max_duration: str = ""


class IteratorPolicy(Record, frozen=True, kw_only=True):
    """How many sub-tasks of an iterator run at once; 0 is no limit."""

    parallelism_limit: int = 0


class TaskSpec(Record, frozen=True, kw_only=True):
    """One task of a DAG: a component with its inputs."""

    task_info: TaskInfo | None = None
    inputs: TaskInputs | None = None
    dependent_tasks: list[str] = []
    caching_options: CachingOptions | None = None
    component_ref: ComponentRef | None = None
    trigger_policy: TriggerPolicy | None = None
    artifact_iterator: ArtifactIterator | None = None
    parameter_iterator: ParameterIterator | None = None
    retry_policy: RetryPolicy | None = None
    iterator_policy: IteratorPolicy | None = None


class DagSpec(Record, frozen=True, kw_only=True):
    """Tasks, and what of theirs is given outwards."""

    tasks: dict[str, TaskSpec] = {}
    outputs: DagOutputs | None = None


class TaskConfigPassthrough(Record, frozen=True, kw_only=True):
    """A part of the task's platform configuration that is handed to the step itself."""

    field: str = ""
    apply_to_task: bool = False


class PlatformExecutors(Record, frozen=True, kw_only=True):
    """Platform-specific settings by executor label."""

    executors: dict[str, dict[str, Any]] = {}


class PipelineConfig(Record, frozen=True, kw_only=True):
    """Settings of the pipeline as a whole."""

    resource_ttl_on_completion: int = 0
    resource_ttl_on_success: int = 0
    resource_ttl_on_failure: int = 0
    active_deadline_seconds: int = 0
    pipeline_ttl: int = 0
    workspace: dict[str, Any] | None = None
    semaphore_key: str = ""
    mutex_name: str = ""


class SinglePlatform(Record, frozen=True, kw_only=True):
    """What one platform adds to the pipeline."""

    deployment_spec: PlatformExecutors | None = None
    platform: str = ""
    config: dict[str, Any] = {}
    pipeline_config: PipelineConfig | None = None


class PlatformSpec(Record, frozen=True, kw_only=True):
    """The second document of a compiled pipeline: additions by platform."""

    platforms: dict[str, SinglePlatform] = {}


class ComponentSpec(Record, frozen=True, kw_only=True):
    """A building block: its interface, and a DAG or an executor behind it."""

    input_definitions: ComponentInputs | None = None
    output_definitions: ComponentOutputs | None = None
    dag: DagSpec | None = None
    executor_label: str = ""
    single_platform_specs: list[SinglePlatform] = []
    task_config_passthroughs: list[TaskConfigPassthrough] = []


class Exec(Record, frozen=True, kw_only=True):
    """A command with its arguments."""

    command: list[str] = []
    args: list[str] = []


class Lifecycle(Record, frozen=True, kw_only=True):
    """Hooks of a container."""

    pre_cache_check: Exec | None = None


class Accelerator(Record, frozen=True, kw_only=True):
    """The kind and number of accelerators."""

    type: str = ""
    count: int | str = 0
    resource_type: str = ""
    resource_count: str = ""


class Resources(Record, frozen=True, kw_only=True):
    """What a container asks for: cores and gigabytes, as numbers or as Kubernetes writes them."""

    cpu_limit: float = 0.0
    memory_limit: float = 0.0
    cpu_request: float = 0.0
    memory_request: float = 0.0
    resource_cpu_limit: str = ""
    resource_memory_limit: str = ""
    resource_cpu_request: str = ""
    resource_memory_request: str = ""
    accelerator: Accelerator | None = None


class EnvVar(Record, frozen=True, kw_only=True):
    """An environment variable of a container."""

    name: str = ""
    value: str = ""


class ContainerSpec(Record, frozen=True, kw_only=True):
    """A command in an image; texts may hold placeholders such as `{{$}}`."""

    image: str = ""
    command: list[str] = []
    args: list[str] = []
    lifecycle: Lifecycle | None = None
    resources: Resources | None = None
    env: list[EnvVar] = []


class ImporterSpec(Record, frozen=True, kw_only=True):
    """An artifact that exists already."""

    artifact_uri: ValueOrRuntimeParameter | None = None
    type_schema: ArtifactTypeSchema | None = None
    properties: dict[str, ValueOrRuntimeParameter] = {}
    custom_properties: dict[str, ValueOrRuntimeParameter] = {}
    metadata: dict[str, Any] = {}
    reimport: bool = False
    download_to_workspace: bool = False


class ArtifactQuery(Record, frozen=True, kw_only=True):
    """A search among recorded artifacts."""

    filter: str = ""
    limit: int = 0


class ResolverSpec(Record, frozen=True, kw_only=True):
    """Outputs found by searches."""

    output_artifact_queries: dict[str, ArtifactQuery] = {}


class CustomJob(Record, frozen=True, kw_only=True):
    """A Vertex AI custom job, as it is."""

    custom_job: dict[str, Any] = {}


class ExecutorSpec(Record, frozen=True, kw_only=True):
    """What does the work of a component."""

    container: ContainerSpec | None = None
    importer: ImporterSpec | None = None
    resolver: ResolverSpec | None = None
    custom_job: CustomJob | None = None


class DeploymentSpec(Record, frozen=True, kw_only=True):
    """The executors, by label."""

    executors: dict[str, ExecutorSpec] = {}


class PipelineInfo(Record, frozen=True, kw_only=True):
    """A pipeline's names."""

    name: str = ""
    display_name: str = ""
    description: str = ""


class PipelineSpec(Record, frozen=True, kw_only=True):
    """A whole pipeline."""

    pipeline_info: PipelineInfo = field(default_factory=PipelineInfo)
    root: ComponentSpec = field(default_factory=ComponentSpec)
    components: dict[str, ComponentSpec] = {}
    deployment_spec: DeploymentSpec = field(default_factory=DeploymentSpec)
    default_pipeline_root: str = ""
    schema_version: str = ""
    sdk_version: str = ""


class Document(Record, frozen=True, kw_only=True):
    """A compiled file: the pipeline, and what platforms add to it."""

    spec: PipelineSpec
    platforms: PlatformSpec | None = None
