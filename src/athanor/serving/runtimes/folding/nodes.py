"""What a fitted pipeline computes for one row, as a graph of small operations.

Nodes are compared by identity: two columns read the same thing where they hold the same node. A
missing number is NaN, a missing text None. Operations stand in the order and with the constants of
the library that they come from, so that a model that compares with thresholds sees the same bits.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

NO_NORM = 10.0 * 2.0**-52
"""A norm that scikit-learn takes for none: less than ten times the spacing of doubles at 1."""


class Unfoldable(Exception):
    """Something keeps a model from being compiled; the message says what, in a few words."""


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """One column of the row as it came."""

    place: int
    name: str
    text: bool
    """Whether it holds text; else a number (a boolean is 0 or 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A number that no row changes."""

    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """The same value; infinity is refused, and NaN too where `nulls` is False."""

    of: "Node"
    nulls: bool
    limit: float = math.inf
    """Numbers beyond it are refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """The same value; a missing one, or one equal to `where`, is `value`."""

    of: "Node"
    value: float | str
    where: float | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """`of` (-, /, *, +) a constant."""

    of: "Node"
    sign: str
    by: float


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """At least `low`, at most `high`; NaN stays."""

    of: "Node"
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """A number for each known value."""

    of: "Node"
    known: Mapping[Hashable, float]
    unseen: float | None
    """None refuses what is not known."""
    null: float | None
    """None refuses a missing value."""


@dataclass(frozen=True, slots=True, eq=False)
class IsNull:
    """1 where the value is missing, else 0."""

    of: "Node"


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """`values[i]`, where `i` edges are at most the number (`right`), or below it."""

    of: "Node"
    edges: tuple[float, ...]
    values: tuple[float, ...]
    right: bool


@dataclass(frozen=True, slots=True, eq=False)
class Apply:
    """A named function of the number: see `athanor.serving.runtimes.folding.functions`."""

    of: "Node"
    function: str
    by: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Interpolate:
    """As scikit-learn's QuantileTransformer: the mean of both interpolations, then the quantile."""

    of: "Node"
    quantiles: tuple[float, ...]
    references: tuple[float, ...]
    normal: bool


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """Numbers multiplied, left to right."""

    of: tuple["Node", ...]


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """A weighted sum and a constant."""

    of: tuple["Node", ...]
    weights: tuple[float, ...]
    plus: float


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """The l1, l2 or max norm of numbers; 1 where it is less than `NO_NORM`."""

    of: tuple["Node", ...]
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """One number divided by another."""

    of: "Node"
    by: "Node"


@dataclass(frozen=True, slots=True, eq=False)
class Bag:
    """The words of a text, counted and weighed."""

    of: "Node"
    vocabulary: Mapping[str, int]
    pattern: str
    words: tuple[int, int] = (1, 1)
    """The shortest and the longest run of words that is one term."""
    lowercase: bool = True
    stops: frozenset[str] = field(default_factory=frozenset)
    binary: bool = False
    sublinear: bool = False
    idf: tuple[float, ...] = ()
    """One weight a term; empty: all 1."""
    norm: str = ""
    """`l1`, `l2` or ""."""


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """The weight of one term of a bag."""

    of: Bag
    place: int


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """The same value, where others that came with it are not refused."""

    of: "Node"
    others: tuple["Node", ...]


Node: TypeAlias = (
    Raw
    | Beside
    | Constant
    | Check
    | Fill
    | Arithmetic
    | Clip
    | Lookup
    | IsNull
    | Step
    | Apply
    | Interpolate
    | Product
    | Mix
    | Norm
    | Ratio
    | Bag
    | Term
)


def everything(nodes: Sequence[Node]) -> Iterator[Node]:
    """These nodes and all that they read, each once, in the order in which they are met."""
    seen: set[int] = set()
    waiting: list[Node] = [*reversed(nodes)]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, Product | Mix | Norm):
            waiting.extend(reversed(node.of))
        elif isinstance(node, Ratio):
            waiting.extend((node.by, node.of))
        elif isinstance(node, Beside):
            waiting.extend((*node.others, node.of))
        elif not isinstance(node, Constant | Raw):
            waiting.append(node.of)


def sources(nodes: Sequence[Node]) -> Iterator[Raw]:
    """The columns that these nodes read, each once, in the order in which they are met."""
    return (node for node in everything(nodes) if isinstance(node, Raw))


def is_text(node: Node) -> bool:
    """Whether a node's value is text."""
    while isinstance(node, Check | Fill | Beside):
        node = node.of
    return isinstance(node, Raw) and node.text


def may_refuse(node: Node) -> bool:
    """Whether there are rows that this node refuses."""
    return any(
        isinstance(item, Check | Bag)
        or (isinstance(item, Lookup) and None in {item.unseen, item.null})
        for item in everything([node])
    )
