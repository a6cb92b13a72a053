"""Definitions by name, and the plan by which the features of a request are found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from athanor.features.errors import (
    EntityNotFound,
    FeatureNotFound,
    FeatureServiceNotFound,
    ViewNotFound,
    ViewVersionNotFound,
)
from athanor.features.logic.names import Reference, check_clashes, parsed_reference
from athanor.features.lookup import KeyColumn, Lookup, OnDemand, Plan
from athanor.features.store import DefinitionStore, HistoryStore
from athanor.features.types import (
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    ViewVersion,
)


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What is asked for of one view: stored names, and the columns of the answer."""

    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and the definitions that it was made of."""

    plan: Plan
    views: tuple[FeatureView, ...]
    on_demand: tuple[OnDemandView, ...]
    service: FeatureService | None = None


class Shelf:
    """Finds definitions."""

    def __init__(self, definitions: DefinitionStore, history: HistoryStore) -> None:
        self._definitions = definitions
        self._history = history

    def entity(self, project: str, name: str) -> Entity:
        """An entity. Raises: EntityNotFound."""
        found = self._definitions.find("entity", project, name)
        if not isinstance(found, Entity):
            known = [item.name for item in self._definitions.listed("entity", project)]
            raise EntityNotFound(name, known)
        return found

    def view(self, project: str, name: str) -> FeatureView:
        """A feature view. Raises: ViewNotFound."""
        found = self._definitions.find("view", project, name)
        if not isinstance(found, FeatureView):
            known = [item.name for item in self._definitions.listed("view", project)]
            raise ViewNotFound(name, known)
        return found

    def on_demand(self, project: str, name: str) -> OnDemandView:
        """An on-demand view. Raises: ViewNotFound."""
        found = self._definitions.find("on_demand", project, name)
        if not isinstance(found, OnDemandView):
            known = [item.name for item in self._definitions.listed("on_demand", project)]
            raise ViewNotFound(name, known)
        return found

    def service(self, project: str, name: str) -> FeatureService:
        """A feature service. Raises: FeatureServiceNotFound."""
        found = self._definitions.find("service", project, name)
        if not isinstance(found, FeatureService):
            known = [
                item.name
                for kind in ("service", "view", "on_demand")
                for item in self._definitions.listed(kind, project)
            ]
            raise FeatureServiceNotFound(name, known)
        return found

    def is_view(self, reference: Reference) -> bool:
        """Whether a view or an on-demand view has this name."""
        return any(
            self._definitions.find(kind, reference.project, reference.name) is not None
            for kind in ("view", "on_demand")
        )

    def all_read(self, features: Sequence[str], project: str) -> bool:
        """Whether the columns of all views that are named are known."""
        return all(self.is_read(view) for view in self._read_by(project, features).values())

    def is_read(self, view: FeatureView) -> bool:
        """Whether the columns of a view are known."""
        try:
            self.fields(view)
        except ViewVersionNotFound:
            return False
        return True

    def unread(self, project: str, features: Sequence[str]) -> list[FeatureView]:
        """The views among what is named whose columns are not known yet."""
        return [
            view
            for view in self._read_by(project, features).values()
            if self._history.find_version(view.project, view.name, None) is None
        ]

    def _read_by(self, project: str, features: Sequence[str]) -> dict[str, FeatureView]:
        """The views among what is named, and those that on-demand views among it read."""
        found: dict[str, FeatureView] = {}
        for reference in self._references(project, features)[0]:
            view = self._definitions.find("view", reference.project, reference.name)
            names = [reference]
            if not isinstance(view, FeatureView):
                other = self.on_demand(reference.project, reference.name)
                names = [parsed_reference(text, other.project) for text in other.inputs]
            for name in names:
                found[name.view] = self.view(name.project, name.name)
        return found

    def _references(
        self, project: str, features: Sequence[str]
    ) -> tuple[list[Reference], FeatureService | None]:
        """Views and features, services taken apart; and the last service that was named."""
        references: list[Reference] = []
        service: FeatureService | None = None
        for text in features:
            reference = parsed_reference(text, project)
            found = None
            if not reference.feature:
                found = self._definitions.find("service", reference.project, reference.name)
            if isinstance(found, FeatureService):
                service = found
                references += [parsed_reference(item, found.project) for item in found.features]
            else:
                references.append(reference)
        return references, service

    def keys(self, view: FeatureView) -> tuple[Field, ...]:
        """The key columns of a view's entities. Raises: EntityNotFound."""
        return tuple(key for name in view.entities for key in self.entity(view.project, name).keys)

    def space(self, view: FeatureView) -> str:
        """What a view's keys are of."""
        return f"{view.project}/{'+'.join(view.entities)}"

    def described_by(self, view: FeatureView) -> ViewVersion | None:
        """The version that tells what a view's rows are like: the newest that is ready.

        Where an erasure left none, the newest that was erased: the rows of others are online still.
        """
        version = self._history.find_version(view.project, view.name, None)
        return version if version is not None else self.erased(view)

    def erased(self, view: FeatureView) -> ViewVersion | None:
        """The newest version of a view that went with the rows of a person."""
        versions = self._history.versions(view.project, view.name)
        return next((item for item in versions if item.state == "erased"), None)

    def fields(self, view: FeatureView) -> tuple[Field, ...]:
        """A view's features, typed where its rows were read.

        Raises: ViewVersionNotFound, where neither the definition nor a version tells them.
        """
        version = self.described_by(view)
        if version is not None and version.revision == view.revision:
            return version.fields
        if view.features:
            return view.features
        if version is not None:
            return version.fields
        raise ViewVersionNotFound(view.name, None)

    def planned(
        self, project: str, features: Sequence[str], *, full_names: bool | None = None
    ) -> Planned:
        """How the features that references name are found.

        Raises: BadFeatureReference, FeatureServiceNotFound, ViewNotFound, FeatureNotFound,
        FeatureClash, ViewVersionNotFound.
        """
        references, service = self._references(project, features)
        full = full_names if full_names is not None else bool(service and service.full_names)
        stored: dict[str, _Asked] = {}
        computed: dict[str, _Asked] = {}
        views: dict[str, FeatureView] = {}
        on_demand: dict[str, OnDemandView] = {}
        columns: list[str] = []
        for reference in references:
            found = self._definitions.find("view", reference.project, reference.name)
            if isinstance(found, FeatureView):
                views[reference.view] = found
                asked, known = stored.setdefault(reference.view, _Asked()), self.fields(found)
            else:
                other = self._definitions.find("on_demand", reference.project, reference.name)
                if not isinstance(other, OnDemandView):
                    # Says what there is.
                    self.service(reference.project, reference.name)
                    raise ViewNotFound(reference.name, ())
                on_demand[reference.view] = other
                asked, known = computed.setdefault(reference.view, _Asked()), other.features
            for name in _chosen(reference, known):
                column = f"{reference.name}__{name}" if full else name
                if name not in asked.columns:
                    asked.columns[name] = column
                    columns.append(column)
        check_clashes(columns)
        for other in on_demand.values():
            for text in other.inputs:
                source = parsed_reference(text, other.project)
                if source.view not in views:
                    views[source.view] = self.view(source.project, source.name)
        plan = Plan(
            service=service.name if service is not None else ", ".join(features),
            lookups=tuple(
                self._lookup(view, stored.get(name, _Asked()), on_demand.values())
                for name, view in views.items()
            ),
            on_demand=tuple(
                self.computed(view, computed[name].columns) for name, view in on_demand.items()
            ),
            columns=tuple(columns),
        )
        return Planned(
            plan=plan,
            views=tuple(views.values()),
            on_demand=tuple(on_demand.values()),
            service=service,
        )

    def computed(self, view: OnDemandView, columns: dict[str, str]) -> OnDemand:
        """An on-demand view as it is computed."""
        return OnDemand(
            view=f"{view.project}/{view.name}",
            inputs=tuple(self.inputs(view)),
            request=tuple(item.name for item in view.request),
            features=tuple(item.name for item in view.features),
            names=tuple(columns.get(item.name, "") for item in view.features),
            types=tuple(item.type or "number" for item in view.features),
            expressions=view.expressions,
            code=view.code,
        )

    def inputs(self, view: OnDemandView) -> list[tuple[str, str, str]]:
        """(PROJECT/VIEW, feature, the name by which formulas read it) of an on-demand view."""
        found: list[tuple[str, str, str]] = []
        for text in view.inputs:
            reference = parsed_reference(text, view.project)
            source = self.view(reference.project, reference.name)
            names = (
                [reference.feature]
                if reference.feature
                else [item.name for item in self.fields(source)]
            )
            found += [(reference.view, name, name) for name in names]
        return found

    def _lookup(
        self, view: FeatureView, asked: _Asked, on_demand: Iterable[OnDemandView]
    ) -> Lookup:
        name = f"{view.project}/{view.name}"
        columns = dict(asked.columns)
        for other in on_demand:
            for source, feature, _ in self.inputs(other):
                if source == name:
                    columns.setdefault(feature, "")
        version = self.described_by(view)
        return Lookup(
            view=name,
            space=self.space(view),
            keys=tuple(
                KeyColumn(name=key.name, type=kind)
                for key, kind in zip(self.keys(view), self.key_types(view, version), strict=True)
            ),
            ttl=round(view.ttl * 1_000_000),
            features=tuple(columns),
            names=tuple(columns.values()),
        )

    def key_types(self, view: FeatureView, version: ViewVersion | None) -> list[str]:
        """The types of a view's keys: as defined, else as its rows have them, else ""."""
        keys = self.keys(view)
        told = version is not None and (version.rows or version.state == "erased")
        read = version.key_types if version is not None and told else ()
        return [
            key.type or (read[place] if len(read) == len(keys) else "")
            for place, key in enumerate(keys)
        ]


def _chosen(reference: Reference, known: Sequence[Field]) -> list[str]:
    names = [item.name for item in known]
    if not reference.feature:
        return names
    if reference.feature not in names:
        raise FeatureNotFound(reference.name, reference.feature, names)
    return [reference.feature]
