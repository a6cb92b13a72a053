"""What Kubernetes adds to a compiled pipeline, as far as it has a meaning on one machine.

Annotations and labels of a step's pod, and the variables that show them to the step, become plain
variables of its environment. Volumes, tolerations, selectors and the like belong to a cluster.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from athanor.pipelines.ir.spec import (
    ContainerSpec,
    Document,
    EnvVar,
    ExecutorSpec,
    PipelineSpec,
    PlatformExecutors,
    PlatformSpec,
    SinglePlatform,
)

_FIELD = re.compile(r"metadata\.(?P<kind>annotations|labels)\[(['\"])(?P<name>.+)\2\]")
_TASK_NAME = "{{$.pipeline_task_name}}"


def with_platform(document: Document) -> PipelineSpec:
    """The pipeline with what its platform settings say of the steps' environment."""
    spec = document.spec
    platform = document.platforms.platforms.get("kubernetes") if document.platforms else None
    if platform is None or platform.deployment_spec is None:
        return spec
    executors = dict(spec.deployment_spec.executors)
    for label, settings in platform.deployment_spec.executors.items():
        executor = executors.get(label)
        if executor is not None and executor.container is not None:
            executors[label] = _with_fields(executor, executor.container, settings)
    deployment = msgspec.structs.replace(spec.deployment_spec, executors=executors)
    return msgspec.structs.replace(spec, deployment_spec=deployment)


def _with_fields(
    executor: ExecutorSpec, container: ContainerSpec, settings: dict[str, Any]
) -> ExecutorSpec:
    pod = settings.get("podMetadata") or {}
    shown = [
        EnvVar(name=str(field.get("name", "")), value=_value(str(field.get("fieldPath", "")), pod))
        for field in settings.get("fieldPathAsEnv") or ()
    ]
    if not shown:
        return executor
    container = msgspec.structs.replace(container, env=[*container.env, *shown])
    return msgspec.structs.replace(executor, container=container)


def _value(path: str, pod: dict[str, Any]) -> str:
    """What a field of the pod holds; an empty text where it holds nothing, as in a pod."""
    field = _FIELD.fullmatch(path)
    if field is not None:
        return str((pod.get(field["kind"]) or {}).get(field["name"], ""))
    return _TASK_NAME if path == "metadata.name" else ""


def secrets_platform(secrets: Mapping[str, Mapping[str, str]]) -> PlatformSpec | None:
    """Variables from secrets, by executor, as Kubernetes' part of a compiled pipeline.

    A source is written `secret/key`.
    """
    if not secrets:
        return None
    executors: dict[str, dict[str, Any]] = {}
    for executor, variables in secrets.items():
        found = []
        for variable, source in variables.items():
            name, _, key = source.partition("/")
            found.append(
                {
                    "secretName": name,
                    "secretNameParameter": {"runtimeValue": {"constant": name}},
                    "keyToEnv": [{"secretKey": key or variable, "envVar": variable}],
                    "optional": False,
                }
            )
        executors[executor] = {"secretAsEnv": found}
    deployment = PlatformExecutors(executors=executors)
    return PlatformSpec(platforms={"kubernetes": SinglePlatform(deployment_spec=deployment)})
