"""Files that appear whole and synced, or not at all: here, and in an object store."""

import os
import tempfile
from pathlib import Path
from typing import IO, Any, cast

from athanor.kernel.ids import new_id


class LocalWriter:
    """A file that appears whole and synced, or not at all."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._passing = target.with_name(f".{target.name}.{new_id()}")

    def __enter__(self) -> IO[bytes]:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._passing.open("wb")
        return self._stream

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is not None:
            self._stream.close()
            self._passing.unlink(missing_ok=True)
            return
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._passing.replace(self._target)
        sync_path(self._target.parent)


class RemoteWriter:
    """An object: it is uploaded when it is whole, so that a killed writer leaves none."""

    def __init__(self, filesystem: Any, name: str) -> None:
        self._filesystem = filesystem
        self._name = name

    def __enter__(self) -> IO[bytes]:
        self._passing = tempfile.NamedTemporaryFile(prefix="athanor-")
        return cast("IO[bytes]", self._passing)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        with self._passing:
            if kind is None:
                self._passing.flush()
                self._filesystem.put_file(self._passing.name, self._name)


def sync_path(path: Path) -> None:
    """Make a file's content, or a rename inside a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
