"""How a version comes from a source: what is ours is taken in, what is not stays an address."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from athanor.kernel import Clock, Principal, Storage
from athanor.kernel.storage import FolderEntry
from athanor.lineage import Artifact, Lineage, RunNotFound
from athanor.registry.errors import (
    BadModelFolder,
    BadModelSource,
    ModelNotFound,
    ModelVersionNotFound,
)
from athanor.registry.folders import digest_of_folder, model_artifact
from athanor.registry.logic.mlmodel import parse
from athanor.registry.logic.sources import (
    Source,
    local_path,
    not_of_the_run,
    not_of_the_version,
    read_source,
)
from athanor.registry.ports import Origins
from athanor.registry.store import CatalogStore, ModelStore
from athanor.registry.types import (
    STAGES,
    Model,
    ModelDescription,
    ModelVersion,
    NewSource,
    Signature,
    is_prompt,
)

_DESCRIPTION = "MLmodel"
_DESCRIPTION_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class _Origin:
    """What a source comes to."""

    source: str
    location: str = ""
    run: str | None = None
    model_id: str | None = None
    files_at: str = ""
    """The location in our tree where the files are looked for; "" for none."""
    artifact_id: str | None = None
    """What the logged model recorded, if it did."""
    copied: ModelVersion | None = None
    """The version that it is a copy of."""


class Intake:
    """Versions to be, from their sources."""

    def __init__(
        self,
        stores: tuple[ModelStore, CatalogStore],
        *,
        lineage: Lineage,
        storage: Storage,
        origins: Origins,
        clock: Clock,
    ) -> None:
        self._models, self._catalog = stores
        self._lineage = lineage
        self._storage = storage
        self._origins = origins
        self._clock = clock

    def arrived(self, who: Principal, model: Model, new: NewSource) -> ModelVersion:
        """The version that a source makes, not yet numbered. Its artifact is recorded.

        Raises: BadModelSource, BadModelFolder.
        """
        now = self._clock.now()
        origin = self._origin(who, new)
        version = ModelVersion(
            model=model.name,
            number=0,
            artifact_id=None,
            digest="",
            size=0,
            run_id=origin.run,
            flavor="",
            signature=Signature(task=""),
            metrics={},
            description=new.description,
            tags=dict(new.tags),
            source=origin.source,
            location=origin.location,
            run_link=new.run_link,
            model_id=origin.model_id,
            created_by=who.name,
            created_at=now,
            updated_at=now,
        )
        if origin.copied is not None:
            kept = origin.copied
            return replace(
                version,
                artifact_id=kept.artifact_id,
                digest=kept.digest,
                size=kept.size,
                flavor=kept.flavor,
                signature=kept.signature,
                metrics=kept.metrics,
            )
        at = origin.files_at
        entries = self._origins.files(who, model.project, at) if at else ()
        said = self._description(entries, origin.source)
        if said is None:
            return version
        artifact = self._taken_in(who, model, (origin, said), entries)
        return replace(
            version,
            artifact_id=artifact.id,
            digest=artifact.digest,
            size=artifact.size,
            flavor=said.flavor,
            signature=said.signature,
        )

    def note(self, who: Principal, version: ModelVersion) -> None:
        """Tell the logged model that it became a version."""
        if version.model_id:
            self._origins.registered(who, version.model_id, version.model, version.number)

    def version(self, model: str, number: int) -> ModelVersion:
        """The version of this number.

        Raises: ModelNotFound, ModelVersionNotFound.
        """
        found = self._models.find_version(model, number)
        if found is None:
            if self._models.find_model(model) is None:
                raise ModelNotFound(model, [known.name for known in self._models.list_models()])
            raise ModelVersionNotFound(model, str(number))
        return found

    def _origin(self, who: Principal, new: NewSource) -> _Origin:
        run, model_id = new.run_id or None, new.model_id or None
        if is_prompt(new.tags):
            return self._of_prompt(new)
        source = read_source(new.source)
        if source.kind == "local":
            self._check_local(who, new)
        if source.kind == "version":
            return self._of_version(new, source)
        logged_id = source.owner if source.kind == "logged_model" else model_id
        logged = self._origins.logged_model(who, logged_id) if logged_id else None
        if source.kind == "logged_model" and logged is None:
            raise BadModelSource(
                "Unable to fetch model from model URI source artifact location "
                f"'{new.source}'.Error: Logged model with ID '{source.owner}' not found."
            )
        if logged is not None:
            run = run or logged.run
            if source.kind == "logged_model":
                at = logged.location
                return _Origin(new.source, at, run, model_id, at, logged.artifact_id)
        if source.kind == "run":
            root = self._origins.location_of_run(who, source.owner)
            files_at = f"{root}/{source.rest}".rstrip("/") if root else ""
            return _Origin(new.source, "", run, model_id, files_at)
        return _Origin(
            new.source,
            run=run,
            model_id=model_id,
            files_at=new.source if source.kind == "tree" else "",
            artifact_id=logged.artifact_id if logged else None,
        )

    def _of_prompt(self, new: NewSource) -> _Origin:
        if new.source.startswith(("/", "file:")) or ".." in new.source.split("/"):
            raise BadModelSource(
                f"Invalid prompt source: '{new.source}'. Prompt sources must use an MLflow "
                "placeholder."
            )
        return _Origin(new.source, "", new.run_id or None, new.model_id or None)

    def _of_version(self, new: NewSource, source: Source) -> _Origin:
        model = self._models.find_model(source.owner)
        if model is None:
            raise ModelNotFound(source.owner)
        number = self._number(model, source.rest)
        kept = self._models.find_version(model.name, number)
        if kept is None:
            raise ModelVersionNotFound(model.name, source.rest)
        if new.run_id not in {"", None, kept.run_id} or new.model_id not in {
            "",
            None,
            kept.model_id,
        }:
            raise not_of_the_version(new.source)
        return _Origin(
            f"models:/{model.name}/{kept.number}",
            kept.location or kept.source or files_of(kept),
            kept.run_id,
            kept.model_id,
            copied=kept,
        )

    def _number(self, model: Model, rest: str) -> int:
        if rest.startswith("@"):
            return model.aliases.get(rest[1:], 0)
        if rest.isdecimal():
            return int(rest)
        newest = self._catalog.latest_versions([model.name])
        stages = {stage.lower() for stage in STAGES} if rest == "latest" else {rest.lower()}
        return max((v.number for v in newest if v.stage.lower() in stages), default=0)

    def _check_local(self, who: Principal, new: NewSource) -> None:
        parameter, root = "run_id", None
        if new.model_id:
            parameter = "model_id"
            logged = self._origins.logged_model(who, new.model_id)
            root = logged.location if logged else None
        elif new.run_id:
            root = self._origins.location_of_run(who, new.run_id)
        if root is None or not root.startswith(("/", "file:")):
            raise not_of_the_run(new.source, parameter)
        wanted, held = local_path(new.source), local_path(root)
        if wanted != held and not wanted.startswith(f"{held}/"):
            raise not_of_the_run(new.source, parameter)

    def _description(self, entries: Sequence[FolderEntry], source: str) -> ModelDescription | None:
        """What the folder's MLmodel says; None where it has none."""
        for entry in entries:
            if entry.path == _DESCRIPTION:
                if entry.size > _DESCRIPTION_BYTES:
                    raise BadModelFolder(source, "its MLmodel is too large")
                try:
                    return parse(self._storage.read(entry.digest).decode(), source)
                except UnicodeDecodeError as error:
                    raise BadModelFolder(source, "its MLmodel is no text") from error
        return None

    def _taken_in(
        self,
        who: Principal,
        model: Model,
        told: tuple[_Origin, ModelDescription],
        entries: Sequence[FolderEntry],
    ) -> Artifact:
        origin, said = told
        digest = digest_of_folder(self._storage, entries)
        if origin.artifact_id is not None:
            recorded = self._lineage.artifact(who, origin.artifact_id)
            if recorded.digest == digest:
                return recorded
        blob = self._storage.put_entries(entries)
        new = model_artifact(model.name, model.project, said, blob, digest, source=origin.source)
        artifact = self._lineage.record(who, new)
        if origin.run:
            # A run of another server is no error: its id is kept with the version.
            with suppress(RunNotFound):
                self._lineage.produced(who, origin.run, artifact.id, "model")
        return artifact


def files_of(version: ModelVersion) -> str:
    """The address of the files of a version that was handed over as a folder."""
    return f"mlflow-artifacts:/registry/{version.artifact_id}"
