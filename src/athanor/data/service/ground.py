"""What the verbs stand on: the kernel's services, scratch folders, and one writer at a time."""

import errno
import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from athanor.data.errors import AnotherWriter, LostTheLease, NoRoomForTable, SourceRefused
from athanor.data.store import DataStore
from athanor.kernel import Access, Clock, Database, Events, Storage, new_id
from athanor.kernel.leases import OneAtATime
from athanor.kernel.locks import unlocked
from athanor.kernel.remote import cached_copy, filesystem_of
from athanor.kernel.workers import Workers

LEASE = timedelta(seconds=15)
"""How long a writer that was killed keeps others away."""
_PATIENCE_SECONDS = 3_600.0
_STALE_SECONDS = 86_400
_HERE = f"held-{socket.gethostname()}-"
"""How folders begin that a process of this machine holds by a lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The kernel's services that this room uses."""

    database: Database
    storage: Storage
    events: Events
    access: Access
    clock: Clock
    workers: Workers
    relations: dict[str, str] = field(default_factory=dict)
    """Names, in lower case, that are tables of the platform in SQL, and what these are called."""
    sources_near: bool = False
    """Whether callers from elsewhere may name this machine's files and network, too."""

    def check_near(self, folder: str, *, near: bool) -> None:
        """See that a folder of this machine may be named; `near` is whether it was named here.

        Raises: SourceRefused.
        """
        if not (near or self.sources_near):
            raise SourceRefused(folder, "it lies on the server's own machine", near=True)

    def remove_files(self, paths: Sequence[str]) -> None:
        """Remove files of tables; those that are gone already are none."""
        for path in paths:
            if "://" not in path:
                Path(path).unlink(missing_ok=True)
                continue
            cached_copy(path).unlink(missing_ok=True)
            filesystem, place = filesystem_of(path)
            if filesystem.exists(place):
                filesystem.rm_file(place)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for one piece of work, on the tables' file system where that is local.

        Raises: NoRoomForTable.
        """
        self.sweep()
        folder, lock = _held(self._passing())
        try:
            yield folder
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise NoRoomForTable("the file") from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def sweep(self) -> None:
        """Remove such folders as processes left that were killed: anybody's rows may lie in them.

        Those of other machines, which may be at work on the same storage, go after a day.
        """
        for folder in self._passing().iterdir():
            if _age(folder) > _STALE_SECONDS or _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def _passing(self) -> Path:
        root = self.storage.root
        parent = Path(tempfile.gettempdir()) / "athanor" if root is None else root / "staging"
        parent.mkdir(parents=True, exist_ok=True)
        return parent


def _held(parent: Path) -> tuple[Path, int]:
    """A new folder, and the lock on it: the system lets it go when this process ends."""
    name = new_id()
    # By the name that is swept it is only called once it is locked.
    folder = parent / f".{name}"
    folder.mkdir(mode=0o700)
    lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):  # a file system without locks: it keeps the name
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder = folder.rename(parent / f"{_HERE}{name}")
    return folder, lock


def _is_left(folder: Path) -> bool:
    """Whether it was a process of this machine that held a folder, and is gone."""
    if not folder.name.startswith(_HERE):
        return False
    try:
        return unlocked(folder)
    except OSError:
        return False


class OneWriter:
    """At most one writer of a dataset at a time, in this process and in others."""

    def __init__(self, store: DataStore, clock: Clock) -> None:
        self._leases = store.leases
        self._alone = OneAtATime(store.leases, clock, lease=LEASE, patience=_PATIENCE_SECONDS)

    def of(self, project: str, name: str) -> AbstractContextManager[str]:
        """Be the dataset's writer meanwhile; gives the mark that `still` asks for.

        Raises: AnotherWriter after an hour of waiting.
        """
        return self._alone.of(f"{project}/{name}", lambda: AnotherWriter(name))

    def still(self, project: str, name: str, holder: str) -> None:
        """Return if the lease is the holder's, and keep it so until the transaction ends.

        Raises: LostTheLease.
        """
        if not self._leases.holds(f"{project}/{name}", holder):
            raise LostTheLease(name)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
