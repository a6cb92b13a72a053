"""Canonical digests of files and folders: equal content gives an equal digest.

A folder is its files' paths and contents. A model folder is its files without what differs between
two savings of one model: MLmodel's time, ids and run, and the times inside zip archives. Files are
read as streams, at constant memory, and nothing heavy is loaded: the server may call this.
"""

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import yaml

from athanor.kernel.documents import read_yaml

_CHUNK = 1 << 20
_DESCRIPTION_BYTES = 4 << 20
"""A longer MLmodel file is taken as it is."""
_BLOWN_UP = 100
"""An archive that unpacks to so many times its size is taken as it is."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_VOLATILE = frozenset(
    {"utc_time_created", "model_uuid", "model_id", "run_id", "artifact_path", "model_size_bytes"}
)
"""The keys of an MLmodel file that differ between two savings of one model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file of a folder."""

    path: str
    """Below the folder, with `/` between its parts."""
    size: int
    """Bytes."""
    digest: Callable[[], str]
    """The sha256 of its bytes, as `sha256:<hex>`."""
    open: Callable[[], IO[bytes]]
    """Its bytes, as a stream that can seek."""


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes, as `sha256:<hex>`."""
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def folder_digest(folder: Path) -> str:
    """The digest of all files below a folder: paths and contents, in the order of the paths."""
    return _of_parts((part.path, part.digest().encode()) for part in parts_of(folder))


def model_digest(folder: Path) -> str:
    """The digest of an MLflow model folder, without what differs between two savings."""
    return digest_of_model(parts_of(folder))


def digest_of_model(parts: Iterable[Part]) -> str:
    """The digest of an MLflow model folder whose files lie anywhere, in the order of the paths."""
    return _of_parts((part.path, _model_part(part)) for part in parts)


def model_description(part: Part) -> dict[str, Any] | None:
    """What an MLmodel file says; None for what is none, or would be too much when expanded."""
    if part.size > _DESCRIPTION_BYTES:
        return None
    with part.open() as stream:
        content = stream.read()
    try:
        text = content.decode()
        described = read_yaml(text)
    except (UnicodeDecodeError, yaml.YAMLError, ValueError):
        return None
    return described if isinstance(described, dict) else None


def parts_of(folder: Path) -> list[Part]:
    """The files below a folder, in the order of their paths."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    named = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    return [_part(name, path) for name, path in named]


def _part(name: str, path: Path) -> Part:
    return Part(
        path=name,
        size=path.stat().st_size,
        digest=lambda: file_digest(path),
        open=lambda: path.open("rb"),
    )


def _of_parts(parts: Iterable[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in parts:
        for piece in (name.encode(), content):
            total.update(len(piece).to_bytes(8))
            total.update(piece)
    return f"sha256:{total.hexdigest()}"


def _model_part(part: Part) -> bytes:
    described = model_description(part) if part.path.rpartition("/")[2] == "MLmodel" else None
    if described is not None:
        kept = {key: value for key, value in described.items() if key not in _VOLATILE}
        return orjson.dumps(kept, option=_OPTIONS, default=str)
    members = _members(part)
    return (part.digest() if members is None else members).encode()


def _members(part: Part) -> str | None:
    """The digest of what a zip archive holds; None for what is none that can be read."""
    with part.open() as stream:
        if not zipfile.is_zipfile(stream):
            return None
        try:
            with zipfile.ZipFile(stream) as archive:
                members = sorted(archive.infolist(), key=lambda member: member.filename)
                if sum(member.file_size for member in members) > _BLOWN_UP * part.size:
                    return None
                return _of_members(archive, members)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
            return None


def _of_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> str:
    total = hashlib.sha256()
    for member in members:
        name = member.filename.encode("utf-8", "surrogateescape")
        total.update(len(name).to_bytes(8))
        total.update(name)
        total.update(member.file_size.to_bytes(8))
        with archive.open(member) as stream:
            for piece in _pieces(stream):
                total.update(piece)
    return f"sha256:{total.hexdigest()}"


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_CHUNK):
        yield piece
