"""What is said about versions, how they differ, and how they go."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from athanor.data.errors import BadSource, BadVersionTag, DatasetNotFound, NothingToRestore
from athanor.data.logic.names import checked_tag, parsed_reference
from athanor.data.records import Diff, Mark, NewMark, Vacuumed, VacuumOrder
from athanor.data.service.datasets import Datasets
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground, OneWriter
from athanor.data.service.intake import as_task, paths_of
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import Dataset, DatasetVersion
from athanor.kernel import DEFAULT_PROJECT, Principal
from athanor.lineage import Lineage

_MOST_DAYS = 36_500
_GONE_FOR = {
    "": "its files are gone",
    "vacuum": "its files were vacuumed",
    "erased": "it was erased with the rows of a person",
}


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two versions that are compared, or a part of it."""

    version: DatasetVersion
    shown: str
    digest: str
    told: dict[str, Any]


class Versions:
    """Marks on versions and datasets, diffs, deletion and vacuum."""

    def __init__(
        self, store: DataStore, marks: MarkStore, ground: Ground, *, datasets: Datasets,
        lineage: Lineage,
    ) -> None:  # fmt: skip
        self._store = store
        self._marks = marks
        self._ground = ground
        self._access = ground.access
        self._datasets = datasets
        self._lineage = lineage
        self._finder = Finder(store, marks)

    def marks(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> list[Mark]:
        """What is said about a dataset (number 0) and its versions.

        Raises: DatasetNotFound, DatasetDeleted.
        """
        self._access.require(who, "data.marks", name)
        return self._marks.list_marks(self._finder.dataset(project, name).id)

    def mark(
        self, who: Principal, reference: str, new: NewMark, *, project: str = DEFAULT_PROJECT
    ) -> Mark:
        """Say something about a dataset (NAME) or a version (NAME@...); what is None stays.

        A version's tag is a name for it: another version of the dataset that had it loses it.
        Raises: BadVersionTag, and what `version` raises.
        """
        self._access.require(who, "data.mark", reference)
        asked = parsed_reference(reference)
        dataset = self._finder.dataset(project, asked.name)
        number = 0
        if "@" in reference:
            number = self._finder.version(dataset, asked).number
        if new.tags is not None and number:
            for tag in new.tags:
                checked_tag(tag)
        elif new.tags is not None and any(not tag.strip() or len(tag) > 80 for tag in new.tags):
            raise BadVersionTag(next(tag for tag in new.tags if not tag.strip() or len(tag) > 80))
        now = self._ground.clock.now()
        with self._ground.database.transaction():
            known = {mark.number: mark for mark in self._marks.list_marks(dataset.id)}
            before = known.get(number, Mark(number=number, changed_at=now, changed_by=who.name))
            if new.tags and number:
                self._take_tags(dataset, known, number, set(new.tags))
            mark = Mark(
                number=number,
                tags=before.tags if new.tags is None else tuple(dict.fromkeys(new.tags)),
                note=before.note if new.note is None else new.note,
                owners=before.owners if new.owners is None else tuple(dict.fromkeys(new.owners)),
                changed_at=now,
                changed_by=who.name,
            )
            self._marks.put_mark(dataset.id, mark)
            subject = f"{dataset.name}@{number}" if number else dataset.name
            detail = {"tags": list(mark.tags), "note": mark.note, "owners": list(mark.owners)}
            self._ground.events.tell(who, "data.mark.changed", subject, detail, project=project)
        return mark

    def _take_tags(
        self, dataset: Dataset, known: dict[int, Mark], number: int, tags: set[str]
    ) -> None:
        for other in known.values():
            if other.number not in {0, number} and tags & set(other.tags):
                kept = tuple(tag for tag in other.tags if tag not in tags)
                changed = Mark(
                    number=other.number, tags=kept, note=other.note, owners=other.owners,
                    changed_at=other.changed_at, changed_by=other.changed_by,
                )  # fmt: skip
                self._marks.put_mark(dataset.id, changed)

    def diff(
        self,
        who: Principal,
        before: str,
        after: str,
        *,
        key: tuple[str, ...] = (),
        project: str = DEFAULT_PROJECT,
    ) -> Diff:
        """How a version differs from another, of the same dataset or not; or a part of its splits.

        Rows are matched by `key`; without one by the id's column where it names each row, else
        whole rows are compared.
        Raises: UnfitKey, UnknownPart, and what `version` raises.
        """
        self._access.require(who, "data.diff", before)
        with self._ground.scratch() as scratch:
            first, second = (
                self._side(who, reference, project, scratch / str(place))
                for place, reference in enumerate((before, after))
            )
            ids = [side.version.roles.id for side in (first, second)]
            named = ids[0] if ids[0] == ids[1] else ""
            found = self._ground.workers.call(
                "athanor.data.work.compare:diff",
                {
                    "before": first.told,
                    "after": second.told,
                    "key": list(key) or ([named] if named else []),
                    "implied": not key,
                },
            )
        same = first.digest == second.digest
        told = {"before": first.shown, "after": second.shown, "same": same}
        return msgspec.convert(found | told, Diff)

    def _side(self, who: Principal, reference: str, project: str, into: Path) -> "_Side":
        dataset, version = self._finder.of(project, reference)
        shown, asked = f"{version.dataset}@{version.number}", parsed_reference(reference)
        if not asked.part:
            profile = self._datasets.profile(who, shown, project=project)
            told = as_task(version) | {"profile": msgspec.to_builtins(profile)}
            return _Side(version, shown, version.digest, told)
        split, part = self._finder.part(dataset, version, asked.part)
        into.mkdir()
        rows = into / "rows"
        self._ground.storage.fetch_file(split.assignment, rows)
        stored = replace(
            version, columns=tuple(replace(column, given="") for column in version.columns)
        )
        self._ground.workers.call(
            "athanor.data.work.content:write",
            {
                "version": as_task(stored), "target": str(into / "part.parquet"),
                "form": "parquet", "rows": str(rows), "part": part,
            },
        )  # fmt: skip
        own = as_task(stored) | {"table_uri": str(into), "files": ["part.parquet"]}
        measured = self._ground.workers.call(
            "athanor.data.work.look:profile",
            {"version": own, "roles": msgspec.to_builtins(version.roles)},
        )
        digest = f"{version.digest}#{split.name}.{part}"
        return _Side(version, f"{shown}#{asked.part}", digest, own | {"profile": measured})

    def delete(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> list[DatasetVersion]:
        """Delete a version (NAME@...) or a whole dataset (NAME); it can be restored.

        Returns what is deleted by it. Files stay until `vacuum`, and those of versions that a run
        used stay for good.
        Raises: what `version` raises.
        """
        self._access.require(who, "data.delete", reference)
        asked, now = parsed_reference(reference), self._ground.clock.now()
        with self._ground.database.transaction():
            dataset = self._finder.dataset(project, asked.name)
            if "@" in reference:
                gone = [self._finder.version(dataset, asked)]
            else:
                every = self._store.list_versions(dataset.id)
                gone = [version for version in every if version.deleted_at is None]
                self._store.mark_dataset(dataset.id, now)
            for version in gone:
                self._store.mark_version(dataset.id, version.number, {"deleted_at": now})
            detail = {"dataset": dataset.name, "versions": [item.number for item in gone]}
            action = "data.version.deleted" if "@" in reference else "data.dataset.deleted"
            self._ground.events.tell(who, action, reference, detail, project=project)
        return [item for item in self._store.list_versions(dataset.id)
                if item.number in {version.number for version in gone}]  # fmt: skip

    def restore(
        self, who: Principal, reference: str, *, project: str = DEFAULT_PROJECT
    ) -> list[DatasetVersion]:
        """Bring back a deleted version (NAME@3), or a dataset with what was deleted with it.

        Raises: NothingToRestore, DatasetNotFound, BadVersionReference.
        """
        self._access.require(who, "data.restore", reference)
        asked = parsed_reference(reference)
        with self._ground.database.transaction():
            dataset = self._finder.dataset(project, asked.name, deleted=True)
            every = self._store.list_versions(dataset.id)
            if asked.number is not None:
                wanted = [item for item in every if item.number == asked.number]
                if not wanted or wanted[0].deleted_at is None:
                    raise NothingToRestore(reference, "it is not deleted")
            else:
                if dataset.deleted_at is None:
                    raise NothingToRestore(reference, "it is not deleted")
                wanted = [item for item in every if item.deleted_at == dataset.deleted_at]
            if wanted and all(item.purged_at is not None for item in wanted):
                raise NothingToRestore(reference, _GONE_FOR[wanted[-1].purged_for or ""])
            wanted = [item for item in wanted if item.purged_at is None]
            self._store.mark_dataset(dataset.id, None)
            for version in wanted:
                self._store.mark_version(dataset.id, version.number, {"deleted_at": None})
            detail = {"dataset": dataset.name, "versions": [item.number for item in wanted]}
            self._ground.events.tell(
                who, "data.version.restored", reference, detail, project=project
            )
        numbers = {version.number for version in wanted}
        return [v for v in self._store.list_versions(dataset.id) if v.number in numbers]

    def vacuum(
        self,
        who: Principal,
        name: str,
        order: VacuumOrder,
        *,
        project: str = DEFAULT_PROJECT,
    ) -> Vacuumed:
        """Remove the files of deleted versions that no run used and no living version shares.

        A dry run, which is the default, tells what would go.
        Raises: DatasetNotFound.
        """
        self._access.require(who, "data.vacuum", name)
        if not 0 <= order.days <= _MOST_DAYS:
            raise BadSource(f"{order.days:g} days are out of range.", f"Give 0 to {_MOST_DAYS}.")
        dataset = self._store.find_dataset(project, name)
        if dataset is None:
            raise DatasetNotFound(name, [item.name for item in self._store.list_datasets(project)])
        writer = OneWriter(self._store, self._ground.clock)
        with writer.of(project, name):
            every = self._store.list_versions(dataset.id)
            before = self._ground.clock.now() - timedelta(days=order.days)
            deleted = [item for item in every if item.deleted_at and item.purged_at is None]
            kept: dict[str, str] = {}
            going: list[DatasetVersion] = []
            for version in deleted:
                why = self._why_kept(who, version)
                if not why and version.deleted_at is not None and version.deleted_at > before:
                    why = f"it was deleted less than {order.days:g} days ago"
                if why:
                    kept[str(version.number)] = why
                else:
                    going.append(version)
            numbers = {version.number for version in going}
            staying = [v for v in every if v.number not in numbers and v.purged_at is None]
            # Of versions that were purged before, a process that was killed may have left files.
            purged = [version for version in every if version.purged_at is not None]
            files, size = self._files_to_go([*going, *purged], staying)
            if not order.dry_run and (going or files):
                self._purge(who, dataset, going, files, "vacuum")
        return Vacuumed(
            dry_run=order.dry_run,
            versions=tuple(sorted(numbers)),
            kept=kept,
            files=len(files),
            size=size,
        )

    def _why_kept(self, who: Principal, version: DatasetVersion) -> str:
        """The run that used a version, in words; "" if none did but the taking in of the next."""
        graph = self._lineage.trace(who, version.artifact_id, "down")
        users = [
            node
            for node in graph.nodes
            if node.kind == "run" and node.depth == 1 and node.type != "ingest"
        ]
        return f"the run {users[0].name!r} ({users[0].id}) used it" if users else ""

    def _files_to_go(
        self, going: list[DatasetVersion], staying: list[DatasetVersion]
    ) -> tuple[list[str], int]:
        """The paths of files that only versions that go have, and their bytes together."""
        own = self._ground.storage.table_uri("")
        shared = {path for version in staying for path in paths_of(version)}
        files = sorted(
            {
                path
                for version in going
                if version.table_uri.startswith(own.rstrip("/"))
                for path in paths_of(version)
            }
            - shared
        )
        there = [path for path in files if "://" in path or Path(path).exists()]
        return there, sum(Path(path).stat().st_size for path in there if "://" not in path)

    def _purge(
        self,
        who: Principal,
        dataset: Dataset,
        going: list[DatasetVersion],
        files: list[str],
        why: str,
    ) -> None:
        """Mark versions as gone, then remove their files: never a version without its files."""
        now = self._ground.clock.now()
        with self._ground.database.transaction():
            for version in going:
                changes = {"purged_at": now, "purged_for": why}
                self._store.mark_version(dataset.id, version.number, changes)
            detail = {
                "dataset": dataset.name,
                "versions": [version.number for version in going],
                "digests": {str(version.number): version.digest for version in going},
                "files": len(files),
                "why": why,
            }
            self._ground.events.tell(
                who, "data.version.purged", dataset.name, detail, project=dataset.project
            )
        self._ground.remove_files(files)
