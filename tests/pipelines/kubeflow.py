"""Pipelines as Kubeflow's compiler writes them, put together by hand."""

from typing import Any

import yaml

_INSTALL = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || exit 1\nfi\n\n'
    "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location "
    '{packages} && "$0" "$@"\n'
)
_START = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "
    '--component_module_path "$program_path/ephemeral_component.py" "$@"\n'
)
RUNTIME = "'kfp==2.14.3' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"
HEAD = "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"


def function(name: str, body: str, packages: str = RUNTIME) -> dict[str, Any]:
    """The executor of a lightweight component."""
    return {
        "container": {
            "image": "python:3.11",
            "command": [
                *("sh", "-c", _INSTALL.format(packages=packages)),
                *("sh", "-ec", _START, HEAD + body),
            ],
            "args": ["--executor_input", "{{$}}", "--function_to_execute", name],
        }
    }


def command(*words: str, args: tuple[str, ...] = ()) -> dict[str, Any]:
    """The executor of a container component."""
    return {"container": {"image": "alpine", "command": list(words), "args": list(args)}}


def component(executor: str, **parts: dict[str, Any]) -> dict[str, Any]:
    """A component with an executor; `inputs` and `outputs` are types by name."""
    return _interface(parts) | {"executorLabel": executor}


def dag(
    tasks: dict[str, Any], *, given: dict[str, Any] | None = None, **parts: dict[str, Any]
) -> dict[str, Any]:
    """A component of tasks; `given` is what it gives outwards."""
    body: dict[str, Any] = {"tasks": tasks}
    if given:
        body["outputs"] = given
    return _interface(parts) | {"dag": body}


def task(name: str, *after: str, **fields: Any) -> dict[str, Any]:
    """A task of a component; `wired` are its parameters, `artifacts` its artifacts."""
    found: dict[str, Any] = {"componentRef": {"name": name}, "dependentTasks": list(after)}
    inputs = {
        kind: fields.pop(ours)
        for ours, kind in (("wired", "parameters"), ("artifacts", "artifacts"))
        if ours in fields
    }
    return found | ({"inputs": inputs} if inputs else {}) | fields


def output(producer: str, key: str = "Output") -> dict[str, Any]:
    """An output parameter of a task as an input."""
    return {"taskOutputParameter": {"producerTask": producer, "outputParameterKey": key}}


def outer(name: str, selector: str = "") -> dict[str, Any]:
    """An input parameter of the DAG as an input."""
    found = {"componentInputParameter": name}
    return found | ({"parameterExpressionSelector": selector} if selector else {})


def constant(value: Any) -> dict[str, Any]:
    """A value that the author wrote."""
    return {"runtimeValue": {"constant": value}}


def made(producer: str, key: str) -> dict[str, Any]:
    """An output artifact of a task as an input."""
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}}


def document(root: dict[str, Any], components: dict[str, Any], executors: dict[str, Any]) -> str:
    """The compiled file."""
    return yaml.safe_dump(
        {
            "pipelineInfo": {"name": "foreign"},
            "root": root,
            "components": components,
            "deploymentSpec": {"executors": executors},
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.14.3",
        }
    )


def _interface(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for side, name in (("inputs", "inputDefinitions"), ("outputs", "outputDefinitions")):
        kinds = parts.get(side, {})
        parameters = {key: _parameter(kind) for key, kind in kinds.items() if "." not in str(kind)}
        artifacts = {
            key: {
                "artifactType": {"schemaTitle": kind.removesuffix("[]")},
                "isArtifactList": kind.endswith("[]"),
            }
            for key, kind in kinds.items()
            if "." in str(kind)
        }
        if parameters or artifacts:
            found[name] = {"parameters": parameters, "artifacts": artifacts}
    return found


def _parameter(kind: Any) -> dict[str, Any]:
    return dict(kind) if isinstance(kind, dict) else {"parameterType": kind}
