"""The verbs of the registry."""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryDirectory
from typing import IO, Any

import msgspec

from athanor.kernel import (
    Access,
    Clock,
    Database,
    Events,
    Principal,
    Storage,
)
from athanor.lineage import Artifact, Lineage
from athanor.registry.errors import (
    BadModelFolder,
    ContentElsewhere,
    GateNotPassed,
    ModelNotFound,
    ModelVersionNotFound,
    NotAModel,
    NothingToRollBack,
)
from athanor.registry.folders import digest_of_folder, model_artifact
from athanor.registry.logic.aliases import stack_of
from athanor.registry.logic.archives import pack, unpack
from athanor.registry.logic.mlmodel import read_description
from athanor.registry.logic.references import (
    CHAMPION,
    LATEST,
    check_alias,
    check_model_name,
    split,
)
from athanor.registry.numbers import last_under
from athanor.registry.protection import Step
from athanor.registry.rules import NoRules, Rules, allowed, require_unmoved
from athanor.registry.store import ModelStore
from athanor.registry.types import (
    AliasMove,
    Model,
    ModelVersion,
    NewModelVersion,
    Signature,
    Upload,
    is_prompt,
)

_CHUNK = 1 << 20


class Models:
    """Models, their immutable versions, and the aliases that move between them."""

    def __init__(
        self,
        store: ModelStore,
        database: Database,
        *,
        lineage: Lineage,
        storage: Storage,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._lineage = lineage
        self._storage = storage
        self._events = events
        self._access = access
        self._clock = clock
        self._rules: Rules = NoRules()

    def follow(self, rules: Rules) -> None:
        """Ask these rules before aliases move, and tell them of new versions."""
        self._rules = rules

    def register(self, who: Principal, new: NewModelVersion) -> ModelVersion:
        """Give a model artifact the model's next number; the model is made if it is new.

        With a key, an artifact that has a number in this model already keeps it.

        Raises: BadModelName, ArtifactNotFound, NotAModel.
        """
        self._access.require(who, "registry.register", new.model)
        check_model_name(new.model)
        with self._database.transaction():
            artifact = self._lineage.artifact(who, new.artifact_id)
            if artifact.type != "model":
                raise NotAModel(artifact.id, artifact.type)
            self._make(who, new)
            self._store.lock(new.model)
            if new.key and (kept := self._kept(new)):
                return kept
            version = self._store.add_version(self._described(who, new, artifact), new.key)
            detail = {
                "model": version.model,
                "number": version.number,
                "artifact": version.artifact_id,
                "digest": version.digest,
                "run": version.run_id,
                "metrics": version.metrics,
            }
            self._tell(who, "registry.version.created", version.reference, detail, new.project)
            self._database.after_commit(lambda: self._rules.registered(version))
        return version

    def _kept(self, new: NewModelVersion) -> ModelVersion | None:
        """What a pipeline registered before: by the same call, or the same model from the cache."""
        by_key = self._store.find_by_key(new.model, new.key) if new.key else None
        return by_key or next(
            (
                version
                for version in self._store.list_versions(new.model)
                if version.artifact_id == new.artifact_id
            ),
            None,
        )

    def upload(self, who: Principal, new: Upload) -> ModelVersion:
        """Take in a packed MLflow model folder and give it the model's next number.

        Its files are not loaded: what loading them would run is looked up and kept with it.
        Raises: BadModelName, BadModelFolder, UploadTooLarge, RunNotFound.
        """
        self._access.require(who, "registry.upload", new.model)
        check_model_name(new.model)
        with TemporaryDirectory(prefix="athanor-model-") as place:
            folder = Path(place)
            unpack(new.archive, folder)
            said = read_description(folder)
            if said.model_file and not (folder / said.model_file).exists():
                raise BadModelFolder("The upload", f"its file {said.model_file!r} is not in it")
            blob = self._storage.put_folder(folder)
        digest = digest_of_folder(self._storage, self._storage.entries(blob.digest))
        artifact = model_artifact(new.model, new.project, said, blob, digest)
        with self._database.transaction():
            kept = self._lineage.record(who, artifact)
            if new.run_id:
                self._lineage.run(who, new.run_id)
                self._lineage.produced(who, new.run_id, kept.id, "model")
            return self.register(
                who,
                NewModelVersion(
                    model=new.model,
                    artifact_id=kept.id,
                    run_id=new.run_id,
                    metrics=new.metrics,
                    project=new.project,
                ),
            )

    def models(self, who: Principal, *, prompts: bool = False) -> list[Model]:
        """All models, by name; those by which MLflow keeps prompts only where they are wanted."""
        self._access.require(who, "registry.models", "*")
        found = self._store.list_models()
        return found if prompts else [model for model in found if not is_prompt(model.tags)]

    def model(self, who: Principal, name: str) -> Model:
        """One model.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.model", name)
        return self._model(name)

    def version(self, who: Principal, reference: str) -> ModelVersion:
        """The version that `churn@2`, `churn@champion` or `churn@latest` names at this moment.

        A bare name is its champion, or its newest version where it has none.
        Raises: ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.version", reference)
        return self._version(reference)

    def versions(self, who: Principal, model: str) -> list[ModelVersion]:
        """A model's versions, newest first.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.versions", model)
        self._model(model)
        return self._store.list_versions(model)

    def versions_of(self, who: Principal, artifact_id: str) -> list[ModelVersion]:
        """The versions, of whatever model, whose files are this artifact; none if it is unknown."""
        self._access.require(who, "registry.versions_of", artifact_id)
        return self._store.find_by_artifact(artifact_id)

    def set_alias(
        self, who: Principal, model: str, alias: str, number: int, *, reason: str = ""
    ) -> ModelVersion:
        """Point an alias at a version. Pointing it where it points already changes nothing.

        Raises: ModelNotFound, ModelVersionNotFound, BadAlias; GateNotPassed for the "champion"
        of a protected model; AliasProtected, AliasMovedMeanwhile for a protected alias.
        """
        self._access.require(who, "registry.set_alias", f"{model}@{alias}")
        check_alias(alias)
        version = self._version(f"{model}@{number}")
        if alias == CHAMPION:
            self._require_gate(version)
        step = Step(model=version.model, alias=alias, number=version.number, reason=reason)
        return self._stepped(who, step)

    def remove_alias(self, who: Principal, model: str, alias: str) -> None:
        """Remove an alias; the version that it pointed at stays.

        Raises: ModelNotFound, ModelVersionNotFound, AliasProtected.
        """
        self._access.require(who, "registry.remove_alias", f"{model}@{alias}")
        if alias not in self._model(model).aliases:
            raise ModelVersionNotFound(model, alias)
        self._stepped(who, Step(model=model, alias=alias, number=None, kind="removed"))

    def promote(
        self, who: Principal, reference: str, *, force: bool = False, reason: str = ""
    ) -> ModelVersion:
        """Make a version its model's champion.

        `force` passes over a missing verdict and the gates of a protected alias, on record.

        Raises: ModelNotFound, ModelVersionNotFound, GateNotPassed, AliasProtected,
        AliasMovedMeanwhile.
        """
        self._access.require(who, "registry.promote", reference)
        version = self._version(reference)
        if not force:
            self._require_gate(version)
        forced = "forced past the gate" if force and not _passed(version) else ""
        step = Step(
            model=version.model,
            alias=CHAMPION,
            number=version.number,
            reason="; ".join(text for text in (reason, forced) if text),
            force=force,
        )
        return self._stepped(who, step)

    def rollback(self, who: Principal, model: str, *, alias: str = CHAMPION) -> ModelVersion:
        """Point an alias back at the version before; again, at the one before that.

        Raises: ModelNotFound, NothingToRollBack.
        """
        self._access.require(who, "registry.rollback", f"{model}@{alias}")
        with self._database.transaction():
            self._model(model)
            self._store.lock(model)
            there = {version.number for version in self._store.list_versions(model)}
            stack = [n for n in stack_of(self._store.moves(model, alias)) if n in there]
            if len(stack) < 2:
                raise NothingToRollBack(model, alias)
            reason = f"back from version {stack[-1]}"
            step = Step(model=model, alias=alias, number=stack[-2], kind="rollback", reason=reason)
            return self._stepped(who, step)

    def history(self, who: Principal, model: str) -> list[AliasMove]:
        """Where a model's aliases have pointed, oldest first.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.history", model)
        self._model(model)
        return self._store.moves(model, None)

    def protect(self, who: Principal, model: str, *, protected: bool) -> Model:
        """Say whether "champion" takes only versions that passed a gate.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.protect", model)
        with self._database.transaction():
            self._model(model)
            self._store.protect(model, protected=protected)
            detail = {"model": model, "protected": protected}
            self._tell(who, "registry.model.protected", model, detail)
            return self._model(model)

    def download(self, who: Principal, reference: str) -> Iterator[bytes]:
        """A version's model folder as a zip archive, chunk by chunk; equal models, equal bytes.

        Raises: ModelNotFound, ModelVersionNotFound, BlobNotFound.
        """
        self._access.require(who, "registry.download", reference)
        artifact = self._lineage.artifact(who, held(self._version(reference)))
        archive: IO[bytes] = SpooledTemporaryFile(max_size=16 * _CHUNK)  # noqa: SIM115 - streamed
        with zipfile.ZipFile(archive, "w") as written:
            entries = self._storage.entries(artifact.folder)
            pack(((entry.path, self._storage.open(entry.digest)) for entry in entries), written)
        archive.seek(0)
        return _chunks(archive)

    def _make(self, who: Principal, new: NewModelVersion) -> None:
        model = Model(
            name=new.model,
            project=new.project,
            created_by=who.name,
            created_at=self._clock.now(),
            updated_at=self._clock.now(),
        )
        if self._store.add_model(model):
            self._store.number_after(model.name, last_under(self._events, model.name))
            self._tell(who, "registry.model.created", model.name, described(model), model.project)

    def _described(self, who: Principal, new: NewModelVersion, artifact: Artifact) -> ModelVersion:
        return ModelVersion(
            model=new.model,
            number=0,
            artifact_id=artifact.id,
            digest=artifact.digest,
            size=artifact.size,
            run_id=new.run_id,
            flavor=str(artifact.metadata.get("flavor", "sklearn")),
            signature=signature_of(artifact),
            metrics=new.metrics,
            verdict=new.verdict,
            created_by=who.name,
            created_at=self._clock.now(),
            updated_at=self._clock.now(),
        )

    def _model(self, name: str) -> Model:
        found = self._store.find_model(name)
        if found is None:
            raise ModelNotFound(name, [model.name for model in self._store.list_models()])
        return found

    def _version(self, reference: str) -> ModelVersion:
        name, rest = split(reference)
        model = self._model(name)
        if rest.isdecimal():
            number = int(rest)
        elif rest in {"", LATEST}:
            number = model.aliases.get(CHAMPION, model.latest) if not rest else model.latest
        else:
            number = model.aliases.get(rest, 0)
        found = self._store.find_version(name, number)
        if found is None:
            raise ModelVersionNotFound(name, rest or LATEST)
        return found

    def _require_gate(self, version: ModelVersion) -> None:
        if not self._model(version.model).protected or _passed(version):
            return
        reason = version.verdict.reason if version.verdict else "no gate has judged it."
        raise GateNotPassed(version.model, version.number, reason)

    def _stepped(self, who: Principal, step: Step) -> ModelVersion:
        """Move an alias, if the rules let it; the version that it points at, or pointed at."""
        decision = allowed(self._rules, who, step)
        with self._database.transaction():
            self._store.lock(step.model)
            model = self._model(step.model)
            previous = model.aliases.get(step.alias)
            require_unmoved(decision, step, previous)
            number = previous if step.number is None else step.number
            self._version(f"{step.model}@{number}")
            if step.number != previous:
                self._move(who, model, step, previous)
                self._rules.moved(who, step, decision)
            return self._version(f"{step.model}@{number}")

    def _move(self, who: Principal, model: Model, step: Step, previous: int | None) -> None:
        self._store.move_alias(
            AliasMove(
                model=model.name,
                alias=step.alias,
                number=step.number,
                previous=previous,
                kind=step.kind,
                reason=step.reason,
                moved_by=who.name,
                moved_at=self._clock.now(),
            )
        )
        detail = {
            "model": model.name,
            "alias": step.alias,
            "number": step.number,
            "previous": previous,
            "kind": step.kind,
            "reason": step.reason,
        }
        self._tell(who, "registry.alias.moved", f"{model.name}@{step.alias}", detail, model.project)

    def _tell(
        self,
        who: Principal,
        action: str,
        subject: str,
        detail: Mapping[str, object],
        project: str | None = None,
    ) -> None:
        if project is None:
            self._events.tell(who, action, subject, detail)
        else:
            self._events.tell(who, action, subject, detail, project=project)


def signature_of(artifact: Artifact) -> Signature:
    """What the lineage keeps of a model's signature."""
    told = {
        name: artifact.metadata[name]
        for name in Signature.__dataclass_fields__
        if name in artifact.metadata
    }
    return msgspec.convert(told, Signature)


def held(version: ModelVersion) -> str:
    """The id of a version's artifact.

    Raises: ContentElsewhere.
    """
    if version.artifact_id is None:
        raise ContentElsewhere(version.reference, version.source)
    return version.artifact_id


def described(model: Model) -> dict[str, Any]:
    """What an event tells of a new model."""
    return {"model": model.name, "tags": model.tags, "description": model.description}


def _passed(version: ModelVersion) -> bool:
    return version.verdict is not None and version.verdict.passed


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
