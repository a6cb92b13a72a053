"""How a version is made of a user's own Python: its folder, its artifact, where it came from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from athanor.kernel import Principal
from athanor.kernel.storage import Blob, FolderEntry, Storage
from athanor.lineage import Artifact, Lineage, NewArtifact, NewRun
from athanor.registry.errors import BadCode, ModelNotFound
from athanor.registry.folders import digest_of_folder, model_artifact
from athanor.registry.ground import Ground
from athanor.registry.logic import code as codes
from athanor.registry.logic.mlmodel import parse
from athanor.registry.records import NewCode
from athanor.registry.service.models import Models, held
from athanor.registry.types import ModelVersion, NewModelVersion

_TAKEN_ALONG = ("input_example.json",)
"""Of the model around which the code stands: rows that show what it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inner:
    """The model around which the code stands."""

    version: ModelVersion
    artifact: Artifact
    entries: Mapping[str, FolderEntry]


class Coding:
    """Makes versions of code."""

    def __init__(self, models: Models, ground: Ground) -> None:
        self._models = models
        self._lineage: Lineage = ground.lineage
        self._storage: Storage = ground.storage
        self._database = ground.database

    def version(self, who: Principal, new: NewCode) -> ModelVersion:
        """The version that this code makes; the same code gives the same one.

        Raises: BadCode, BadModelName, ModelNotFound, ModelVersionNotFound, ContentElsewhere.
        """
        entry, defined = codes.checked(new.code)
        codes.check_inputs(new.inputs)
        inner = self._inner(who, new.around) if new.around else None
        if inner is None and "predict" not in defined:
            raise BadCode(entry, "it needs a predict(model, data), as it stands around no model")
        base = None if inner is None else inner.version.signature
        signature = codes.signature_of(defined, base, new.inputs)
        own = [
            self._kept(f"{codes.CODE}/{name}", text)
            for name, text in sorted(new.code.files.items())
        ]
        entries = own + self._around(new, inner)
        said = hashlib.sha256(
            json.dumps([[item.path, item.digest] for item in entries]).encode()
        ).hexdigest()
        reference = "" if inner is None else inner.version.reference
        texts = codes.describe(new.code, entry, signature, around=reference, digest=said)
        entries += [self._kept(name, text) for name, text in texts.items()]
        digest = digest_of_folder(self._storage, entries)
        return self._known(who, new.model, digest) or self._registered(
            who, new, (own, entries, inner, digest, texts["MLmodel"])
        )

    def _known(self, who: Principal, model: str, digest: str) -> ModelVersion | None:
        try:
            versions = self._models.versions(who, model)
        except ModelNotFound:
            return None
        return next((item for item in versions if item.digest == digest), None)

    def _inner(self, who: Principal, reference: str) -> _Inner:
        version = self._models.version(who, reference)
        artifact = self._lineage.artifact(who, held(version))
        entries = {item.path: item for item in self._storage.entries(artifact.folder)}
        if codes.DESCRIPTION in entries:
            # Code around code: the new code stands around the model in its place.
            told = json.loads(self._storage.read(entries[codes.DESCRIPTION].digest))
            if told["around"]:
                return self._inner(who, told["around"])
            raise BadCode(version.reference, "it is code itself, and stands around no model")
        return _Inner(version=version, artifact=artifact, entries=entries)

    def _around(self, new: NewCode, inner: _Inner | None) -> list[FolderEntry]:
        """The files of the model inside, and the requirements of both."""
        files = {} if inner is None else inner.entries
        needed = files.get("requirements.txt")
        text = (
            "" if needed is None else self._storage.read(needed.digest).decode("utf-8", "replace")
        )
        found = [
            FolderEntry(path=f"{codes.INNER}/{path}", digest=item.digest, size=item.size)
            for path, item in files.items()
        ]
        found += [files[name] for name in _TAKEN_ALONG if name in files]
        needs = codes.requirements_text(new.code.requirements, text)
        return [*found, self._kept("requirements.txt", needs)]

    def _kept(self, path: str, text: str) -> FolderEntry:
        blob = self._storage.put_bytes(text.encode())
        return FolderEntry(path=path, digest=blob.digest, size=blob.size)

    def _registered(
        self,
        who: Principal,
        new: NewCode,
        made: tuple[list[FolderEntry], list[FolderEntry], _Inner | None, str, str],
    ) -> ModelVersion:
        own, entries, inner, digest, mlmodel = made
        said = parse(mlmodel, new.model)
        whole, alone = self._storage.put_entries(entries), self._storage.put_entries(own)
        with self._database.transaction():
            run = self._lineage.start_run(
                who, NewRun(kind="code", name=f"{new.model} code", project=new.project)
            )
            code = self._lineage.record(who, _code_artifact(new, alone))
            self._lineage.consumed(who, run.id, code.id, "code")
            if inner is not None:
                self._lineage.consumed(who, run.id, inner.artifact.id, "model")
            model = model_artifact(new.model, new.project, said, whole, digest, code=alone.digest)
            artifact = self._lineage.record(who, model)
            self._lineage.produced(who, run.id, artifact.id, "model")
            self._lineage.finish_run(who, run.id)
            return self._models.register(
                who,
                NewModelVersion(
                    model=new.model, artifact_id=artifact.id, run_id=run.id, project=new.project
                ),
            )


def _code_artifact(new: NewCode, blob: Blob) -> NewArtifact:
    return NewArtifact(
        type="folder",
        name=f"{new.model}-code",
        uri=blob.uri,
        digest=blob.digest,
        size=blob.size,
        metadata={"layout": "folder", "blob": blob.digest, "files": sorted(new.code.files)},
        project=new.project,
    )
