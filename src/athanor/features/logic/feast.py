"""Definitions of a Feast repository as ours; what has no counterpart is named as skipped."""

import ast
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, TypeVar

from athanor.features.errors import BadFeastRepository, BadFeatureFormula
from athanor.features.logic import formulas
from athanor.features.logic.feast_files import (
    STRANGE,
    TYPES,
    VIEWS,
    Call,
    Reading,
    name_of,
    read_files,
)
from athanor.features.records import FeastImport
from athanor.features.types import (
    Definitions,
    Entity,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    ViewSource,
)

_T = TypeVar("_T")
_FILES = frozenset({"FileSource", "PushSource", "KafkaSource", "KinesisSource"})
"""Sources whose rows lie in a file, or are pushed."""


def read_repository(
    files: Mapping[str, str], datasets: Mapping[str, str], known: Collection[str] = ()
) -> FeastImport:
    """The definitions in Python files; `datasets` says which dataset holds a source's file.

    A view of a warehouse's table is read where `known`, the datasets that exist, has its rows.

    Raises: BadFeastRepository.
    """
    if not files:
        raise BadFeastRepository("there is no Python file in it.")
    reading = read_files(files)
    if not reading.calls and not reading.functions:
        raise BadFeastRepository("no file defines an Entity, a FeatureView or a FeatureService.")
    return _Made(reading, datasets, known).definitions()


class _Made:
    """Feast's objects as ours."""

    def __init__(
        self, reading: Reading, datasets: Mapping[str, str], known: Collection[str]
    ) -> None:
        self._reading = reading
        self._datasets = datasets
        self._known = known
        self._skipped = list(reading.skipped)
        self._sources: dict[str, str] = {}
        self._views: dict[str, FeatureView] = {}

    def definitions(self) -> FeastImport:
        """Everything that has a counterpart."""
        calls = list(self._reading.calls.values())
        entities = [
            entity for call in calls if call.kind == "Entity"
            if (entity := self._made(call, self._entity)) is not None
        ]  # fmt: skip
        known = {entity.name for entity in entities}
        for call in calls:
            if call.kind in VIEWS:
                view = self._made(call, partial(self._view, known=known))
                if view is not None:
                    self._views[view.name] = view
        computed = [
            made for call, node in self._reading.functions
            if (made := self._made(call, partial(self._on_demand, node=node))) is not None
        ]  # fmt: skip
        names = {*self._views, *(view.name for view in computed)}
        services = [
            service for call in calls if call.kind == "FeatureService"
            if (service := self._made(call, partial(self._service, names=names))) is not None
        ]  # fmt: skip
        return FeastImport(
            definitions=Definitions(
                entities=tuple({entity.name: entity for entity in entities}.values()),
                views=tuple(self._views.values()),
                on_demand=tuple(computed),
                services=tuple(services),
            ),
            sources=self._sources,
            skipped=tuple(self._skipped),
        )

    def _made(self, call: Call, make: Callable[[Call], _T | None]) -> _T | None:
        """What a call makes; one that Feast would refuse, too, is skipped."""
        try:
            return make(call)
        except (TypeError, ValueError, LookupError, AttributeError):
            told = f"{call.kind} {call.given.get('name', '')!r}"
            self._skipped.append(
                f"{call.place}: {told}: these are not the arguments that it takes."
            )
            return None

    def _entity(self, call: Call) -> Entity:
        given = call.given
        name = str(given["name"])
        keys = given.get("join_keys") or [given.get("join_key") or name]
        kind: Any = TYPES.get(str(given.get("value_type", "")), "")
        return Entity(
            name=name,
            keys=tuple(
                Field(name=str(key), type=kind if kind in {"integer", "text", "boolean"} else "")
                for key in keys
            ),
            **_about(given),
        )

    def _view(self, call: Call, known: set[str]) -> FeatureView | None:
        given = call.given
        name = str(given.get("name", ""))
        entities = [_named(item) for item in given.get("entities") or ()]
        source = _batch(given.get("source") or given.get("batch_source"))
        if not entities or not set(entities) <= known:
            self._skip(call, f"view {name!r}: a view needs entities that are defined here.")
            return None
        if source is None:
            self._skip(call, f"view {name!r}: its source is no file.")
            return None
        ttl = given.get("ttl")
        keys = self._join_keys(entities)
        pushed = _kind_of(given.get("source")) == "PushSource"
        path = str(source.given.get("path") or "")
        afar = source.kind not in _FILES and not path
        if afar:
            path = str(source.given.get("table") or source.given.get("name") or name)
        dataset = self._dataset(source, path)
        if afar:
            self._sources.pop(dataset, None)
        if afar and pushed and dataset not in self._known:
            dataset = ""
        elif afar and dataset not in self._known:
            self._skip(
                call,
                f"view {name!r}: {source.kind} reads a warehouse: bring its rows in as dataset "
                f"{dataset!r} (athanor data add), and import once more.",
            )
            return None
        fields = list(given.get("schema") or given.get("features") or ())
        return FeatureView(
            name=name,
            entities=tuple(entities),
            source=ViewSource(dataset=dataset) if dataset else ViewSource(kind="push"),
            event_time=str(
                source.given.get("timestamp_field")
                or source.given.get("event_timestamp_column")
                or ("event_timestamp" if pushed else "")
            ),
            created_time=str(source.given.get("created_timestamp_column") or ""),
            known_at=False,  # Feast looks at it only where event times are equal
            ttl=float(ttl) if isinstance(ttl, int | float) else 0.0,
            features=tuple(item for item in self._fields(call, fields) if item.name not in keys),
            online=bool(given.get("online", True)),
            **_about(given),
        )

    def _fields(self, call: Call, given: Iterable[Any]) -> list[Field]:
        """Named values; those of types that no feature has here are left out, and said."""
        kept = []
        for value in given:
            item = _field(value)
            if item is None:
                continue
            told = str(value.given.get("dtype", ""))
            if told in STRANGE:
                self._skip(call, f"feature {item.name!r}: {told} is no type of a feature here.")
            else:
                kept.append(item)
        return kept

    def _join_keys(self, entities: list[str]) -> set[str]:
        return {
            key.name
            for call in self._reading.calls.values()
            if call.kind == "Entity" and call.given.get("name") in entities
            for key in self._entity(call).keys
        }

    def _dataset(self, source: Call, path: str) -> str:
        """The dataset that holds a source's rows; named after the source or its file."""
        if not path:
            return ""
        for told, dataset in self._datasets.items():
            if told == path or PurePosixPath(told).name == PurePosixPath(path).name:
                self._sources[dataset] = path
                return dataset
        stem = PurePosixPath(path).stem or "source"
        name = str(source.given.get("name") or (path if source.kind not in _FILES else stem))
        clean = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name)
        dataset = clean if clean[:1].isalpha() else f"feast_{clean}"
        self._sources[dataset[:80]] = path
        return dataset[:80]

    def _on_demand(self, call: Call, node: ast.FunctionDef) -> OnDemandView | None:
        given = call.given
        name = str(given["name"])
        sources = given.get("sources") or given.get("inputs") or []
        sources = list(sources.values()) if isinstance(sources, dict) else sources
        inputs: list[str] = []
        request: list[Field] = []
        for source in sources:
            if _kind_of(source) == "RequestSource":
                request += self._fields(call, source.given.get("schema") or ())
            else:
                inputs += _references(source)
        unknown = sorted({text.partition(":")[0] for text in inputs} - set(self._views))
        if unknown:
            why = f"it reads {unknown[0]!r}, which was skipped."
            self._skip(call, f"on-demand view {name!r}: {why}")
            return None
        code = ast.unparse(_row_by_row(node)) + "\n"
        try:
            formulas.function(name, code)
        except BadFeatureFormula as error:
            self._skip(
                call,
                f"on-demand view {name!r}: {error.message} Write it as a function of one row "
                "(Feast: mode='python', singleton=True), or as formulas.",
            )
            return None
        fields = self._fields(call, given.get("schema") or ())
        return OnDemandView(
            name=name,
            inputs=tuple(inputs),
            request=tuple(request),
            features=tuple(fields),
            code=code,
            **_about(given),
        )

    def _service(self, call: Call, names: set[str]) -> FeatureService | None:
        name = str(call.given.get("name", ""))
        references = [
            text for item in call.given.get("features") or () for text in _references(item)
        ]
        unknown = sorted({text.partition(":")[0] for text in references} - names)
        if unknown or not references:
            what = f"it reads {unknown[0]!r}, which was skipped" if unknown else "it reads nothing"
            self._skip(call, f"service {name!r}: {what}.")
            return None
        return FeatureService(name=name, features=tuple(references), **_about(call.given))

    def _skip(self, call: Call, why: str) -> None:
        self._skipped.append(f"{call.place}: {why}")


def _row_by_row(node: ast.FunctionDef) -> ast.FunctionDef:
    """A function of columns as one of a row: an empty DataFrame that is filled becomes a dict."""
    node.decorator_list = []
    for item in ast.walk(node):
        if isinstance(item, ast.Assign | ast.AnnAssign) and isinstance(item.value, ast.Call):
            made = item.value
            if name_of(made.func) == "DataFrame" and not made.args and not made.keywords:
                item.value = ast.Dict(keys=[], values=[])
    return node


def _kind_of(value: Any) -> str:
    return value.kind if isinstance(value, Call) else ""


def _batch(source: Any) -> Call | None:
    """The file or table behind a source, a push source's included."""
    if not isinstance(source, Call):
        return None
    if source.kind in {"PushSource", "KafkaSource", "KinesisSource"}:
        return _batch(source.given.get("batch_source")) or source
    return source if source.kind.endswith("Source") else None


def _named(value: Any) -> str:
    return str(value.given.get("name", "")) if isinstance(value, Call) else str(value)


def _references(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if _kind_of(value) == "projection":
        view = _named(value.given["view"])
        return [f"{view}:{name}" for name in value.given["features"]]
    return [_named(value)] if isinstance(value, Call) else []


def _field(value: Any) -> Field | None:
    if not isinstance(value, Call) or "name" not in value.given:
        return None
    told = str(value.given.get("dtype", ""))
    kind: Any = "vector" if told == "Array" else TYPES.get(told, "")
    return Field(
        name=str(value.given["name"]),
        type=kind,
        description=str(value.given.get("description") or ""),
    )


def _about(given: Mapping[str, Any]) -> dict[str, Any]:
    tags = given.get("tags")
    return {
        "description": str(given.get("description") or ""),
        "owner": str(given.get("owner") or ""),
        "tags": {str(key): str(value) for key, value in tags.items()} if tags else {},
    }
