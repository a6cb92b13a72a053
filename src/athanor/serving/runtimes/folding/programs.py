"""The program of a pipeline that ends in a linear model: `one(row)` and `many(rows)`.

There are two ways through it. The quick one is a single expression for rows that miss nothing: a
null makes it a TypeError, a category that is not known a KeyError, NaN or infinity a sum that is
not finite; each of them leads to the careful way, which does everything step by step.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from athanor.serving.runtimes.folding.linear import Head
from athanor.serving.runtimes.folding.nodes import (
    Arithmetic,
    Bag,
    Beside,
    Check,
    Constant,
    Fill,
    Lookup,
    Mix,
    Node,
    Raw,
    Term,
    Unfoldable,
    everything,
    sources,
)
from athanor.serving.runtimes.folding.source import (
    CHUNK,
    Constants,
    Writer,
    column_of,
    function,
    literal,
    preamble,
)

Floats: TypeAlias = NDArray[np.float64]

_FAR = 1e3
"""A constant beyond this is subtracted before it is weighed: folded, it would cost digits."""
_LONGEST = 4_000_000
"""Characters of a program at most."""
_SAFE = 700.0
"""exp overflows a little beyond."""
_LOWEST = -709.782712893384
"""Below it exp(-x) has no double, and expit(x) is 0 in scipy."""


@dataclass(slots=True)
class _Table:
    of: Node
    known: dict[Hashable, Floats]
    unseen: Floats | None
    null: Floats | None


@dataclass(slots=True)
class Sums:
    """Weighted sums of nodes, taken apart as far as they can be."""

    plus: Floats
    plain: dict[int, tuple[Node, Floats]] = field(default_factory=dict)
    tables: dict[int, _Table] = field(default_factory=dict)
    bags: dict[int, tuple[Bag, dict[int, Floats]]] = field(default_factory=dict)

    guards: list[Node] = field(default_factory=list)
    """Nodes that are not summed, and that may refuse."""

    def add(self, node: Node, weights: Floats) -> None:
        """Add a node, weighed for each sum."""
        match node:
            case Constant():
                self.plus = self.plus + weights * node.value
            case Check():
                self.add(node.of, weights)
            case Beside():
                self.guards += node.others
                self.add(node.of, weights)
            case Arithmetic() if node.sign == "*":
                self.add(node.of, weights * node.by)
            case Arithmetic() if node.sign == "/":
                self.add(node.of, weights / node.by)
            case Arithmetic() if np.abs(weights * node.by).max() < _FAR:
                sign = 1.0 if node.sign == "+" else -1.0
                self.plus = self.plus + sign * node.by * weights
                self.add(node.of, weights)
            case Mix():
                self.plus = self.plus + node.plus * weights
                for item, weight in zip(node.of, node.weights, strict=True):
                    self.add(item, weights * weight)
            case Lookup():
                self._look_up(node, weights)
            case Term():
                _, found = self.bags.setdefault(id(node.of), (node.of, {}))
                found[node.place] = found.get(node.place, 0.0) + weights
            case _:
                kept = self.plain.get(id(node))
                self.plain[id(node)] = (node, weights if kept is None else kept[1] + weights)

    def _look_up(self, node: Lookup, weights: Floats) -> None:
        unseen = None if node.unseen is None else weights * node.unseen
        null = None if node.null is None else weights * node.null
        known = {key: weights * value for key, value in node.known.items()}
        kept = self.tables.get(id(node.of))
        if kept is None:
            self.tables[id(node.of)] = _Table(node.of, known, unseen, null)
            return
        if kept.known.keys() != known.keys():
            # Another encoder of the same column: a table of its own.
            self.tables[id(node)] = _Table(node.of, known, unseen, null)
            return
        for key, value in known.items():
            kept.known[key] = kept.known[key] + value
        kept.unseen = None if kept.unseen is None or unseen is None else kept.unseen + unseen
        kept.null = None if kept.null is None or null is None else kept.null + null


def program(columns: Sequence[Node], head: Head, width: int) -> str:
    """The text of a program for rows of so many columns.

    Raises: Unfoldable.
    """
    if head.weights.shape[1] != len(columns):
        raise Unfoldable(
            f"the model weighs {head.weights.shape[1]} columns, its pipeline makes {len(columns)}"
        )
    sums = Sums(head.plus)
    for place, node in enumerate(columns):
        sums.add(node, head.weights[:, place])
    constants = Constants()
    careful = [*_careful(sums, constants), *_finish(head, len(sums.plus), safe=False)]
    quick = _quick(sums, constants, width)
    texts = [function("careful" if quick else "one", "row", careful)]
    if quick:
        test = _in_bounds(len(sums.plus), finite=head.link in {"identity", "margin", "affine"})
        lines = [*quick, *test, *_finish(head, len(sums.plus), safe=True)]
        texts.append(function("one", "row", lines))
    texts.append(function("many", "rows", ["return [one(row) for row in rows]"]))
    whole = "\n\n".join([preamble(), constants.text, *texts])
    if len(whole) > _LONGEST:
        raise Unfoldable(f"the program would be {len(whole) // 1_000_000} MB long")
    return whole


def _careful(sums: Sums, constants: Constants) -> list[str]:
    writer = Writer(constants)
    count = len(sums.plus)
    for node in sums.guards:
        writer.value(node)
    terms: list[list[str]] = [[literal(float(value))] for value in sums.plus]
    for node, weights in sums.plain.values():
        name = writer.finite(node)
        for place in range(count):
            terms[place].append(f"{literal(float(weights[place]))} * {name}")
    for table in sums.tables.values():
        for place in range(count):
            terms[place].append(writer.value(_of_one(table, place)))
    for bag, weights_of in sums.bags.values():
        name = writer.value(bag)
        for place in range(count):
            weights_now = {at: float(found[place]) for at, found in weights_of.items()}
            known = constants.name(weights_now)
            terms[place].append(
                f"sum([{known}.get(at, 0.0) * count for at, count in {name}.items()])"
            )
    for place in range(count):
        writer.lines.append(f"z{place} = {writer.summed(terms[place])}")
    return writer.lines


def _of_one(table: _Table, place: int) -> Lookup:
    return Lookup(
        table.of,
        {key: float(value[place]) for key, value in table.known.items()},
        None if table.unseen is None else float(table.unseen[place]),
        None if table.null is None else float(table.null[place]),
    )


def _quick(sums: Sums, constants: Constants, width: int) -> list[str]:
    """The lines that make `z0`, `z1` ... at once; none where there is no quick way."""
    if sums.bags:
        return []
    count = len(sums.plus)
    terms: list[list[str]] = [[literal(float(value))] for value in sums.plus]
    used: set[int] = set()
    for node, weights in sums.plain.values():
        text = _at_once(node, used)
        if not text:
            return []
        for place in range(count):
            terms[place].append(f"{literal(float(weights[place]))} * {text}")
    for guard in _guards(sums, constants):
        if not guard[1]:
            return []
        used.add(guard[0])
        terms[0].append(guard[1])
    lines = []
    for number, table in enumerate(sums.tables.values()):
        raw = _read(table.of)
        if raw is None:
            return []
        used.add(raw.place)
        if count == 1:
            known = {key: float(value[0]) for key, value in table.known.items()}
            terms[0].append(f"{constants.name(known)}[r{raw.place}]")
            continue
        rows = {key: tuple(map(float, value)) for key, value in table.known.items()}
        lines.append(f"t{number} = {constants.name(rows)}[r{raw.place}]")
        for place in range(count):
            terms[place].append(f"t{number}[{place}]")
    names = ", ".join(f"r{place}" if place in used else "_" for place in range(width))
    body = [f"{names}, = row", *lines]
    for place, found in enumerate(terms):
        body.append(f"z{place} = {' + '.join(found[:CHUNK])}")
        body += [
            f"z{place} += {' + '.join(found[start : start + CHUNK])}"
            for start in range(CHUNK, len(found), CHUNK)
        ]
    indented = [f"    {line}" for line in body]
    return ["try:", *indented, "except (TypeError, KeyError):", "    return careful(row)"]


def _guards(sums: Sums, constants: Constants) -> Iterator[tuple[int, str]]:
    """For each column that is only checked: its place, and a term that is 0 where it is sound."""
    for raw in sources(sums.guards):
        if not raw.text:
            yield raw.place, f"0.0 * r{raw.place}"
            continue
        known: list[dict[Hashable, float]] = [
            dict.fromkeys(node.known, 0.0)
            for node in everything(sums.guards)
            if isinstance(node, Lookup) and _read(node.of) is raw
        ]
        yield raw.place, f"{constants.name(known[0])}[r{raw.place}]" if known else ""


def _at_once(node: Node, used: set[int]) -> str:
    """A number that was not missing as an expression; "" where there is none."""
    if isinstance(node, Arithmetic) and node.sign in {"+", "-"}:
        inner = _at_once(node.of, used)
        return f"({inner} {node.sign} {literal(node.by)})" if inner else ""
    raw = _read(node)
    if raw is None or raw.text:
        return ""
    used.add(raw.place)
    return f"r{raw.place}"


def _read(node: Node) -> Raw | None:
    """The column whose value a node is, where it is not missing."""
    while isinstance(node, Check | Fill | Beside):
        if isinstance(node, Fill) and node.where is not None:
            return None
        node = node.of
    return node if isinstance(node, Raw) else None


def _in_bounds(count: int, *, finite: bool) -> list[str]:
    bound = "inf" if finite else repr(_SAFE)
    test = " and ".join(f"-{bound} < z{place} < {bound}" for place in range(count))
    return [f"if not ({test}): return careful(row)"]


def _finish(head: Head, count: int, *, safe: bool) -> list[str]:
    """From the sums to the answer; `safe` says that none of them is far from 0."""
    names = [f"z{place}" for place in range(count)]
    whole = f"({', '.join(names)},)"
    match head.link:
        case "identity":
            return [f"return -1, {whole}"]
        case "exp" | "expm1":
            each = ", ".join(f"apply({head.link!r}, {name})" for name in names)
            return [f"return -1, ({each},)"]
        case "affine":
            scale, mean = map(literal, head.after)
            return [f"return -1, (z0 * {scale} + {mean},)"]
        case "margin":
            if count == 1:
                return ["return (1 if z0 > 0.0 else 0), ()"]
            return [f"z = {whole}", "return z.index(max(z)), ()"]
        case "expit":
            how = "1.0 / (1.0 + exp(-z0))"
            if not safe:
                how = f"0.0 if z0 < {_LOWEST} else {how}"
            return [f"p = {how}", "q = 1.0 - p", "return (1, (q, p)) if p > q else (0, (q, p))"]
        case "huber":
            return [
                "p = (min(1.0, max(-1.0, z0)) + 1.0) / 2.0",
                "q = 1.0 - p",
                "return (1, (q, p)) if p > q else (0, (q, p))",
            ]
        case "softmax":
            lines = [f"z = {whole}", "m = max(z)", "e = [exp(x - m) for x in z]"]
        case "each":
            far = "" if safe else f"0.0 if x < {_LOWEST} else "
            lines = [f"z = {whole}", f"e = [{far}1.0 / (1.0 + exp(-x)) for x in z]"]
        case other:
            raise Unfoldable(f"the link {other}")
    # None of them likely is all of them alike, as in scikit-learn.
    level = ["s = sum(e)", "if s == 0.0:", f"    e, s = [1.0] * {count}, {count}.0"]
    return [*lines, *level, "p = [x / s for x in e]", "return p.index(max(p)), p"]


def named(columns: Sequence[Node]) -> list[str]:
    """The columns of the row that each made column reads first: for reports."""
    return [column_of(node) for node in columns]
