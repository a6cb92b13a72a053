"""Packed model folders: what may come in, and what goes out."""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from athanor.registry.errors import BadModelFolder, UploadTooLarge

MOST_FILES = 1000
MOST_BYTES = 4 << 30
MOST_RATIO = 1000
"""How many times its packed size a file may have; zip's own method ends near 1,030."""
_SMALL = 1 << 20
"""Bytes that may be packed as tightly as they like."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DRIVE = re.compile(r"[A-Za-z]:")
_CHUNK = 1 << 20
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    zlib.error,
)


def unpack(archive: Path, into: Path, *, most_files: int = MOST_FILES) -> None:
    """Write an archive's files below a folder, in constant memory.

    Refused before a byte is written: paths that lead out of the folder, links and other special
    files, two files of one name, more files or bytes than a model has, and what swells a thousand
    times.

    Raises: BadModelFolder, UploadTooLarge.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [item for item in packed.infolist() if not item.is_dir()]
            check(members, archive.stat().st_size, most_files=most_files)
            for item in members:
                target = into / PurePosixPath(item.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(item) as source, target.open("xb") as stream:
                    _copy(source, stream, item.file_size)
    except _UNREADABLE as error:
        raise BadModelFolder("The upload", f"it is not a readable zip archive ({error})") from error


def check(members: list[zipfile.ZipInfo], size: int, *, most_files: int = MOST_FILES) -> None:
    """Return if an archive of `size` bytes with these members may be unpacked.

    Raises: BadModelFolder, UploadTooLarge.
    """
    if len(members) > most_files:
        raise UploadTooLarge(f"{len(members):,} files", f"{most_files:,} files")
    total = sum(item.file_size for item in members)
    if total > MOST_BYTES:
        raise UploadTooLarge(f"{total:,} bytes", f"{MOST_BYTES:,} bytes")
    if sum(item.compress_size for item in members) > size:
        raise BadModelFolder("The upload", "its files overlap")
    seen: set[PurePosixPath] = set()
    for item in members:
        path = _checked_path(item)
        if path in seen:
            raise BadModelFolder("The upload", f"{item.filename!r} is in it twice")
        seen.add(path)
        if item.file_size > _SMALL and item.file_size > MOST_RATIO * max(1, item.compress_size):
            times = item.file_size // max(1, item.compress_size)
            raise UploadTooLarge(
                f"a file, {item.filename!r}, that swells {times:,} times", f"{MOST_RATIO:,} times"
            )
    for path in seen:
        if any(parent in seen for parent in path.parents):
            raise BadModelFolder("The upload", f"{str(path)!r} lies below a file")


def pack(files: Iterable[tuple[str, IO[bytes]]], archive: zipfile.ZipFile) -> None:
    """Write files into an archive, closing them: equal files give equal bytes."""
    for name, stream in files:
        with stream:
            write_member(archive, name, stream)


def write_member(
    archive: zipfile.ZipFile, name: str, content: bytes | IO[bytes], *, level: int | None = None
) -> None:
    """Add a file under a fixed time, so that equal content gives equal bytes.

    `level` is that of its compression, 1 to 9; None stores it as it is.
    """
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_STORED if level is None else zipfile.ZIP_DEFLATED
    if isinstance(content, bytes):
        archive.writestr(info, content, compresslevel=level)
        return
    with archive.open(info, "w", force_zip64=True) as target:
        shutil.copyfileobj(content, target, _CHUNK)


def _checked_path(item: zipfile.ZipInfo) -> PurePosixPath:
    name = item.filename
    path = PurePosixPath(name)
    strange = "\\" in name or "\0" in item.orig_filename or _DRIVE.match(name)
    if path.is_absolute() or ".." in path.parts or strange or not path.parts:
        raise BadModelFolder("The upload", f"{name!r} leads out of it")
    kind = stat.S_IFMT(item.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise BadModelFolder("The upload", f"{name!r} is a link or another special file")
    if item.flag_bits & 1:
        raise BadModelFolder("The upload", f"{name!r} is encrypted")
    return path


def _copy(source: IO[bytes], stream: IO[bytes], told: int) -> None:
    """Copy what the archive's index promises, and not a byte more."""
    left = told
    while piece := source.read(min(_CHUNK, left + 1)):
        left -= len(piece)
        if left < 0:
            raise BadModelFolder("The upload", "a file is longer than its index says")
        stream.write(piece)
