"""The operations, by what they work on. Loading this fills the table."""

from athanor.data.logic.recipes.operations import (
    cleaning,
    columns,
    encoding,
    groups,
    joins,
    numbers,
    rows,
    texts,
    times,
    windows,
)
from athanor.data.logic.recipes.table import OPERATIONS

__all__ = [
    "OPERATIONS",
    "cleaning",
    "columns",
    "encoding",
    "groups",
    "joins",
    "numbers",
    "rows",
    "texts",
    "times",
    "windows",
]
