"""A labelled synthetic shift of one column of anyone's table.

On a user's own table no drift is known, so the demo makes one and says so: one named column of
the second half of a copy is shifted, and nothing else is touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from athanor.app.demo.truth import DriftTruth
from athanor.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MOSTLY_DISTINCT = 0.95  # a whole-number or text column with more distinct values than this is an id
MOSTLY_MISSING = 0.5
FEWEST_LEVEL_SHARE = 0.01  # mass is moved to a level that the reference has seen often enough
BINS, FINE_BINS = 10, 50
LEAKS = 0.8  # of what there is to know of the target


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftPlan:
    """How to shift: a number by `sds` standard deviations, a category's mass by `mass`."""

    column: str | None = None  # None: the most informative column that is no id and no time
    start: float = 0.5  # share of the rows, in order, that stay as they are
    sds: float = 1.0  # standard deviations that a number is raised by
    mass: float = 0.4  # share of the other rows that are moved to one level of a category
    seed: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifted:
    """A shifted copy of a table, and the truth about it."""

    table: pa.Table
    truth: DriftTruth


def shift_copy(
    table: pa.Table,
    plan: ShiftPlan | None = None,
    *,
    target: str | None = None,
    leave_out: Iterable[str] = (),
) -> Shifted:
    """Shift one column of the last rows of a copy of `table`; the table itself stays as it is.

    `leave_out` names ids, times and other columns that must not be chosen. Without a `target`
    the first suitable column is chosen. Raises: NotFound for an unknown column; Invalid when no
    column can be shifted.
    """
    plan = plan or ShiftPlan()
    name = plan.column or most_informative(table, target=target, leave_out=leave_out)
    plan = replace(plan, column=name)
    if name not in table.column_names:
        near = ", ".join(table.column_names)
        message = f"The table has no column {name!r} to shift."
        raise NotFound(message, hint=f"Its columns are: {near}.")
    begin = int(table.num_rows * plan.start)
    column = table[name].combine_chunks()
    healthy, later = column.slice(0, begin), column.slice(begin)
    if _is_number(column.type):
        moved, words = _shifted_numbers(column, later, plan)
    else:
        moved, words = _shifted_levels(column, later, plan)
    joined = pa.chunked_array([healthy, moved.cast(column.type)])
    position = table.column_names.index(name)
    truth = DriftTruth(
        kind="covariate",
        from_row=begin,
        columns=(name,),
        changes={name: words},
        concept="unchanged: labels are the table's own",
    )
    return Shifted(table=table.set_column(position, name, joined), truth=truth)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _shifted_numbers(column: pa.Array, later: pa.Array, plan: ShiftPlan) -> tuple[pa.Array, str]:
    spread = float(pc.stddev(column).as_py() or 0.0)
    if not np.isfinite(spread) or spread == 0.0:
        message = (
            f"Column {plan.column!r} is constant, so it has no standard deviation to shift by."
        )
        raise Invalid(message, hint="Name a column that varies.")
    step: float | int = plan.sds * spread
    if pa.types.is_integer(column.type):
        step = max(1, round(step)) if step > 0 else min(-1, round(step))
    words = f"raised by {step:,.4g} ({plan.sds:g} standard deviations)"
    return pc.add(later, pa.scalar(step, column.type)), words


def _shifted_levels(column: pa.Array, later: pa.Array, plan: ShiftPlan) -> tuple[pa.Array, str]:
    values = np.asarray(column.to_pylist(), dtype=object)
    present = values[[value is not None for value in values]]
    levels, counts = np.unique(present.astype(str), return_counts=True)
    if levels.size < 2:
        message = f"Column {plan.column!r} has one level only, so no mass can be moved."
        raise Invalid(message, hint="Name a column that varies.")
    often = counts >= FEWEST_LEVEL_SHARE * counts.sum()
    goal_text = str(levels[np.argmin(np.where(often, counts, counts.max() + 1))])
    goal = next(value for value in present if str(value) == goal_text)
    chosen = np.random.default_rng(plan.seed).random(len(later)) < plan.mass
    moved = [
        goal if pick and value is not None else value
        for pick, value in zip(chosen, later.to_pylist(), strict=True)
    ]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return pa.array(moved, kind), f"{plan.mass:.0%} of the rows moved to {goal_text!r}"


def most_informative(
    table: pa.Table, *, target: str | None = None, leave_out: Iterable[str] = ()
) -> str:
    """The column that tells most of the target (mutual information of ten bins).

    It is no id, no time, and no leak of the target.

    Raises: Invalid when every column is left out, an id, a time, constant or mostly missing.
    """
    avoid = {*leave_out, target}
    candidates: list[str] = [
        name for name in table.column_names if name not in avoid and _usable(table[name])
    ]
    if not candidates:
        message = "The table has no column that a shift could be shown on."
        raise Invalid(message, hint="A column must vary, be mostly filled, and be no id or time.")
    if target is None:
        return candidates[0]
    goal = _codes(table[target])
    whole = _mutual_information(goal, goal)
    # What tells nearly all of the target leaks it, and no model will be given it.
    fair = [
        name
        for name in candidates
        if _mutual_information(_codes(table[name], FINE_BINS), goal) < LEAKS * whole
    ]
    told = {name: _mutual_information(_codes(table[name]), goal) for name in fair or candidates}
    return max(told, key=lambda name: told[name])


def _usable(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_temporal(kind) or pa.types.is_nested(kind) or len(column) == 0:
        return False
    if column.null_count > MOSTLY_MISSING * len(column):
        return False
    distinct = pc.count_distinct(column).as_py()
    spread_out = distinct > MOSTLY_DISTINCT * len(column) and not pa.types.is_floating(kind)
    return bool(distinct > 1 and not spread_out)


def _codes(column: pa.ChunkedArray, bins: int = BINS) -> NDArray[np.int64]:
    """Bin numbers: deciles of a number with many values, levels of anything else; missing is 0."""
    values: Any = column.combine_chunks()
    if _is_number(column.type) and pc.count_distinct(column).as_py() > bins:
        numbers = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
        present = numbers[np.isfinite(numbers)]
        edges = np.unique(np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]))
        return np.where(np.isfinite(numbers), 1 + np.searchsorted(edges, numbers), 0)
    if not pa.types.is_dictionary(column.type):
        values = values.dictionary_encode()
    filled = values.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(filled, dtype=np.int64) + 1


def _mutual_information(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Of two discrete columns, in nats."""
    joint = np.zeros((int(left.max()) + 1, int(right.max()) + 1))
    np.add.at(joint, (left, right), 1.0)
    joint /= joint.sum()
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    filled = joint > 0
    return float(np.sum(joint[filled] * np.log(joint[filled] / expected[filled])))
