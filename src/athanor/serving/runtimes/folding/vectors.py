"""Nodes computed for whole columns at once: for batches, where generated programs go row by row.

A text column is its distinct words and each row's place among them, so that whatever depends on one
text is computed once a word. What the programs refuse raises `Refused` here, for all rows together:
whoever asked goes back to the model itself, which knows which row is to blame.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from athanor.serving.runtimes.folding.nodes import (
    NO_NORM,
    Apply,
    Arithmetic,
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
    Unfoldable,
)

Floats: TypeAlias = NDArray[np.float64]

_LEAST = 1e-7


class Refused(Exception):
    """Some of these rows are none that the model reads."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of text."""

    places: NDArray[np.intp]
    """Each row's place in `words`, shape (rows,)."""
    words: Sequence[str | None]
    """None stands for a missing text."""


Column: TypeAlias = Floats | Texts


class Vectors:
    """The values of nodes for these rows, each computed once."""

    def __init__(self, raws: Sequence[Column], rows: int) -> None:
        """`raws` are the row's columns in their order; a missing number is NaN."""
        self._raws = raws
        self._rows = rows
        self._found: dict[int, tuple[Node, Column]] = {}

    def numbers(self, node: Node) -> Floats:
        """A node's numbers, shape (rows,).

        Raises: Refused; Unfoldable, where nothing is known for this kind of node.
        """
        found = self.value(node)
        if isinstance(found, Texts):
            raise Unfoldable("it reads text as numbers")
        return found

    def value(self, node: Node) -> Column:
        """A node's values. Raises: Refused, Unfoldable."""
        kept = self._found.get(id(node))
        if kept is None:
            kept = self._found[id(node)] = (node, self._made(node))
        return kept[1]

    def looked_up(
        self, of: Node, known: Mapping[Hashable, Floats], unseen: Any, null: Any, width: int
    ) -> Floats:
        """A row of numbers for each known value, shape (rows, width). Raises: Refused."""
        source = self.value(of)
        missing, strange = (
            np.full(width, np.nan if value is None else value) for value in (null, unseen)
        )
        if isinstance(source, Texts):
            found = np.array([
                missing if word is None else known.get(word, strange) for word in source.words
            ]).reshape(len(source.words), width)  # fmt: skip
            taken: Floats = found.take(source.places, axis=0)
            doubtful = bool(np.isnan(found).any())
        else:
            keys = sorted(float(key) for key in known if isinstance(key, int | float))
            table = np.array([known[key] for key in keys] or [missing]).reshape(-1, width)
            at = np.searchsorted(np.array(keys or [math.nan]), source).clip(0, len(table) - 1)
            hit = np.array(keys or [math.nan])[at] == source
            taken = np.where(hit[:, None], table[at], strange)
            taken[np.isnan(source)] = missing
            doubtful = True
        if doubtful and (unseen is None or null is None) and np.isnan(taken).any():
            raise Refused
        return taken

    def _made(self, node: Node) -> Column:  # noqa: C901, PLR0912 - one case a kind of node
        match node:
            case Raw():
                return self._raws[node.place]
            case Constant():
                return np.full(self._rows, node.value)
            case Check():
                return _checked(self.numbers(node.of), nulls=node.nulls, limit=node.limit)
            case Beside():
                for other in node.others:
                    self.value(other)
                return self.value(node.of)
            case Fill():
                return self._filled(node)
            case Arithmetic():
                return _ARITHMETIC[node.sign](self.numbers(node.of), node.by)
            case Clip():
                return np.clip(self.numbers(node.of), node.low, node.high)
            case Lookup():
                known = {key: np.array([value]) for key, value in node.known.items()}
                return self.looked_up(node.of, known, node.unseen, node.null, 1)[:, 0]
            case IsNull():
                source = self.value(node.of)
                if isinstance(source, Texts):
                    return _of_words(source, lambda word: float(word is None))
                return np.isnan(source).astype(np.float64)
            case Step():
                source = self.numbers(node.of)
                at = np.searchsorted(node.edges, source, side="right" if node.right else "left")
                return np.asarray(node.values)[np.where(np.isnan(source) & (not node.right), 0, at)]
            case Apply():
                return _applied(node, self.numbers(node.of))
            case Interpolate():
                return _interpolated(node, self.numbers(node.of))
            case Product():
                made = self.numbers(node.of[0])
                for item in node.of[1:]:
                    made = made * self.numbers(item)
                return made
            case Mix():
                total = np.full(self._rows, node.plus)
                for weight, item in zip(node.weights, node.of, strict=True):
                    total += weight * self.numbers(item)
                return total
            case Norm():
                return self._norm(node)
            case Ratio():
                return self.numbers(node.of) / self.numbers(node.by)
        raise Unfoldable(f"{type(node).__name__} is computed row by row")

    def _filled(self, node: Fill) -> Column:
        source = self.value(node.of)
        if isinstance(source, Texts):
            kept = [
                str(node.value) if word == node.where else word  # None is None where it is missing
                for word in source.words
            ]
            return Texts(source.places, kept)
        at = np.isnan(source) if node.where is None else source == node.where
        return np.where(at, node.value, source).astype(np.float64)

    def _norm(self, node: Norm) -> Floats:
        parts = [self.numbers(item) for item in node.of]
        total = np.zeros(self._rows)
        for part in parts:
            if node.kind == "max":
                total = np.maximum(total, np.abs(part))
            else:
                total += part * part if node.kind == "l2" else np.abs(part)
        total = np.sqrt(total) if node.kind == "l2" else total
        return np.where(total < NO_NORM, 1.0, total)


def _of_words(source: Texts, of: Callable[[str | None], float]) -> Floats:
    return np.array([of(word) for word in source.words], np.float64)[source.places]


def _checked(values: Floats, *, nulls: bool, limit: float) -> Floats:
    bounded = np.isfinite(values) if limit == math.inf else np.abs(values) <= limit
    if not (bounded | np.isnan(values) if nulls else bounded).all():
        raise Refused
    return values


_ARITHMETIC: Mapping[str, Callable[[Floats, float], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}

_PLAIN: Mapping[str, Callable[[Floats], Floats]] = {
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "sqrt": np.sqrt,
    "cbrt": np.cbrt,
    "abs": np.abs,
    "square": np.square,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "negative": np.negative,
    "reciprocal": np.reciprocal,
    "sign": np.sign,
}


def _applied(node: Apply, values: Floats) -> Floats:
    if node.function == "yeo_johnson":
        made: Floats = stats.yeojohnson(values, node.by[0])
        return made
    if node.function == "box_cox":
        return np.where(values > 0.0, special.boxcox(values, node.by[0]), np.nan)
    if node.function not in _PLAIN:
        raise Unfoldable(f"{node.function} is computed row by row")
    return _PLAIN[node.function](values)


def _interpolated(node: Interpolate, values: Floats) -> Floats:
    """As scikit-learn's QuantileTransformer."""
    xs, ys = np.asarray(node.quantiles), np.asarray(node.references)
    high = values + _LEAST > xs[-1] if node.normal else values == xs[-1]
    low = values - _LEAST < xs[0] if node.normal else values == xs[0]
    forth = np.interp(values, xs, ys)
    made = 0.5 * (forth - np.interp(-values, -xs[::-1], -ys[::-1]))
    made = np.where(high, 1.0, np.where(low, 0.0, made))
    if node.normal:
        least = _LEAST - np.spacing(1.0)
        made = stats.norm.ppf(made).clip(stats.norm.ppf(least), stats.norm.ppf(1.0 - least))
    return np.where(np.isnan(values), np.nan, made)
