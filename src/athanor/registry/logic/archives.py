"""Packed model folders: what may come in, and what goes out."""

import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from athanor.registry.errors import BadModelFolder, UploadTooLarge

MOST_FILES = 1000
MOST_BYTES = 4 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)


def unpack(archive: Path, into: Path) -> None:
    """Write an archive's files below a folder. Links and paths that lead out of it are refused.

    Raises: BadModelFolder, UploadTooLarge.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [item for item in packed.infolist() if not item.is_dir()]
            _check(members)
            for item in members:
                target = into / PurePosixPath(item.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(item) as source, target.open("wb") as stream:
                    _copy(source, stream, item.file_size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BadModelFolder("The upload", f"it is not a readable zip archive ({error})") from error


def pack(files: Iterable[tuple[str, bytes]], archive: zipfile.ZipFile) -> None:
    """Write files into an archive: equal files give equal bytes."""
    for name, content in files:
        archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), content)


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_FILES:
        raise UploadTooLarge(f"{len(members):,} files", f"{MOST_FILES:,} files")
    total = sum(item.file_size for item in members)
    if total > MOST_BYTES:
        raise UploadTooLarge(f"{total:,} bytes", f"{MOST_BYTES:,} bytes")
    for item in members:
        path = PurePosixPath(item.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in item.filename or not path.parts:
            raise BadModelFolder("The upload", f"{item.filename!r} leads out of it")


def _copy(source: IO[bytes], stream: IO[bytes], told: int) -> None:
    """Copy what the archive's index promises, and not a byte more."""
    content = source.read(told + 1)
    if len(content) > told:
        raise BadModelFolder("The upload", "a file is longer than its index says")
    stream.write(content)
