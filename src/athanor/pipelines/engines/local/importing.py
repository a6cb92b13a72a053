"""Importers: artifacts that exist already, noted with where they lie. Nothing is read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import UNSET

from athanor.pipelines.engines.local.exchange import MadeArtifact
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.ir.spec import ComponentOutputs, ComponentSpec, ImporterSpec
from athanor.pipelines.logic.bindings import Bindings
from athanor.pipelines.logic.code import digest_of
from athanor.pipelines.logic.placeholders import fill, names_of
from athanor.pipelines.logic.values import as_text

_MODEL = "system.Model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One artifact, and the output that it is given as."""

    output: str
    made: MadeArtifact


def imported_artifact(
    component: ComponentSpec, importer: ImporterSpec, inputs: Bindings, known: Mapping[str, str]
) -> Imported:
    """The artifact that an importer names.

    Raises: BadPipeline where it names none.
    """
    outputs = component.output_definitions or ComponentOutputs()
    name = next(iter(outputs.artifacts), "artifact")
    find = names_of(inputs.parameters, known)
    uri = _uri(importer, inputs, find)
    schema = importer.type_schema
    title = (schema.schema_title if schema else "") or "system.Artifact"
    properties = fill(dict(importer.metadata), find)
    metadata: dict[str, Any] = {"schema": title, "name": name, "properties": properties}
    metadata["imported"] = True
    path = Path(uri.removeprefix("file://"))
    size = path.stat().st_size if path.is_absolute() and path.is_file() else 0
    made = MadeArtifact(
        type="model" if title == _MODEL else "file",
        uri=uri,
        digest=digest_of(json.dumps([uri, metadata], sort_keys=True)),
        size=size,
        metadata=metadata,
    )
    return Imported(output=name, made=made)


def _uri(importer: ImporterSpec, inputs: Bindings, find: Any) -> str:
    given = importer.artifact_uri
    if given is None:
        raise BadPipeline("An importer names no artifact.", hint="Give it an artifactUri.")
    if given.runtime_parameter:
        return as_text(inputs.parameters.get(given.runtime_parameter, ""))
    value = given.constant if given.constant_value is None else given.constant_value.plain
    return as_text(fill("" if value is UNSET else value, find))
