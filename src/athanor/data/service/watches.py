"""Watched folders: each new file put there becomes a dataset's next version, exactly once."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from athanor.data.errors import DatasetNotFound, FolderNotFound, NotWatched
from athanor.data.service.ground import Ground
from athanor.data.service.intake import Intake, Order, failing_checks
from athanor.data.store import DataStore, WatchStore
from athanor.data.types import DatasetVersion, Mode, NewVersion, Roles, Watch, WatchedFile
from athanor.kernel import (
    DEFAULT_PROJECT,
    SYSTEM,
    AthanorError,
    Job,
    Jobs,
    Principal,
)

_log = logging.getLogger(__name__)

JOB = "data.watch"
_EVERY = timedelta(seconds=1)
_QUIET_SECONDS = 1.0
"""How old a file's last change must be: its writer may still be at it."""
_ATTEMPTS = 3
_FIRST_SERVER_FAULT = 500
_CONFLICT = 409
_STORAGE_FULL = 507
_UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", "~")


@dataclass(frozen=True, slots=True)
class _Look:
    """A file as it was seen: equal again a look later, it has come to rest."""

    size: int
    changed: int
    """Nanoseconds."""


class Watches:
    """Folders on the server's machine that datasets grow from."""

    def __init__(
        self, store: WatchStore, datasets: DataStore, intake: Intake, jobs: Jobs, ground: Ground
    ) -> None:
        self._store = store
        self._datasets = datasets
        self._intake = intake
        self._jobs = jobs
        self._ground = ground
        self._access = ground.access
        self._seen: dict[Path, _Look] = {}
        self._known: dict[tuple[str, Path], _Look] = {}
        self._failures: dict[tuple[str, str], int] = {}
        self._looking = threading.Lock()
        jobs.handle(JOB, self._on_job)

    def watch(
        self,
        who: Principal,
        name: str,
        folder: str,
        *,
        mode: Mode = "append",
        roles: Roles | None = None,
        near: bool = True,
        project: str = DEFAULT_PROJECT,
    ) -> Watch:
        """Take each file in a folder, now and later, as the dataset's next version.

        Files that are hidden or end in .part or .tmp are passed by; a file is taken when it has
        not changed for a second; one with the content of an earlier one is not taken again.
        `near` is whether it was asked for on this machine.
        Raises: BadDatasetName, DatasetNameTaken, FolderNotFound, SourceRefused.
        """
        self._access.require(who, "data.watch", name)
        self._ground.check_near(folder, near=near)
        self._intake.check_free(project, name)
        path = _place(folder)
        if not path.is_dir():
            raise FolderNotFound(str(path))
        watch = Watch(
            dataset=name,
            folder=str(path),
            mode=mode,
            roles=roles or Roles(),
            created_at=self._ground.clock.now(),
            created_by=who.name,
        )
        with self._ground.database.transaction():
            self._store.put_watch(project, watch)
            detail = {"dataset": name, "folder": watch.folder, "mode": mode}
            self._ground.events.tell(who, "data.watch.added", name, detail, project=project)
            self.resume()
        return watch

    def unwatch(
        self, who: Principal, name: str, folder: str, *, project: str = DEFAULT_PROJECT
    ) -> None:
        """Take no more files from a folder.

        Raises: FolderNotFound, NotWatched.
        """
        self._access.require(who, "data.unwatch", name)
        path = str(_place(folder))
        with self._ground.database.transaction():
            if not self._store.remove_watch(project, name, path):
                raise NotWatched(name, path)
            detail = {"dataset": name, "folder": path}
            self._ground.events.tell(who, "data.watch.removed", name, detail, project=project)

    def watches(
        self, who: Principal, *, name: str = "", project: str = DEFAULT_PROJECT
    ) -> list[Watch]:
        """The watched folders of a dataset, or of all."""
        self._access.require(who, "data.watches", name or project)
        return self._store.list_watches(project, name)

    def files(
        self, who: Principal, name: str, *, limit: int = 100, project: str = DEFAULT_PROJECT
    ) -> list[WatchedFile]:
        """What became of the files of a dataset's folders, newest first.

        Raises: DatasetNotFound where nothing of this name exists or is watched.
        """
        self._access.require(who, "data.files", name)
        found = self._store.list_files(project, name, limit)
        watched = found or self._store.list_watches(project, name)
        if not watched and self._datasets.find_dataset(project, name) is None:
            known = [dataset.name for dataset in self._datasets.list_datasets(project)]
            raise DatasetNotFound(name, known)
        return found

    def resume(self) -> None:
        """Go on watching, if there is anything to watch. Call when the house starts."""
        if self._store.list_watches():
            self._jobs.submit(JOB, key=JOB)

    def look(self) -> int:
        """Look at every watched folder once, and take what has come to rest; how many files."""
        with self._looking:
            return sum(self._look_at(watch) for watch in self._store.list_watches())

    def _on_job(self, _job: Job) -> None:
        try:
            self.look()
        except Exception:  # noqa: BLE001 - the next look is due all the same
            _log.exception("looking at watched folders failed")
        if self._store.list_watches():
            self._jobs.submit_next(JOB, _EVERY)

    def _look_at(self, watch: Watch) -> int:
        taken = 0
        for path, look in self._at_rest(watch):
            key = (watch.dataset, path)
            if self._known.get(key) == look:
                continue
            if self._deal_with(watch, path):
                self._known[key] = look
                taken += 1
        return taken

    def _at_rest(self, watch: Watch) -> Iterator[tuple[Path, _Look]]:
        """The files that have not changed between two looks and for a second, oldest first."""
        found = []
        try:
            for path in Path(watch.folder).iterdir():
                if path.name.startswith(".") or path.name.endswith(_UNFINISHED):
                    continue
                if path.is_file():
                    stat = path.stat()
                    found.append((path, _Look(stat.st_size, stat.st_mtime_ns)))
        except OSError as error:
            _log.warning("the watched folder %s can't be read: %s", watch.folder, error)
            return
        now = time.time()
        for path, look in sorted(found, key=lambda item: (item[1].changed, item[0].name)):
            rested = self._seen.get(path) == look
            self._seen[path] = look
            if rested and now - look.changed / 1e9 >= _QUIET_SECONDS:
                yield path, look

    def _deal_with(self, watch: Watch, path: Path) -> bool:
        """Take, set apart or refuse one file; False if it is to be tried again later."""
        project = DEFAULT_PROJECT
        try:
            digest = self._ground.storage.put_file(path).digest
        except (OSError, AthanorError) as error:
            _log.warning("the file %s can't be taken now: %s", path, error)
            return False
        if self._store.has_file(project, watch.dataset, digest):
            return True
        known = self._datasets.find_dataset(project, watch.dataset)
        new = NewVersion(
            path=path, mode=watch.mode, roles=watch.roles if known is None else Roles()
        )
        order = Order(who=SYSTEM, project=project, name=watch.dataset, new=new)

        def remember(version: DatasetVersion) -> None:
            failing = failing_checks(version)
            file = WatchedFile(
                dataset=watch.dataset,
                file=str(path),
                digest=digest,
                outcome="taken" if version.state == "ready" else "quarantined",
                version=version.number,
                message=" ".join(check.message for check in failing),
                at=version.created_at,
            )
            if not self._store.add_file(project, file):
                raise _TakenElsewhere

        try:
            self._intake.take(order, remember)
        except _TakenElsewhere:
            return True
        except AthanorError as error:
            return self._after_failure(watch, path, digest, error)
        return True

    def _after_failure(self, watch: Watch, path: Path, digest: str, error: AthanorError) -> bool:
        """Refuse a file that is at fault; try again where the machine was."""
        passing = error.status >= _FIRST_SERVER_FAULT or error.status == _CONFLICT
        key = (watch.dataset, digest)
        if passing:
            self._failures[key] = self._failures.get(key, 0) + 1
            _log.warning("the file %s was not taken: %s", path, error)
            if error.status == _STORAGE_FULL or self._failures[key] < _ATTEMPTS:
                return False
        file = WatchedFile(
            dataset=watch.dataset,
            file=str(path),
            digest=digest,
            outcome="refused",
            version=None,
            message=str(error),
            at=self._ground.clock.now(),
        )
        detail = {
            "dataset": watch.dataset,
            "file": str(path),
            "digest": digest,
            "error": error.code,
            "message": error.message,
            "hint": error.hint,
            "details": error.details,
        }
        with self._ground.database.transaction():
            if self._store.add_file(DEFAULT_PROJECT, file):
                subject = watch.dataset
                self._ground.events.tell(SYSTEM, "data.file.refused", subject, detail)
        return True


class _TakenElsewhere(Exception):
    """Another process took a file of this content while this one was at it."""


def _place(folder: str) -> Path:
    """The whole path of a folder.

    Raises: FolderNotFound where it can be none: it is empty, or the home of nobody.
    """
    if not folder.strip() or "\0" in folder:
        raise FolderNotFound(folder)
    try:
        return Path(folder).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise FolderNotFound(folder) from error
