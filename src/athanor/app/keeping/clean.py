"""`athanor clean`: what nobody needs any more, told first, removed then."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from athanor.app.keeping import deleted, unused
from athanor.app.keeping.orders import Cleaned, CleanOrder, Finding, Kind, Sum
from athanor.app.keeping.places import TASK_LOG, Places, Tree, keeping
from athanor.kernel import Principal
from athanor.kernel.database import Database, metadata
from athanor.kernel.storage import KEEP_SECONDS
from athanor.lineage import ENDED

if TYPE_CHECKING:
    from athanor.app.house import House

_SHOWN = 1000
"""So many single findings are told; the sums are of all."""


def clean(house: "House", who: Principal, order: CleanOrder) -> Cleaned:
    """Find what nobody needs; remove it unless it is a dry run.

    Blobs of runs that go are found in the same turn where they are removed, and by the dry run
    only where their runs are gone already.
    Raises: KeepingBusy while a backup or another clean-up is under way.
    """
    house.access.require(who, "keeping.clean", "*")
    places = Places.of(house.settings)
    with keeping(places.workspace, alone=True):
        return _Sweep(house.database, places, order).done(house, who)


class _Sweep:
    """One clean-up."""

    def __init__(self, database: Database, places: Places, order: CleanOrder) -> None:
        self._database = database
        self._places = places
        self._order = order
        self._storage = Tree(places.storage_url)
        self._findings: list[Finding] = []

    def done(self, house: "House", who: Principal) -> Cleaned:
        before = house.clock.now() - timedelta(days=self._order.grace_days)
        found = deleted.find_deleted(self._database, before)
        self._rows(found)
        for finding, path in [*self._uploads(), *self._work(), *self._caches(), *self._copies()]:
            self._take(finding, path)
        self._blobs()
        sums = [self._sum(kind) for kind in dict.fromkeys(item.kind for item in self._findings)]
        size = sum(item.size for item in sums)
        if not self._order.dry_run and self._findings:
            counts = {item.kind: item.count for item in sums}
            house.events.tell(who, "app.workspace.cleaned", "*", {"bytes": size, "counts": counts})
        return Cleaned(
            dry_run=self._order.dry_run,
            sums=sums,
            size=size,
            findings=self._findings[:_SHOWN],
            kept=found.kept,
        )

    def _sum(self, kind: Kind) -> Sum:
        sizes = [item.size for item in self._findings if item.kind == kind]
        return Sum(kind=kind, count=len(sizes), size=sum(sizes))

    def _take(self, finding: Finding, path: Path) -> None:
        self._findings.append(finding)
        if not self._order.dry_run:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _rows(self, found: deleted.Deleted) -> None:
        why = f"deleted more than {self._order.grace_days:g} days ago"
        kinds: list[tuple[Kind, dict[str, str]]] = [
            ("run", found.runs),
            ("experiment", found.experiments),
            ("logged model", found.models),
        ]
        for kind, items in kinds:
            self._findings += [
                Finding(kind=kind, what=f"{id_} ({name})", size=0, why=why)
                for id_, name in items.items()
            ]
        if not self._order.dry_run:
            deleted.remove_deleted(self._database, found)

    def _blobs(self) -> None:
        def named() -> set[str]:
            return unused.named_blobs(self._database, self._storage)

        found = unused.unused_blobs(self._storage, named(), KEEP_SECONDS)
        if not self._order.dry_run:
            found = unused.remove_blobs(self._storage, found, named, KEEP_SECONDS)
        self._findings += [
            Finding(
                kind="blob", what=f"sha256:{item.digest}", size=item.size, why="nothing names it"
            )
            for item in found
        ]

    def _uploads(self) -> Iterable[tuple[Finding, Path]]:
        """What processes that were killed left half-written."""
        root = self._storage.local
        if root is None:
            return []
        halves = [*_below(root / "blobs", lambda name: name.startswith("."))]
        halves += [*_children(root / "staging")]
        return [
            self._finding("upload", path, "half-written, by a process that is gone")
            for path in halves
            if self._age(path) > KEEP_SECONDS
        ]

    def _work(self) -> Iterable[tuple[Finding, Path]]:
        """Folders of runs that are gone, and what ended tasks left beside their logs."""
        folders = {path.name: path for path in _children(self._places.workspace / "work")}
        states = self._states(list(folders))
        for run, folder in folders.items():
            if self._age(folder) < KEEP_SECONDS:
                continue
            if run not in states:
                yield self._finding("work", folder, "its run is gone")
            elif states[run] in ENDED:
                for path in _attempt_files(folder):
                    yield self._finding("work", path, f"its run is {states[run]}")

    def _states(self, runs: list[str]) -> dict[str, str]:
        table = metadata.tables["lineage_run"]
        found: dict[str, str] = {}
        with self._database.connection() as connection:
            for start in range(0, len(runs), 500):
                query = select(table.c.id, table.c.state).where(
                    table.c.id.in_(runs[start : start + 500])
                )
                found |= {row[0]: row[1] for row in connection.execute(query)}
        return found

    def _caches(self) -> Iterable[tuple[Finding, Path]]:
        """Copies of what the storage has, and environments: both are made anew when needed."""
        home = self._places.workspace
        deployed = self._deployed()
        for path in _children(home / "cache" / "models"):
            if path.name not in deployed and self._age(path) > KEEP_SECONDS:
                yield self._finding("cache", path, "no deployment uses it")
        for place in ("cache", "environments"):
            for path in _children(home / place):
                old = self._age(path) > self._order.grace_days * 86_400
                if path != home / "cache" / "models" and old:
                    yield self._finding("cache", path, "not used for long")

    def _deployed(self) -> set[str]:
        """The digests (hex) of the models of all deployments."""
        deployment = metadata.tables["serving_deployment"]
        artifact = metadata.tables["lineage_artifact"]
        query = select(artifact.c.uri, artifact.c.metadata).join(
            deployment, deployment.c.artifact == artifact.c.id
        )
        with self._database.connection() as connection:
            blobs = [
                str((told or {}).get("blob") or uri.rsplit("/", 1)[-1])
                for uri, told in connection.execute(query)
            ]
        return {blob.removeprefix("sha256:") for blob in blobs}

    def _copies(self) -> Iterable[tuple[Finding, Path]]:
        """Databases as they were before a migration."""
        for path in self._places.workspace.glob("athanor.db.*.backup"):
            if self._age(path) > self._order.grace_days * 86_400:
                yield self._finding("copy", path, "the database before a migration")

    def _finding(self, kind: Kind, path: Path, why: str) -> tuple[Finding, Path]:
        return Finding(kind=kind, what=str(path), size=_size(path), why=why), path

    def _age(self, path: Path) -> float:
        """Seconds since anything right below a folder, or a file, was changed."""
        try:
            newest = max(item.stat().st_mtime for item in (path, *_children(path)))
        except FileNotFoundError:
            return 0.0
        return time.time() - newest


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except FileNotFoundError:
        return []


def _below(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    return [
        Path(place, name) for place, _, names in os.walk(folder) for name in names if wanted(name)
    ]


def _attempt_files(folder: Path) -> list[Path]:
    """What lies in a run's attempts (`<attempt>/<task>/...`) beside the logs."""
    return [path for path in sorted(folder.glob("*/*/*")) if path.name != TASK_LOG]


def _size(path: Path) -> int:
    if path.is_file() or path.is_symlink():
        return path.lstat().st_size
    return sum(item.lstat().st_size for item in _below(path, bool) if not item.is_symlink())
