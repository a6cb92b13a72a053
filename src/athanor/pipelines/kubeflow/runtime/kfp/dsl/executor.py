"""Calls a component's function as the protocol's ExecutorInput says, and tells what it gave."""

import inspect
import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_origin

from . import PipelineTaskFinalStatus, TaskConfig
from .types import artifact_types
from .types.artifact_types import KINDS, Artifact
from .types.type_annotations import (
    EmbeddedAnnotation,
    InputAnnotation,
    InputPath,
    OutputAnnotation,
    OutputPath,
    inside,
    is_artifact_class,
    is_artifact_list,
    mark_of,
    without_none,
)

_PLAIN = (str, int, float, bool, dict, list)
_MADE = "made"
"""The folder of outputs beside the output file."""
_CONFIG = {
    "node_selector": "nodeSelector",
    "volume_mounts": "volumeMounts",
}


class Executor:
    """One call of one function."""

    def __init__(self, executor_input: dict[str, Any], function: Callable[..., Any]) -> None:
        self._function = getattr(function, "python_func", function)
        self._inputs: dict[str, Any] = executor_input.get("inputs") or {}
        self._outputs: dict[str, Any] = executor_input.get("outputs") or {}
        self._annotations = inspect.getfullargspec(self._function).annotations
        self._made: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        artifact_types.CONTAINER_TASK_ROOT = str(Path(self._outputs["outputFile"]).parent / _MADE)

    def run(self) -> dict[str, Any]:
        """Call the function; returns the protocol's ExecutorOutput and writes it to its file."""
        for name, found in (self._outputs.get("artifacts") or {}).items():
            first = (found.get("artifacts") or [{}])[0]
            self._made[name] = self._artifact(name, first, self._annotations.get(name))
            Path(self._made[name].path).parent.mkdir(parents=True, exist_ok=True)
        arguments = {}
        for name, annotation in self._annotations.items():
            if name != "return":
                value = self._argument(name, without_none(annotation))
                if value is not _LEFT_OUT:
                    arguments[name] = value
        self._take(self._function(**arguments))
        told = {"parameterValues": self._values, "artifacts": self._told()}
        target = Path(self._outputs["outputFile"])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(told), "utf-8")
        return told

    def _argument(self, name: str, annotation: Any) -> Any:
        values = self._inputs.get("parameterValues") or {}
        if annotation is PipelineTaskFinalStatus:
            return _status(values.get(name) or {})
        if annotation is TaskConfig:
            given = values.get(name) or {}
            fields = TaskConfig.__dataclass_fields__
            return TaskConfig(**{field: given.get(_CONFIG.get(field, field)) for field in fields})
        if isinstance(annotation, OutputPath):
            if name in (self._outputs.get("parameters") or {}):
                path = str(self._outputs["parameters"][name]["outputFile"])
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                return path
            return self._made[name].path
        if isinstance(annotation, InputPath):
            found = self._given(name, annotation)
            return values.get(name, _LEFT_OUT) if found is None else found.path
        mark = mark_of(annotation)
        if mark is OutputAnnotation:
            return self._made[name]
        if mark is EmbeddedAnnotation:
            return self._embedded(annotation)
        if mark is InputAnnotation or is_artifact_list(annotation) or is_artifact_class(annotation):
            return self._given(name, annotation)
        value = values.get(name)
        if value is None:
            return _LEFT_OUT
        return annotation.model_validate(value) if _is_record(annotation) else value

    def _given(self, name: str, annotation: Any) -> Any:
        found = (self._inputs.get("artifacts") or {}).get(name, {}).get("artifacts")
        if is_artifact_list(annotation):
            return [self._artifact(name, item, annotation) for item in found or ()]
        return self._artifact(name, found[0], annotation) if found else None

    def _artifact(self, _name: str, told: dict[str, Any], annotation: Any) -> Any:
        kind = KINDS.get((told.get("type") or {}).get("schemaTitle", ""))
        wanted = inside(annotation)
        if is_artifact_class(wanted) and (kind is None or wanted not in KINDS.values()):
            kind = wanted
        found = (kind or Artifact)(
            name=told.get("name", ""), uri=told.get("uri", ""), metadata=told.get("metadata") or {}
        )
        if told.get("path") and isinstance(found, Artifact):
            found.copies[found.uri] = told["path"]
        return found

    def _embedded(self, annotation: Any) -> Any:
        own = self._function.__globals__
        place = own.get("__KFP_EMBEDDED_ASSET_FILE") or own.get("__KFP_EMBEDDED_ASSET_DIR")
        if not place:
            raise RuntimeError("No files came with this component, but it asks for them.")
        kind = inside(annotation)
        found = kind() if is_artifact_class(kind) else Artifact()
        found.path = place
        return found

    def _take(self, value: Any) -> None:
        """Sort what the function returned into parameters and artifacts."""
        kind = self._annotations.get("return")
        if value is None:
            return
        fields = getattr(kind, "_fields", None)
        if fields is None:
            self._take_one("Output", kind, value)
            return
        if len(value) != len(fields):
            raise RuntimeError(
                f"Expected {len(fields)} return values from {self._function.__name__!r}, "
                f"got {len(value)}."
            )
        hints = typing.get_type_hints(kind) if kind is not None else {}
        for index, name in enumerate(fields):
            item = value[index] if type(value) is tuple else getattr(value, name)
            self._take_one(name, kind.__annotations__.get(name, hints.get(name)), item)

    def _take_one(self, name: str, kind: Any, value: Any) -> None:
        wanted = without_none(kind)
        if is_artifact_class(wanted):
            if isinstance(value, Artifact) or hasattr(value, "uri"):
                expected = self._made.get(name)
                value.name = value.name or (expected.name if expected is not None else "")
                self._made[name] = value
            else:
                Path(self._made[name].path).write_text(str(value), "utf-8")
            return
        if value is None and wanted is not kind:
            return
        if _is_record(wanted):
            value = value.model_dump(mode="json", by_alias=True)
        plain = get_origin(wanted) or wanted
        accepted = (int, float) if plain is float else dict if _is_record(wanted) else plain
        if isinstance(accepted, type | tuple) and not isinstance(value, accepted):
            raise TypeError(
                f"Function {self._function.__name__!r} returned a {type(value).__name__}; "
                f"its annotation says {getattr(plain, '__name__', plain)}."
            )
        self._values[name] = value

    def _told(self) -> dict[str, Any]:
        told = {}
        for name, made in self._made.items():
            one = {"name": made.name, "uri": made.uri, "metadata": made.metadata}
            if getattr(made, "custom_path", ""):
                one["customPath"] = made.custom_path
            told[name] = {"artifacts": [one]}
        return told


_LEFT_OUT = object()


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "model_validate") and kind not in _PLAIN


def _status(given: dict[str, Any]) -> PipelineTaskFinalStatus:
    error = given.get("error") or {}
    job = given.get("pipelineJobResourceName") or given.get("pipeline_job_resource_name") or ""
    return PipelineTaskFinalStatus(
        state=given.get("state", ""),
        pipeline_job_resource_name=job,
        pipeline_task_name=given.get("pipelineTaskName") or given.get("pipeline_task_name") or "",
        error_code=error.get("code"),
        error_message=error.get("message"),
    )
