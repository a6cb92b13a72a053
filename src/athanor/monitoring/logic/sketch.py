"""One mergeable histogram a column: the unit that every statistic is computed from.

A plan fixes how values are counted (the cells), from the reference alone. A sketch is the counts
under a plan; two sketches of one plan merge by adding. Rows are read once.

Cells of a number: at most 50, between quantiles of the reference, the outermost for values outside
its range; a number with few distinct values has one cell a value. Cells of a category: its most
frequent levels, and one for all others. The last cell of both counts missing values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from athanor.monitoring.logic.words import number
from athanor.monitoring.types import ColumnKind, Level, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Counts = NDArray[np.int64]

MOST_CELLS = 50
ROWS_PER_CELL = 20  # of the reference, at least: fewer would make the cells noise
LEVELS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """How the values of one column are counted."""

    name: str
    kind: ColumnKind
    edges: list[float] = field(default_factory=list)
    """Of a number: ascending; cell i holds edges[i - 1] <= x < edges[i]."""
    centres: list[float] = field(default_factory=list)
    """Of a number: the reference's mean within each cell, which distances are measured between."""
    lowest: float = 0.0
    highest: float = 0.0
    """Of a number: the reference's range."""
    levels: list[str] = field(default_factory=list)
    """Of a category: the levels with a cell of their own, most frequent first."""
    rare: list[str] = field(default_factory=list)
    """Of a category: levels that the reference has and that share the cell of all others."""
    once: int = 0
    """Of a category: levels that the reference has in one row only; they foretell unseen ones."""

    @property
    def cells(self) -> int:
        """Cells, the one for missing values included."""
        return len(self.edges if self.kind is ColumnKind.NUMBER else self.levels) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """The counts of one column of some rows, under a plan."""

    counts: Counts
    """Per cell; the last one is missing values."""
    bad: dict[str, int] = field(default_factory=dict)
    """Rows that are `out of range`, `unseen` or of a `wrong type`, against the plan."""
    total: float = 0.0
    """Sum of a number's values, less the plan's lowest one for precision."""
    squares: float = 0.0
    """Sum of their squares, likewise."""
    lowest: float | None = None
    highest: float | None = None
    blocks: Counts | None = None
    """Counts per block and cell, where rows belong together in blocks; else None."""

    @property
    def rows(self) -> int:
        """Rows counted, those with missing values included."""
        return int(self.counts.sum())

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return int(self.counts[-1])


def plan_number(name: str, values: Numbers) -> ColumnPlan:
    """Plan a number's cells from the reference's values (NaN is missing). Needs one value."""
    present = np.sort(values[np.isfinite(values)])
    distinct = np.unique(present)
    room = int(np.clip(present.size // ROWS_PER_CELL, 2, MOST_CELLS - 2))
    if distinct.size <= room:
        edges = (distinct[1:] + distinct[:-1]) / 2
    else:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, room + 1)[1:-1], method="higher"))
    lowest, highest = float(present[0]), float(present[-1])
    inner = edges[(edges > lowest) & (edges <= highest)]
    edges = np.concatenate([[lowest], inner, [np.nextafter(highest, np.inf)]])
    cell = np.searchsorted(edges, present, side="right")
    counts = np.bincount(cell, minlength=edges.size + 1)
    sums = np.bincount(cell, weights=present, minlength=edges.size + 1)
    return ColumnPlan(
        name=name,
        kind=ColumnKind.NUMBER,
        edges=edges.tolist(),
        centres=[lowest, *(sums / np.maximum(counts, 1))[1:-1].tolist(), highest],
        lowest=lowest,
        highest=highest,
    )


def plan_category(name: str, values: NDArray[Any]) -> ColumnPlan:
    """Plan a category's cells from the reference's values (None is missing)."""
    levels, counts = np.unique(_present_levels(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ranked = [str(level) for level in levels[order]]
    return ColumnPlan(
        name=name,
        kind=ColumnKind.CATEGORY,
        levels=ranked[: MOST_CELLS - 2],
        rare=ranked[MOST_CELLS - 2 :],
        once=int((counts == 1).sum()),
    )


def _present_levels(values: NDArray[Any]) -> NDArray[np.str_]:
    filled = [str(value) for value in values.tolist() if value is not None]
    return np.array(filled, dtype=np.str_)


def count(plan: ColumnPlan, values: NDArray[Any], blocks: NDArray[Any] | None = None) -> Sketch:
    """Count a column's values. Numbers as float64 with NaN, categories as objects with None.

    `blocks` are labels, one a row, of rows that belong together.
    """
    if plan.kind is ColumnKind.NUMBER:
        cells, sketch = _count_numbers(plan, values)
    else:
        cells, sketch = _count_levels(plan, values)
    if blocks is None:
        return sketch
    names, block = np.unique(blocks, return_inverse=True)
    table = np.zeros((names.size, plan.cells), dtype=np.int64)
    np.add.at(table, (block, cells), 1)
    return replace(sketch, blocks=table)


def _count_numbers(plan: ColumnPlan, values: NDArray[Any]) -> tuple[Counts, Sketch]:
    numbers, wrong = as_numbers(values)
    there = np.isfinite(numbers)
    present = numbers[there]
    cells = np.full(numbers.size, plan.cells - 1)
    cells[there] = np.searchsorted(plan.edges, present, side="right")
    outside = int(((present < plan.lowest) | (present > plan.highest)).sum())
    offset = present - plan.lowest
    with np.errstate(over="ignore"):
        total, squares = float(offset.sum()), float((offset**2).sum())
    sketch = Sketch(
        counts=np.bincount(cells, minlength=plan.cells).astype(np.int64),
        bad={"out of range": outside, "wrong type": wrong},
        total=total,
        squares=squares,
        lowest=float(present.min()) if present.size else None,
        highest=float(present.max()) if present.size else None,
    )
    return cells, sketch


def as_numbers(values: NDArray[Any]) -> tuple[Numbers, int]:
    """Values as float64, missing as NaN, and how many were neither a number nor missing."""
    if values.dtype != object:
        return values.astype(np.float64), 0
    numbers = np.full(values.size, np.nan)
    wrong = 0
    for i, value in enumerate(values.tolist()):
        if value is None:
            continue
        try:
            numbers[i] = float(value)
        except (TypeError, ValueError):
            wrong += 1
    return numbers, wrong


def _count_levels(plan: ColumnPlan, values: NDArray[Any]) -> tuple[Counts, Sketch]:
    place = {level: i for i, level in enumerate(plan.levels)}
    other, missing = len(plan.levels), len(plan.levels) + 1
    texts = [None if value is None else str(value) for value in values.tolist()]
    found = [missing if text is None else place.get(text, other) for text in texts]
    cells = np.array(found, dtype=np.int64)
    known = {*plan.rare, None}
    unseen = sum(texts[i] not in known for i in np.flatnonzero(cells == other))
    counts = np.bincount(cells, minlength=plan.cells).astype(np.int64)
    return cells, Sketch(counts=counts, bad={"unseen": unseen})


def merge(left: Sketch, right: Sketch) -> Sketch:
    """The sketch of both sets of rows; blocks stay apart."""
    blocks = None
    if left.blocks is not None and right.blocks is not None:
        blocks = np.concatenate([left.blocks, right.blocks])
    lows = [low for low in (left.lowest, right.lowest) if low is not None]
    highs = [high for high in (left.highest, right.highest) if high is not None]
    bad = {key: left.bad.get(key, 0) + right.bad.get(key, 0) for key in {**left.bad, **right.bad}}
    return Sketch(
        counts=left.counts + right.counts,
        bad=bad,
        total=left.total + right.total,
        squares=left.squares + right.squares,
        lowest=min(lows, default=None),
        highest=max(highs, default=None),
        blocks=blocks,
    )


def summary(plan: ColumnPlan, sketch: Sketch) -> Summary:
    """What people read of a sketch."""
    present = sketch.rows - sketch.missing
    missing = sketch.missing / sketch.rows if sketch.rows else 0.0
    if plan.kind is ColumnKind.CATEGORY:
        names = [*plan.levels, "(other)"]
        order = np.argsort(-sketch.counts[:-1], kind="stable")[:LEVELS_SHOWN]
        shown = [
            Level(name=names[i], share=float(sketch.counts[i]) / present)
            for i in order
            if sketch.counts[i]
        ]
        return Summary(rows=sketch.rows, missing=missing, levels=shown)
    if not present:
        return Summary(rows=sketch.rows, missing=missing)
    mean = sketch.total / present
    variance = sketch.squares / present - mean * mean
    return Summary(
        rows=sketch.rows,
        missing=missing,
        # Values near the end of the doubles leave no finite sum.
        mean=plan.lowest + mean if math.isfinite(mean) else None,
        deviation=max(variance, 0.0) ** 0.5 if math.isfinite(variance) else None,
        lowest=sketch.lowest,
        highest=sketch.highest,
    )


def cell_names(plan: ColumnPlan) -> list[str]:
    """What each cell holds, in words."""
    if plan.kind is ColumnKind.CATEGORY:
        return [*plan.levels, "(other)", "(missing)"]
    marks = [number(edge) for edge in plan.edges]
    between = [f"{low} to {high}" for low, high in pairwise(marks)]
    return [f"below {marks[0]}", *between, f"{marks[-1]} and more", "(missing)"]
