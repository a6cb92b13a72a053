"""The calls in a Feast repository's Python files, read from the syntax without running them.

What Feast builds by calling classes stands in the files as calls with plain arguments: these are
read from the syntax tree, names and all. What is computed otherwise is named as skipped.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from athanor.features.errors import BadFeastRepository
from athanor.features.types import ValueType

TYPES: Mapping[str, ValueType] = {
    "Int32": "integer", "Int64": "integer", "INT32": "integer", "INT64": "integer",
    "Float32": "number", "Float64": "number", "FLOAT": "number", "DOUBLE": "number",
    "String": "text", "STRING": "text", "Bytes": "text", "BYTES": "text", "Bool": "boolean",
    "BOOL": "boolean", "UnixTimestamp": "timestamp", "UNIX_TIMESTAMP": "timestamp",
    "Uuid": "text", "Json": "text", "JSON": "text",
}  # fmt: skip
STRANGE = frozenset({"Map", "Struct", "Set", "MAP", "STRUCT", "Image", "Pdf"})
"""Types that no feature has here."""
_VECTORS = frozenset({"Array"})
VIEWS = frozenset({"FeatureView", "BatchFeatureView", "StreamFeatureView"})
_SOURCES = frozenset({"FileSource", "PushSource", "RequestSource", "KafkaSource", "KinesisSource"})
_PATHS = frozenset({
    "Path", "os.path.join", "os.path.dirname", "os.path.abspath", "os.path.realpath", "os.getcwd",
    "os.getenv", "os.environ.get",
})  # fmt: skip
_OF_PATHS = frozenset({"resolve", "absolute", "as_posix"})
_DAY = 86_400.0
_UNITS = {"weeks": 7 * _DAY, "days": _DAY, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0,
          "milliseconds": 1e-3, "microseconds": 1e-6}  # fmt: skip


class _Unread(Exception):
    """Something that only running the file would tell."""


@dataclass(slots=True)
class Call:
    """A call that makes an object: its class, arguments, and what it is assigned to."""

    kind: str
    given: dict[str, Any]
    place: str


@dataclass(slots=True)
class Reading:
    """What the files of a repository define, and what of them could not be read."""

    calls: dict[int, Call] = field(default_factory=dict)
    functions: list[tuple[Call, ast.FunctionDef]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


_MEANING = frozenset({
    "name", "entities", "schema", "source", "sources", "features", "join_keys", "join_key", "path",
    "ttl", "timestamp_field", "event_timestamp_column", "created_timestamp_column",
    "field_mapping", "batch_source", "dtype", "value_type",
})  # fmt: skip
"""Arguments without which a definition would be another one; of the rest, what is not read is left
out."""
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "Field": ("name", "dtype"),
    "Feature": ("name", "dtype"),
    "timedelta": ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"),
}


def read_files(files: Mapping[str, str]) -> Reading:
    """What the files define, those first that others import.

    Raises: BadFeastRepository.
    """
    reading = Reading()
    modules: dict[str, dict[str, Any]] = {}
    for path in _in_order(files):
        try:
            _read_file(path, files[path], modules, reading)
        except RecursionError:
            raise BadFeastRepository(f"{path}: an expression is nested too deeply.") from None
    return reading


def _in_order(files: Mapping[str, str]) -> list[str]:
    """The files, those that others import first."""
    done: list[str] = []

    def add(path: str, above: tuple[str, ...]) -> None:
        if path in done or path in above:
            return
        for module in _imports(files[path]):
            if found := _file_of(module, path, files):
                add(found, (*above, path))
        done.append(path)

    for path in sorted(files):
        add(path, ())
    return done


def _file_of(module: str, importer: str, files: Iterable[str]) -> str | None:
    """The file that a module's name means: the one whose path ends so, the nearest of several."""
    wanted = module.strip(".").split(".")
    nearest: tuple[int, str] | None = None
    for path in sorted(files):
        parts = PurePosixPath(path).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        same = _alike(reversed(parts), reversed(wanted))
        # A package's own name may stand before what is in it: `repo.views` is views.py, too.
        if not same or same < min(len(parts), len(wanted)):
            continue
        shared = _alike(PurePosixPath(path).parts, PurePosixPath(importer).parts)
        if nearest is None or 1000 * same + shared > nearest[0]:
            nearest = (1000 * same + shared, path)
    return nearest[1] if nearest else None


def _alike(first: Iterable[str], second: Iterable[str]) -> int:
    """How many parts are the same before one differs."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _imports(text: str) -> Iterable[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []  # told when it is read
    return [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]


def _read_file(path: str, text: str, modules: dict[str, dict[str, Any]], reading: Reading) -> None:
    try:
        tree = ast.parse(text, filename=path)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise BadFeastRepository(f"{path}: {error}") from None
    names: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found = _file_of(node.module or "", path, modules)
            known = modules[found] if found else {}
            for item in node.names:
                names.pop(item.asname or item.name, None)
                if item.name in known:
                    names[item.asname or item.name] = known[item.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            _read_assignment(node, names, reading, path)
        elif isinstance(node, ast.FunctionDef) and _makes_view(node):
            _read_function(node, names, reading, path)
        elif isinstance(node, ast.Expr) and _mentions(node.value):
            try:
                _value(node.value, names, reading, path)
            except _Unread as error:
                reading.skipped.append(f"{path}:{node.lineno}: {error}")
        elif not isinstance(node, ast.Import):
            if _mentions(node):
                what = type(node).__name__.removesuffix("Def").lower()
                reading.skipped.append(
                    f"{path}:{node.lineno}: what stands in {what!r} is not read."
                )
            _forget(node, names)
    modules[path] = names


def _read_assignment(
    node: ast.Assign | ast.AnnAssign | ast.AugAssign,
    names: dict[str, Any],
    reading: Reading,
    path: str,
) -> None:
    if node.value is None:
        return
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    made: ast.expr = node.value
    if isinstance(node, ast.AugAssign):
        before = ast.parse(ast.unparse(node.target), mode="eval").body
        made = ast.copy_location(ast.BinOp(before, node.op, node.value), node)
    try:
        value = _value(made, names, reading, path)
    except _Unread as error:
        if _mentions(node.value):
            reading.skipped.append(f"{path}:{node.lineno}: {error}")
        _forget(node, names)
        return
    _forget(node, names)
    names |= {target.id: value for target in targets if isinstance(target, ast.Name)}


def _forget(node: ast.AST, names: dict[str, Any]) -> None:
    """Know no more what a statement that is not followed may have changed."""
    for item in ast.walk(node):
        match item:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                names.pop(item.id, None)
            case (
                ast.Attribute(value=ast.Name(id=name), ctx=ast.Store())
                | ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=(
                    "append" | "extend" | "insert" | "remove" | "pop" | "clear" | "update"
                )))
            ):  # fmt: skip
                names.pop(name, None)


def _makes_view(node: ast.FunctionDef) -> bool:
    made = [item.func for item in node.decorator_list if isinstance(item, ast.Call)]
    return any(name_of(item) == "on_demand_feature_view" for item in made)


def _mentions(node: ast.AST) -> bool:
    calls = [name_of(item.func) for item in ast.walk(node) if isinstance(item, ast.Call)]
    return any(name.endswith(("View", "Source", "FeatureService", "Entity")) for name in calls)


def _read_function(
    node: ast.FunctionDef, names: dict[str, Any], reading: Reading, path: str
) -> None:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and name_of(decorator.func) == "on_demand_feature_view":
            try:
                call = _call(decorator, names, reading, path)
            except _Unread as error:
                reading.skipped.append(f"{path}:{node.lineno}: {node.name}: {error}")
                return
            call.given.setdefault("name", node.name)
            reading.functions.append((call, node))
            names[node.name] = call


def name_of(node: ast.expr) -> str:
    """The last part of a dotted name; "" of anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _value(node: ast.expr, names: dict[str, Any], reading: Reading, path: str) -> Any:
    """What an expression gives, as far as it is plain."""
    try:
        return _plain(node, names, reading, path)
    except (TypeError, ValueError, LookupError, OverflowError):
        raise _unread(node) from None  # it would fail when it is run, too


def _plain(node: ast.expr, names: dict[str, Any], reading: Reading, path: str) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if node.id in names:
            return names[node.id]
        case ast.Name() if node.id in TYPES or node.id in STRANGE:
            return node.id
        case ast.List() | ast.Tuple() | ast.Set():
            return [_value(item, names, reading, path) for item in node.elts]
        case ast.Dict():
            if None in node.keys:
                raise _unread(node)
            return {
                _value(key, names, reading, path): _value(value, names, reading, path)
                for key, value in zip(node.keys, node.values, strict=True)
                if key is not None
            }
        case ast.Attribute() if name_of(node) in TYPES or name_of(node) in STRANGE:
            return name_of(node)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, names, reading, path)
        case ast.BinOp():
            return _arithmetic(node, names, reading, path)
        case ast.Subscript():
            return _chosen(node, names, reading, path)
        case ast.Call():
            return _call_value(node, names, reading, path)
    return _text(node, names, reading, path)


def _text(node: ast.expr, names: dict[str, Any], reading: Reading, path: str) -> str:
    """What an expression gives that puts a path together."""
    match node:
        case ast.Name(id="__file__"):
            return path
        case ast.JoinedStr():
            return "".join(_part(item, names, reading, path) for item in node.values)
        case ast.Attribute(attr="parent"):
            return str(PurePosixPath(_part(node.value, names, reading, path)).parent)
    raise _unread(node)


def _unread(node: ast.AST) -> _Unread:
    return _Unread(f"{ast.unparse(node)[:60]!r} is not known without running it.")


def _chosen(node: ast.Subscript, names: dict[str, Any], reading: Reading, path: str) -> Call:
    base = _value(node.value, names, reading, path)
    if isinstance(base, Call) and base.kind in VIEWS:
        return _projection(base, _value(node.slice, names, reading, path))
    raise _unread(node)


def _arithmetic(node: ast.BinOp, names: dict[str, Any], reading: Reading, path: str) -> Any:
    left = _value(node.left, names, reading, path)
    right = _value(node.right, names, reading, path)
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Div) and isinstance(left, str) and isinstance(right, str):
        return str(PurePosixPath(left, right))
    if isinstance(node.op, ast.Mult) and all(
        isinstance(side, int | float) for side in (left, right)
    ):
        return left * right
    raise _unread(node)


def _projection(view: Call, chosen: Any) -> Call:
    names = chosen if isinstance(chosen, list) else [chosen]
    return Call("projection", {"view": view, "features": names}, view.place)


def _call_value(node: ast.Call, names: dict[str, Any], reading: Reading, path: str) -> Any:
    kind = name_of(node.func)
    if kind in _VECTORS:
        return "Array"
    if kind in STRANGE:
        return kind
    if kind == "with_name" and isinstance(node.func, ast.Attribute):
        return _value(node.func.value, names, reading, path)
    if kind == "str" and len(node.args) == 1:
        return str(_value(node.args[0], names, reading, path))
    if ast.unparse(node.func).removeprefix("pathlib.") in _PATHS or kind in _OF_PATHS:
        return _path_of(node, names, reading, path)
    call = _call(node, names, reading, path)
    if kind == "timedelta":
        return sum(_UNITS[unit] * float(amount) for unit, amount in call.given.items())
    if kind in {*VIEWS, *_SOURCES, "Entity", "FeatureService", "Field", "Feature"}:
        if kind not in {"Field", "Feature"}:
            reading.calls[id(call)] = call
        return call
    if kind.endswith("Source"):
        # A warehouse: its rows have to be brought in as a dataset.
        reading.calls[id(call)] = call
        return call
    if kind.endswith("View") and kind != "OnDemandFeatureView":
        raise _Unread(f"{kind} has no counterpart here.")
    if kind == "OnDemandFeatureView":
        raise _Unread("OnDemandFeatureView is read where it decorates a function.")
    raise _Unread(f"{ast.unparse(node.func)[:60]}(...) is not known without running it.")


def _part(node: ast.expr, names: dict[str, Any], reading: Reading, path: str) -> str:
    """A piece of a text; "." where only running it would tell, for a file is known by its name."""
    try:
        value = node.value if isinstance(node, ast.FormattedValue) else node
        found = _value(value, names, reading, path)
    except _Unread:
        return "."
    return found if isinstance(found, str) else str(found)


def _path_of(node: ast.Call, names: dict[str, Any], reading: Reading, path: str) -> str:
    """What `Path`, `str` and functions of `os` make of texts."""
    kind = name_of(node.func)
    parts = [_part(item, names, reading, path) for item in node.args]
    if kind in {"getenv", "get"}:
        if len(parts) < 2:
            raise _unread(node)
        return parts[1]
    if isinstance(node.func, ast.Attribute) and not parts:
        return _part(node.func.value, names, reading, path)
    found = str(PurePosixPath(*parts)) if parts else ""
    return str(PurePosixPath(found).parent) if kind == "dirname" else found


def _call(node: ast.Call, names: dict[str, Any], reading: Reading, path: str) -> Call:
    kind = name_of(node.func)
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
            if keyword.arg in _MEANING:
                raise
    return Call(kind, given, f"{path}:{node.lineno}")
