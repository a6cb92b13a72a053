"""Expectations suggested by the profile of a first version.

They are to stop what is broken, and to let pass what has merely drifted: a stream whose ages rise
or whose categories shift stays valid (watching that is monitoring's part), a negative age, an
unknown label or a column of words among numbers is not. So bounds are wide: whole numbers may leave
their range by three times its extent, others, heavy tails and tables below 100 rows by ten times,
but nothing goes below nought where all was clearly above it. The share of missing values may double
and grow by five points; misspelt values may make up 1 %, more where there are many values or few
rows, and quite new ones half of the rows; small versions get three standard errors more.
"""

import difflib
import math
from collections.abc import Sequence

from athanor.data.types import (
    ColumnProfile,
    ColumnType,
    Expectation,
    Profile,
    Roles,
)

MOST_VALUES = 50
_NUMERIC = frozenset({"integer", "number", "decimal"})


def suggested(profile: Profile, roles: Roles) -> list[Expectation]:
    """What every later version should fulfil, by the first one's profile."""
    found = [
        Expectation(
            kind="columns",
            parameters={
                "columns": {
                    column.name: column.type
                    for column in profile.columns
                    if column.semantic != "empty"
                }
            },
        ),
        Expectation(kind="rows", parameters={"minimum": max(1, profile.rows // 20)}),
    ]
    if roles.id:
        within = [roles.time] if roles.time and _repeats(profile.column(roles.id)) else []
        found.append(Expectation(kind="unique", column=roles.id, parameters={"within": within}))
    else:
        share = profile.duplicates / max(profile.rows, 1)
        found.append(Expectation(kind="duplicates", parameters={"share": _grown(share)}))
    if roles.target:
        found.append(_label(profile.column(roles.target)))
        found.append(
            Expectation(
                kind="leakage", column=roles.target, severity="warn", parameters={"score": 0.99}
            )
        )
    for column in profile.columns:
        if column.name != roles.target:
            found += _of_column(column, roles)
    return found


def allowed_count(share: float, rows: int) -> float:
    """How many of `rows` may break a rule of this share: three standard errors above it."""
    return share * rows + 3 * math.sqrt(rows * share * (1 - share))


def is_near(value: str, known: Sequence[str]) -> bool:
    """Whether a value is a known one in another case or spacing, or with a typing error.

    Without any letter or digit it counts as garbled too.
    """
    bare = _bare(value)
    if not bare:
        return True
    bares = [_bare(item) for item in known]
    # Short codes (A1, A2) differ by one character and are not misspelt.
    return bare in bares or (
        len(bare) >= 4 and bool(difflib.get_close_matches(bare, bares, n=1, cutoff=0.82))
    )


def _bare(value: str) -> str:
    return "".join(character for character in value.casefold() if character.isalnum())


def _of_column(column: ColumnProfile, roles: Roles) -> list[Expectation]:
    if column.semantic == "empty":
        return []
    found = []
    share = 0.0 if column.name == roles.id else _grown(column.missing / max(column.rows, 1))
    if share < 1:
        found.append(Expectation(kind="missing", column=column.name, parameters={"share": share}))
    if column.name == roles.id:
        return found
    # Numbers that name rows go on for ever: tomorrow's are beyond any of today's.
    if column.semantic != "id" and column.type in _NUMERIC and (bounds := _bounds(column)):
        found.append(
            Expectation(
                kind="range",
                column=column.name,
                parameters={"minimum": bounds[0], "maximum": bounds[1]},
            )
        )
    known = column.rows - column.missing
    listed = column.type == "text" and column.distinct <= MOST_VALUES
    if listed and column.distinct * 10 <= known and len(column.top) == column.distinct:
        # Good and Turing: the values that stand once estimate the mass of those not yet seen;
        # 3/n is the 95 % bound on one value that never showed in n rows.
        unseen = 10 * column.singletons / max(known, 1) + 3 / max(known, 1)
        found.append(
            Expectation(
                kind="values",
                column=column.name,
                parameters={
                    "values": [value.value for value in column.top],
                    "other_share": min(1.0, round(0.01 + 0.002 * column.distinct + unseen, 6)),
                },
            )
        )
    return found


def _label(target: ColumnProfile | None) -> Expectation:
    if target is None:
        return Expectation(kind="label")
    share = target.missing / max(target.rows, 1)
    parameters: dict[str, object] = {"share": _grown(share) if share else 0.0}
    classes = target.type in {"text", "boolean"} or (
        target.type == "integer" and target.distinct <= 20
    )
    if classes and target.distinct <= MOST_VALUES and len(target.top) == target.distinct:
        parameters["values"] = [value.value for value in target.top]
    return Expectation(kind="label", column=target.name, parameters=parameters)


def _bounds(column: ColumnProfile) -> tuple[float, float] | None:
    low, high = column.minimum, column.maximum
    if column.infinite:
        # No range holds NaN or infinity, and the first version's own rows are to pass.
        return None
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)) or low == high:
        return None
    usual = max(abs(column.quantiles.get("0.99", high)), abs(column.quantiles.get("0.01", low)))
    heavy = max(abs(low), abs(high)) > 3 * usual
    factor = 30.0 if heavy else 3.0 if column.type == "integer" and column.rows >= 100 else 10.0
    room = factor * max(high - low, abs(low), abs(high))
    if low < 0:
        return low - room, high + room
    # A measure that comes near nought without resting on it (a temperature) may go below.
    touches = column.type != "integer" and low < 0.01 * (high - low)
    rests = column.zeros >= 0.01 * column.rows
    return (-0.1 * (high - low) if touches and not rests else 0.0), high + room


def _grown(share: float) -> float:
    return min(1.0, round(2 * share + 0.05, 6))


def _repeats(column: ColumnProfile | None) -> bool:
    return column is not None and column.distinct < column.rows - column.missing


def typed_columns(expectations: Sequence[Expectation]) -> dict[str, ColumnType]:
    """The types that columns must have, by the expectations of kind `columns`."""
    found: dict[str, ColumnType] = {}
    for item in expectations:
        if item.kind == "columns":
            found |= item.parameters.get("columns", {})
    return found
