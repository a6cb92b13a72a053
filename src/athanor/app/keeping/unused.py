"""Which blobs somebody names, and how those that nobody names are removed without a loss.

Every text of the database is looked through for digests: a room that keeps one anywhere protects
its blob, today and in releases to come. The events alone do not count: they tell of what is gone.

A blob goes only if it is older than a day (storing it again makes it new), if no row names it, and
if no row names it once it is out of the way: between the first look and the last one it lies in
`trash/`, from where it is taken back if somebody stored or named it meanwhile.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import Text, or_, select, type_coerce

from athanor.app.keeping.places import Tree
from athanor.app.keeping.rows import texts_of
from athanor.kernel.database import Database, metadata
from athanor.kernel.durable import sync_path

TRASH = "trash"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})|/blobs/[0-9a-f]{2}/([0-9a-f]{64})")
_BARE = re.compile(r"[0-9a-f]{64}")
_TELLING = frozenset({"kernel_event"})
_NAMED_SO = ("digest", "blob", "sha256")
_FOLDER_STARTS = b'[{"digest":"sha256:'
_FOLDER_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedBlob:
    """A blob that nobody names."""

    digest: str
    """64 hex digits."""
    size: int


def named_blobs(database: Database, storage: Tree) -> set[str]:
    """The digests (hex) of all blobs that a row names, and of the files of named folders."""
    found: set[str] = set()
    with database.connection() as connection:
        for table in metadata.sorted_tables:
            if table.name in _TELLING:
                continue
            for column in texts_of(table):
                plain = type_coerce(column, Text)
                query = select(plain)
                if not any(word in column.name for word in _NAMED_SO):
                    query = query.where(or_(plain.contains("sha256:"), plain.contains("/blobs/")))
                for (text,) in connection.execution_options(yield_per=1000).execute(query):
                    found.update(digests_in(text))
    for digest in list(found):
        found.update(files_of(storage, digest))
    return found


def digests_in(text: str | None) -> Iterator[str]:
    """The digests (hex) that a text names."""
    if text is None:
        return
    if _BARE.fullmatch(text):
        yield text
        return
    for match in _DIGEST.finditer(text):
        yield match[1] or match[2]


def files_of(storage: Tree, digest: str) -> dict[str, str]:
    """The files of a stored folder, path by digest (hex); none where a blob is no folder's list."""
    try:
        with storage.open(_path(digest)) as stream:
            start = stream.read(len(_FOLDER_STARTS))
            if start != _FOLDER_STARTS:
                return {}
            entries = orjson.loads(start + stream.read(_FOLDER_BYTES))
        return {
            str(entry["digest"]).removeprefix("sha256:"): str(entry["path"]) for entry in entries
        }
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}


def _path(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def unused_blobs(storage: Tree, named: set[str], older_than: float) -> list[UnusedBlob]:
    """The blobs that no row names and that were stored `older_than` seconds ago or before."""
    before = time.time() - older_than
    found = []
    for path in storage.files("blobs"):
        digest = path.rsplit("/", 1)[-1]
        if _BARE.fullmatch(digest) and digest not in named:
            size, changed = storage.about(path)
            if changed < before:
                found.append(UnusedBlob(digest=digest, size=size))
    return found


def remove_blobs(
    storage: Tree, blobs: Iterable[UnusedBlob], named: Callable[[], set[str]], older_than: float
) -> list[UnusedBlob]:
    """Remove blobs that are still old and that `named` still does not name; returns them.

    In an object store, which has no renaming, there is the second look alone.
    """
    if storage.local is None:
        wanted = named()
        gone = [blob for blob in blobs if blob.digest not in wanted]
        for blob in gone:
            storage.remove(_path(blob.digest))
        return gone
    root, before = storage.local, time.time() - older_than
    aside = [blob for blob in blobs if _set_aside(root, blob.digest, before)]
    wanted = named()
    gone = []
    for blob in aside:
        if blob.digest in wanted:
            _take_back(root, blob.digest)
        else:
            (root / TRASH / blob.digest).unlink(missing_ok=True)
            gone.append(blob)
    return gone


def _set_aside(root: Path, digest: str, before: float) -> bool:
    """Move a blob out of the way, unless somebody stores it at this moment."""
    source, target = root / _path(digest), root / TRASH / digest
    try:
        if source.stat().st_mtime >= before:
            return False
        target.parent.mkdir(mode=0o700, exist_ok=True)
        source.rename(target)
        # Who found it in its place has made it new: before it was moved, so we see it here.
        if target.stat().st_mtime < before:
            return True
        _take_back(root, digest)
    except FileNotFoundError:
        pass
    return False


def _take_back(root: Path, digest: str) -> None:
    target = root / _path(digest)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.utime(root / TRASH / digest)
    (root / TRASH / digest).rename(target)
    sync_path(target.parent)


def take_back_all(storage_url: str) -> int:
    """Put back what a killed clean-up had set aside; how many blobs. Called at each start."""
    root = Tree(storage_url).local
    if root is None or not (root / TRASH).is_dir():
        return 0
    names = [path.name for path in (root / TRASH).iterdir() if _BARE.fullmatch(path.name)]
    for name in names:
        _take_back(root, name)
    return len(names)
