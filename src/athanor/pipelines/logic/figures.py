"""The figures in a metrics artifact of Kubeflow's, as a tracker keeps them."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SCHEMAS = frozenset({"system.Metrics", "system.ClassificationMetrics"})
"""The artifacts that hold figures."""
_UNFIT = re.compile(r"[^\w.\- ]+")
_LONGEST = 250
_MOST = 1000


class Figure(NamedTuple):
    """One point of a metric."""

    key: str
    value: float
    step: int = 0


def figures_of(properties: Mapping[str, Any]) -> list[Figure]:
    """What an artifact's properties measure, the first thousand points.

    A curve is a metric of each of its columns, a step a point; a matrix one of each cell, named
    confusionMatrix/TRUE/PREDICTED.
    """
    found: list[Figure] = []
    for name, value in properties.items():
        if name == "confidenceMetrics":
            found += _curve(name, value)
        elif name == "confusionMatrix":
            found += _matrix(name, value)
        elif _is_number(value):
            found.append(Figure(_key(name), float(value)))
    return [figure for figure in found if figure.key][:_MOST]


def _curve(name: str, points: Any) -> Iterator[Figure]:
    for step, point in enumerate(points if isinstance(points, list) else ()):
        for column, value in point.items() if isinstance(point, dict) else ():
            if _is_number(value):
                yield Figure(f"{name}/{_key(column)}", float(value), step)


def _matrix(name: str, matrix: Any) -> Iterator[Figure]:
    told = matrix if isinstance(matrix, dict) else {}
    specs, rows = told.get("annotationSpecs") or [], told.get("rows") or []
    classes = [_key(spec.get("displayName", "")) or str(n) for n, spec in enumerate(specs)]
    for true, row in zip(classes, rows, strict=False):
        for predicted, value in zip(classes, row.get("row") or [], strict=False):
            if _is_number(value):
                yield Figure(f"{name}/{true}/{predicted}"[:_LONGEST], float(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _fits(value)


def _fits(value: float) -> bool:
    try:
        return not math.isinf(float(value))
    except OverflowError:
        return False


def _key(name: Any) -> str:
    """A name as trackers take it."""
    return _UNFIT.sub("_", str(name)).strip(".")[:_LONGEST]
