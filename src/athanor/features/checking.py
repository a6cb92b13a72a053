"""Whether definitions can hold, before any of them is kept."""

import math
from collections.abc import Sequence
from dataclasses import replace

from athanor.data import Datasets
from athanor.features.errors import (
    BadEntity,
    BadFeatureFormula,
    BadFeatureService,
    BadOnDemandView,
    BadView,
    FeatureColumnMissing,
    FeatureNotFound,
)
from athanor.features.logic import formulas
from athanor.features.logic.names import checked_column, checked_name, parsed_reference
from athanor.features.shelf import Shelf
from athanor.features.types import (
    KEY_TYPES,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    ViewSource,
)
from athanor.kernel import Principal

_LONGEST_TTL = 36_500 * 86_400.0
_SHORTEST = 1e-6
"""Less would be kept as 0, which sets no limit."""


class Checking:
    """Checks definitions, and fills in what they leave to us."""

    def __init__(self, shelf: Shelf, datasets: Datasets) -> None:
        self._shelf = shelf
        self._datasets = datasets

    def entity(self, given: Entity) -> Entity:
        """An entity with its keys. Raises: BadFeatureName, BadEntity."""
        checked_name("an entity", given.name)
        keys = given.keys or (Field(name=given.name),)
        for key in keys:
            checked_column(key.name)
            if key.type and key.type not in KEY_TYPES:
                raise BadEntity(
                    given.name, f"the key {key.name!r} can't be a {key.type}; "
                    f"keys are of type {', '.join(KEY_TYPES)}.",
                )  # fmt: skip
        if len({key.name for key in keys}) < len(keys):
            raise BadEntity(given.name, "two of its keys have one name.")
        return replace(given, keys=keys)

    def view(self, who: Principal, given: FeatureView) -> FeatureView:
        """A view whose source and columns are there as far as can be seen now.

        Raises: BadFeatureName, BadView, EntityNotFound, DatasetNotFound, FeatureColumnMissing.
        """
        name = checked_name("a feature view", given.name)
        if not given.entities:
            raise BadView(name, "it names no entity.")
        keys = self._shelf.keys(given)
        if len({key.name for key in keys}) < len(keys):
            raise BadView(name, "two keys of its entities have one name.")
        for what, seconds in (("ttl", given.ttl), ("max_age", given.max_age)):
            if not (math.isfinite(seconds) and 0 <= seconds <= _LONGEST_TTL):
                raise BadView(name, f"its {what} of {seconds} s is not within 0 and 100 years.")
            if 0 < seconds < _SHORTEST:
                raise BadView(name, f"its {what} of {seconds} s is less than a microsecond.")
        view = self._with_source(who, given)
        times = [view.event_time, *([view.created_time] if view.created_time else [])]
        taken = [key.name for key in keys] + times
        features = [item.name for item in view.features]
        for column in (*taken, *features):
            checked_column(column)
        doubled = {item for item in features + taken if (features + taken).count(item) > 1}
        if doubled:
            raise BadView(name, f"{min(doubled)!r} is named twice.")
        return view

    def _with_source(self, who: Principal, view: FeatureView) -> FeatureView:
        source, event_time = view.source, view.event_time
        _check_source(view.name, source)
        if source.kind == "push":
            if not view.features:
                raise BadView(view.name, "a view of pushed rows has to name its features.")
            return replace(view, event_time=event_time or "event_timestamp")
        for dataset in _datasets(source):
            version = self._datasets.version(who, dataset, project=view.project)
            if source.kind != "dataset":
                continue
            columns = [column.name for column in version.columns]
            event_time = event_time or version.roles.time
            named = [(key.name, "a key") for key in self._shelf.keys(view)]
            named += [(event_time, "the event time")] if event_time else []
            named += [(view.created_time, "the created time")] if view.created_time else []
            named += [(item.name, "a feature") for item in view.features]
            for column, role in named:
                if column not in columns:
                    raise FeatureColumnMissing(f"Dataset {dataset!r}", column, role, columns)
        if not event_time:
            raise BadView(
                view.name,
                "nothing says which column holds the time of its events.",
                hint="Name it: event_time; or give the dataset a time column: "
                "athanor data add NAME FILE --time COLUMN",
            )
        return replace(view, event_time=event_time)

    def on_demand(self, who: Principal, given: OnDemandView) -> OnDemandView:
        """An on-demand view whose formulas can be computed, as far as can be seen now.

        Raises: BadFeatureName, BadOnDemandView, ViewNotFound, FeatureNotFound.
        """
        name = checked_name("an on-demand view", given.name)
        if bool(given.code) == bool(given.expressions):
            raise BadOnDemandView(name, "give either formulas or the code of one function.")
        features = given.features or tuple(
            Field(name=item, type="number") for item in given.expressions
        )
        if not features:
            raise BadOnDemandView(name, "it names no features.")
        for item in (*features, *given.request):
            checked_column(item.name)
        if len({item.name for item in features}) < len(features):
            raise BadOnDemandView(name, "two of its features have one name.")
        view = replace(
            given,
            features=tuple(replace(item, type=item.type or "number") for item in features),
        )
        inputs, known = self._inputs(who, view)
        names = inputs + [item.name for item in view.request]
        for local in names:
            if names.count(local) > 1:
                raise BadOnDemandView(name, f"two of its inputs are called {local!r}.")
        try:
            self._check_formulas(view, names, known=known)
        except BadFeatureFormula as error:
            raise BadOnDemandView(name, error.message, hint=error.hint) from error
        return view

    def _inputs(self, who: Principal, view: OnDemandView) -> tuple[list[str], bool]:
        """The names that formulas read, and whether these are all: a source may be unread yet."""
        names: list[str] = []
        complete = True
        for text in view.inputs:
            reference = parsed_reference(text, view.project)
            source = self._shelf.view(reference.project, reference.name)
            columns = self._columns(who, source)
            if reference.feature:
                if columns is not None and reference.feature not in columns:
                    raise FeatureNotFound(reference.name, reference.feature, columns)
                names.append(reference.feature)
            elif columns is None:
                complete = False
            else:
                names += columns
        return names, complete

    def _columns(self, who: Principal, view: FeatureView) -> list[str] | None:
        """A view's features by name, its dataset's columns before any row was read; or None."""
        if self._shelf.is_read(view):
            return [item.name for item in self._shelf.fields(view)]
        if view.source.kind != "dataset":
            return None
        version = self._datasets.version(who, view.source.dataset, project=view.project)
        taken = {view.event_time, view.created_time, *(key.name for key in self._shelf.keys(view))}
        return [column.name for column in version.columns if column.name not in taken]

    def _check_formulas(self, view: OnDemandView, names: list[str], *, known: bool) -> None:
        if view.code:
            formulas.function(view.name, view.code)
            return
        wanted = {item.name for item in view.features}
        if wanted != set(view.expressions):
            odd = sorted(wanted ^ set(view.expressions))
            raise BadOnDemandView(view.name, f"{odd[0]!r} is a feature without a formula, or back.")
        for feature, text in view.expressions.items():
            formulas.expression(f"{view.name}:{feature}", text)
            for unknown in sorted(formulas.names_of(text) - set(names) if known else ()):
                raise BadOnDemandView(
                    view.name,
                    f"the formula of {feature!r} reads {unknown!r}, which is no input.",
                    hint=f"Its inputs are: {', '.join(names) or 'none'}. Name it there.",
                )

    def service(self, given: FeatureService) -> FeatureService:
        """A service whose features go together.

        Raises: BadFeatureName, BadFeatureService, BadFeatureReference, ViewNotFound, ...
        """
        name = checked_name("a feature service", given.name)
        if not given.features:
            raise BadFeatureService(name, "it names no features.")
        for text in given.features:
            reference = parsed_reference(text, given.project)
            if not self._shelf.is_view(reference):
                self._shelf.view(reference.project, reference.name)
        if self._shelf.is_view(parsed_reference(name, given.project)):
            raise BadFeatureService(name, "a view has this name.")
        if self._shelf.all_read(given.features, given.project):
            self._shelf.planned(given.project, given.features, full_names=given.full_names)
        return given


def _check_source(view: str, source: ViewSource) -> None:
    needed = {
        "dataset": ("dataset",),
        "sql": ("sql",),
        "recipe": ("dataset", "recipe"),
        "python": ("code",),
        "push": (),
    }[source.kind]
    for name in needed:
        if not getattr(source, name):
            raise BadView(view, f"a source of kind {source.kind} needs its {name}.")
    if source.kind == "python":
        if not source.inputs:
            raise BadView(view, "a function needs the datasets that it takes: inputs.")
        try:
            compile(source.code, f"<view {view}>", "exec")
        except (SyntaxError, ValueError) as error:
            raise BadView(view, f"its code can't be read: {error}") from None


def _datasets(source: ViewSource) -> Sequence[str]:
    return source.inputs if source.kind == "python" else [source.dataset] if source.dataset else []
