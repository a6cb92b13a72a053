"""What lists of cells come to: aggregates, windows, chance; on Python's own values.

The pandas form uses these very functions where pandas adds up in another order than DuckDB does.
"""

import functools
import hashlib
import math
import operator
from typing import Any


def is_drawn(seed: int, value: Any, bound: str, compare: str) -> bool:
    """Whether a row is drawn, by the MD5 of the seed and of what stands for it."""
    text = f"{seed}:{'' if value is None else value}"
    found = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:8]
    return found <= bound if compare == "<=" else found < bound


def drawn_places(rows: int, seed: int, count: int) -> list[int]:
    """The places of so many rows, by chance, in their order."""
    lucky = [
        (hashlib.md5(f"{seed}:{place + 1}".encode(), usedforsecurity=False).hexdigest(), place)
        for place in range(rows)
    ]
    return sorted(place for _, place in sorted(lucky)[:count])


def total(values: list[Any], kind: str) -> Any:
    """The sum in the order of the rows; whole numbers beyond 64 bits are None."""
    if not values:
        return None
    if kind == "integer":
        found = sum(values)
        return found if -(1 << 63) <= found < 1 << 63 else None
    added = functools.reduce(operator.add, values, 0.0)
    return added + 0.0 if math.isfinite(added) else None


def spread_of(values: list[Any]) -> Any:
    """The sample standard deviation (n - 1), from the mean and the squares about it."""
    if len(values) < 2:
        return None
    floats = [float(value) for value in values]
    mean = functools.reduce(operator.add, floats, 0.0) / float(len(floats))
    squares = functools.reduce(operator.add, [(v - mean) * (v - mean) for v in floats], 0.0)
    if not math.isfinite(squares):
        return None
    return math.sqrt(squares / float(len(floats) - 1))


def aggregate(function: str, kind: str, cells: list[Any]) -> Any:
    """What a group's cells come to; missing ones do not count, but for `rows`."""
    values = [cell for cell in cells if cell is not None]
    if function in {"rows", "count", "distinct"}:
        return {"rows": len(cells), "count": len(values)}.get(function, len(set(values)))
    if not values:
        return None
    if function == "sum":
        return total(values, kind)
    if function == "mean":
        summed = total(values, kind)
        return None if summed is None else float(summed) / float(len(values)) + 0.0
    if function == "sd":
        return spread_of(values)
    if function == "median":
        return middle_of(sorted(float(value) for value in values))
    if function in {"minimum", "all"}:
        return min(values)
    if function in {"maximum", "any"}:
        return max(values)
    return values[0 if function == "first" else -1]


def middle_of(values: list[float]) -> float:
    """The median of a sorted list: of two middle ones the mean, as the sum of their halves."""
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    return low + 0.0 if low == high else low / 2.0 + high / 2.0 + 0.0


def window(how: str, kind: str, cells: list[Any], more: list[Any]) -> list[Any]:
    """One group's cells of a window."""
    if how == "previous":
        places = [place - more[0] for place in range(len(cells))]
        return [cells[place] if 0 <= place < len(cells) else None for place in places]
    if how == "rolling":
        function, width = more
        spans = [cells[max(end - width, 0) : end] for end in range(1, len(cells) + 1)]
        return [aggregate(function, kind, span) for span in spans]
    if how == "running":
        return running(more[0], kind, cells)
    method, down = more
    known = sorted({cell for cell in cells if cell is not None}, reverse=down)
    counts = dict.fromkeys(known, 0)
    for cell in cells:
        if cell is not None:
            counts[cell] += 1
    ranks, before = {}, 0
    for place, value in enumerate(known, 1):
        ranks[value] = place if method == "dense" else before + 1
        before += counts[value]
    return [None if cell is None else ranks[cell] for cell in cells]


def running(function: str, kind: str, cells: list[Any]) -> list[Any]:
    """What the cells come to up to each row; sums of numbers are kept to six decimals."""
    found: list[Any] = []
    state: Any = None
    for cell in cells:
        if function == "count":
            state = (state or 0) + (cell is not None)
        elif cell is not None:
            if function == "sum" and kind == "number":
                scaled = math.floor(cell * 1e6 + 0.5) if abs(cell) < 1e15 else 0
                state = scaled if state is None else state + scaled
            elif function == "sum":
                state = cell if state is None else state + cell
            else:
                better = min if function == "minimum" else max
                state = cell if state is None else better(state, cell)
        value = state
        if function == "sum" and state is not None:
            inside = -(1 << 63) <= state < 1 << 63
            value = state if inside else None
            if kind == "number" and value is not None:
                value = float(value) / 1e6 + 0.0
        found.append(value)
    return found
