"""What the commands of `athanor pipeline` take: a pipeline by file or name, and its inputs."""

import json as json_text
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel import provenance
from athanor.kernel.console import transport
from athanor.pipelines.authoring.loading import load_document, text_parameters
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
    target: str,
    param: Sequence[str],
    artifact: Sequence[str],
    *,
    args: Mapping[str, Any] | None = None,
    cache: bool = True,
) -> Submission:
    """What is submitted for a file or a gallery name; the source of steps goes along.

    `param` and `artifact` are texts NAME=VALUE; `args` are parameters that these may replace.

    Raises: BadPipeline and its kinds.
    """
    parameters = dict(args or {}) | pairs(param, as_json=True)
    artifacts = pairs(artifact, as_json=False)
    if not _is_file(target):
        return Submission(pipeline=target, parameters=parameters, artifacts=artifacts, cache=cache)
    document = load_document(target)
    parameters |= _as_typed(document, param)
    code = provenance.code(_path(target).resolve().parent)
    return Submission(
        **submitted(document),
        parameters=parameters,
        artifacts=artifacts,
        cache=cache,
        code=code | {"entry_point": f"athanor pipeline run {shlex.quote(target)}"},
    )


def _as_typed(document: Document, given: Sequence[str]) -> dict[str, str]:
    """Of parameters that are texts, what was typed: `zip=01067`, `version=3`, `answer=true`."""
    texts = text_parameters(document)
    return {
        name: text
        for name, text in pairs(given, as_json=False).items()
        if name in texts and not isinstance(_value(text), str | None)
    }


def _is_file(target: str) -> bool:
    path = _path(target)
    return path.suffix in _FILE_ENDINGS or path.exists()


def _path(target: str) -> Path:
    return Path(target.rpartition(":")[0] if ".py:" in target else target)


def stem(target: str) -> str:
    """What a schedule of a target is called where nobody says it."""
    return _path(target).stem


def pairs(given: Sequence[str], *, as_json: bool) -> dict[str, Any]:
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
