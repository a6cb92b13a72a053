"""Entities, views, on-demand views and services: defined together, found by name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from athanor.features.checking import Checking
from athanor.features.errors import InUse
from athanor.features.ground import Ground, Stores
from athanor.features.logic.feast import read_repository
from athanor.features.logic.names import parsed_reference
from athanor.features.records import FeastFiles, FeastImport
from athanor.features.shelf import Shelf
from athanor.features.types import (
    Applied,
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Found,
    OnDemandView,
)
from athanor.kernel import DEFAULT_PROJECT, Principal

_KINDS = ("entity", "view", "on_demand", "service")
_OURS = ("revision", "created_at", "created_by")


class Features:
    """The definitions of features."""

    def __init__(self, stores: Stores, ground: Ground) -> None:
        self._store = stores.definitions
        self._stores = stores
        self._ground = ground
        self._access = ground.access
        self._shelf = Shelf(stores.definitions, stores.history)
        self._checking = Checking(self._shelf, ground.datasets)

    def apply(
        self, who: Principal, definitions: Definitions, *, project: str = DEFAULT_PROJECT
    ) -> Applied:
        """Define all of it, or nothing; what is there already is changed where it differs.

        Raises: BadFeatureName, BadEntity, BadView, BadOnDemandView, BadFeatureService,
        EntityNotFound, ViewNotFound, FeatureNotFound, DatasetNotFound, FeatureColumnMissing.
        """
        self._access.require(who, "features.apply", project)
        outcome: dict[str, list[str]] = {"created": [], "changed": [], "unchanged": []}
        with self._ground.database.transaction():
            checking = self._checking
            for entity in definitions.entities:
                checked = checking.entity(replace(entity, project=project))
                self._put(who, "entity", checked, outcome)
            for view in definitions.views:
                fitting = checking.view(who, replace(view, project=project))
                self._put(who, "view", fitting, outcome)
            for on_demand in definitions.on_demand:
                computable = checking.on_demand(who, replace(on_demand, project=project))
                self._put(who, "on_demand", computable, outcome)
            for service in definitions.services:
                whole = checking.service(replace(service, project=project))
                self._put(who, "service", whole, outcome)
            if outcome["created"] or outcome["changed"]:
                detail = {"created": outcome["created"], "changed": outcome["changed"]}
                self._ground.events.tell(
                    who, "features.definitions.applied", project, detail, project=project
                )
        return Applied(**{name: tuple(items) for name, items in outcome.items()})

    def entities(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[Entity]:
        """All entities, by name."""
        self._access.require(who, "features.entities", project)
        return self._store.listed("entity", project)

    def entity(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> Entity:
        """One entity. Raises: EntityNotFound."""
        self._access.require(who, "features.entity", name)
        return self._shelf.entity(project, name)

    def views(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[FeatureView]:
        """All feature views, by name."""
        self._access.require(who, "features.views", project)
        return self._store.listed("view", project)

    def view(self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT) -> FeatureView:
        """One feature view. Raises: ViewNotFound."""
        self._access.require(who, "features.view", name)
        return self._shelf.view(project, name)

    def on_demand_views(
        self, who: Principal, *, project: str = DEFAULT_PROJECT
    ) -> list[OnDemandView]:
        """All on-demand views, by name."""
        self._access.require(who, "features.on_demand_views", project)
        return self._store.listed("on_demand", project)

    def on_demand_view(
        self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT
    ) -> OnDemandView:
        """One on-demand view. Raises: ViewNotFound."""
        self._access.require(who, "features.on_demand_view", name)
        return self._shelf.on_demand(project, name)

    def services(self, who: Principal, *, project: str = DEFAULT_PROJECT) -> list[FeatureService]:
        """All feature services, by name."""
        self._access.require(who, "features.services", project)
        return self._store.listed("service", project)

    def service(
        self, who: Principal, name: str, *, project: str = DEFAULT_PROJECT
    ) -> FeatureService:
        """One feature service. Raises: FeatureServiceNotFound."""
        self._access.require(who, "features.service", name)
        return self._shelf.service(project, name)

    def remove(
        self, who: Principal, kind: str, name: str, *, project: str = DEFAULT_PROJECT
    ) -> None:
        """Remove a definition that nothing else uses; stored versions and training sets stay.

        Raises: InUse; EntityNotFound, ViewNotFound, FeatureServiceNotFound.
        """
        self._access.require(who, "features.remove", name)
        with self._ground.database.transaction():
            found = self._found(kind, project, name)
            users = list(self._users(kind, found))
            if users:
                raise InUse(f"{kind.replace('_', '-')} {name!r}", users)
            self._store.remove(kind, project, name)
            if kind == "view":
                self._stores.history.remove_view(project, name)
                self._stores.online.remove_view(f"{project}/{name}")
            detail = {"kind": kind, "name": name}
            self._ground.events.tell(
                who, "features.definition.removed", name, detail, project=project
            )

    def search(self, who: Principal, text: str = "", *, project: str | None = None) -> list[Found]:
        """Entities, views, features and services whose names, words or tags hold every word.

        Over all projects, unless one is named: features of another are used as
        PROJECT/VIEW:FEATURE.
        """
        self._access.require(who, "features.search", project or "*")
        words = text.casefold().split()
        found = []
        for item in self._all(project):
            told = " ".join(
                [item.kind, item.project, item.name, item.type, item.description, item.owner]
                + [f"{key} {value} {key}={value}" for key, value in item.tags.items()]
            ).casefold()
            if all(word in told for word in words):
                found.append(item)
        return found

    def import_feast(
        self, who: Principal, files: FeastFiles, *, project: str = DEFAULT_PROJECT
    ) -> FeastImport:
        """Read the definitions of a Feast repository; its code is not run.

        Raises: BadFeastRepository; what `apply` raises.
        """
        self._access.require(who, "features.import_feast", project)
        known = {item.name for item in self._ground.datasets.datasets(who, project=project)}
        found = read_repository(files.files, files.datasets, known)
        if not files.apply:
            return found
        return replace(found, applied=self.apply(who, found.definitions, project=project))

    def _put(self, who: Principal, kind: str, new: Any, outcome: dict[str, list[str]]) -> None:
        before: Any = self._store.find(kind, new.project, new.name)
        label = f"{kind.replace('_', '-')} {new.name}"
        now = self._ground.clock.now()
        numbered = hasattr(new, "revision")
        if before is None:
            made = replace(new, created_at=now, created_by=who.name)
            self._store.put(kind, replace(made, revision=1) if numbered else made)
            outcome["created"].append(label)
            return
        if kind == "entity":
            # Its keys got their types from the first rows (R10).
            types = {key.name: key.type for key in before.keys}
            keys = tuple(replace(key, type=key.type or types.get(key.name, "")) for key in new.keys)
            new = replace(new, keys=keys)
        kept = {name: getattr(before, name) for name in _OURS if hasattr(before, name)}
        if replace(new, **kept) == before:
            outcome["unchanged"].append(label)
            return
        if kind == "view" and tuple(new.entities) != tuple(before.entities):
            # Online rows of other keys would never be found, nor replaced.
            self._stores.online.remove_view(f"{new.project}/{new.name}")
        made = replace(new, created_at=now, created_by=who.name)
        self._store.put(kind, replace(made, revision=before.revision + 1) if numbered else made)
        outcome["changed"].append(label)

    def _found(self, kind: str, project: str, name: str) -> Any:
        if kind == "entity":
            return self._shelf.entity(project, name)
        if kind == "view":
            return self._shelf.view(project, name)
        if kind == "on_demand":
            return self._shelf.on_demand(project, name)
        return self._shelf.service(project, name)

    def _users(self, kind: str, found: Any) -> Iterator[str]:
        """What is built on a definition, in any project."""
        if kind == "entity":
            for view in self._store.listed("view", found.project):
                if found.name in view.entities:
                    yield f"view {view.name}"
        if kind in {"view", "on_demand"}:
            yield from self._readers(f"{found.project}/{found.name}")

    def _readers(self, view: str) -> Iterator[str]:
        for service in self._store.listed("service"):
            if any(
                parsed_reference(item, service.project).view == view for item in service.features
            ):
                yield f"service {service.name}"
        for other in self._store.listed("on_demand"):
            if any(parsed_reference(item, other.project).view == view for item in other.inputs):
                yield f"on-demand view {other.name}"

    def _all(self, project: str | None) -> Iterator[Found]:
        for entity in self._store.listed("entity", project):
            yield _hit("entity", entity, entity.name)
        for view in self._store.listed("view", project):
            users = tuple(self._readers(f"{view.project}/{view.name}"))
            yield _hit("view", view, view.name, used_by=users)
            version = self._shelf.described_by(view)
            described = {item.name: item.description for item in view.features}
            for item in version.fields if version is not None else view.features:
                said = described.get(item.name) or item.description
                hit = _hit("feature", view, f"{view.name}:{item.name}", used_by=users)
                yield replace(hit, type=item.type, description=said or view.description)
        for view in self._store.listed("on_demand", project):
            users = tuple(self._readers(f"{view.project}/{view.name}"))
            yield _hit("on_demand", view, view.name, used_by=users)
            for item in view.features:
                hit = _hit("feature", view, f"{view.name}:{item.name}", used_by=users)
                yield replace(hit, type=item.type, description=item.description)
        for service in self._store.listed("service", project):
            yield _hit("service", service, service.name)


def _hit(kind: Any, item: Any, name: str, **more: Any) -> Found:
    return Found(
        kind=kind,
        project=item.project,
        name=name,
        description=item.description,
        owner=item.owner,
        tags=item.tags,
        **more,
    )
