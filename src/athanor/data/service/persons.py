"""A person's rows in datasets: found in every version, and erased for good.

The latest version is written anew without them. Every version that held them loses its files, its
raw file and its profile; its number, digest and lineage stay. Files of the dataset's table that no
version names, as a process leaves them that is killed, go too, and what it was about to add.
"""

import re
from contextlib import suppress
from pathlib import Path

from athanor.data.errors import AnotherWriter
from athanor.data.service.ground import Ground, OneWriter
from athanor.data.service.intake import Intake, Order, Origin, as_task, paths_of
from athanor.data.service.sources import Sources
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import Dataset, DatasetVersion, NewVersion
from athanor.kernel import Principal
from athanor.kernel.errors import Forbidden
from athanor.kernel.holder import Holding, Person

_NOTE = "Rows of a person were erased; the versions that held them are gone."
_TURNS = 10
"""How often an erasure begins anew because somebody added a version meanwhile."""


class _Overtaken(Exception):
    """Somebody added a version while a clean one was written."""


class DatasetHolder:
    """The data room as a `Holder`."""

    def __init__(
        self,
        store: DataStore,
        ground: Ground,
        *,
        marks: MarkStore,
        intake: Intake,
        sources: Sources,
    ) -> None:
        self._store = store
        self._marks = marks
        self._ground = ground
        self._intake = intake
        self._sources = sources

    def holdings(self, person: Person, who: Principal) -> list[Holding]:
        """The versions that hold rows of a person, deleted ones included, by dataset."""
        self._ground.access.require(who, "data.trace_person", person.column)
        self._ground.sweep()
        datasets, found = self._readable(who), []
        strays = self._strays(datasets, person)
        for dataset in datasets:
            counted = self._counted(dataset, person)
            found += [_holding(version, rows) for version, rows in counted if rows]
            if files := strays.get(dataset.id):
                found.append(_stray(dataset, files))
        return found

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Write clean versions, then remove the files of those that held the person's rows."""
        self._ground.access.require(who, "data.erase_person", person.column)
        self._ground.sweep()
        datasets, found = self._readable(who), []
        for dataset in datasets:
            found += self._erased(dataset, person, who)
        strays = self._strays(datasets, person)
        for dataset in datasets:
            if dataset.id in strays:
                found += self._swept(dataset, person)
        return found

    def versions(self, person: Person, who: Principal) -> list[tuple[Dataset, DatasetVersion]]:
        """All versions, those that are gone included, of what the caller may list."""
        self._ground.access.require(who, "data.trace_person", person.column)
        return [
            (dataset, version)
            for dataset in self._readable(who)
            for version in self._store.list_versions(dataset.id)
        ]

    def warn(self, dataset: Dataset, version: DatasetVersion, note: str) -> None:
        """Add a note to a version, once."""
        if note not in version.notes:
            changes = {"notes": [*version.notes, note]}
            self._store.mark_version(dataset.id, version.number, changes)

    def purge(self, dataset: Dataset, version: DatasetVersion, who: Principal) -> None:
        """Remove the files of a version for good, as those of one that held a person's rows."""
        self._ground.access.require(who, "data.erase_person", dataset.name)
        self._purged(dataset, [version], who)

    def _readable(self, who: Principal) -> list[Dataset]:
        """The datasets of every project whose datasets the caller may list."""
        found, every = [], self._store.list_datasets(None)
        for project in sorted({dataset.project for dataset in every}):
            with suppress(Forbidden):
                self._ground.access.require(who, "data.datasets", project)
                found += [dataset for dataset in every if dataset.project == project]
        return found

    def _counted(self, dataset: Dataset, person: Person) -> list[tuple[DatasetVersion, int]]:
        versions = [
            version
            for version in self._store.list_versions(dataset.id)
            if version.purged_at is None and _may_name(version, person.column)
        ]
        counts = self._counts({path for version in versions for path in paths_of(version)}, person)
        return [(v, sum(counts.get(path, 0) for path in paths_of(v))) for v in versions]

    def _counts(self, files: set[str], person: Person) -> dict[str, int]:
        """By file, the rows that are the person's."""
        if not files:
            return {}
        found: dict[str, int] = self._ground.workers.call(
            "athanor.data.work.persons:counts",
            {"files": sorted(files), "column": person.column, "value": person.value},
        )
        return found

    def _strays(self, datasets: list[Dataset], person: Person) -> dict[str, dict[str, int]]:
        """By dataset's id, files of its table that no version names, and their rows of a person."""
        folders = {item.id: self._folders(item) for item in datasets}
        listed = [folder for both in folders.values() for folder in both]
        there = self._ground.workers.call("athanor.data.work.persons:files_in", {"folders": listed})
        # By their names, which are no other's: a path may be spelt in several ways.
        named = {_name(path) for path in self._named_paths()}
        unnamed = {path for path in there if _name(path) not in named}
        found: dict[str, dict[str, int]] = {}
        for path, rows in self._counts(unnamed, person).items():
            for id_, both in folders.items():
                if rows and path.startswith(both):
                    found.setdefault(id_, {})[path] = rows
        return found

    def _folders(self, dataset: Dataset) -> tuple[str, str]:
        own = self._ground.storage.table_uri(f"{dataset.project}/{dataset.name}")
        return f"{own}/", f"{own}.quarantine/"

    def _swept(self, dataset: Dataset, person: Person) -> list[Holding]:
        """Remove such files. Nobody writes to the dataset meanwhile: what is unnamed stays so."""
        with OneWriter(self._store, self._ground.clock).of(dataset.project, dataset.name):
            files = self._strays([dataset], person).get(dataset.id, {})
            self._ground.remove_files(list(files))
        return [_stray(dataset, files, erased=True)] if files else []

    def _erased(self, dataset: Dataset, person: Person, who: Principal) -> list[Holding]:
        """Erase until no version holds such rows: others may add some meanwhile."""
        found: list[Holding] = []
        for _ in range(_TURNS):
            own = _spelt(self._ground.storage.table_uri("").rstrip("/"))
            counted = [(v, rows) for v, rows in self._counted(dataset, person) if rows]
            strange = [(v, rows) for v, rows in counted if not _spelt(v.table_uri).startswith(own)]
            others = {v.number for v, _ in strange}
            affected = {v.number: rows for v, rows in counted if v.number not in others}
            if not affected:
                away = "the table is not ours: erase the rows there, then add it again"
                return [*found, *(_holding(v, rows, note=away) for v, rows in strange)]
            with suppress(_Overtaken):
                found += self._once(dataset, affected, person, who)
        raise AnotherWriter(dataset.name)

    def _once(
        self, dataset: Dataset, counted: dict[int, int], person: Person, who: Principal
    ) -> list[Holding]:
        """Write a clean version, and remove those with so many of the person's rows each.

        Raises: _Overtaken.
        """
        every = [v for v in self._store.list_versions(dataset.id) if v.purged_at is None]
        affected = [version for version in every if version.number in counted]
        following, latest = (
            self._store.next_number(dataset.id),
            self._store.latest_version(dataset.id),
        )
        clean = ""
        if latest is not None and latest in affected and dataset.deleted_at is None:
            clean = self._cleaned(dataset, latest, person, who, following)
        if any(version.source.packs for version in affected):
            # Packs hold many files: whoever shares one with these versions goes with them.
            affected = [version for version in every if version.source.packs]
        self._purged(dataset, affected, who)
        note = f"clean version: {clean}" if clean else "no clean version: no other rows, or deleted"
        return [
            _holding(v, counted.get(v.number, 0), erased=True, note=note + self._splits(dataset, v))
            for v in affected
        ]

    def _splits(self, dataset: Dataset, version: DatasetVersion) -> str:
        """What became of its splits, in words; "" if it had none."""
        names = ", ".join(item.name for item in self._marks.list_splits(dataset.id, version.number))
        return f"; its splits went with it, divide the clean version anew: {names}" if names else ""

    def _cleaned(
        self,
        dataset: Dataset,
        latest: DatasetVersion,
        person: Person,
        who: Principal,
        following: int,
    ) -> str:
        """Add a version with the other rows of the latest; its reference, "" if there are none.

        `following` is the number that it must have, or rows that others added would be lost.
        Raises: _Overtaken.
        """

        def next_one(made: DatasetVersion) -> None:
            if made.number != following:
                raise _Overtaken

        with self._ground.scratch() as scratch:
            target = scratch / "clean.parquet"
            rows = self._ground.workers.call(
                "athanor.data.work.persons:without",
                {
                    "version": as_task(latest), "column": person.column, "value": person.value,
                    "target": str(target),
                },
            )  # fmt: skip
            if not rows:
                return ""
            packs = self._sources.repacked(latest, target, scratch) if latest.source.packs else ""
            new = NewVersion(path=target, file_name="erased", keep=False, look=False)
            origin = Origin(kind="erased", packs=packs, notes=(_NOTE,))
            order = Order(
                who=who, project=dataset.project, name=dataset.name, new=new, origin=origin
            )
            made = self._intake.take(order, next_one)
        return f"{made.dataset}@{made.number}"

    def _purged(self, dataset: Dataset, gone: list[DatasetVersion], who: Principal) -> None:
        writer, now = OneWriter(self._store, self._ground.clock), self._ground.clock.now()
        numbers = {version.number for version in gone}
        with writer.of(dataset.project, dataset.name):
            with self._ground.database.transaction():
                for version in gone:
                    changes = {
                        "deleted_at": version.deleted_at or now, "purged_at": now,
                        "purged_for": "erased",
                        # Messages of checks may quote cells.
                        "checks": [], "notes": [],
                    }  # fmt: skip
                    self._store.mark_version(dataset.id, version.number, changes)
                detail = {
                    "dataset": dataset.name,
                    "versions": sorted(numbers),
                    "digests": {str(version.number): version.digest for version in gone},
                    "why": "erased",
                }
                self._ground.events.tell(
                    who, "data.version.purged", dataset.name, detail, project=dataset.project
                )
            self._removed(gone)

    def _removed(self, gone: list[DatasetVersion]) -> None:
        """Remove the files and blobs of versions, but for those that a living version has."""
        living = self._living()
        kept = {_name(path) for version in living for path in paths_of(version)}
        theirs = {path for version in gone for path in paths_of(version)}
        self._ground.remove_files(sorted(path for path in theirs if _name(path) not in kept))
        named = {digest for version in living for digest in self._blobs(version)}
        for digest in {digest for version in gone for digest in self._blobs(version)} - named:
            self._ground.storage.remove(digest)

    def _living(self) -> list[DatasetVersion]:
        """The versions of all datasets whose files are there."""
        return [
            version
            for dataset in self._store.list_datasets(None)
            for version in self._store.list_versions(dataset.id)
            if version.purged_at is None
        ]

    def _named_paths(self) -> set[str]:
        return {path for version in self._living() for path in paths_of(version)}

    def _blobs(self, version: DatasetVersion) -> set[str]:
        found = {version.profile_digest, version.source.packs}
        if version.source.kind in {"file", "url", "dvc"}:
            found.add(version.source.digest)
        if version.source.packs and self._ground.storage.exists(version.source.packs):
            entries = self._ground.storage.entries(version.source.packs)
            found |= {entry.digest for entry in entries}
        return found - {""}


def _spelt(uri: str) -> str:
    """A folder by its one name, where links and a workspace's own lead to it by several."""
    return uri if "://" in uri else str(Path(uri).resolve())


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def names_key(version: DatasetVersion, column: str) -> bool:
    """Whether a version has the column, or a field of this name within one."""
    field = re.compile(rf"(?<![^<, ]){re.escape(column)}: ")
    return any(
        item.name == column or (item.type == "nested" and field.search(item.stored))
        for item in version.columns
    )


def _may_name(version: DatasetVersion, column: str) -> bool:
    """The same, of maps too, whose keys nobody knows before they are read."""
    maps = any(item.type == "nested" and "map<" in item.stored for item in version.columns)
    return maps or names_key(version, column)


def _stray(dataset: Dataset, files: dict[str, int], *, erased: bool = False) -> Holding:
    name, rows = f"files of {dataset.name} that no version names", sum(files.values())
    return Holding(room="data", kind="file", name=name, rows=rows, erased=erased)


def _holding(
    version: DatasetVersion, rows: int, *, erased: bool = False, note: str = ""
) -> Holding:
    return Holding(
        room="data",
        kind="version",
        name=f"{version.dataset}@{version.number}",
        id=version.artifact_id,
        rows=rows,
        erased=erased,
        note=note,
    )
