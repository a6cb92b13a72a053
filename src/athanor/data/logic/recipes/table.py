"""The one table of operations: an entry is its name, parameters, words, forms and test cases.

An operation comes with all forms or not at all. Most are a projection (new columns by expressions)
or a selection (rows by a condition): their SQL, pandas code and row-by-row form are written from
the expressions. Operations on whole tables bring the three themselves.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from athanor.data.errors.recipes import BadFormula, BadStep
from athanor.data.logic.recipes.forms import constant
from athanor.data.logic.recipes.kinds import RESERVED, WORDS, Kind, Schema
from athanor.data.logic.recipes.syntax import Expression, Literal, Name, call
from athanor.data.logic.recipes.typed import Typed, literal, typed
from athanor.data.types.recipes import Serving
from athanor.kernel.errors import nearest

ROW = f"{RESERVED}row"
"""The hidden column that holds the rows' order."""
Cells = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What an operation takes."""

    name: str
    kind: str
    words: str
    default: Any = None
    required: bool = True
    choices: tuple[str, ...] = ()
    columns: tuple[Kind, ...] = ()
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Each row becomes one row: the columns, each by an expression."""

    columns: tuple[tuple[str, Typed], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Rows for which a condition holds (is true, not missing)."""

    condition: Typed


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The table as a whole becomes another."""

    schema: Schema
    sql: Callable[[str], str]
    """SQL by the name of the table before; it gives the schema's columns and `ROW`."""
    frame: str
    """A pandas expression of `df` and `tables`, with the functions of `frames_prelude`."""
    rows: Callable[[list[Cells]], list[Cells]]


Plan = Projection | Selection | Whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A step, with the table that it meets."""

    number: int
    operation: str
    parameters: Mapping[str, Any]
    schema: Schema
    learned: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Schema] = field(default_factory=dict)
    """The other datasets, by reference."""
    others: Mapping[str, list[Cells]] = field(default_factory=dict)
    """Their rows, where the row-by-row form needs them."""

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def wrong(self, what: str, hint: str = "") -> BadStep:
        """The step can't be done."""
        return BadStep(self.number, self.operation, what, hint)

    def expression(
        self, source: str | Expression, *, wanted: Sequence[Kind] = (), schema: Schema | None = None
    ) -> Typed:
        """A formula or tree over the columns. Raises: BadStep."""
        try:
            known = self.schema if schema is None else schema
            return constant(typed(source, known, wanted=wanted))
        except BadFormula as error:
            raise self.wrong(error.message, error.hint) from error

    def with_columns(self, changed: Mapping[str, Typed]) -> Projection:
        """The table with columns replaced in their places, and new ones behind."""
        for name in changed:
            self.check_name(name)
        kept = [(name, changed.get(name) or column_of(self, name)) for name in self.schema]
        new = [(name, item) for name, item in changed.items() if name not in self.schema]
        return Projection(columns=(*kept, *new))

    def check_name(self, name: str) -> None:
        """Raises: BadStep if no column may have this name."""
        if not name or len(name) > 255:
            raise self.wrong(f"{name!r} can't name a column.", "Use 1 to 255 characters.")
        near = [known for known in self.schema if known.casefold() == name.casefold()]
        if near and name not in self.schema:
            raise self.wrong(
                f"{name!r} differs from the column {near[0]!r} by upper and lower case alone.",
                "Choose another name.",
            )


def column_of(context: Context, name: str) -> Typed:
    """A column as an expression."""
    return Typed(context.schema[name], "column", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An entry of the table."""

    name: str
    group: str
    words: str
    parameters: tuple[Parameter, ...]
    plan: Callable[[Context], Plan]
    serving: Serving
    cases: tuple[Mapping[str, Any], ...]
    """Parameters on the tables of the property tests; the first is the documentation's example."""
    learn: Callable[[Context], Mapping[str, str]] | None = None
    """What is learnt: SQL of one value each, over the table `{table}`."""


OPERATIONS: dict[str, Operation] = {}
_KINDS = frozenset({
    "column", "columns", "name", "names", "text", "integer", "number", "boolean", "choice",
    "formula", "values", "value", "mapping", "keys", "rules", "aggregates", "dataset", "columns?",
})  # fmt: skip


def register(operation: Operation) -> None:
    """Put an operation into the table.

    Raises: ValueError if it lacks a form, words for a parameter, or cases for its tests.
    """
    name = operation.name
    if name in OPERATIONS:
        raise ValueError(f"There are two operations {name!r}.")
    if not operation.cases:
        raise ValueError(f"The operation {name!r} has no cases that its forms are tested on.")
    for parameter in operation.parameters:
        if parameter.kind not in _KINDS or not parameter.words:
            raise ValueError(f"Parameter {parameter.name!r} of {name!r} is not described.")
    OPERATIONS[name] = operation


def tree(source: Any) -> Expression:
    """A column's name in a tree: what formulas write as a bare word."""
    return Name(source)


def checked(operation: Operation, context: Context) -> dict[str, Any]:
    """A step's parameters with their defaults.

    Raises: BadStep: unknown ones, missing ones, wrong types, unknown columns.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    given = context.parameters
    for name in given:
        if name not in known:
            raise context.wrong(
                f"there is no parameter {name!r}.",
                nearest(name, known) or f"It takes: {', '.join(known) or 'nothing'}.",
            )
    found = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None or (value in ("", [], {}) and parameter.kind not in {"text", "value"}):
            if parameter.required:
                raise context.wrong(f"{name!r} is needed: {parameter.words}.")
            found[name] = parameter.default
            continue
        found[name] = _CHECKS.get(parameter.kind, _any)(context, parameter, value)
    return found


def _any(context: Context, parameter: Parameter, value: Any) -> Any:
    del context, parameter
    return value


def _bad(context: Context, parameter: Parameter, what: str, hint: str = "") -> BadStep:
    return context.wrong(f"{parameter.name!r} {what}", hint or f"It is: {parameter.words}.")


def _text(context: Context, parameter: Parameter, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(context, parameter, f"should be a text, not {value!r}.")
    if len(value) > 10_000:
        raise _bad(context, parameter, "has more than 10,000 characters.")
    return value


def _number(context: Context, parameter: Parameter, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise _bad(context, parameter, f"should be a number, not {value!r}.")
    if abs(value) > 1.7e308:
        raise _bad(context, parameter, "is too large.")
    return _bounded(context, parameter, value)


def _integer(context: Context, parameter: Parameter, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(context, parameter, f"should be a whole number, not {value!r}.")
    if abs(value) >= 1 << 63:
        raise _bad(context, parameter, "is beyond 64 bits.")
    return int(_bounded(context, parameter, value))


def _bounded(context: Context, parameter: Parameter, value: Any) -> Any:
    low, high = parameter.least, parameter.most
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"from {low:g}" if high is None else f"between {low:g} and {high:g}"
        raise _bad(context, parameter, f"lies {bounds}; {value!r} was given.")
    return value


def _boolean(context: Context, parameter: Parameter, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(context, parameter, f"should be true or false, not {value!r}.")
    return value


def _choice(context: Context, parameter: Parameter, value: Any) -> str:
    if value not in parameter.choices:
        listed = ", ".join(parameter.choices)
        raise _bad(context, parameter, f"is one of {listed}; {value!r} was given.")
    return str(value)


def _column(context: Context, parameter: Parameter, value: Any) -> str:
    name = _text(context, parameter, value)
    if name not in context.schema:
        near = nearest(name, context.schema)
        here = f"There are: {', '.join(list(context.schema)[:12])}."
        raise context.wrong(f"there is no column {name!r}.", near or here)
    kinds = parameter.columns
    if kinds and context.schema[name] not in kinds:
        words = " or ".join(dict.fromkeys(WORDS[kind] for kind in kinds))
        found = WORDS[context.schema[name]]
        raise context.wrong(f"column {name!r} holds {found}; {words} is wanted.",
                            "Change its kind by a step `cast` before.")  # fmt: skip
    return name


def _columns(context: Context, parameter: Parameter, value: Any) -> list[str]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple)):
        raise _bad(context, parameter, f"should be a list of columns, not {value!r}.")
    found = [_column(context, parameter, item) for item in value]
    if len(set(found)) != len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise _bad(context, parameter, f"names {twice!r} twice.")
    return found


def _names(context: Context, parameter: Parameter, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)):
        raise _bad(context, parameter, f"should be a list of names, not {value!r}.")
    found = [_text(context, parameter, item) for item in value]
    if len({name.casefold() for name in found}) != len(found):
        raise _bad(context, parameter, "names a column twice.")
    return found


def plain(context: Context, parameter: Parameter, value: Any) -> Any:
    """A single value of JSON. Raises: BadStep."""
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise _bad(context, parameter, f"should hold plain values, not {value!r}.")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 63:
        raise _bad(context, parameter, f"holds {value}, which is beyond 64 bits.")
    if isinstance(value, float) and not abs(value) < 1.8e308:
        raise _bad(context, parameter, "holds a number that is not finite.")
    return value


def _values(context: Context, parameter: Parameter, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise _bad(context, parameter, f"should be a list of values, not {value!r}.")
    if len(value) > 10_000:
        raise _bad(context, parameter, "has more than 10,000 values.")
    return [plain(context, parameter, item) for item in value]


def _mapping(context: Context, parameter: Parameter, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _bad(context, parameter, f"should be an object, not {value!r}.")
    if len(value) > 10_000:
        raise _bad(context, parameter, "has more than 10,000 entries.")
    return {key: plain(context, parameter, item) for key, item in value.items()}


def _objects(*wanted: str) -> Callable[[Context, Parameter, Any], list[dict[str, Any]]]:
    def check(context: Context, parameter: Parameter, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, (list, tuple)) or not all(isinstance(i, Mapping) for i in value):
            raise _bad(context, parameter, f"should be a list of objects, not {value!r}.")
        for item in value:
            strange = [key for key in item if key not in wanted]
            if strange:
                listed = ", ".join(wanted)
                raise _bad(context, parameter, f"knows {listed}, not {strange[0]!r}.")
        return [dict(item) for item in value]

    return check


def _keys(context: Context, parameter: Parameter, value: Any) -> list[dict[str, Any]]:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, (list, tuple)):
        value = [{"column": item} if isinstance(item, str) else item for item in value]
    found = _objects("column", "descending")(context, parameter, value)
    for item in found:
        _column(context, parameter, item.get("column"))
        item["descending"] = _boolean(context, parameter, item.get("descending", False))
    return found


_CHECKS: Mapping[str, Callable[[Context, Parameter, Any], Any]] = {
    "text": _text,
    "name": _text,
    "formula": _text,
    "dataset": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "choice": _choice,
    "column": _column,
    "columns": _columns,
    "columns?": _columns,
    "names": _names,
    "values": _values,
    "value": plain,
    "mapping": _mapping,
    "keys": _keys,
    "rules": _objects("when", "then"),
    "aggregates": _objects("column", "function", "name"),
}


def choice_literal(context: Context, kind: Kind, value: Any, what: str) -> Typed:
    """A value as one of a column's kind.

    Raises: BadStep where it can't be one.
    """
    if value is None:
        return literal(None, kind)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind == "text" and not isinstance(value, str):
        raise context.wrong(f"{what} {value!r} is no text.")
    if kind in {"date", "timestamp", "instant"}:
        asked = call("=", Literal(value), Name("c"))
        return context.expression(asked, schema={"c": kind}).arguments[0]
    allowed: dict[str, Any] = {"integer": int, "number": (int, float), "boolean": bool,
                               "text": str}  # fmt: skip
    wrong_bool = isinstance(value, bool) and kind != "boolean"
    if wrong_bool or not isinstance(value, allowed.get(kind, ())):
        raise context.wrong(f"{what} {value!r} does not fit {WORDS[kind]}.")
    return literal(value, kind)
