"""What a step or one of its tasks asks of its surroundings, and how the protocol writes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import msgspec

from athanor.pipelines.errors import BadStep
from athanor.pipelines.ir.spec import Accelerator, ContainerSpec, EnvVar, Resources, RetryPolicy
from athanor.pipelines.logic.embedding import with_timeout
from athanor.pipelines.logic.resources import bytes_of, cores_of

_GIGA = 1e9


class StepSettings(TypedDict, total=False):
    """What `@step` takes beside the function; each may be left out."""

    name: str
    """What it is called in pipelines; the function's name if left out."""
    cache: bool | str
    """Whether its outputs may come from an earlier run of equal work; a text is a key of your own:
    equal keys, equal results."""
    retries: int
    """How often it is tried again after a failure."""
    backoff: float
    """Seconds before the second attempt (1 if left out); the pause doubles from there."""
    timeout: float
    """Seconds until it is stopped; 0 is no limit."""
    threads: int
    """Threads that numeric libraries may use; 1 if left out."""
    seed: int
    """Where random numbers start, so that equal work gives equal results."""
    cpu: float | str
    """Cores that it waits for."""
    memory: int | str
    """Memory that it waits for and may not exceed: bytes, or `512M`, `2Gi`."""
    gpu: int
    """Accelerators that it waits for."""
    env: Mapping[str, str]
    """Variables of its environment."""
    secrets: Mapping[str, str]
    """Variables from secrets: `{"PASSWORD": "warehouse/password"}`."""
    volumes: Mapping[str, str]
    """Folders that outlive the run, by the path of their mount: `{"/data": "my-volume"}`."""
    packages: Sequence[str]
    """What it wants installed, as pip names it; it then runs in an environment of its own."""
    image: str
    """The image in which a cluster runs it."""


@dataclass(slots=True, kw_only=True)
class Changes:
    """What is set for one task alone; None and empty leave the step's own setting."""

    cache: bool | None = None
    cache_key: str = ""
    retries: int | None = None
    backoff: str = "1s"
    factor: float = 2.0
    most: str = ""
    timeout: float | None = None
    env: dict[str, str] = field(default_factory=dict)
    cpu: str = ""
    memory: str = ""
    gpu: int | None = None
    accelerator: str = "nvidia.com/gpu"

    @property
    def of_container(self) -> bool:
        """Whether the task needs a container of its own."""
        return bool(self.env or self.cpu or self.memory or self.gpu or self.timeout is not None)

    def applied(self, container: ContainerSpec) -> ContainerSpec:
        """The container with these settings in place of its own."""
        kept = [item for item in container.env if item.name not in self.env]
        env = [*kept, *(EnvVar(name=name, value=value) for name, value in self.env.items())]
        resources = resources_of(
            cpu=self.cpu, memory=self.memory, gpu=self.gpu or 0, accelerator=self.accelerator
        )
        if resources is None or container.resources is None:
            resources = resources or container.resources
        else:
            given = {name: getattr(resources, name) for name in resources.__struct_fields__}
            resources = msgspec.structs.replace(
                container.resources, **{name: value for name, value in given.items() if value}
            )
        if self.timeout is not None:
            container = with_timeout(container, self.timeout)
        return msgspec.structs.replace(container, env=env, resources=resources)


def retry_policy(retries: int, backoff: str, factor: float = 2.0, most: str = "") -> RetryPolicy:
    """Attempts after failures as the protocol writes them."""
    return RetryPolicy(
        max_retry_count=retries,
        backoff_duration=backoff,
        backoff_factor=factor,
        backoff_max_duration=most or "3600s",
    )


def resources_of(
    *, cpu: float | str = "", memory: float | str = "", gpu: int = 0, accelerator: str = ""
) -> Resources | None:
    """What a container asks for; None for nothing.

    Raises: BadStep for what is no amount.
    """
    if not cpu and not memory and not gpu:
        return None
    cores = _amount("cpu", cores_of(cpu), cpu) if cpu else 0.0
    held = _amount("memory", bytes_of(memory), memory) if memory else 0.0
    return Resources(
        cpu_limit=cores,
        cpu_request=cores,
        resource_cpu_limit=str(cpu) if cpu else "",
        resource_cpu_request=str(cpu) if cpu else "",
        memory_limit=held / _GIGA,
        memory_request=held / _GIGA,
        resource_memory_limit=str(memory) if memory else "",
        resource_memory_request=str(memory) if memory else "",
        accelerator=_accelerator(gpu, accelerator or "nvidia.com/gpu") if gpu else None,
    )


def _accelerator(count: int, kind: str) -> Accelerator:
    return Accelerator(type=kind, count=str(count), resource_type=kind, resource_count=str(count))


def _amount(what: str, amount: float, said: object) -> float:
    if amount <= 0:
        raise BadStep(
            f"{said!r} is no amount of {what}.",
            hint="Write cpu as 2, 0.5 or '500m', and memory as '512M' or '2Gi'.",
        )
    return amount
