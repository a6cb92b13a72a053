"""What the verbs stand on: the kernel's services, scratch folders, and one writer at a time."""

import errno
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from athanor.data.errors import AnotherWriter, LostTheLease, NoRoomForTable
from athanor.data.store import DataStore
from athanor.kernel import Access, Clock, Database, Events, Storage, new_id
from athanor.kernel.remote import cached_copy, filesystem_of
from athanor.kernel.workers import Workers

LEASE = timedelta(seconds=15)
"""How long a writer that was killed keeps others away."""
_PATIENCE_SECONDS = 3_600.0
_LOOK_SECONDS = 0.1
_STALE_SECONDS = 86_400


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

        Folders that killed processes left are removed after a day.
        Raises: NoRoomForTable.
        """
        root = self.storage.root
        parent = Path(tempfile.gettempdir()) / "athanor" if root is None else root / "staging"
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / new_id()
        folder.mkdir(mode=0o700)
        for other in parent.iterdir():
            if other != folder and _age(other) > _STALE_SECONDS:
                shutil.rmtree(other, ignore_errors=True)
        try:
            yield folder
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise NoRoomForTable("the file") from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class OneWriter:
    """Leases: at most one writer of a dataset at a time, in this process and in others."""

    def __init__(self, store: DataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @contextmanager
    def of(self, key: str, name: str) -> Iterator[str]:
        """Be the writer of `key` meanwhile; the holder's mark is what `still` asks for.

        Raises: AnotherWriter after an hour of waiting.
        """
        holder = new_id()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._take(key, holder):
            if time.monotonic() > deadline:
                raise AnotherWriter(name)
            time.sleep(_LOOK_SECONDS)
        stop = threading.Event()
        beat = threading.Thread(
            target=self._keep, args=(key, holder, stop), name=f"lease-{name}", daemon=True
        )
        beat.start()
        try:
            yield holder
        finally:
            stop.set()
            beat.join()
            self._store.end_lease(key, holder)

    def still(self, key: str, holder: str, name: str) -> None:
        """Return if the lease is the holder's, and keep it so until the transaction ends.

        Raises: LostTheLease.
        """
        if not self._store.holds_lease(key, holder):
            raise LostTheLease(name)

    def _take(self, key: str, holder: str) -> bool:
        now = self._clock.now()
        return self._store.take_lease(key, holder, now, now + LEASE)

    def _keep(self, key: str, holder: str, stop: threading.Event) -> None:
        while not stop.wait(LEASE.total_seconds() / 3):
            if not self._take(key, holder):
                return


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
