"""How a column of words is read, and the conversion to its type."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from athanor.data.types import ColumnType

Kind = Literal["integer", "number", "boolean", "date", "timestamp", "text"]
MARKERS = ("?", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "Null", "None",
           "none", "-", ".", "missing", "<NA>", "NaT")  # fmt: skip
"""Words that mean a missing value where a column is else of numbers or dates."""
ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})$"
STORED: dict[Kind, str] = {
    "integer": "int64",
    "number": "double",
    "boolean": "bool",
    "date": "date32[day]",
    "timestamp": "timestamp[us]",
    "text": "string",
}


@dataclass(slots=True)
class Against:
    """What speaks against one type."""

    count: int = 0
    good_before: int | None = None
    """Fitting values that stand before the first that does not."""
    cells: list[tuple[int, str]] = field(default_factory=list)
    """(row, value) of the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one column is read."""

    name: str
    kind: Kind
    decimal: str = "."
    order: Literal["ymd", "dmy", "mdy"] = "ymd"
    zoned: bool = False
    note: str = ""
    wanted: Kind | None = None
    """The type that it should have had, where it has not: then it is kept as text."""
    against: Against = field(default_factory=Against)

    @property
    def type(self) -> ColumnType:
        """The type in the room's words."""
        return self.kind

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type that it is stored as."""
        if self.kind == "timestamp":
            return pa.timestamp("us", tz="UTC" if self.zoned else None)
        return {
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "date": pa.date32(),
        }.get(self.kind, pa.string())


def convert(words: pa.Array, plan: Plan, missing: Sequence[str]) -> pa.Array:
    """A batch of a column's words as values of the plan's type."""
    if plan.kind == "text":
        gone = pc.is_in(pc.utf8_trim_whitespace(words), value_set=pa.array(["", *missing]))
        return pc.if_else(gone, pa.scalar(None, pa.string()), words)
    trimmed = pc.utf8_trim_whitespace(words)
    gone = pc.is_in(trimmed, value_set=pa.array(["", *missing, *MARKERS]))
    values = pc.if_else(gone, pa.scalar(None, pa.string()), trimmed)
    if plan.kind in {"integer", "number"}:
        if plan.decimal == ",":
            values = pc.replace_substring(pc.replace_substring(values, ".", ""), ",", ".")
        return pc.cast(pc.replace_substring_regex(values, r"^\+", ""), plan.arrow)
    if plan.kind == "boolean":
        return pc.cast(pc.utf8_lower(values), pa.bool_())
    return days(values, plan.order, plan.arrow)


def days(values: pa.Array, order: str, target: pa.DataType) -> pa.Array:
    """Words as days or times of the target's type; `order` is that of their parts.

    Raises: pa.ArrowInvalid for a day that no calendar has.
    """
    if order != "ymd":
        values = pc.replace_substring_regex(values, r"^(\d)([/.-])", r"0\1\2")
        # RE2 reads one digit after a backslash: group 1, then a nought.
        values = pc.replace_substring_regex(values, r"^(\d\d[/.-])(\d)([/.-])", r"\10\2\3")
        shape = r"\3-\2-\1\4" if order == "dmy" else r"\3-\1-\2\4"
        values = pc.replace_substring_regex(values, r"^(\d\d)[/.-](\d\d)[/.-](\d{4})(.*)$", shape)
    if pa.types.is_date32(target):
        return pc.cast(values, target)
    zoned = pc.match_substring_regex(values, ZONE)
    timed = pc.match_substring_regex(values, ":")
    if target.tz is not None:
        lacking = pc.and_(timed, pc.invert(zoned))
        values = pc.if_else(lacking, pc.binary_join_element_wise(values, "Z", ""), values)
        values = pc.if_else(
            pc.invert(timed), pc.binary_join_element_wise(values, "T00:00:00Z", ""), values
        )
    # Digits beyond microseconds are dropped: Delta keeps microseconds.
    values = pc.replace_substring_regex(values, r"(\.\d{6})\d{1,3}", r"\1")
    return pc.cast(values, target)
