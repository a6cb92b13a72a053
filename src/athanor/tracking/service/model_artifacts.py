"""Model folders of the artifact tree become model artifacts of the lineage."""

from hashlib import blake2b
from typing import IO, Any

from athanor.kernel import Storage
from athanor.kernel.storage import FolderEntry
from athanor.lineage import (
    NewArtifact,
    Part,
    digest_of_model,
    model_description,
)
from athanor.tracking.files import FileEntry
from athanor.tracking.logic.mlmodel import described
from athanor.tracking.store.files import FileStore

_DESCRIPTION = "MLmodel"


class ModelArtifacts:
    """Makes a model artifact of a folder: an immutable copy by digests, which costs no bytes."""

    def __init__(self, store: FileStore, storage: Storage) -> None:
        self._store = store
        self._storage = storage

    def of_folder(
        self, place: str, name: str, *, project: str, metadata: dict[str, Any]
    ) -> NewArtifact | None:
        """The artifact that a folder is now, to be recorded; None where it is no MLflow model.

        The same content at the same place is the same artifact. Archives in it are read once, as
        streams, so this may take a while: no transaction should wait for it.
        """
        entries = {
            entry.path.removeprefix(f"{place}/"): entry for entry in self._store.files(place)
        }
        if _DESCRIPTION not in entries:
            return None
        digest = digest_of_model(self._part(path, entry) for path, entry in entries.items())
        blob = self._storage.put_entries(
            [
                FolderEntry(path=path, digest=entry.digest, size=entry.size)
                for path, entry in sorted(entries.items(), key=lambda item: item[0].split("/"))
            ]
        )
        said = described(model_description(self._part(_DESCRIPTION, entries[_DESCRIPTION])))
        return NewArtifact(
            id=blake2b(f"{place}\n{digest}".encode(), digest_size=16).hexdigest(),
            type="model",
            name=name,
            uri=f"mlflow-artifacts:/{place}",
            digest=digest,
            size=blob.size,
            metadata={**said, "blob": blob.digest, "layout": "folder", **metadata},
            project=project,
        )

    def _part(self, path: str, entry: FileEntry) -> Part:
        def opened() -> IO[bytes]:
            return self._storage.open(entry.digest)

        return Part(path=path, size=entry.size, digest=lambda: entry.digest, open=opened)
