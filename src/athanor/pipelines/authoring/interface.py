"""A function's type hints as the interface of a component."""

import dataclasses
import inspect
import pathlib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from athanor.pipelines.authoring.source import returns_value
from athanor.pipelines.errors import BadStep, StepNeedsHint
from athanor.pipelines.ir.spec import ArtifactTypeSchema
from athanor.pipelines.logic.hints import STATUS_CLASSES, hints_of
from athanor.pipelines.logic.values import WORDS

TITLES = {
    "table": "system.Dataset",
    "dataset": "system.Dataset",
    "model": "system.Model",
    "metrics": "system.Metrics",
}
"""Artifact types as the protocol titles them; all others are `system.Artifact`."""

_PARAMETERS: dict[Any, str] = {
    str: "STRING",
    int: "NUMBER_INTEGER",
    float: "NUMBER_DOUBLE",
    bool: "BOOLEAN",
    list: "LIST",
    dict: "STRUCT",
}
_NAMED = {kind.__name__: parameter for kind, parameter in _PARAMETERS.items()}
_TABLES = {
    ("pandas", "DataFrame"),
    ("pyarrow", "Table"),
    ("polars", "DataFrame"),
}
SINGLE = "Output"
"""The name of a component's only output, as Kubeflow has it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What kind of thing a value is."""

    parameter: str = ""
    """The parameter type, such as `STRING`; empty for artifacts."""
    artifact: str = ""
    """The artifact type, such as `table`; `any` where only the value will tell."""
    optional: bool = False
    literals: tuple[Any, ...] = ()
    many: bool = False
    """Whether it is a list of such artifacts."""
    item: "Kind | None" = dataclasses.field(default=None, compare=False)
    """Of a list, what its items are, where the hint says so."""
    guessed: bool = dataclasses.field(default=False, compare=False)
    """Whether nothing told its type, so that it may go anywhere."""

    @property
    def schema(self) -> ArtifactTypeSchema:
        """The artifact type as the protocol writes it."""
        title = TITLES.get(self.artifact, "system.Artifact")
        return ArtifactTypeSchema(schema_title=title, schema_version="0.0.1")

    @property
    def words(self) -> str:
        """For messages."""
        if self.parameter:
            return WORDS.get(self.parameter, "the status of a task")
        if self.many:
            return f"a list of {'' if self.artifact == 'any' else self.artifact + ' '}artifacts"
        return "an artifact" if self.artifact == "any" else f"a {self.artifact} artifact"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One parameter of a function."""

    name: str
    kind: Kind | None
    """None where neither a hint nor a default tells."""
    default: Any = inspect.Parameter.empty

    @property
    def has_default(self) -> bool:
        """Whether it may be left out."""
        return self.default is not inspect.Parameter.empty


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """What a function takes and gives."""

    inputs: dict[str, Input]
    outputs: dict[str, Kind]
    fields: tuple[str, ...] = ()
    """The names of the parts of its result; empty when the result is one value."""


def interface_of(function: Callable[..., Any], *, loose: bool = False) -> Interface:
    """Read a function's interface from its hints and defaults.

    `loose` lets parameters without either through (their kind is then what they are given).

    Raises: StepNeedsHint, BadStep.
    """
    name = getattr(function, "__name__", str(function))
    _check_plain(name, function)
    hints = hints_of(function)
    inputs: dict[str, Input] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise BadStep(
                f"Step {name!r} takes *{parameter.name}; each input needs a name of its own.",
                hint="List the parameters one by one.",
            )
        inputs[parameter.name] = _input(name, parameter, hints, loose=loose)
    fields, outputs = _outputs(function, hints)
    return Interface(inputs=inputs, outputs=outputs, fields=fields)


def _check_plain(name: str, function: Callable[..., Any]) -> None:
    """Raises: BadStep for what gives no value when it is called, and for methods."""
    if inspect.iscoroutinefunction(function):
        raise BadStep(
            f"{name!r} is async, and a step is called without an event loop.",
            hint=f"Call it in a step: def ...: return asyncio.run({name}(...))",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadStep(
            f"{name!r} yields, and a step returns.",
            hint="Return all values as one: a list, a table, or a pathlib.Path of a file.",
        )
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is not None and first.name in {"self", "cls"} and first.annotation is first.empty:
        raise BadStep(
            f"{name!r} is a method, and a step runs without its object.",
            hint="Write it as a function outside of the class that takes what it needs.",
        )


def kind_of(hint: Any) -> Kind:
    """The kind of the values that a hint describes."""
    if isinstance(hint, str):
        return _kind_of_text(hint)
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        return _kind_of_annotated(arguments)
    if origin in {typing.Union, types.UnionType}:
        return _kind_of_union(arguments)
    if origin is typing.Literal:
        inner = kind_of(type(arguments[0]))
        return dataclasses.replace(inner, literals=arguments)
    plain = origin or hint
    if plain is list and arguments:
        return _kind_of_list(arguments[0])
    if plain in _PARAMETERS:
        return Kind(parameter=_PARAMETERS[plain])
    if isinstance(plain, type):
        return _kind_of_class(plain)
    return Kind(artifact="any")


def kind_of_value(value: Any) -> Kind | None:
    """The kind of a constant, or None if it is not one."""
    if value is None:
        return Kind(parameter="STRUCT", optional=True)
    parameter = _PARAMETERS.get(type(value))
    if parameter is None and isinstance(value, tuple):
        parameter = "LIST"
    return Kind(parameter=parameter) if parameter else None


def _input(
    step: str, parameter: inspect.Parameter, hints: Mapping[str, Any], *, loose: bool
) -> Input:
    default = parameter.default
    kind: Kind | None
    if parameter.name in hints:
        kind = kind_of(hints[parameter.name])
    elif default is parameter.empty:
        if not loose:
            raise StepNeedsHint(step, parameter.name)
        kind = None
    else:
        kind = kind_of_value(default)
        if kind is None:
            raise StepNeedsHint(step, parameter.name)
    if kind is not None and default is None:
        kind = dataclasses.replace(kind, optional=True)
    return Input(name=parameter.name, kind=kind, default=default)


def _outputs(
    function: Callable[..., Any], hints: Mapping[str, Any]
) -> tuple[tuple[str, ...], dict[str, Kind]]:
    if "return" not in hints:
        given = {SINGLE: Kind(artifact="any")} if returns_value(function) else {}
        return (), given
    hint = hints["return"]
    if hint is None or hint is type(None):
        return (), {}
    parts = parts_of(hint)
    if parts is None:
        return (), {SINGLE: kind_of(hint)}
    return tuple(parts), {name: kind_of(part) for name, part in parts.items()}


def parts_of(hint: Any) -> dict[str, Any] | None:
    """The named parts of a result: of a NamedTuple, TypedDict, dataclass or fixed tuple."""
    if typing.get_origin(hint) is tuple:
        arguments = typing.get_args(hint)
        if Ellipsis in arguments:
            return None
        return {f"output_{index}": part for index, part in enumerate(arguments, 1)}
    if not isinstance(hint, type):
        return None
    is_named = issubclass(hint, tuple) and hasattr(hint, "_fields")
    if is_named or typing.is_typeddict(hint) or dataclasses.is_dataclass(hint):
        try:
            found = typing.get_type_hints(hint, include_extras=True)
        except (NameError, TypeError):
            found = dict(hint.__annotations__)
        return {name: found.get(name, object) for name in hint.__annotations__ or found}
    return None


def _kind_of_text(hint: str) -> Kind:
    head = hint.split("[", maxsplit=1)[0].strip()
    if head in _NAMED:
        return Kind(parameter=_NAMED[head])
    tail = head.rsplit(".", 1)[-1]
    if tail in STATUS_CLASSES:
        return Kind(parameter="TASK_FINAL_STATUS")
    if tail in {"DataFrame", "Table"}:
        return Kind(artifact="table")
    return Kind(artifact="file" if tail == "Path" else "any")


def _kind_of_annotated(arguments: tuple[Any, ...]) -> Kind:
    named = next((item for item in arguments[1:] if isinstance(item, str)), None)
    inner = kind_of(arguments[0])
    if named is None:
        return inner
    return Kind(artifact=named, optional=inner.optional)


def _kind_of_union(arguments: tuple[Any, ...]) -> Kind:
    present = [item for item in arguments if item is not type(None)]
    kinds = {kind_of(item) for item in present}
    if {kind.parameter for kind in kinds} == {"NUMBER_INTEGER", "NUMBER_DOUBLE"}:
        kinds = {Kind(parameter="NUMBER_DOUBLE")}
    kind = kinds.pop() if len(kinds) == 1 else Kind(artifact="any")
    return dataclasses.replace(kind, optional=len(present) < len(arguments))


def _kind_of_list(hint: Any) -> Kind:
    """A list of plain values is a parameter, one of tables or models a list of artifacts."""
    item = kind_of(hint)
    if item.artifact and hint not in {Any, object} and not isinstance(hint, typing.TypeVar):
        return dataclasses.replace(item, many=True, optional=False)
    return Kind(parameter="LIST", item=item if item.parameter else None)


def _kind_of_class(kind: type) -> Kind:
    root = kind.__module__.split(".", 1)[0]
    if kind.__name__ in STATUS_CLASSES:
        return Kind(parameter="TASK_FINAL_STATUS")
    if (root, kind.__name__) in _TABLES:
        return Kind(artifact="table")
    if issubclass(kind, pathlib.PurePath):
        return Kind(artifact="file")
    if root in {"sklearn", "lightgbm", "xgboost"}:
        return Kind(artifact="model")
    if kind.__name__ == "Mapping":
        return Kind(parameter="STRUCT")
    if kind.__name__ == "Sequence":
        return Kind(parameter="LIST")
    return Kind(artifact="any")
