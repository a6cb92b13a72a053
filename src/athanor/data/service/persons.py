"""A person's rows in datasets: found in every version, and erased for good.

The latest version is written anew without them. Every version that held them loses its files, its
raw file and its profile; its number, digest and lineage stay.
"""

from contextlib import suppress

from athanor.data.service.ground import Ground, OneWriter
from athanor.data.service.intake import Intake, Order, Origin, as_task, paths_of
from athanor.data.service.sources import Sources
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import Dataset, DatasetVersion, NewVersion
from athanor.kernel import Principal
from athanor.kernel.errors import Forbidden
from athanor.kernel.holder import Holding, Person

_NOTE = "Rows of a person were erased; the versions that held them are gone."


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
        found = []
        for dataset in self._readable(who):
            counted = self._counted(dataset, person)
            found += [_holding(version, rows) for version, rows in counted if rows]
        return found

    def erase(self, person: Person, who: Principal) -> list[Holding]:
        """Write clean versions, then remove the files of those that held the person's rows."""
        self._ground.access.require(who, "data.erase_person", person.column)
        found = []
        for dataset in self._readable(who):
            found += self._erased(dataset, person, who)
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
            if version.purged_at is None
            and person.column in {column.name for column in version.columns}
        ]
        files = sorted({path for version in versions for path in paths_of(version)})
        if not files:
            return []
        counts = self._ground.workers.call(
            "athanor.data.work.persons:counts",
            {"files": files, "column": person.column, "value": person.value},
        )
        return [(v, sum(counts.get(path, 0) for path in paths_of(v))) for v in versions]

    def _erased(self, dataset: Dataset, person: Person, who: Principal) -> list[Holding]:
        counted = {version.number: rows for version, rows in self._counted(dataset, person) if rows}
        if not counted:
            return []
        every = [v for v in self._store.list_versions(dataset.id) if v.purged_at is None]
        affected = [version for version in every if version.number in counted]
        own = self._ground.storage.table_uri("").rstrip("/")
        strange = [version for version in affected if not version.table_uri.startswith(own)]
        affected = [version for version in affected if version.table_uri.startswith(own)]
        latest = self._store.latest_version(dataset.id)
        clean = ""
        if latest is not None and latest in affected and dataset.deleted_at is None:
            clean = self._cleaned(dataset, latest, person, who)
        if any(version.source.packs for version in affected):
            # Packs hold many files: whoever shares one with these versions goes with them.
            affected = [version for version in every if version.source.packs]
        self._purged(dataset, affected, who)
        note = f"clean version: {clean}" if clean else "no clean version: no other rows, or deleted"
        found = [
            _holding(v, counted.get(v.number, 0), erased=True, note=note + self._splits(dataset, v))
            for v in affected
        ]
        away = "the table is not ours: erase the rows there, then add it again"
        return [*found, *(_holding(v, counted[v.number], note=away) for v in strange)]

    def _splits(self, dataset: Dataset, version: DatasetVersion) -> str:
        """What became of its splits, in words; "" if it had none."""
        names = ", ".join(item.name for item in self._marks.list_splits(dataset.id, version.number))
        return f"; its splits went with it, divide the clean version anew: {names}" if names else ""

    def _cleaned(
        self, dataset: Dataset, latest: DatasetVersion, person: Person, who: Principal
    ) -> str:
        """Add a version with the other rows of the latest; its reference, "" if there are none."""
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
            made = self._intake.take(
                Order(who=who, project=dataset.project, name=dataset.name, new=new, origin=origin)
            )
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
        living = [
            version
            for dataset in self._store.list_datasets(None)
            for version in self._store.list_versions(dataset.id)
            if version.purged_at is None
        ]
        kept = {path for version in living for path in paths_of(version)}
        self._ground.remove_files(sorted({p for v in gone for p in paths_of(v)} - kept))
        named = {digest for version in living for digest in self._blobs(version)}
        for digest in {digest for version in gone for digest in self._blobs(version)} - named:
            self._ground.storage.remove(digest)

    def _blobs(self, version: DatasetVersion) -> set[str]:
        found = {version.profile_digest, version.source.packs}
        if version.source.kind in {"file", "url", "dvc"}:
            found.add(version.source.digest)
        if version.source.packs and self._ground.storage.exists(version.source.packs):
            entries = self._ground.storage.entries(version.source.packs)
            found |= {entry.digest for entry in entries}
        return found - {""}


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
