"""Append-only log segments: one writer each, sealed whole, then moved on.

`<id>.open` is being written, under a lock of its writer's process; `<id>.jsonl` is sealed. A writer
that was killed leaves an open segment whose lock is free: anybody may seal it. A line counts once
its newline is there, so that a torn last line is not a row.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from athanor.kernel.ids import new_id

FORMAT = "v1"
"""The folder below a log's own that holds segments of this format."""
OPEN, SEALED = ".open", ".jsonl"


class Segment:
    """The segment that this process writes now."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{new_id()}{OPEN}"
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.size = 0
        self.began = time.monotonic()
        self.synced = 0
        """Bytes that survive a power cut."""

    def append(self, data: bytes) -> None:
        """Write whole lines; they survive the death of this process.

        Raises: OSError; then nothing of these lines stays.
        """
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                written += os.write(self._file, view[written:])
        except OSError:
            os.ftruncate(self._file, self.size)
            os.lseek(self._file, self.size, os.SEEK_SET)
            raise
        self.size += written

    def sync(self) -> None:
        """Make what was appended survive a power cut, too."""
        size = self.size
        os.fdatasync(self._file) if hasattr(os, "fdatasync") else os.fsync(self._file)
        self.synced = size

    def seal(self) -> Path:
        """Close it for good; an empty one vanishes. Returns the sealed path."""
        self.sync()
        sealed = self.path.with_suffix(SEALED)
        if self.size:
            self.path.replace(sealed)
        else:
            self.path.unlink(missing_ok=True)
        os.close(self._file)
        return sealed


def adopt(folder: Path) -> list[Path]:
    """Seal the open segments whose writers are dead. Returns their sealed paths."""
    sealed = []
    for path in sorted(folder.glob(f"*{OPEN}")):
        with _locked(path) as free:
            if not free:
                continue
            if path.stat().st_size:
                target = path.with_suffix(SEALED)
                path.replace(target)
                sealed.append(target)
            else:
                path.unlink()
    return sealed


def sealed_in(folder: Path) -> list[Path]:
    """The sealed segments, oldest first."""
    return sorted(folder.glob(f"*{SEALED}"))


def all_in(folder: Path) -> list[Path]:
    """Every segment that holds rows, sealed or open, oldest first."""
    return sorted((*folder.glob(f"*{SEALED}"), *folder.glob(f"*{OPEN}")))


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the file's lock was free; then it is held inside."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield path.exists()
    finally:
        os.close(descriptor)
