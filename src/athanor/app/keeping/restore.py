"""`athanor restore`: a backup becomes a workspace, whole or not at all."""

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

import orjson

from athanor.app.keeping import rows
from athanor.app.keeping.errors import BackupDamaged, BackupTooNew, NoBackup, WorkspaceNotEmpty
from athanor.app.keeping.places import DATABASE, LOCK, Places, Tree
from athanor.app.keeping.sinks import ABOUT, FORMAT_VERSION, MANIFEST, is_tar
from athanor.app.lock import WorkspaceLock
from athanor.kernel import new_id
from athanor.kernel.durable import sync_path
from athanor.kernel.schema import FOLDER
from athanor.kernel.settings import FILE

_CHUNK = 1 << 20
_STAGING = ".restoring-"
_MAY_BE_THERE = frozenset({"lock", LOCK, FILE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored."""

    workspace: str
    created_at: datetime
    """The moment that the backup shows."""
    written_by: str
    """The release that wrote it."""
    files: int
    size: int
    """Bytes."""
    moved: int
    """Rows whose paths were changed, as the workspace lies elsewhere than it did."""


def restore(places: Places, source: Path) -> Restored:
    """Make a workspace of a backup; its place must be empty.

    Raises: NoBackup, BackupTooNew, BackupDamaged, WorkspaceNotEmpty, WorkspaceBusy,
    DatabaseUnavailable.
    """
    about = _about(source)
    lock = WorkspaceLock(places.workspace, "a restore").take()
    try:
        _refuse_what_is_there(places)
        staging = places.workspace / f"{_STAGING}{new_id()}"
        staging.mkdir(mode=0o700)
        try:
            sizes = _staged(source, staging)
            moved = _fitted(places, staging, about)
            _put_in_place(places, staging)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        lock.release()
    return Restored(
        workspace=str(places.workspace),
        created_at=datetime.fromisoformat(about["created_at"]),
        written_by=about["athanor"],
        files=len(sizes),
        size=sum(sizes),
        moved=moved,
    )


def _about(source: Path) -> dict[str, Any]:
    """What the backup says of itself.

    Raises: NoBackup, BackupTooNew.
    """
    with _files_of(source) as files:
        name, stream = next(files, ("", None))
        if name != ABOUT or stream is None:
            raise NoBackup(source, f"it does not begin with {ABOUT}")
        try:
            about: dict[str, Any] = orjson.loads(stream.read())
            version, schema = int(about["format_version"]), str(about["schema"])
            datetime.fromisoformat(about["created_at"])
        except (ValueError, KeyError, TypeError) as error:
            raise NoBackup(source, f"its {ABOUT} can't be read") from error
    if version > FORMAT_VERSION:
        raise BackupTooNew(source, f"backup format {version}")
    known = {path.name.split("_", 1)[0] for path in (FOLDER / "versions").glob("[0-9]*.py")}
    if schema not in known:
        raise BackupTooNew(source, f"schema {schema}")
    return about


@contextmanager
def _files_of(source: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """A backup's files in order: `about.json` first."""
    if source.is_dir():
        yield _in_folder(source)
        return
    if not source.is_file():
        raise NoBackup(source, "there is nothing of this name")
    try:
        with tarfile.open(source, "r|gz" if _is_gzip(source) else "r|") as tar:
            yield _in_tar(source, tar)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        why = "it is cut off or no tar file" if is_tar(source) else "it is no tar file"
        raise NoBackup(source, why) from error


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _in_folder(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    names = Tree(str(source)).files()
    for name in sorted(names, key=lambda name: (name != ABOUT, name)):
        with (source / name).open("rb") as stream:
            yield name, stream


def _in_tar(source: Path, tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in tar:
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None:
            raise NoBackup(source, f"it holds {member.name!r}, which is no file")
        yield member.name, stream


def _refuse_what_is_there(places: Places) -> None:
    home = places.workspace
    for path in home.iterdir():
        if path.name.startswith(_STAGING):
            shutil.rmtree(path)  # of a restore that was killed; we hold the lock
    found = sorted(path.name for path in home.iterdir() if path.name not in _MAY_BE_THERE)
    if found:
        raise WorkspaceNotEmpty(str(home), ", ".join(found[:3]))
    storage = Tree(places.storage_url)
    kept = [name for part in ("blobs", "tables") for name in storage.files(part)[:1]]
    if kept:
        raise WorkspaceNotEmpty(places.storage_url, kept[0])
    if places.sqlite is None and not rows.is_empty(places.database_url):
        raise WorkspaceNotEmpty("The metadata database", "it has tables")


def _staged(source: Path, staging: Path) -> list[int]:
    """Write every file of a backup below a folder and compare it with the manifest; their sizes.

    Raises: NoBackup, BackupDamaged.
    """
    found: dict[str, tuple[int, str]] = {}
    manifest: bytes | None = None
    with _files_of(source) as files:
        for name, stream in files:
            if name == MANIFEST:
                manifest = stream.read()
                continue
            found[name] = _written(stream, staging / _safe(source, name))
    if manifest is None:
        raise NoBackup(source, f"it has no {MANIFEST}: it was not written to its end")
    try:
        wanted = {
            item["path"]: (int(item["size"]), str(item["sha256"]))
            for item in orjson.loads(manifest)["files"]
        }
    except (ValueError, KeyError, TypeError) as error:
        raise NoBackup(source, f"its {MANIFEST} can't be read") from error
    problems = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    problems += [f"{name} is not of it" for name in sorted(found.keys() - wanted.keys())]
    problems += [
        f"{name} has another content"
        for name in sorted(wanted.keys() & found.keys())
        if wanted[name] != found[name] or not _named_right(name, found[name][1])
    ]
    if DATABASE in found and (wrong := rows.check_sqlite(staging / DATABASE)):
        problems.append(f"{DATABASE}: {wrong}")
    if problems:
        raise BackupDamaged(source, problems)
    if DATABASE not in found:
        raise NoBackup(source, f"it has no {DATABASE}")
    return [size for size, _ in found.values()]


def _safe(source: Path, name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise NoBackup(source, f"it names {name!r}, which lies outside")
    return name


def _written(stream: IO[bytes], target: Path) -> tuple[int, str]:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            made.write(chunk)
    return size, digest.hexdigest()


def _named_right(name: str, sha256: str) -> bool:
    """Whether a blob is what its name promises."""
    return not name.startswith("storage/blobs/") or name.rsplit("/", 1)[-1] == sha256


def _fitted(places: Places, staging: Path, about: dict[str, Any]) -> int:
    """Let the metadata name the new place of tables and blobs; how many rows changed."""
    old, new = str(about.get("storage", "")), places.storage_url
    if not old or old == new:
        return 0
    return rows.rebase(staging / DATABASE, f"{old}/", f"{new}/")


def _put_in_place(places: Places, staging: Path) -> None:
    """Move everything to its place, the metadata last: without it there is no workspace."""
    home, storage, files = Tree(str(places.workspace)), Tree(places.storage_url), Tree(str(staging))
    keep = (places.workspace / FILE).exists()
    for name in files.files():
        if name in {ABOUT, DATABASE} or (name == FILE and keep):
            continue
        if name.startswith("storage/"):
            storage.put(name.removeprefix("storage/"), staging / name)
        else:
            home.put(name, staging / name)
    os.sync()
    if places.sqlite is None:
        rows.load_server(staging / DATABASE, places.database_url)
        return
    places.sqlite.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.move(staging / DATABASE, places.sqlite)
    sync_path(places.sqlite.parent)
