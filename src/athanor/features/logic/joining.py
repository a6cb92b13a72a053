"""Point-in-time joins by sorted binary search.

The rules: R1 one row out per row of the spine, in its order. R2 event <= at. R3 event >= at - ttl;
0 is no limit. R4 ties: event, created (missing lowest), last ingested. R5 known-at: created <= at,
by default where a created time exists; a row without one was known at its event. R6 nulls are
values. R7 null keys never match. R8 views are independent. R9 microseconds in UTC; naive means
UTC. R10 key types match or fail aloud. R11 integers with gaps stay integers. R12 the same versions
give the same bytes.

A view is stored sorted by (key, event, created, ingestion), so the answer to an instant is the last
row of the key's stretch at or before it. With known-at the rows of a key are also put in the order
in which they became available, max(event, created); the answer is the greatest position among
those available by then, a running maximum that is stored too. One bisection either way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

MISSING = np.iinfo(np.int64).min
"""A created time that is missing: the lowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows sorted by (key, event, created, ingestion), ready to be searched.

    Positions count its rows from 0.
    """

    uniques: list[pa.Array]
    """Per key column: the key of each group, in the order of the groups."""
    starts: Whole
    """Where each group begins, and at the end the number of rows."""
    event: Whole
    created: Whole | None = None
    order: Whole | None = None
    available: Whole | None = None
    """Per group in rising order; None where rows became available in their order."""
    best: Whole | None = None
    """The greatest position among the rows available so far."""


def sorted_order(
    keys: Sequence[pa.Array], event: Whole, created: Whole | None, order: Whole
) -> Whole:
    """The permutation that puts rows in the order of (key, event, created, order)."""
    columns: list[Any] = [order]
    if created is not None:
        columns.append(created)
    columns.append(event)
    columns += [_ranks(key) for key in reversed(keys)]
    return np.lexsort(columns).astype(np.int64)


def group_starts(keys: Sequence[pa.Array]) -> Whole:
    """Where the key changes in sorted rows: the places of first rows, and the number of rows."""
    rows = len(keys[0])
    if rows == 0:
        return np.zeros(1, np.int64)
    changes = np.zeros(rows, bool)
    changes[0] = True
    for key in keys:
        differs = pc.not_equal(key.slice(1), key.slice(0, rows - 1))
        changes[1:] |= differs.to_numpy(zero_copy_only=False)
    return np.append(np.flatnonzero(changes), rows).astype(np.int64)


def availability(starts: Whole, event: Whole, created: Whole) -> tuple[Whole, Whole] | None:
    """When rows became available, per group in rising order, and the best position by then.

    None where that is the order in which they are stored, and `max(event, created)` its time.
    """
    available = np.maximum(event, created)
    groups = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    falls = (np.diff(available) < 0) & (np.diff(groups) == 0)
    if not falls.any():
        return None
    # Stable: of rows that became available together the later one is last, and wins.
    order = np.lexsort([available, groups])
    # A later group's positions exceed every earlier one's: no reset between groups.
    return available[order], np.maximum.accumulate(order.astype(np.int64))


def groups_of(part: Part, wanted: Sequence[pa.Array]) -> Whole:
    """The group of each wanted key, or -1; null keys match nothing (R7)."""
    if len(part.uniques) == 1:
        found = pc.index_in(wanted[0], value_set=part.uniques[0])
        single: Whole = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return single
    known = np.zeros(len(part.uniques[0]), np.int64)
    asked = np.zeros(len(wanted[0]), np.int64)
    for unique, column in zip(part.uniques, wanted, strict=True):
        distinct = pc.unique(unique)
        mine = pc.index_in(unique, value_set=distinct).to_numpy(zero_copy_only=False)
        theirs = pc.fill_null(pc.index_in(column, value_set=distinct), -1)
        codes = theirs.to_numpy(zero_copy_only=False).astype(np.int64)
        width = len(distinct)
        combined = known * width + mine
        asked = np.where((asked < 0) | (codes < 0), -1, asked * width + codes)
        # Dense again, so that many columns do not overflow.
        dense, known = np.unique(combined, return_inverse=True)
        place = np.searchsorted(dense, asked).clip(0, max(0, len(dense) - 1))
        matched = (asked >= 0) & (dense[place] == asked) if len(dense) else asked < -1
        asked = np.where(matched, place, -1)
    places = np.empty(len(known), np.int64)
    places[known] = np.arange(len(known))
    return np.where(asked >= 0, places[asked.clip(0)] if len(places) else -1, -1)


def positions(
    part: Part, wanted: Sequence[pa.Array], at: Whole, *, ttl: int = 0, known_at: bool = False
) -> Whole:
    """The row that answers each wanted key at its instant, or -1; `ttl` in microseconds."""
    if not len(part.event) or not len(at):
        return np.full(len(at), -1, np.int64)
    group = groups_of(part, wanted)
    there = group >= 0
    low = part.starts[group.clip(0)]
    high = np.where(there, part.starts[group.clip(0) + 1], low)
    times, ranked = part.event, None
    if known_at and part.created is not None:
        ranked = part.best
        times = np.maximum(part.event, part.created) if part.available is None else part.available
    last = _last_at_most(times, low, high, at)
    found = there & (last >= low)
    best = last if ranked is None else ranked[last.clip(0)]
    if ttl > 0:
        # Without overflow for instants near the ends of time.
        oldest = np.where(at < MISSING + ttl, MISSING, at - np.int64(ttl))
        found &= part.event[best.clip(0)] >= oldest
    return np.where(found, best, -1)


def orders(part: Part) -> Whole:
    """Each row's place in the order of ingestion."""
    return np.zeros(len(part.event), np.int64) if part.order is None else part.order


def newest(parts: Sequence[Part], found: Sequence[Whole]) -> tuple[Whole, Whole]:
    """Which part answers each row, and by which position: R4 across parts, the later part last."""
    which = np.where(found[0] >= 0, 0, -1)
    place = found[0].copy()
    for number in range(1, len(parts)):
        rows = np.flatnonzero(found[number] >= 0)
        other = found[number][rows]
        wins = which[rows] < 0
        for before in range(number):
            mine = which[rows] == before
            wins[mine] = _at_most(parts[before], place[rows][mine], parts[number], other[mine])
        which[rows[wins]], place[rows[wins]] = number, other[wins]
    return which, place


def _at_most(left: Part, here: Whole, right: Part, there: Whole) -> Any:
    """Whether rows of one part come before rows of another: by event, created, ingestion."""
    event = left.event[here], right.event[there]
    nothing = np.full(len(here), MISSING)
    created = (
        nothing if left.created is None else left.created[here],
        nothing if right.created is None else right.created[there],
    )
    order = (
        nothing if left.order is None else left.order[here],
        nothing if right.order is None else right.order[there],
    )
    later = np.where(created[0] == created[1], order[0] <= order[1], created[0] < created[1])
    return np.where(event[0] == event[1], later, event[0] < event[1])


def _last_at_most(values: Whole, low: Whole, high: Whole, at: Whole) -> Whole:
    """Per row: the last place in [low, high) whose value is at most `at`; low - 1 if none is."""
    low, high = low.copy(), high.copy()
    longest = int((high - low).max(initial=0))
    top = len(values) - 1
    for _ in range(longest.bit_length()):
        middle = (low + high) >> 1
        open_ = low < high
        fits = open_ & (values[np.minimum(middle, top)] <= at)
        low = np.where(fits, middle + 1, low)
        high = np.where(open_ & ~fits, middle, high)
    return low - 1


def _ranks(column: pa.Array) -> Any:
    """Integers in the order of the column's values."""
    if pa.types.is_integer(column.type):
        return column.to_numpy(zero_copy_only=False)
    coded = pc.dictionary_encode(column)
    order = pc.sort_indices(coded.dictionary).to_numpy(zero_copy_only=False)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[coded.indices.to_numpy(zero_copy_only=False)]
