"""Large files that are copied past the system's cache.

A file that was just made, or is read at the same time, is in the cache already. A second copy there
takes memory from others, and costs several times what the copying does where memory has to be found
first.
"""

import errno
import fcntl
import mmap
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import IO, Self

PIECE_BYTES = 4 << 20
_BLOCK = 4_096
"""Bytes: what is written past the cache is a multiple, in memory and in the file."""
_DIRECT = getattr(os, "O_DIRECT", 0)
"""0 on systems that have no such files: they are written as any others."""


def pieces_of(stream: IO[bytes]) -> Iterator[memoryview]:
    """What a file still has; each piece stays as it is until the next but one is asked for."""
    buffers = [memoryview(mmap.mmap(-1, PIECE_BYTES)) for _ in range(2)]
    for buffer in cycle(buffers):
        size = stream.readinto(buffer)  # type: ignore[attr-defined]
        if not size:
            return
        yield buffer[:size]


class DirectFile:
    """A new file, written from its beginning to its end."""

    def __init__(self, path: Path) -> None:
        """Raises: FileExistsError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._direct = bool(_DIRECT)
        try:
            self._file = os.open(path, flags | _DIRECT, 0o666)
        except OSError as error:
            if not self._direct or error.errno != errno.EINVAL:
                raise
            # A file system that has no other way. Some have made the file by then.
            path.unlink(missing_ok=True)
            self._direct = False
            self._file = os.open(path, flags, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        os.close(self._file)

    def write(self, piece: memoryview) -> None:
        """Write the next piece, of those that `pieces_of` gives."""
        while piece:
            if len(piece) % _BLOCK:
                self._through_the_cache()
            try:
                written = os.write(self._file, piece)
            except OSError as error:
                if not self._direct or error.errno != errno.EINVAL:
                    raise
                self._through_the_cache()
                continue
            if written % _BLOCK:
                self._through_the_cache()
            piece = piece[written:]

    def _through_the_cache(self) -> None:
        """From here on: what ends a file is no multiple of a block."""
        if self._direct:
            flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags & ~_DIRECT)
            self._direct = False
