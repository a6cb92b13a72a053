"""What cells of a recipe's tables are, in SQL, in pandas and in Python.

Inside a recipe a number is finite or missing (NaN and infinities count as missing, minus nought is
nought), days and times are times without zone (an instant: in UTC), and years go from 1 to 9999.
So the three forms speak of the same values, and their answers can be equal to the last bit.
"""

from collections.abc import Mapping
from typing import Literal

Kind = Literal["integer", "number", "boolean", "text", "date", "timestamp", "instant", "other"]
Schema = Mapping[str, Kind]

NUMERIC: tuple[Kind, ...] = ("integer", "number")
TIMES: tuple[Kind, ...] = ("date", "timestamp", "instant")
PLAIN: tuple[Kind, ...] = (
    "integer", "number", "boolean", "text", "date", "timestamp", "instant",
)  # fmt: skip
RESERVED = "__athanor_"
"""What the names begin with that a recipe's queries use themselves; no column's name may."""

SQL_TYPES: Mapping[str, str] = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "date": "TIMESTAMP",
    "timestamp": "TIMESTAMP",
    "instant": "TIMESTAMP",
}
FRAME_TYPES: Mapping[str, str] = {
    "integer": "Int64",
    "number": "Float64",
    "boolean": "boolean",
    "text": "string",
    "date": "datetime64[us]",
    "timestamp": "datetime64[us]",
    "instant": "datetime64[us]",
}
WORDS: Mapping[str, str] = {
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true or false",
    "text": "text",
    "date": "days",
    "timestamp": "times",
    "instant": "instants",
    "other": "nested values",
    "null": "nothing",
}
