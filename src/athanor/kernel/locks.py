"""Locks of files, which the system lets go when their holder ends, however it ends."""

import fcntl
import os
from pathlib import Path


def unlocked(path: Path) -> bool:
    """Whether no process holds the lock of a file or a folder.

    Raises: OSError where it can't be opened, or its file system has no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
