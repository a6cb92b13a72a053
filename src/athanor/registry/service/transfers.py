"""Models that come from another store, with their numbers, times, stages, tags and aliases."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from typing import Any

from athanor.kernel import Access, AthanorError, Clock, Database, Events, Principal, Storage
from athanor.lineage import Lineage, RunNotFound
from athanor.registry.errors import ModelNotFound
from athanor.registry.folders import held_folder
from athanor.registry.intake import Intake
from athanor.registry.logic.references import check_model_name
from athanor.registry.numbers import last_under
from athanor.registry.protection import Step
from athanor.registry.records import ModelArrival, ModelRecord, VersionRecord
from athanor.registry.rules import NoRules, Rules
from athanor.registry.service.models import signature_of
from athanor.registry.store import ModelStore, TransferStore
from athanor.registry.types import STAGES, AliasMove, Model, ModelVersion, NewSource, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSurroundings:
    """What models that come and go stand beside."""

    models: ModelStore
    intake: Intake
    lineage: Lineage
    storage: Storage


_ARRIVED = "arrived from another store"


class ModelTransfers:
    """Takes whole models in, and gives them out again."""

    def __init__(
        self,
        store: TransferStore,
        database: Database,
        *,
        surroundings: ModelSurroundings,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._models = surroundings.models
        self._intake = surroundings.intake
        self._lineage = surroundings.lineage
        self._storage = surroundings.storage
        self._events = events
        self._access = access
        self._clock = clock
        self._rules: Rules = NoRules()

    def follow(self, rules: Rules) -> None:
        """Ask these rules before aliases move, and tell them of new versions."""
        self._rules = rules

    def take_model(self, who: Principal, record: ModelRecord) -> ModelArrival:
        """Take a model in with its versions, numbers kept. Again, it changes nothing.

        What was changed here later than there stays. A number that another version has here is
        refused and told; so is a name that another project has.
        Raises: BadModelName.
        """
        self._access.require(who, "registry.take_model", record.name)
        check_model_name(record.name)
        model = self._model(who, record)
        known = self._models.find_model(record.name)
        if known is not None and known.project != record.project:
            why = f"a model of project {known.project!r} has this name"
            return ModelArrival(name=record.name, refused={0: why})
        here = {version.number for version in self._models.list_versions(record.name)}
        # Reading what a model folder says may take a while: no transaction should wait for it.
        versions = [
            self._version(who, model, told, content=told.number not in here)
            for told in record.versions
        ]
        with self._database.transaction():
            kept = self._models.find_model(record.name)
            if kept is None:
                self._models.add_model(model)
            self._models.lock(record.name)
            added, changed, refused = self._put(record.name, versions)
            behind = self._models.last_number(record.name) < record.last_number
            changed = changed or self._settle(who, record, kept, refused) or behind
            for version in versions:
                if version.number in added:
                    self._database.after_commit(partial(self._rules.registered, version))
            if kept is None or added or changed:
                gone = last_under(self._events, record.name) if kept is None else 0
                last = max(record.last_number, gone)
                self._store.put_model(self._newer(kept, model), last)
                detail = {"model": record.name, "versions": added}
                self._events.tell(
                    who, "registry.model.arrived", record.name, detail, project=record.project
                )
        return ModelArrival(
            name=record.name, new=kept is None, added=added, changed=changed, refused=refused
        )

    def _put(
        self, name: str, versions: Sequence[ModelVersion]
    ) -> tuple[list[int], bool, dict[int, str]]:
        """Which numbers were added, whether others changed, and which were refused, and why."""
        here = {version.number: version for version in self._models.list_versions(name)}
        added: list[int] = []
        changed, refused = False, {}
        for version in versions:
            known = here.get(version.number)
            if known is None:
                self._store.put_version(version)
                added.append(version.number)
            elif not _same(known, version):
                refused[version.number] = "another version has this number here"
            elif version.updated_at > known.updated_at:
                self._store.put_version(version)
                changed = True
        return added, changed, refused

    def give_model(self, who: Principal, name: str) -> ModelRecord:
        """A model with all its versions, as another store would take it in.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.give_model", name)
        model = self._models.find_model(name)
        if model is None:
            raise ModelNotFound(name)
        versions = self._models.list_versions(name)
        return ModelRecord(
            name=model.name,
            project=model.project,
            description=model.description or "",
            created_at=model.created_at,
            updated_at=model.updated_at,
            last_number=self._models.last_number(name),
            tags=model.tags,
            aliases=model.aliases,
            versions=[
                VersionRecord(
                    number=version.number,
                    source=version.source,
                    location=version.location,
                    run=version.run_id,
                    run_link=version.run_link or "",
                    logged_model=version.model_id,
                    **self._folder(who, version),
                    stage=version.stage,
                    status=version.status,
                    status_message=version.status_message or "",
                    description=version.description or "",
                    user=version.created_by,
                    created_at=version.created_at,
                    updated_at=version.updated_at,
                    tags=version.tags,
                )
                for version in sorted(versions, key=lambda version: version.number)
            ],
        )

    def _settle(
        self, who: Principal, record: ModelRecord, kept: Model | None, refused: dict[int, str]
    ) -> bool:
        """Point the aliases where they are newer than those that are here; whether one moved."""
        newer = kept is None or (
            record.updated_at is not None and record.updated_at > kept.updated_at
        )
        here = kept.aliases if kept else {}
        moved = False
        for alias, number in record.aliases.items():
            if number in refused or here.get(alias) == number or (alias in here and not newer):
                continue
            step = Step(model=record.name, alias=alias, number=number, reason=_ARRIVED)
            if not self._rules.decide(who, step).allowed:
                continue  # it is protected: what the gates said is kept, and people were asked
            self._models.move_alias(
                AliasMove(
                    model=record.name,
                    alias=alias,
                    number=number,
                    previous=here.get(alias),
                    kind="set",
                    reason=_ARRIVED,
                    moved_by=who.name,
                    moved_at=self._clock.now(),
                )
            )
            moved = True
        return moved

    @staticmethod
    def _newer(kept: Model | None, model: Model) -> Model:
        return model if kept is None or model.updated_at > kept.updated_at else kept

    def _model(self, who: Principal, record: ModelRecord) -> Model:
        created = record.created_at or self._clock.now()
        return Model(
            name=record.name,
            project=record.project,
            created_by=who.name,
            created_at=created,
            updated_at=record.updated_at or created,
            description=record.description or None,
            tags=record.tags,
        )

    def _version(
        self, who: Principal, model: Model, told: VersionRecord, *, content: bool
    ) -> ModelVersion:
        created = told.created_at or model.created_at
        stage = told.stage.capitalize()
        source = NewSource(
            model=model.name,
            source=told.source,
            run_id=told.run,
            model_id=told.logged_model,
            run_link=told.run_link or None,
            description=told.description or None,
            tags=told.tags,
        )
        version = None
        if content:
            version = self._handed_over(who, model, told) or self._found(who, model, source)
        if version is None:
            version = ModelVersion(
                model=model.name,
                number=told.number,
                artifact_id=None,
                digest="",
                size=0,
                run_id=told.run,
                flavor="",
                signature=Signature(task=""),
                metrics={},
                description=source.description,
                tags=told.tags,
                source=told.source,
                location=told.location if told.location != told.source else "",
                run_link=source.run_link,
                model_id=told.logged_model,
                created_by=who.name,
                created_at=created,
                updated_at=created,
            )
        return replace(
            version,
            number=told.number,
            stage=stage if stage in STAGES else "None",
            status=told.status,
            status_message=told.status_message or None,
            run_id=told.run,
            created_by=told.user or who.name,
            created_at=created,
            updated_at=told.updated_at or created,
        )

    def _handed_over(
        self, who: Principal, model: Model, told: VersionRecord
    ) -> ModelVersion | None:
        """The version with the folder that came with it."""
        held = told.held
        if held is None or not all(self._storage.exists(file.digest) for file in told.files):
            return None
        blob = self._storage.put_entries(told.files)
        metadata = held.metadata | {"blob": blob.digest, "layout": "folder"}
        record = replace(held, uri=blob.uri, metadata=metadata, project=model.project)
        artifact = self._lineage.record(who, record)
        if told.run:
            with suppress(RunNotFound):
                self._lineage.produced(who, told.run, artifact.id, "model")
        return ModelVersion(
            model=model.name,
            number=told.number,
            artifact_id=artifact.id,
            digest=artifact.digest,
            size=artifact.size,
            run_id=told.run,
            flavor=str(metadata.get("flavor", "sklearn")),
            signature=signature_of(artifact),
            metrics=told.metrics,
            description=told.description or None,
            tags=told.tags,
            created_by=who.name,
            created_at=model.created_at,
            updated_at=model.created_at,
        )

    def _folder(self, who: Principal, version: ModelVersion) -> dict[str, Any]:
        """What a version's record tells of a folder that was handed over."""
        metrics = {name: value for name, value in version.metrics.items() if isfinite(value)}
        if version.source or version.artifact_id is None:
            return {"metrics": metrics}
        artifact = self._lineage.artifact(who, version.artifact_id)
        files = self._storage.entries(artifact.folder)
        return {"metrics": metrics, "held": held_folder(artifact), "files": files}

    def _found(self, who: Principal, model: Model, source: NewSource) -> ModelVersion | None:
        """The version with its content, where its files came along or lie here."""
        try:
            return self._intake.arrived(who, model, source)
        except AthanorError:
            # Its files lie elsewhere, or are none of a model: its address is kept.
            return None


def _same(known: ModelVersion, version: ModelVersion) -> bool:
    """Whether two records of one number tell of one version."""
    return known.created_at == version.created_at and known.run_id == version.run_id
