"""Definitions of a Feast repository, read from its Python files without running them.

What Feast builds by calling classes stands in the files as calls with plain arguments: these are
read from the syntax tree, names and all. What is computed otherwise is named as skipped.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from athanor.features.errors import BadFeastRepository, BadFeatureFormula
from athanor.features.logic import formulas
from athanor.features.types import (
    Definitions,
    Entity,
    FeastImport,
    FeatureService,
    FeatureView,
    Field,
    OnDemandView,
    ValueType,
    ViewSource,
)

_TYPES: Mapping[str, ValueType] = {
    "Int32": "integer", "Int64": "integer", "INT32": "integer", "INT64": "integer",
    "Float32": "number", "Float64": "number", "FLOAT": "number", "DOUBLE": "number",
    "String": "text", "STRING": "text", "Bytes": "text", "BYTES": "text", "Bool": "boolean",
    "BOOL": "boolean", "UnixTimestamp": "timestamp", "UNIX_TIMESTAMP": "timestamp",
    "Uuid": "text", "Json": "text", "JSON": "text",
}  # fmt: skip
_STRANGE = frozenset({"Map", "Struct", "Set", "MAP", "STRUCT", "Image", "Pdf"})
"""Types that no feature has here."""
_VECTORS = frozenset({"Array"})
_VIEWS = frozenset({"FeatureView", "BatchFeatureView", "StreamFeatureView"})
_SOURCES = frozenset({"FileSource", "PushSource", "RequestSource", "KafkaSource", "KinesisSource"})
_DAY = 86_400.0
_UNITS = {"weeks": 7 * _DAY, "days": _DAY, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0,
          "milliseconds": 1e-3, "microseconds": 1e-6}  # fmt: skip


class _Unread(Exception):
    """Something that only running the file would tell."""


@dataclass(slots=True)
class _Call:
    """A call that makes an object: its class, arguments, and what it is assigned to."""

    kind: str
    given: dict[str, Any]
    place: str


@dataclass(slots=True)
class _Reading:
    calls: dict[int, _Call] = field(default_factory=dict)
    functions: list[tuple[_Call, ast.FunctionDef]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Field": ("name", "dtype"),
    "Feature": ("name", "dtype"),
    "timedelta": ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"),
}


def read_repository(files: Mapping[str, str], datasets: Mapping[str, str]) -> FeastImport:
    """The definitions in Python files; `datasets` says which dataset holds a source's file.

    Raises: BadFeastRepository.
    """
    if not files:
        raise BadFeastRepository("there is no Python file in it.")
    reading = _Reading()
    modules: dict[str, dict[str, Any]] = {}
    for path in _in_order(files):
        _read_file(path, files[path], modules, reading)
    if not reading.calls and not reading.functions:
        raise BadFeastRepository("no file defines an Entity, a FeatureView or a FeatureService.")
    return _Made(reading, datasets).definitions()


def _in_order(files: Mapping[str, str]) -> list[str]:
    """The files, those that others import first."""
    names = {_module(path): path for path in files}
    done: list[str] = []

    def add(path: str, above: tuple[str, ...]) -> None:
        if path in done or path in above:
            return
        for module in _imports(files[path]):
            for name in (module, module.rpartition(".")[2]):
                if name in names:
                    add(names[name], (*above, path))
        done.append(path)

    for path in sorted(files):
        add(path, ())
    return done


def _module(path: str) -> str:
    return PurePosixPath(path).stem


def _imports(text: str) -> Iterable[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return []
    return [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def _read_file(path: str, text: str, modules: dict[str, dict[str, Any]], reading: _Reading) -> None:
    try:
        tree = ast.parse(text, filename=path)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BadFeastRepository(f"{path}: {error}") from None
    names: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            known = modules.get((node.module or "").rpartition(".")[2], {})
            names |= {item.asname or item.name: known[item.name] for item in node.names
                      if item.name in known}  # fmt: skip
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            try:
                value = _value(node.value, names, reading, path)
            except _Unread as error:
                if _mentions(node.value):
                    reading.skipped.append(f"{path}:{node.lineno}: {error}")
                continue
            names |= {target.id: value for target in targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.FunctionDef):
            _read_function(node, names, reading, path)
        elif isinstance(node, ast.Expr) and _mentions(node.value):
            try:
                _value(node.value, names, reading, path)
            except _Unread as error:
                reading.skipped.append(f"{path}:{node.lineno}: {error}")
    modules[_module(path)] = names


def _mentions(node: ast.AST) -> bool:
    calls = [_name(item.func) for item in ast.walk(node) if isinstance(item, ast.Call)]
    return any(name.endswith(("View", "Source", "FeatureService", "Entity")) for name in calls)


def _read_function(
    node: ast.FunctionDef, names: dict[str, Any], reading: _Reading, path: str
) -> None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and _name(decorator.func) == "on_demand_feature_view":
            try:
                call = _call(decorator, names, reading, path)
            except _Unread as error:
                reading.skipped.append(f"{path}:{node.lineno}: {node.name}: {error}")
                return
            call.given.setdefault("name", node.name)
            reading.functions.append((call, node))
            names[node.name] = call


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _value(node: ast.expr, names: dict[str, Any], reading: _Reading, path: str) -> Any:
    """What an expression gives, as far as it is plain."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.Name() if node.id in _TYPES or node.id in _STRANGE:
            return node.id
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(item, names, reading, path) for item in node.elts]
        case ast.Dict():
            return {
                _value(key, names, reading, path): _value(value, names, reading, path)
                for key, value in zip(node.keys, node.values, strict=True)
                if key is not None
            }
        case ast.Attribute() if _name(node) in _TYPES or _name(node) in _STRANGE:
            return _name(node)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, names, reading, path)
        case ast.BinOp():
            return _arithmetic(node, names, reading, path)
        case ast.Subscript():
            return _chosen(node, names, reading, path)
        case ast.Call():
            return _call_value(node, names, reading, path)
    raise _unread(node)


def _unread(node: ast.AST) -> _Unread:
    return _Unread(f"{ast.unparse(node)[:60]!r} is not known without running it.")


def _chosen(node: ast.Subscript, names: dict[str, Any], reading: _Reading, path: str) -> _Call:
    base = _value(node.value, names, reading, path)
    if isinstance(base, _Call) and base.kind in _VIEWS:
        return _projection(base, _value(node.slice, names, reading, path))
    raise _unread(node)


def _arithmetic(node: ast.BinOp, names: dict[str, Any], reading: _Reading, path: str) -> Any:
    left = _value(node.left, names, reading, path)
    right = _value(node.right, names, reading, path)
    try:
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Mult) and isinstance(left, int | float):
            return left * right
    except TypeError:
        pass
    raise _unread(node)


def _projection(view: _Call, chosen: Any) -> _Call:
    names = chosen if isinstance(chosen, list) else [chosen]
    return _Call("projection", {"view": view, "features": names}, view.place)


def _call_value(node: ast.Call, names: dict[str, Any], reading: _Reading, path: str) -> Any:
    kind = _name(node.func)
    if kind in _VECTORS:
        return "Array"
    if kind in _STRANGE:
        return kind
    if kind == "with_name" and isinstance(node.func, ast.Attribute):
        return _value(node.func.value, names, reading, path)
    if kind in {"str", "Path"} and len(node.args) == 1:
        return str(_value(node.args[0], names, reading, path))
    call = _call(node, names, reading, path)
    if kind == "timedelta":
        return sum(_UNITS[unit] * float(amount) for unit, amount in call.given.items())
    if kind in {*_VIEWS, *_SOURCES, "Entity", "FeatureService", "Field", "Feature"}:
        if kind not in {"Field", "Feature"}:
            reading.calls[id(call)] = call
        return call
    if kind.endswith("Source"):
        raise _Unread(f"{kind} reads a warehouse: bring its rows in as a dataset.")
    if kind.endswith("View") and kind != "OnDemandFeatureView":
        raise _Unread(f"{kind} has no counterpart here.")
    if kind == "OnDemandFeatureView":
        raise _Unread("OnDemandFeatureView is read where it decorates a function.")
    raise _Unread(f"{ast.unparse(node.func)[:60]}(...) is not known without running it.")


def _call(node: ast.Call, names: dict[str, Any], reading: _Reading, path: str) -> _Call:
    kind = _name(node.func)
    positions = _POSITIONS.get(kind, ("name",))
    given = {
        positions[place]: _value(item, names, reading, path)
        for place, item in enumerate(node.args[: len(positions)])
    }
    for keyword in node.keywords:
        if keyword.arg is None:
            raise _Unread(f"{kind}(**...) is not known without running it.")
        try:
            given[keyword.arg] = _value(keyword.value, names, reading, path)
        except _Unread:
            if keyword.arg in {"name", "entities", "schema", "source", "sources", "features",
                               "join_keys", "path"}:  # fmt: skip
                raise
    return _Call(kind, given, f"{path}:{node.lineno}")


class _Made:
    """Feast's objects as ours."""

    def __init__(self, reading: _Reading, datasets: Mapping[str, str]) -> None:
        self._reading = reading
        self._datasets = datasets
        self._skipped = list(reading.skipped)
        self._sources: dict[str, str] = {}
        self._views: dict[str, FeatureView] = {}

    def definitions(self) -> FeastImport:
        """Everything that has a counterpart."""
        calls = list(self._reading.calls.values())
        entities = [self._entity(call) for call in calls if call.kind == "Entity"]
        known = {entity.name for entity in entities}
        for call in calls:
            if call.kind in _VIEWS:
                view = self._view(call, known)
                if view is not None:
                    self._views[view.name] = view
        computed = [
            made for call, node in self._reading.functions
            if (made := self._on_demand(call, node)) is not None
        ]  # fmt: skip
        names = {*self._views, *(view.name for view in computed)}
        services = [
            service for call in calls if call.kind == "FeatureService"
            if (service := self._service(call, names)) is not None
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

    def _entity(self, call: _Call) -> Entity:
        given = call.given
        name = str(given["name"])
        keys = given.get("join_keys") or [given.get("join_key") or name]
        kind: Any = _TYPES.get(str(given.get("value_type", "")), "")
        return Entity(
            name=name,
            keys=tuple(
                Field(name=str(key), type=kind if kind in {"integer", "text", "boolean"} else "")
                for key in keys
            ),
            **_about(given),
        )

    def _view(self, call: _Call, known: set[str]) -> FeatureView | None:
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
        path = str(source.given.get("path", ""))
        dataset = self._dataset(source, path)
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
            ttl=float(ttl) if isinstance(ttl, int | float) else 0.0,
            features=tuple(item for item in self._fields(call, fields) if item.name not in keys),
            online=bool(given.get("online", True)),
            **_about(given),
        )

    def _fields(self, call: _Call, given: Iterable[Any]) -> list[Field]:
        """Named values; those of types that no feature has here are left out, and said."""
        kept = []
        for value in given:
            item = _field(value)
            if item is None:
                continue
            told = str(value.given.get("dtype", ""))
            if told in _STRANGE:
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

    def _dataset(self, source: _Call, path: str) -> str:
        """The dataset that holds a source's rows; named after the source or its file."""
        if not path:
            return ""
        for told, dataset in self._datasets.items():
            if told == path or PurePosixPath(told).name == PurePosixPath(path).name:
                self._sources[dataset] = path
                return dataset
        stem = PurePosixPath(path).stem or "source"
        name = str(source.given.get("name") or stem)
        clean = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in name)
        dataset = clean if clean[:1].isalpha() else f"feast_{clean}"
        self._sources[dataset[:80]] = path
        return dataset[:80]

    def _on_demand(self, call: _Call, node: ast.FunctionDef) -> OnDemandView | None:
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

    def _service(self, call: _Call, names: set[str]) -> FeatureService | None:
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

    def _skip(self, call: _Call, why: str) -> None:
        self._skipped.append(f"{call.place}: {why}")


def _row_by_row(node: ast.FunctionDef) -> ast.FunctionDef:
    """A function of columns as one of a row: an empty DataFrame that is filled becomes a dict."""
    node.decorator_list = []
    for item in ast.walk(node):
        if isinstance(item, ast.Assign | ast.AnnAssign) and isinstance(item.value, ast.Call):
            made = item.value
            if _name(made.func) == "DataFrame" and not made.args and not made.keywords:
                item.value = ast.Dict(keys=[], values=[])
    return node


def _kind_of(value: Any) -> str:
    return value.kind if isinstance(value, _Call) else ""


def _batch(source: Any) -> _Call | None:
    """The file behind a source, a push source's included."""
    if not isinstance(source, _Call):
        return None
    if source.kind in {"PushSource", "KafkaSource", "KinesisSource"}:
        return _batch(source.given.get("batch_source")) or source
    return source if source.kind == "FileSource" else None


def _named(value: Any) -> str:
    return str(value.given.get("name", "")) if isinstance(value, _Call) else str(value)


def _references(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if _kind_of(value) == "projection":
        view = _named(value.given["view"])
        return [f"{view}:{name}" for name in value.given["features"]]
    return [_named(value)] if isinstance(value, _Call) else []


def _field(value: Any) -> Field | None:
    if not isinstance(value, _Call) or "name" not in value.given:
        return None
    told = str(value.given.get("dtype", ""))
    kind: Any = "vector" if told == "Array" else _TYPES.get(told, "")
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
