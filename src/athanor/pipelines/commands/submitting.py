"""What the commands of `athanor pipeline` take: a pipeline by file or name, and its inputs."""

import json as json_text
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel import provenance
from athanor.kernel.console import transport
from athanor.pipelines.authoring.loading import load_document
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.ir.spec import Document
from athanor.pipelines.ir.text import read_document, submitted
from athanor.pipelines.types import Submission

_FILE_ENDINGS = {".py", ".yaml", ".yml", ".json"}

Target = Annotated[
    str, typer.Argument(help="FILE.py, FILE.py:NAME, FILE.yaml, or a name from the gallery.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", help="NAME=VALUE; the value is JSON, or a text. May be repeated."),
]
Artifacts = Annotated[
    list[str] | None,
    typer.Option("--artifact", help="NAME=REFERENCE, such as data=dataset:churn@latest."),
]


def document_of(target: str) -> Document:
    """The compiled pipeline of a file or a gallery name.

    Raises: BadPipeline and its kinds.
    """
    if _is_file(target):
        return load_document(target)
    return read_document(PipelinesClient(transport()).compile(Submission(pipeline=target)).yaml)


def submission_of(
    target: str, parameters: dict[str, Any], artifacts: dict[str, Any], *, cache: bool = True
) -> Submission:
    """What is submitted for a file or a gallery name; the source of steps goes along.

    Raises: BadPipeline and its kinds.
    """
    if not _is_file(target):
        return Submission(pipeline=target, parameters=parameters, artifacts=artifacts, cache=cache)
    document = load_document(target)
    code = provenance.code(_path(target).resolve().parent)
    return Submission(
        **submitted(document),
        parameters=parameters,
        artifacts=artifacts,
        cache=cache,
        code=code | {"entry_point": f"athanor pipeline run {shlex.quote(target)}"},
    )


def _is_file(target: str) -> bool:
    path = _path(target)
    return path.suffix in _FILE_ENDINGS or path.exists()


def _path(target: str) -> Path:
    return Path(target.rpartition(":")[0] if ".py:" in target else target)


def stem(target: str) -> str:
    """What a schedule of a target is called where nobody says it."""
    return _path(target).stem


def pairs(given: list[str], *, as_json: bool) -> dict[str, Any]:
    """NAME=VALUE texts as a mapping. Raises: BadPipeline."""
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise BadPipeline(f"{item!r} is not NAME=VALUE.", hint="Write for example rows=100.")
        found[name] = _value(value) if as_json else value
    return found


def _value(text: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError:
        return text


def read_args(path: Path | None) -> dict[str, Any]:
    """Parameters out of a JSON file. Raises: BadPipeline."""
    if path is None:
        return {}
    try:
        found = json_text.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadPipeline(f"{path} can't be read: {error}.", hint="Give a JSON object.") from None
    if not isinstance(found, dict):
        raise BadPipeline(f"{path} holds no JSON object.", hint='Write {"name": value, ...}.')
    return found
