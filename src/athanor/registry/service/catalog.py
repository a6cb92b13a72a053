"""What people write on models and versions: names, descriptions, tags, stages; and searches."""

from collections.abc import Callable, Mapping
from typing import Any

from athanor.kernel import Access, Clock, Database, Events, Principal
from athanor.registry.errors import BadStage, BadTag, ModelExists, ModelInUse, ModelNotFound
from athanor.registry.intake import Intake
from athanor.registry.logic.references import check_model_name
from athanor.registry.numbers import DELETED, RENAMED, last_under
from athanor.registry.ports import NoUses, Uses
from athanor.registry.protection import Step
from athanor.registry.rules import NoRules, Rules, allowed
from athanor.registry.service.models import described
from athanor.registry.store import CatalogStore, ModelStore, SearchStore, Wanted
from athanor.registry.types import (
    STAGES,
    AliasMove,
    Model,
    ModelPage,
    ModelVersion,
    NewModel,
    NewSource,
    Search,
    StageMove,
    VersionPage,
)
from athanor.tracking import (
    check_key,
    model_filter,
    model_orders,
    page_offset,
    page_token,
    version_filter,
    version_orders,
)

_VALUE = 100_000
_ACTIVE = ("Staging", "Production")


class Catalog:
    """Registered models and their versions, as MLflow's clients write and find them."""

    def __init__(
        self,
        stores: tuple[ModelStore, CatalogStore, SearchStore],
        database: Database,
        *,
        intake: Intake,
        events: Events,
        access: Access,
        clock: Clock,
    ) -> None:
        self._models, self._store, self._search = stores
        self._database = database
        self._intake = intake
        self._events = events
        self._access = access
        self._clock = clock
        self._rules: Rules = NoRules()
        self._uses: Uses = NoUses()

    def follow(self, rules: Rules) -> None:
        """Tell these rules of new versions, and ask them before aliases go with what they name."""
        self._rules = rules

    def mind(self, uses: Uses) -> None:
        """Delete nothing that these say is in use."""
        self._uses = uses

    def create_model(self, who: Principal, new: NewModel) -> Model:
        """Take a name for versions that will come.

        Where a model of this name was deleted, numbers go on behind its last one.
        Raises: BadModelName, BadKey, BadTag, ModelExists.
        """
        self._access.require(who, "registry.create_model", new.name)
        check_model_name(new.name)
        check_tags(new.tags)
        now = self._clock.now()
        model = Model(
            name=new.name,
            project=new.project,
            description=new.description,
            tags=dict(new.tags),
            created_by=who.name,
            created_at=now,
            updated_at=now,
        )
        with self._database.transaction():
            if not self._models.add_model(model):
                raise ModelExists(new.name)
            if not new.counts_anew or self._uses.ever(new.name):
                self._models.number_after(new.name, last_under(self._events, new.name))
            self._tell(who, model, "registry.model.created", described(model))
        return model

    def change_model(self, who: Principal, name: str, *, description: str | None) -> Model:
        """Write a model's description anew.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.change_model", name)
        with self._database.transaction():
            model = self._model(name)
            changes = {"description": description, "updated_at": self._clock.now()}
            self._store.change_model(name, changes)
            self._tell(who, model, "registry.model.changed", {"description": description})
            return self._model(name)

    def rename_model(self, who: Principal, name: str, new_name: str) -> Model:
        """Give a model another name; versions, aliases and their history follow.

        Raises: BadModelName, ModelNotFound, ModelExists.
        """
        self._access.require(who, "registry.rename_model", name)
        check_model_name(new_name, "new_name")
        with self._database.transaction():
            self._models.lock(name)
            model = self._model(name)
            if new_name != name and self._models.find_model(new_name) is not None:
                raise ModelExists(new_name)
            latest = self._models.last_number(name)
            self._store.rename_model(name, new_name, self._clock.now())
            if new_name != name and self._uses.ever(new_name):
                self._models.number_after(new_name, last_under(self._events, new_name))
            self._tell(who, model, RENAMED, {"new_name": new_name, "latest": latest})
            return self._model(new_name)

    def delete_model(self, who: Principal, name: str) -> None:
        """Delete a model with its versions and aliases; artifacts and runs stay in the lineage.

        Raises: ModelNotFound, ModelInUse, AliasProtected.
        """
        self._access.require(who, "registry.delete_model", name)
        for alias in self._model(name).aliases:
            allowed(self._rules, who, Step(model=name, alias=alias, number=None, kind="removed"))
        with self._database.transaction():
            self._models.lock(name)
            model = self._model(name)
            self._require_idle(f"Model {name!r}", name, None)
            latest = self._models.last_number(name)
            self._store.remove_model(name)
            self._tell(who, model, DELETED, {"latest": latest})

    def tag_model(self, who: Principal, name: str, key: str, value: str) -> None:
        """Set a model's tag.

        Raises: BadKey, BadTag, ModelNotFound.
        """
        self._access.require(who, "registry.tag_model", name)
        check_tags({key: value})
        with self._database.transaction():
            model = self._model(name)
            self._store.tag_model(name, key, value)
            self._tell(who, model, "registry.model.tagged", {"key": key, "value": value})

    def untag_model(self, who: Principal, name: str, key: str) -> None:
        """Remove a model's tag; one that it does not have is no error.

        Raises: ModelNotFound.
        """
        self._access.require(who, "registry.untag_model", name)
        with self._database.transaction():
            model = self._model(name)
            self._store.untag_model(name, key)
            self._tell(who, model, "registry.model.untagged", {"key": key})

    def search_models(self, who: Principal, search: Search) -> ModelPage:
        """Models of a project by name and tags, page by page; MLflow's prompts are left out.

        Raises: BadSearch.
        """
        self._access.require(who, "registry.search_models", search.project)
        orders = model_orders(search.order_by)
        wanted = _wanted(search, model_filter(search.filter), orders)
        found = self._search.search_models(wanted)
        return ModelPage(
            models=found[: search.max_results], next_page_token=_next(wanted, len(found))
        )

    def add_version(self, who: Principal, new: NewSource) -> ModelVersion:
        """Give a model its next version, from where its files lie.

        Files in our own artifact tree become an artifact with a digest, a signature and edges, so
        that the version can be deployed; other addresses are kept.
        Raises: ModelNotFound, BadModelSource, BadTag, BadModelFolder (its MLmodel can't be read).
        """
        self._access.require(who, "registry.add_version", new.model)
        check_tags(new.tags)
        model = self._model(new.model)
        arrived = self._intake.arrived(who, model, new)
        with self._database.transaction():
            self._models.lock(new.model)
            version = self._models.add_version(arrived, None)
            detail = {
                "model": version.model,
                "number": version.number,
                "artifact": version.artifact_id,
                "digest": version.digest,
                "run": version.run_id,
                "metrics": version.metrics,
                "source": version.source,
                "tags": version.tags,
                "description": version.description,
            }
            self._tell(who, model, "registry.version.created", detail, version.reference)
            self._intake.note(who, version)
            self._database.after_commit(lambda: self._rules.registered(version))
        return version

    def change_version(
        self, who: Principal, model: str, number: int, *, description: str | None
    ) -> ModelVersion:
        """Write a version's description anew.

        Raises: ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.change_version", f"{model}@{number}")
        changes = {"description": description, "updated_at": self._clock.now()}
        return self._changed(
            who,
            (model, number),
            ("registry.version.changed", {"description": description}),
            lambda: self._store.change_version(model, number, changes),
        )

    def delete_version(self, who: Principal, model: str, number: int) -> None:
        """Delete a version; aliases that point at it go with it, its number is not given again.

        Raises: ModelNotFound, ModelVersionNotFound, ModelInUse, AliasProtected.
        """
        self._access.require(who, "registry.delete_version", f"{model}@{number}")
        for alias in self._version(model, number).aliases:
            allowed(self._rules, who, Step(model=model, alias=alias, number=None, kind="removed"))
        with self._database.transaction():
            self._models.lock(model)
            version, now = self._version(model, number), self._clock.now()
            self._require_idle(f"Version {number} of model {model!r}", model, number)
            for alias in version.aliases:
                self._models.move_alias(
                    AliasMove(
                        model=model,
                        alias=alias,
                        number=None,
                        previous=number,
                        kind="removed",
                        reason="the version was deleted",
                        moved_by=who.name,
                        moved_at=now,
                    )
                )
            self._store.remove_version(model, number)
            self._store.change_model(model, {"updated_at": now})
            detail = {
                "model": model,
                "number": number,
                "aliases": version.aliases,
                "digest": version.digest,
            }
            found = self._model(model)
            self._tell(who, found, "registry.version.deleted", detail, version.reference)

    def tag_version(
        self, who: Principal, model: str, number: int, key: str, value: str
    ) -> ModelVersion:
        """Set a version's tag.

        Raises: BadKey, BadTag, ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.tag_version", f"{model}@{number}")
        check_tags({key: value})
        return self._changed(
            who,
            (model, number),
            ("registry.version.tagged", {"key": key, "value": value}),
            lambda: self._store.tag_version(model, number, key, value),
        )

    def untag_version(self, who: Principal, model: str, number: int, key: str) -> ModelVersion:
        """Remove a version's tag; one that it does not have is no error.

        Raises: ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.untag_version", f"{model}@{number}")
        return self._changed(
            who,
            (model, number),
            ("registry.version.untagged", {"key": key}),
            lambda: self._store.untag_version(model, number, key),
        )

    def move_stage(self, who: Principal, model: str, number: int, move: StageMove) -> ModelVersion:
        """Put a version in a stage; with `archive_existing`, those there go to `Archived`.

        Raises: BadStage, ModelNotFound, ModelVersionNotFound.
        """
        self._access.require(who, "registry.move_stage", f"{model}@{number}")
        stage = canonical_stage(move.stage)
        if move.archive_existing and stage not in _ACTIVE:
            raise BadStage(
                "Model version transition cannot archive existing model versions because "
                f"'{move.stage}' is not an Active stage. Valid stages are {list(_ACTIVE)}"
            )
        now = self._clock.now()

        def act() -> None:
            self._models.lock(model)  # of two that move at once the second archives the first
            if move.archive_existing:
                self._store.archive(model, stage, number, now)
            self._store.change_version(model, number, {"stage": stage, "updated_at": now})
            self._store.change_model(model, {"updated_at": now})

        return self._changed(
            who, (model, number), ("registry.version.staged", {"stage": stage}), act
        )

    def search_versions(self, who: Principal, search: Search) -> VersionPage:
        """Versions of a project's models, page by page; those of MLflow's prompts are left out.

        Raises: BadSearch.
        """
        self._access.require(who, "registry.search_versions", search.project)
        orders = version_orders(search.order_by)
        wanted = _wanted(search, version_filter(search.filter), orders)
        found = self._search.search_versions(wanted)
        return VersionPage(
            versions=found[: search.max_results], next_page_token=_next(wanted, len(found))
        )

    def latest_versions(
        self, who: Principal, models: tuple[str, ...], stages: tuple[str, ...] = ()
    ) -> list[ModelVersion]:
        """Each model's newest version in each stage, or in the stages asked for.

        Raises: BadStage.
        """
        self._access.require(who, "registry.latest_versions", ",".join(models[:3]))
        wanted = {canonical_stage(stage) for stage in stages or STAGES}
        return [
            version for version in self._store.latest_versions(models) if version.stage in wanted
        ]

    def _require_idle(self, what: str, model: str, number: int | None) -> None:
        if uses := self._uses.deployments(model, number):
            raise ModelInUse(what, uses)

    def _changed(
        self,
        who: Principal,
        place: tuple[str, int],
        told: tuple[str, Mapping[str, Any]],
        act: Callable[[], None],
    ) -> ModelVersion:
        model, number = place
        with self._database.transaction():
            found = self._model(model)
            version = self._version(model, number)
            act()
            detail = {"model": model, "number": number, **told[1]}
            self._tell(who, found, told[0], detail, version.reference)
            return self._version(model, number)

    def _tell(
        self,
        who: Principal,
        model: Model,
        action: str,
        detail: Mapping[str, Any],
        subject: str = "",
    ) -> None:
        told = {"model": model.name, **detail}
        self._events.tell(who, action, subject or model.name, told, project=model.project)

    def _model(self, name: str) -> Model:
        found = self._models.find_model(name)
        if found is None:
            raise ModelNotFound(name, [model.name for model in self._models.list_models()])
        return found

    def _version(self, model: str, number: int) -> ModelVersion:
        return self._intake.version(model, number)


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that are too long, or whose key can't be one.

    Raises: BadKey, BadTag.
    """
    for key, value in tags.items():
        check_key(key, "key", "key")
        if len(value) > _VALUE:
            raise BadTag(f"'value' exceeds the maximum length of {_VALUE} characters")


def canonical_stage(stage: str) -> str:
    """A stage as it is written; case does not matter.

    Raises: BadStage.
    """
    for known in STAGES:
        if known.lower() == stage.lower():
            return known
    raise BadStage(
        f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(STAGES)}."
    )


def _wanted(search: Search, comparisons: Any, orders: Any) -> Wanted:
    return Wanted(
        project=search.project,
        comparisons=comparisons,
        orders=orders,
        # One more than asked for tells whether there is another page.
        limit=search.max_results + 1,
        offset=page_offset(search.page_token or ""),
    )


def _next(wanted: Wanted, found: int) -> str | None:
    return page_token(wanted.offset + wanted.limit - 1) if found == wanted.limit else None
