"""Paths in the artifact tree: what a client may name, and what its name means here.

A path is decoded until it no longer changes before it is judged, so that no encoding hides a way
out; what would leave the tree on any system (`..`, a leading `/`, a drive letter) is refused.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from athanor.kernel import DEFAULT_PROJECT
from athanor.tracking.errors import BadArtifactPath, OtherProjectsPath

_ROUNDS = 10
_NAME_BYTES = 255
"""The longest name that file systems take: what can't be downloaded is not taken in."""
_PATH_BYTES = 2_000
_PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
_PROJECTS = "workspaces"
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")


def clean(given: str) -> str:
    """A path below the tree's root, decoded and in its shortest form; "" is the root itself.

    Raises: BadArtifactPath.
    """
    path = _decoded(given)
    if "#" in path or "\x00" in path or path.casefold().startswith("file:"):
        raise BadArtifactPath
    path = "".join(_escaped(letter) for letter in path)
    if (
        ".." in path.replace("\\", "/").split("/")
        or PurePosixPath(path).is_absolute()
        or PureWindowsPath(path).is_absolute()
        or PureWindowsPath(path).drive
    ):
        raise BadArtifactPath
    parts = [part for part in path.split("/") if part not in {"", "."}]
    clean_path = "/".join(parts)
    longest = max((len(part.encode("utf-8", "replace")) for part in parts), default=0)
    if longest > _NAME_BYTES or len(clean_path.encode("utf-8", "replace")) > _PATH_BYTES:
        raise BadArtifactPath(f"it is longer than {_PATH_BYTES:,} bytes, or a name in it than 255")
    try:
        clean_path.encode()
    except UnicodeEncodeError:
        raise BadArtifactPath from None
    return clean_path


def below(root: str, path: str) -> str:
    """A path of the tree and one below it, joined; either may be ""."""
    return f"{root}/{path}" if root and path else root or path


def in_project(path: str, project: str) -> str:
    """Where a project keeps this path: those of all but the default one have a prefix.

    Raises: OtherProjectsPath where it names the place of another project; BadArtifactPath where
    that is no project's name.
    """
    if not _PROJECT.fullmatch(project):
        raise BadArtifactPath("no project has this name")
    head, _, rest = path.partition("/")
    if head == _PROJECTS and (path != _PROJECTS or project == DEFAULT_PROJECT):
        named = rest.partition("/")[0]
        if named != project:
            raise OtherProjectsPath(named, project)
        return path
    if project == DEFAULT_PROJECT:
        return path
    return below(f"{_PROJECTS}/{project}", path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What an artifact location names."""

    kind: str
    """`tree` (ours), `local` (a path on somebody's disk), or `remote` (an object store)."""
    path: str
    """In the tree: a clean path. Elsewhere: the location as it was given."""


def place_of(location: str) -> Place:
    """What lies behind an artifact location such as `mlflow-artifacts:/1/<run>/artifacts`.

    Raises: BadArtifactPath.
    """
    parsed = urlsplit(location)
    if parsed.scheme == "mlflow-artifacts":
        return Place(kind="tree", path=clean(parsed.path.lstrip("/")))
    if parsed.scheme in {"http", "https"}:
        _, anchor, rest = parsed.path.partition(_PROXY)
        if not anchor:
            raise BadArtifactPath("it is a URL that is no artifact location")
        return Place(kind="tree", path=clean(rest.lstrip("/")))
    if len(parsed.scheme) > 1 and parsed.scheme != "file":
        return Place(kind="remote", path=location)
    return Place(kind="local", path=location)


def _decoded(given: str) -> str:
    path = given
    for _ in range(_ROUNDS):
        decoded = unquote(path)
        if decoded == path:
            return path
        path = decoded
    raise BadArtifactPath


def _escaped(letter: str) -> str:
    """Control characters are kept as they would stand in a URL."""
    return f"%{ord(letter):02x}" if ord(letter) < 32 or ord(letter) == 127 else letter
