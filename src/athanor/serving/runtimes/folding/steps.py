"""A model's steps before its last one, as nodes; and where its columns change what it says."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from athanor.registry.packaging import categories_of
from athanor.serving.runtimes.folding.nodes import (
    Arithmetic,
    Bag,
    Beside,
    Check,
    Fill,
    Lookup,
    Node,
    Raw,
    Step,
    Unfoldable,
    everything,
    is_text,
    sources,
)
from athanor.serving.runtimes.folding.source import column_of
from athanor.serving.runtimes.folding.transformers import transformed
from athanor.serving.runtimes.proof import Hints
from athanor.serving.types import InputColumn


def encoded(estimator: Any, columns: Sequence[InputColumn]) -> tuple[list[Node], Any]:
    """What the last step of a model reads, and that step.

    Raises: Unfoldable.
    """
    raws: list[Node] = [
        Raw(place, column.name, column.type == "string") for place, column in enumerate(columns)
    ]
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        by_name = {column.name: node for column, node in zip(columns, raws, strict=True)}
        missing = [str(name) for name in names if name not in by_name]
        if missing:
            raise Unfoldable(f"its signature lacks the column {missing[0]!r}")
        raws = [by_name[str(name)] for name in names]
    made = raws
    final = estimator
    if not hasattr(estimator, "steps"):
        made = _coded(raws, categories_of(estimator))
    else:
        for _, step in estimator.steps[:-1]:
            made = transformed(step, made)
        final = estimator.steps[-1][1]
    for raw in sources(made):
        if columns[raw.place].type not in {
            "double",
            "float",
            "long",
            "integer",
            "string",
            "boolean",
        }:
            raise Unfoldable(f"column {raw.name!r} is of type {columns[raw.place].type}")
    return made, final


def _coded(raws: list[Node], known: list[list[Any]]) -> list[Node]:
    """Texts as the codes that boosted trees have for pandas' categories."""
    texts = [raw for raw in raws if is_text(raw)]
    if len(texts) != len(known):
        return raws
    codes: dict[int, Node] = {
        id(raw): Lookup(
            of=raw,
            known={str(value): float(code) for code, value in enumerate(values)},
            unseen=math.nan,
            null=math.nan,
        )
        for raw, values in zip(texts, known, strict=True)
    }
    return [codes.get(id(raw), raw) for raw in raws]


def hints_of(made: Sequence[Node], thresholds: dict[int, list[float]]) -> Hints:
    """Where a model's columns change what it says; `thresholds` are those of the made columns."""
    values: dict[str, list[Any]] = {}
    words: dict[str, list[Any]] = {}
    for node in everything(made):
        name = column_of(node)
        match node:
            case Lookup():
                values.setdefault(name, []).extend(node.known)
            case Fill() if not isinstance(node.value, str):
                values.setdefault(name, []).append(node.value)
            case Step():
                values.setdefault(name, []).extend(node.edges)
            case Bag():
                words[name] = [*node.vocabulary][:5000]
    edges: dict[str, list[float]] = {}
    for place, found in thresholds.items():
        back = _backwards(made[place])
        if back is not None:
            edges.setdefault(column_of(made[place]), []).extend(
                number for number in map(back, found) if math.isfinite(number)
            )
    kept = {name: list(dict.fromkeys(found)) for name, found in values.items()}
    return Hints(
        values={name: _of_one_type(found) for name, found in kept.items()},
        thresholds={name: sorted(set(found)) for name, found in edges.items()},
        words=words,
    )


def _backwards(node: Node) -> Callable[[float], float] | None:
    """The way from a made number back to the raw one, roughly; None: there is none."""
    steps: list[Arithmetic] = []
    while isinstance(node, Check | Fill | Beside | Arithmetic):
        if isinstance(node, Arithmetic):
            steps.append(node)
        node = node.of
    if not isinstance(node, Raw) or node.text:
        return None

    def back(number: float) -> float:
        for step in steps:
            match step.sign:
                case "-":
                    number += step.by
                case "+":
                    number -= step.by
                case "/":
                    number *= step.by
                case _:
                    number = number / step.by if step.by else math.nan
        return number

    return back


def _of_one_type(values: list[Any]) -> list[Any]:
    texts = [value for value in values if isinstance(value, str)]
    return texts or [value for value in values if math.isfinite(value)]
