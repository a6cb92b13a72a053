"""Model artifacts of the lineage as folders of the artifact tree, to be read alone.

What was registered without MLflow has no files in the tree; its clients find them here, at
`registry/<artifact id>`.
"""

from athanor.kernel import Principal, Storage
from athanor.lineage import ArtifactNotFound, Lineage
from athanor.tracking.files import FileEntry

ROOT = "registry"
_KINDS = frozenset({"model", "folder"})


class Shelf:
    """The folders of artifacts."""

    def __init__(self, lineage: Lineage, storage: Storage) -> None:
        self._lineage = lineage
        self._storage = storage

    def files(self, who: Principal, place: str) -> list[FileEntry]:
        """The file at a place, or all those below it, by path; none of what is not kept here."""
        root, _, rest = place.partition("/")
        if root != ROOT or not rest:
            return []
        artifact_id = rest.partition("/")[0]
        try:
            artifact = self._lineage.artifact(who, artifact_id)
        except ArtifactNotFound:
            return []
        if artifact.type not in _KINDS:
            return []
        entries = self._storage.entries(artifact.folder)
        found = [
            FileEntry(
                path=f"{ROOT}/{artifact_id}/{entry.path}",
                digest=entry.digest,
                size=entry.size,
                at=artifact.created_at,
            )
            for entry in entries
        ]
        below = f"{place}/"
        return sorted(
            (entry for entry in found if entry.path == place or entry.path.startswith(below)),
            key=lambda entry: entry.path,
        )

    def find(self, who: Principal, place: str) -> FileEntry | None:
        """What stands at a place."""
        files = self.files(who, place)
        if not files:
            return None
        return files[0] if files[0].path == place else FileEntry(path=place, at=files[0].at)

    def children(self, who: Principal, folder: str) -> list[FileEntry]:
        """What stands in a folder, by path."""
        found: dict[str, FileEntry] = {}
        for entry in self.files(who, folder):
            name, deeper, _ = entry.path.removeprefix(f"{folder}/").partition("/")
            if entry.path != folder:
                path = f"{folder}/{name}"
                found.setdefault(path, FileEntry(path=path, at=entry.at) if deeper else entry)
        return [found[path] for path in sorted(found)]


def is_shelved(place: str) -> bool:
    """Whether a place lies among the folders of artifacts."""
    return place == ROOT or place.startswith(f"{ROOT}/")
