"""Pipeline specifications as YAML text, read and written."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import yaml

from athanor.kernel.documents import read_yamls
from athanor.pipelines.errors import BadSpecFile
from athanor.pipelines.ir.mending import mend_items
from athanor.pipelines.ir.spec import Document, PipelineSpec, PlatformSpec

T = TypeVar("T")

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

MAX_BYTES = 64 * 1024 * 1024
"""Longest text that is read."""


def read_document(text: str, origin: str = "The text") -> Document:
    """Read a compiled pipeline: one document, and perhaps a second with platform settings.

    Raises: BadSpecFile, with the place of the fault.
    """
    if len(text) > MAX_BYTES:
        raise BadSpecFile(origin, f"it is longer than {MAX_BYTES // 2**20} MB.")
    spec: PipelineSpec | None = None
    platforms: PlatformSpec | None = None
    for part in _documents(text, origin):
        if "platforms" in part and "root" not in part:
            platforms = _convert(part, PlatformSpec, origin)
        elif spec is None:
            spec = read_spec(part, origin)
        else:
            raise BadSpecFile(origin, "it holds more than one pipeline.")
    if spec is None:
        raise BadSpecFile(origin, "it is empty.")
    return Document(spec=spec, platforms=platforms)


def read_spec(data: object, origin: str = "The pipeline") -> PipelineSpec:
    """Read a specification from plain data (parsed JSON).

    Raises: BadSpecFile.
    """
    if not isinstance(data, dict):
        raise BadSpecFile(origin, f"it is a {type(data).__name__}, not a mapping.")
    spec = _convert(data, PipelineSpec, origin)
    if not spec.sdk_version.startswith("kfp"):
        return spec
    mended = _with_whole_numbers(data)
    mend_items(mended)
    return _convert(mended, PipelineSpec, origin)


def write_document(document: Document) -> str:
    """The YAML text of a compiled pipeline, keys in alphabetical order as Kubeflow writes it."""
    parts = [plain(document.spec)]
    if document.platforms is not None:
        parts.append(plain(document.platforms))
    info = document.spec.pipeline_info
    head = f"# PIPELINE DEFINITION\n# Name: {info.name}\n"
    if info.description:
        head += "".join(f"# {line}\n" for line in info.description.splitlines())
    body: str = yaml.dump_all(
        parts, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=100, explicit_start=False
    )
    return head + body


def submitted(document: Document) -> dict[str, Any]:
    """What a submission says of a compiled pipeline: its `spec`, or its `yaml`.

    Plain data is read in a hundredth of the time that YAML takes. It has no place for platform
    settings, and JSON none for what is no number.
    """
    if document.platforms is None:
        spec = plain(document.spec)
        with suppress(ValueError):
            json.dumps(spec, allow_nan=False)
            return {"spec": spec}
    return {"yaml": write_document(document)}


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """A record as plain JSON-able data."""
    data: dict[str, Any] = msgspec.to_builtins(record)
    return data


def _documents(text: str, origin: str) -> Iterator[dict[str, Any]]:
    try:
        parts = [part for part in read_yamls(text) if part is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        problem = getattr(error, "problem", None) or str(error) or "it can't be parsed"
        raise BadSpecFile(origin, f"{problem}{place}.") from None
    except ValueError as error:
        raise BadSpecFile(origin, f"it can't be parsed: {error}.") from None
    for part in parts:
        if not isinstance(part, dict):
            raise BadSpecFile(origin, f"it holds a {type(part).__name__}, not a mapping.")
        yield part


def _with_whole_numbers(value: Any) -> Any:
    """Whole numbers as such: where an author wrote 1 into a list, Kubeflow's compiler writes 1.0.

    Its backend reads that as 1 again.
    """
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _convert(data: dict[str, Any], kind: type[T], origin: str) -> T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise BadSpecFile(origin, f"{error}.") from None
    except RecursionError:
        raise BadSpecFile(origin, "it refers to itself.") from None
