"""Append-only log segments: one writer each, later moved whole.

A segment belongs to its writer as long as that process holds the file's lock; the lock goes with
the process, however it ends, and then the segment is sealed: nobody ever writes to it again. A line
counts once its newline is there, so that a torn last line is not a row.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from athanor.kernel.ids import new_id
from athanor.kernel.locks import unlocked

FORMAT = "v1"
"""The folder below a log's own that holds segments of this format."""
SUFFIX = ".jsonl"
SEAL_BYTES = 64 << 20
"""A segment of this size is full."""
_EMPTY_SECONDS = 60.0
"""An empty segment without a writer is removed after this; a new one may not be locked yet."""


class Segment:
    """The segment that this process writes now."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{new_id()}{SUFFIX}"
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self.size = 0
        self.began = time.monotonic()
        self.synced = 0
        """Bytes that survive a power cut."""

    def append(self, data: bytes) -> None:
        """Write whole lines; they survive the death of this process.

        Raises: OSError; then nothing of these lines stays.
        """
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += written

    def sync(self) -> None:
        """Make what was appended survive a power cut, too."""
        size = self.size
        if not self.synced:
            _sync_folder(self.path.parent)
        os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        self.synced = size

    def seal(self) -> None:
        """Close it for good; an empty one vanishes."""
        if self.size:
            self.sync()
        else:
            self.path.unlink(missing_ok=True)
        os.close(self._file)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def all_in(folder: Path) -> list[Path]:
    """Every segment, sealed or not, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def sealed_in(folder: Path) -> list[Path]:
    """The segments that hold rows and have no writer any more, oldest first."""
    return [path for path in all_in(folder) if is_free(path) and not _empty(path)]


def is_free(path: Path) -> bool:
    """Whether it is there, and no process writes to it."""
    try:
        return unlocked(path)
    except FileNotFoundError:
        return False


def _empty(path: Path) -> bool:
    with suppress(FileNotFoundError):
        found = path.stat()
        if found.st_size:
            return False
        if time.time() - found.st_mtime > _EMPTY_SECONDS:
            path.unlink()
    return True
