"""A model's folder as its files are stored: its digest, and its artifact in the lineage."""

from collections.abc import Sequence
from dataclasses import asdict

from athanor.kernel import Storage
from athanor.kernel.storage import Blob, FolderEntry
from athanor.lineage import Artifact, NewArtifact, Part, digest_of_model
from athanor.registry.types import ModelDescription


def digest_of_folder(storage: Storage, entries: Sequence[FolderEntry]) -> str:
    """The canonical digest of a model folder whose files are stored."""

    def part(entry: FolderEntry) -> Part:
        return Part(
            path=entry.path,
            size=entry.size,
            digest=lambda: entry.digest,
            open=lambda: storage.open(entry.digest),
        )

    return digest_of_model([part(entry) for entry in sorted(entries, key=lambda item: item.path)])


def held_folder(artifact: Artifact) -> NewArtifact:
    """A stored model folder as a version's record takes it along, without the place it lies at."""
    return NewArtifact(
        id=artifact.id,
        type=artifact.type,
        name=artifact.name,
        uri="",
        digest=artifact.digest,
        size=artifact.size,
        metadata=artifact.metadata,
        project=artifact.project,
    )


def model_artifact(
    name: str, project: str, said: ModelDescription, blob: Blob, digest: str, **more: str
) -> NewArtifact:
    """A stored model folder as it is recorded; `more` is told beside what its MLmodel says."""
    return NewArtifact(
        type="model",
        name=name,
        uri=blob.uri,
        digest=digest,
        size=blob.size,
        metadata={
            **asdict(said.signature),
            "flavor": said.flavor,
            "serialization": said.serialization,
            "metadata": said.metadata,
            "blob": blob.digest,
            "layout": "folder",
            **more,
        },
        project=project,
    )
