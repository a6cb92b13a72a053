"""What Kubernetes adds to a compiled pipeline, as far as it has a meaning on one machine.

Annotations and labels of a step's pod, and the variables that show them to the step, become plain
variables of its environment. Secrets, volumes and time limits stay with the step's component and
are worked out when it is launched. Tolerations, selectors and the like belong to a cluster.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from athanor.pipelines.ir.spec import (
    ComponentSpec,
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
_HONOURED = {
    "secretAsEnv",
    "secretAsVolume",
    "configMapAsEnv",
    "configMapAsVolume",
    "pvcMount",
    "emptyDirMounts",
    "genericEphemeralVolume",
    "activeDeadlineSeconds",
}
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
    components = {
        label: _with_settings(component, platform.deployment_spec.executors)
        for label, component in spec.components.items()
    }
    return msgspec.structs.replace(spec, deployment_spec=deployment, components=components)


def settings_of(component: ComponentSpec) -> dict[str, Any]:
    """What Kubernetes' part says of a component's executor, of what has a meaning here."""
    for platform in component.single_platform_specs:
        if platform.deployment_spec is not None:
            return platform.deployment_spec.executors.get(component.executor_label, {})
    return {}


def _with_settings(
    component: ComponentSpec, executors: Mapping[str, dict[str, Any]]
) -> ComponentSpec:
    label = component.executor_label
    kept = {name: item for name, item in executors.get(label, {}).items() if name in _HONOURED}
    if not kept:
        return component
    if mounts := kept.get("pvcMount"):
        kept["pvcMount"] = [_with_name(mount) for mount in mounts]
    deployment = PlatformExecutors(executors={label: kept})
    settings = SinglePlatform(platform="kubernetes", deployment_spec=deployment)
    return msgspec.structs.replace(component, single_platform_specs=[settings])


def _with_name(mount: dict[str, Any]) -> dict[str, Any]:
    """A claim's mount as it is written now; earlier compilers wrote the name's source into it."""
    if "pvcNameParameter" in mount:
        return mount
    for source in ("taskOutputParameter", "componentInputParameter"):
        if source in mount:
            return {**mount, "pvcNameParameter": {source: mount[source]}}
    return mount


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


def secrets_platform(
    secrets: Mapping[str, Mapping[str, str]], volumes: Mapping[str, Mapping[str, str]]
) -> PlatformSpec | None:
    """Variables from secrets and volumes, by executor, as Kubernetes' part of a compiled pipeline.

    A secret's source is written `secret/key`; a volume is a claim's name by the path of its mount.
    """
    if not secrets and not volumes:
        return None
    executors: dict[str, dict[str, Any]] = {}
    for executor, mounts in volumes.items():
        executors.setdefault(executor, {})["pvcMount"] = [
            {
                "mountPath": path,
                "pvcName": claim,
                "pvcNameParameter": {"runtimeValue": {"constant": claim}},
            }
            for path, claim in mounts.items()
        ]
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
        executors.setdefault(executor, {})["secretAsEnv"] = found
    deployment = PlatformExecutors(executors=executors)
    return PlatformSpec(platforms={"kubernetes": SinglePlatform(deployment_spec=deployment)})
