"""Functions that exported pandas code begins with, as far as it uses them.

They are real code, run and tested here; an export carries their source.
"""

import functools
import math
import operator
from typing import Any

import numpy as np
import pandas as pd

from athanor.data.logic.recipes.lists import aggregate, drawn_places, is_drawn, window


def as_number(values: Any) -> Any:
    """Numbers, with NA for what is not finite; minus nought is nought."""
    plain = values.to_numpy(dtype="float64", na_value=math.nan)
    lost = ~np.isfinite(plain)
    return pd.Series(pd.arrays.FloatingArray(np.where(lost, 1.0, plain) + 0.0, lost), values.index)


def quotient(a: Any, b: Any) -> Any:
    """a / b by IEEE 754: a finite number by nought is infinite."""
    index = a.index if isinstance(a, pd.Series) else b.index
    plain: list[Any] = [
        side.to_numpy(dtype="float64", na_value=math.nan)
        if isinstance(side, pd.Series)
        else (math.nan if side is pd.NA else float(side))
        for side in (a, b)
    ]
    with np.errstate(all="ignore"):
        found = np.divide(*plain)
    # Infinities stay, which pandas' own division keeps too; NaN is NA.
    lost = np.isnan(found)
    return pd.Series(pd.arrays.FloatingArray(np.where(lost, 1.0, found), lost), index)


def each(dtype: Any, function: Any, *columns: Any) -> Any:
    """A function of single cells, NA where a cell is."""
    index = next(column.index for column in columns if isinstance(column, pd.Series))
    cells = [cells_of(column, len(index)) for column in columns]
    found = [
        None if any(cell is None for cell in row) else function(*row)
        for row in zip(*cells, strict=True)
    ]
    return column_of(dtype, found, index)


def cells_of(column: Any, count: int) -> list[Any]:
    """The cells of a column, or of one value repeated, as Python's own; NA as None."""
    if not isinstance(column, pd.Series):
        return [None if column is pd.NA else column] * count
    if column.dtype.kind == "M":
        known = column.notna().to_numpy()
        plain = column.to_numpy().astype("datetime64[us]").astype(object)
        return [cell if here else None for cell, here in zip(plain, known, strict=True)]
    whole: Any = column
    return list(whole.to_numpy(dtype=object, na_value=None))


def column_of(dtype: Any, cells: Any, index: Any) -> Any:
    """Cells as a column."""
    if dtype.startswith("datetime64"):
        return pd.Series(np.array(list(cells), dtype=dtype), index)
    return pd.Series(pd.array(list(cells), dtype=dtype), index)


def whole_numbers(sign: str, *sides: Any) -> Any:
    """Sums, differences and products of whole numbers, NA beyond 64 bits."""
    functions: dict[str, Any] = {
        "add": operator.add,
        "subtract": operator.sub,
        "multiply": operator.mul,
        "negative": operator.neg,
    }
    function = functions[sign]

    def exact(*row: int) -> int | None:
        found: int = function(*row)
        return found if -(1 << 63) <= found < 1 << 63 else None

    return each("Int64", exact, *sides)


def known(result: Any, *sides: Any) -> Any:
    """True or false, NA where a side is."""
    lost = functools.reduce(operator.or_, (pd.isna(side) for side in sides))
    return pd.Series(
        pd.arrays.BooleanArray(
            np.asarray(result.fillna(False), dtype=bool),
            np.broadcast_to(np.asarray(lost, dtype=bool), (len(result),)).copy(),
        ),
        result.index,
    )


def spread(dtype: Any, value: Any, index: Any) -> Any:
    """A column, or one value repeated, with a type."""
    if isinstance(value, pd.Series):
        return value.astype(dtype)
    return column_of(dtype, [None if value is pd.NA else value] * len(index), index)


def choose(dtype: Any, condition: Any, yes: Any, no: Any) -> Any:
    """The one where the condition holds, else the other."""
    index = next(side.index for side in (condition, yes, no) if isinstance(side, pd.Series))
    holds = spread("boolean", condition, index).fillna(False).astype(bool)
    return spread(dtype, yes, index).where(holds, spread(dtype, no, index))


def mapped(dtype: Any, column: Any, pairs: dict[Any, Any], otherwise: Any) -> Any:
    """What cells are mapped to; others become something else."""
    cells = cells_of(column, len(column))
    others = cells_of(otherwise, len(column))
    found = [
        pairs[cell] if cell is not None and cell in pairs else other
        for cell, other in zip(cells, others, strict=True)
    ]
    plain = [None if cell is pd.NA else cell for cell in found]
    return column_of(dtype, plain, column.index)


def first_known(dtype: Any, *columns: Any) -> Any:
    """The first column's value that is not NA, row by row."""
    index = next(column.index for column in columns if isinstance(column, pd.Series))
    found = spread(dtype, columns[0], index)
    for column in columns[1:]:
        found = found.where(found.notna(), spread(dtype, column, index))
    return found


def kept(df: Any, condition: Any) -> Any:
    """The rows where a condition holds."""
    holds = spread("boolean", condition, df.index).fillna(False).astype(bool)
    return df[holds].reset_index(drop=True)


def ordered(df: Any, keys: list[tuple[str, bool]], missing: str) -> Any:
    """The rows sorted by columns, each (name, descending); equal ones keep their order."""
    places = np.arange(len(df))
    for name, down in reversed(keys):
        column = df[name].iloc[places].reset_index(drop=True)
        order = column.sort_values(ascending=not down, kind="stable", na_position=missing).index
        places = places[order.to_numpy()]
    return df.iloc[places].reset_index(drop=True)


def sampled(df: Any, seed: int, by: str | None, bound: str, compare: str) -> Any:
    """A share of the rows, by chance."""
    values = cells_of(df[by], len(df)) if by else range(1, len(df) + 1)
    drawn = [is_drawn(seed, value, bound, compare) for value in values]
    return df[np.array(drawn, dtype=bool)].reset_index(drop=True)


def groups_of(df: Any, by: list[str]) -> list[list[int]]:
    """The places of rows with equal cells, group by group as they first appear."""
    if not by:
        return [list(range(len(df)))] if len(df) else []
    found: dict[Any, list[int]] = {}
    rows = zip(*(cells_of(df[name], len(df)) for name in by), strict=True)
    for place, row in enumerate(rows):
        found.setdefault(row, []).append(place)
    return list(found.values())


def carried(df: Any, columns: list[str], by: list[str], *, forward: bool) -> Any:
    """Missing cells filled with the last (or next) known one of their group."""
    df = df.copy()
    for name in columns:
        places = np.arange(len(df))
        for group in groups_of(df, by):
            last = -1
            for place in group if forward else group[::-1]:
                if not pd.isna(df[name].iloc[place]):
                    last = place
                places[place] = last if last >= 0 else place
        df[name] = df[name].iloc[places].reset_index(drop=True)
    return df


def grouped(df: Any, by: list[str], aggregates: list[tuple[str, str, str, str, str]]) -> Any:
    """One row a group; aggregates are (name, dtype, function, kind, column)."""
    groups = groups_of(df, by) if by else [list(range(len(df)))]
    firsts = [group[0] for group in groups] if by else []
    found = df[by].iloc[firsts].reset_index(drop=True) if by else pd.DataFrame(index=range(1))
    for name, dtype, function, kind, column in aggregates:
        cells = cells_of(df[column], len(df)) if column else [0] * len(df)
        values = [aggregate(function, kind, [cells[p] for p in group]) for group in groups]
        found[name] = column_of(dtype, values, found.index)
    return found


def beside(df: Any, by: list[str], name: str, dtype: Any, what: tuple[str, str, str]) -> Any:
    """Each row with what its group comes to; `what` is (function, kind, column)."""
    function, kind, column = what
    cells = cells_of(df[column], len(df)) if column else [0] * len(df)
    found: list[Any] = [None] * len(df)
    for group in groups_of(df, by):
        value = aggregate(function, kind, [cells[place] for place in group])
        for place in group:
            found[place] = value
    return df.assign(**{name: column_of(dtype, found, df.index)})


def pivoted(df: Any, by: list[str], column: str, value: str, what: list[Any]) -> Any:
    """A column a category; `what` is function, kind, dtype, fill and [(category, name)]."""
    function, kind, dtype, fill, categories = what
    groups = groups_of(df, by) if by else [list(range(len(df)))]
    firsts = [group[0] for group in groups] if by else []
    found = df[by].iloc[firsts].reset_index(drop=True) if by else pd.DataFrame(index=range(1))
    cells = cells_of(df[value], len(df)) if value else [0] * len(df)
    marks = cells_of(df[column], len(df))
    for category, name in categories:
        values = [
            aggregate(function, kind, [cells[p] for p in group if marks[p] == category])
            for group in groups
        ]
        filled = [fill if item is None else item for item in values]
        found[name] = column_of(dtype, filled, found.index)
    return found


def unpivoted(
    df: Any, keep: list[str], columns: list[str], what: tuple[str, str, str, bool]
) -> Any:
    """A row a cell; `what` is (names' column, values' column, dtype, whether missing ones go)."""
    names_to, values_to, dtype, drop = what
    count = len(columns)
    places = np.repeat(np.arange(len(df)), count)
    found = df[keep].iloc[places].reset_index(drop=True)
    found[names_to] = column_of("string", columns * len(df), found.index)
    sides = [cells_of(df[name].astype(dtype), len(df)) for name in columns]
    found[values_to] = column_of(
        dtype, [v for row in zip(*sides, strict=True) for v in row], found.index
    )
    return found[found[values_to].notna()].reset_index(drop=True) if drop else found


def exploded(df: Any, column: str, separator: str) -> Any:
    """A row a part of a text; a missing text keeps its row."""
    parts = [[None] if c is None else c.split(separator) for c in cells_of(df[column], len(df))]
    places = [place for place, items in enumerate(parts) for _ in items]
    found = df.iloc[places].reset_index(drop=True)
    return found.assign(
        **{column: column_of("string", [part for items in parts for part in items], found.index)}
    )


def joined(
    df: Any, right: Any, keys: list[tuple[str, str]], how: str, taken: dict[str, str]
) -> Any:
    """The rows with those of another table whose keys are equal; `taken` names its columns."""
    wanted: dict[Any, list[int]] = {}
    there = zip(*(cells_of(right[name], len(right)) for _, name in keys), strict=True)
    for place, key in enumerate(there):
        if None not in key:
            wanted.setdefault(key, []).append(place)
    lefts, rights = [], []
    here = zip(*(cells_of(df[name], len(df)) for name, _ in keys), strict=True)
    for place, key in enumerate(here):
        found = wanted.get(key, []) if None not in key else []
        if how in {"semi", "anti"}:
            found = [-1] if bool(found) == (how == "semi") else []
        elif how == "left" and not found:
            found = [-1]
        elif how == "first":
            found = found[:1] or [-1]
        lefts += [place] * len(found)
        rights += found
    left = df.iloc[lefts].reset_index(drop=True)
    if how in {"semi", "anti"}:
        return left
    beside = right[list(taken)].reindex(rights).reset_index(drop=True).rename(columns=taken)
    return pd.concat([left, beside], axis=1)


def stacked(df: Any, below: Any, dtypes: dict[str, str]) -> Any:
    """The rows of another table below, columns by name; what one lacks is missing."""
    found = {}
    for name, dtype in dtypes.items():
        cells: list[Any] = []
        for table in (df, below):
            cells += (
                cells_of(table[name].astype(dtype), len(table))
                if name in table.columns
                else [None] * len(table)
            )
        found[name] = column_of(dtype, cells, range(len(cells)))
    return pd.DataFrame(found)


def windowed(df: Any, by: list[str], name: str, dtype: Any, what: list[Any]) -> Any:
    """Each row with what the rows about it in its group come to.

    `what` is how (previous, rolling, running, rank), kind, column, and further arguments.
    """
    how, kind, column, *more = what
    cells = cells_of(df[column], len(df))
    found: list[Any] = [None] * len(df)
    for group in groups_of(df, by):
        values = window(how, kind, [cells[place] for place in group], more)
        for place, value in zip(group, values, strict=True):
            found[place] = value
    return df.assign(**{name: column_of(dtype, found, df.index)})


__all__ = ["drawn_places"]
