"""Where a version may come from, as MLflow's clients name it.

Source of the rules: mlflow 3.12 and 3.17, `mlflow/server/handlers.py`; where they differ, the one
that takes more. What is not in our own tree is kept as an address and never read.
"""

import posixpath
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_plus, urlparse

from athanor.registry.errors import BadModelSource
from athanor.registry.logic.references import LATEST

Kind = Literal["run", "logged_model", "version", "tree", "local", "remote"]
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Source:
    """A source, taken apart."""

    kind: Kind
    owner: str = ""
    """The run, the logged model or the registered model."""
    rest: str = ""
    """The path below the run; the version's number, stage, or `@alias`."""


def read_source(source: str) -> Source:
    """A source, taken apart.

    Raises: BadModelSource where it names no absolute place, or leaves it.
    """
    try:
        parsed = urlparse(source)
    except ValueError as error:
        raise _relative(source) from error
    if parsed.scheme in {"", "file"}:
        return Source("local")
    check_absolute(source)
    if parsed.scheme == "models":
        return _of_models(source, urlparse(source, allow_fragments=False).path)
    if parsed.scheme == "runs":
        run, _, path = parsed.path.lstrip("/").partition("/")
        if not run:
            raise _relative(source)
        return Source("run", run, path)
    if parsed.scheme == "mlflow-artifacts" and not parsed.netloc:
        return Source("tree")
    return Source("remote")


def check_absolute(source: str) -> None:
    """Refuse a source whose path, decoded to its end, is empty or holds `..` or a NUL.

    Raises: BadModelSource.
    """
    plain = source
    for _ in range(_ROUNDS):
        decoded = unquote_plus(plain)
        if decoded == plain:
            break
        plain = decoded
    path = re.sub("/+", "/", urlparse(plain).path.rstrip("/"))
    if "\x00" in path or ".." in plain.split("/") or posixpath.normpath(path) != path:
        raise _relative(source)


def local_path(source: str) -> str:
    """The path of a local source, normalised."""
    parsed = urlparse(source)
    return posixpath.normpath(parsed.path if parsed.scheme == "file" else source)


def not_of_the_run(source: str, parameter: str) -> BadModelSource:
    """The refusal of a local path outside of the artifacts of its run or logged model."""
    return BadModelSource(
        f"Invalid model version source: '{source}'. To use a local path as a model version "
        f"source, the {parameter} request parameter has to be specified and the local path has to "
        "be contained within the artifact directory of the run specified by the "
        f"{parameter}."
    )


def not_of_the_version(source: str) -> BadModelSource:
    """The refusal of a run or logged model that is not that of the version which is copied."""
    return BadModelSource(
        f"Invalid model version source: '{source}'. The run_id and model_id request parameters "
        "must match the referenced model version."
    )


def _of_models(source: str, path: str) -> Source:
    parts = path.lstrip("/").split("/")
    if len(parts) > 2 or not parts[0].strip() or not parts[-1].strip():
        raise BadModelSource(
            f"Not a proper models:/ URI: {source}. Models URIs must be of the form "
            "'models:/name/suffix' or 'models:/name@alias' where suffix is a version, stage, or "
            "the string 'latest' and where alias is a registered model alias. Only one of suffix "
            "or alias can be defined at a time."
        )
    if len(parts) == 2:
        name, suffix = parts
        return Source("version", name, LATEST if suffix.lower() == LATEST else suffix)
    name, at, alias = parts[0].rpartition("@")
    return Source("version", name, f"@{alias}") if at else Source("logged_model", parts[0])


def _relative(source: str) -> BadModelSource:
    return BadModelSource(
        f"Invalid model version source: '{source[:500]}'. If supplying a source as an http, https, "
        "local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be "
        "provided without relative path references present. "
        "Please provide an absolute path."
    )
