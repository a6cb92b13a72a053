"""Nodes as lines of Python."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

from athanor.serving.runtimes.folding import arithmetic
from athanor.serving.runtimes.folding.nodes import (
    NO_NORM,
    Apply,
    Arithmetic,
    Bag,
    Beside,
    Check,
    Clip,
    Constant,
    Fill,
    Interpolate,
    IsNull,
    Lookup,
    Mix,
    Node,
    Norm,
    Product,
    Ratio,
    Raw,
    Step,
    Term,
    is_text,
    sources,
)

CHUNK = 60
"""Terms of one expression at most: the compiler nests each addition in the one before."""


def literal(value: Any) -> str:
    """Python's text of a constant."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "(-inf)"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + "".join(f"{literal(item)}, " for item in value) + ")"
    if isinstance(value, frozenset):
        return literal(tuple(sorted(value)))
    return f"({value!r})" if isinstance(value, float | int) and value < 0 else repr(value)


class Constants:
    """The tables that stand above the functions."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._names: dict[str, str] = {}

    def name(self, value: Any) -> str:
        """The name under which this value stands there."""
        return self._named(literal(value))

    def made(self, expression: str) -> str:
        """The name of what this expression makes, once."""
        return self._named(expression)

    def _named(self, text: str) -> str:
        if text not in self._names:
            self._names[text] = f"K{len(self._names)}"
            self._lines.append(f"{self._names[text]} = {text}")
        return self._names[text]

    @property
    def text(self) -> str:
        """Their lines."""
        return "\n".join(self._lines)


class Writer:
    """The lines of one function that computes nodes from `row`, each once."""

    def __init__(self, constants: Constants) -> None:
        self.lines: list[str] = []
        self._constants = constants
        self._names: dict[int, str] = {}
        self._kept: list[Node] = []

    def value(self, node: Node) -> str:
        """The name (or constant) that holds this node's value."""
        if isinstance(node, Constant):
            return literal(node.value)
        if id(node) not in self._names:
            name = self._lines_of(node)
            self._names[id(node)] = name
            self._kept.append(node)
        return self._names[id(node)]

    def finite(self, node: Node) -> str:
        """The same, refused where it is missing or infinite."""
        name = self.value(node)
        if not isinstance(node, Constant | Lookup):
            self._refuse(name, node, nulls=False)
        return name

    def _new(self, expression: str) -> str:
        name = f"v{len(self._kept)}_{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        return name

    def _refuse(self, name: str, node: Node, *, nulls: bool, limit: float = math.inf) -> None:
        column = column_of(node)
        if not nulls:
            self.lines.append(f"if {name} != {name}: refuse({column!r}, {_EMPTY!r})")
        if limit == math.inf:
            self.lines.append(
                f"if {name} == inf or {name} == -inf: refuse({column!r}, {_INFINITE!r})"
            )
        else:
            self.lines.append(
                f"if {name} > {limit!r} or {name} < -{limit!r}: refuse({column!r}, {_LARGE!r})"
            )

    def _lines_of(self, node: Node) -> str:  # noqa: C901, PLR0912 - one case a kind of node
        match node:
            case Raw():
                return self._raw(node)
            case Check():
                name = self.value(node.of)
                self._refuse(name, node.of, nulls=node.nulls, limit=node.limit)
                return name
            case Beside():
                for other in node.others:
                    self.value(other)
                return self.value(node.of)
            case Fill():
                return self._fill(node)
            case Arithmetic():
                return self._new(f"{self.value(node.of)} {node.sign} {literal(node.by)}")
            case Clip():
                name, low, high = self.value(node.of), literal(node.low), literal(node.high)
                return self._new(
                    f"{low} if {name} < {low} else {high} if {name} > {high} else {name}"
                )
            case Lookup():
                return self._lookup(node)
            case IsNull():
                return self._new(f"1.0 if {self._null(node.of)} else 0.0")
            case Step():
                values, edges = self._constants.name(node.values), self._constants.name(node.edges)
                side = "right" if node.right else "left"
                return self._new(f"{values}[bisect_{side}({edges}, {self.value(node.of)})]")
            case Apply():
                name = self.value(node.of)
                if node.by:
                    return self._new(f"{node.function}({name}, {literal(node.by[0])})")
                return self._new(f"apply({node.function!r}, {name})")
            case Interpolate():
                tables = [self._constants.name(item) for item in (node.quantiles, node.references)]
                return self._new(
                    f"interpolate({self.value(node.of)}, {', '.join(tables)}, "
                    f"normal={node.normal!r})"
                )
            case Product():
                return self._new(" * ".join(self.value(item) for item in node.of))
            case Mix():
                names = [self.value(item) for item in node.of]
                terms = [f"{literal(w)} * {n}" for w, n in zip(node.weights, names, strict=True)]
                return self.summed([literal(node.plus), *terms])
            case Norm():
                return self._norm(node)
            case Ratio():
                return self._new(f"{self.value(node.of)} / {self.value(node.by)}")
            case Bag():
                return self._bag(node)
            case Term():
                return self._new(f"{self.value(node.of)}.get({node.place}, 0.0)")
        raise TypeError(type(node).__name__)

    def summed(self, terms: Sequence[str]) -> str:
        """The name of a sum of expressions."""
        name = self._new(" + ".join(terms[:CHUNK]))
        for start in range(CHUNK, len(terms), CHUNK):
            self.lines.append(f"{name} += {' + '.join(terms[start : start + CHUNK])}")
        return name

    def _raw(self, node: Raw) -> str:
        name = self._new(f"row[{node.place}]")
        if node.text:
            self.lines.append(f"if {name} != {name}: {name} = None")
        else:
            self.lines.append(f"{name} = nan if {name} is None else float({name})")
        return name

    def _null(self, node: Node) -> str:
        name = self.value(node)
        return f"{name} is None" if is_text(node) else f"{name} != {name}"

    def _fill(self, node: Fill) -> str:
        name = self.value(node.of)
        test = self._null(node.of) if node.where is None else f"{name} == {literal(node.where)}"
        return self._new(f"{literal(node.value)} if {test} else {name}")

    def _lookup(self, node: Lookup) -> str:
        source, column = self.value(node.of), column_of(node.of)
        table = self._constants.name(dict(node.known))
        null = self._null(node.of)
        if node.null is None:
            self.lines.append(f"if {null}: refuse({column!r}, {_EMPTY!r})")
        if node.unseen is None:
            found = self._new(f"{table}.get({source})")
            if node.null is not None:
                self.lines.append(f"if {null}: {found} = {literal(node.null)}")
            self.lines.append(f"if {found} is None: refuse({column!r}, {_UNSEEN!r})")
            return found
        found = f"{table}.get({source}, {literal(node.unseen)})"
        if node.null is not None and not _equal(node.null, node.unseen):
            found = f"{literal(node.null)} if {null} else {found}"
        return self._new(found)

    def _norm(self, node: Norm) -> str:
        names = [self.value(item) for item in node.of]
        if node.kind == "l2":
            made = self._new(f"sqrt({self.summed([f'{name} * {name}' for name in names])})")
        elif node.kind == "l1":
            made = self._new(self.summed([f"fabs({name})" for name in names]))
        else:
            made = self._new(f"max(({', '.join(f'fabs({name})' for name in names)},))")
        return self._new(f"1.0 if {made} < {NO_NORM!r} else {made}")

    def _bag(self, node: Bag) -> str:
        source = self.value(node.of)
        self.lines.append(f"if {source} is None: refuse({column_of(node.of)!r}, {_EMPTY!r})")
        settings = {
            name: getattr(node, name)
            for name in (
                "pattern",
                "words",
                "lowercase",
                "stops",
                "binary",
                "sublinear",
                "idf",
                "norm",
            )
        }
        words = self._constants.made(
            f"Words({literal(dict(node.vocabulary))}, {literal(settings)})"
        )
        return self._new(f"{words}({source})")


_EMPTY = "it has no value, and the model has nothing to put in its place"
_INFINITE = "it is infinite"
_LARGE = "it is too large for the model"
_UNSEEN = "this is no category that the model was trained on"


def column_of(node: Node) -> str:
    """The column that a failure names: the first that the node reads."""
    return next((item.name for item in sources([node])), "")


def _equal(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)  # noqa: PLR0124 - NaN is NaN


def preamble() -> str:
    """What stands at the head of each program."""
    return "# Generated by Athanor.\n" + inspect.getsource(arithmetic)


def function(name: str, parameter: str, lines: Sequence[str]) -> str:
    """A function's text."""
    return f"def {name}({parameter}):\n" + "".join(f"    {line}\n" for line in lines)
