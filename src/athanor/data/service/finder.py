"""Which dataset and which version a name means."""

from athanor.data.errors import (
    AmbiguousDigest,
    DatasetDeleted,
    DatasetNotFound,
    NoReadyVersion,
    SplitNotFound,
    UnknownPart,
    VersionDeleted,
    VersionNotFound,
)
from athanor.data.logic.names import Reference, parsed_reference
from athanor.data.records import Split
from athanor.data.store import DataStore, MarkStore
from athanor.data.types import Dataset, DatasetVersion


class Finder:
    """Finds what references mean, for the verbs of this room."""

    def __init__(self, store: DataStore, marks: MarkStore) -> None:
        self._store = store
        self._marks = marks

    def dataset(self, project: str, name: str, *, deleted: bool = False) -> Dataset:
        """The dataset of a name; a deleted one only where it is asked for.

        Raises: DatasetNotFound, DatasetDeleted.
        """
        found = self._store.find_dataset(project, name)
        if found is None:
            every = self._store.list_datasets(project)
            raise DatasetNotFound(name, [item.name for item in every if item.deleted_at is None])
        if found.deleted_at is not None and not deleted:
            raise DatasetDeleted(name)
        return found

    def of(self, project: str, reference: str) -> tuple[Dataset, DatasetVersion]:
        """The dataset and the version that a reference means.

        Raises: DatasetNotFound, DatasetDeleted, BadVersionReference, and what `version` raises.
        """
        asked = parsed_reference(reference)
        dataset = self.dataset(project, asked.name)
        return dataset, self.version(dataset, asked)

    def version(self, dataset: Dataset, asked: Reference) -> DatasetVersion:
        """The version that is meant.

        Raises: VersionNotFound, NoReadyVersion, VersionDeleted, AmbiguousDigest.
        """
        found = self._version(dataset, asked)
        if found.deleted_at is not None:
            raise VersionDeleted(found.dataset, found.number, found.purged_for or "")
        return found

    def part(self, dataset: Dataset, version: DatasetVersion, named: str) -> tuple[Split, str]:
        """The split and the part that `train` or `cv.train` mean.

        Raises: SplitNotFound, UnknownPart.
        """
        shown = f"{version.dataset}@{version.number}"
        before, dot, after = named.partition(".")
        name, part = (before, after) if dot else ("default", before)
        splits = {
            split.name: split for split in self._marks.list_splits(dataset.id, version.number)
        }
        if not dot and named in splits and part not in getattr(splits.get(name), "parts", {}):
            raise UnknownPart(shown, named, [f"{named}.{item}" for item in splits[named].parts])
        if name not in splits:
            raise SplitNotFound(shown, name, list(splits))
        if part not in splits[name].parts:
            raise UnknownPart(shown, part, list(splits[name].parts))
        return splits[name], part

    def _version(self, dataset: Dataset, asked: Reference) -> DatasetVersion:
        if asked.number is not None:
            return self._numbered(dataset, asked.number, str(asked.number))
        if asked.moment is not None:
            found = self._store.version_at(dataset.id, asked.moment)
            if found is None:
                raise VersionNotFound(dataset.name, f"as old as {asked.moment.isoformat()}")
            return found
        if asked.digest:
            return self._of_digest(dataset, asked.digest)
        if asked.tag:
            marks = self._marks.list_marks(dataset.id)
            number = next((mark.number for mark in marks if asked.tag in mark.tags), 0)
            return self._numbered(dataset, number, f"with the tag {asked.tag!r}")
        latest = self._store.latest_version(dataset.id)
        if latest is None:
            every = self._store.list_versions(dataset.id)
            deleted = bool(every) and all(version.deleted_at is not None for version in every)
            there = [v.number for v in every if v.state == "ready" and v.purged_at is None]
            restorable = max(there, default=None)
            raise NoReadyVersion(dataset.name, deleted=deleted, restorable=restorable)
        return latest

    def _numbered(self, dataset: Dataset, number: int, wanted: str) -> DatasetVersion:
        found = self._store.find_version(dataset.id, number)
        if found is None:
            raise VersionNotFound(dataset.name, wanted)
        return found

    def _of_digest(self, dataset: Dataset, digest: str) -> DatasetVersion:
        found = self._store.versions_of_digest(dataset.id, digest)
        if not found:
            raise VersionNotFound(dataset.name, f"with the digest {digest}")
        if len({version.digest for version in found}) > 1:
            numbers = sorted(version.number for version in found)
            raise AmbiguousDigest(dataset.name, digest, numbers)
        # Equal content may have come twice; one that is ready is meant rather than one set apart.
        return next((version for version in found if version.state == "ready"), found[0])
