"""Files that client and server both see, which are named instead of sent.

Who names a file shows by its seal that it can read it: the seal is made of what the system tells of
the file and of its first and last bytes. So a server never reads for a caller what the caller could
not read, and a path that means another file there is not taken for it.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import IO

_SHOWN = 1 << 20


def sealed(path: Path) -> str:
    """The seal of a file that is to be named. Raises: OSError."""
    with path.open("rb") as stream:
        return _seal(stream)


def opened(path: str, seal: str) -> IO[bytes] | None:
    """The file of this name, if it is the one with this seal."""
    try:
        # A pipe would wait for its other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    stream = os.fdopen(descriptor, "rb")
    if holds(stream, seal):
        return stream
    stream.close()
    return None


def holds(stream: IO[bytes], seal: str) -> bool:
    """Whether a file has this seal; it stands at its beginning then."""
    try:
        return bool(seal) and _seal(stream) == seal
    except OSError:
        return False


def stamp_of(file: int | str) -> list[int]:
    """What the system tells of a file, open or by name: another once it was written to; [] if gone.

    Unlike a seal, this shows nothing of who asks.
    """
    try:
        about = Path(file).stat() if isinstance(file, str) else os.fstat(file)
    except (OSError, ValueError):
        return []
    return _stamp(about)


def _stamp(about: os.stat_result) -> list[int]:
    return [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns]


def _seal(stream: IO[bytes]) -> str:
    about = os.fstat(stream.fileno())
    seen = hashlib.sha256(repr(tuple(_stamp(about))).encode())
    for place in (0, max(0, about.st_size - _SHOWN)):
        stream.seek(place)
        seen.update(stream.read(_SHOWN))
    stream.seek(0)
    return seen.hexdigest()
