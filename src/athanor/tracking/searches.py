"""What a search asks for, once its text was read: comparisons and orders."""

from dataclasses import dataclass
from typing import Literal

Entity = Literal["attribute", "metric", "parameter", "tag", "dataset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One condition; a search's conditions hold together."""

    entity: Entity
    key: str
    operator: str
    """One of = != < <= > >= LIKE ILIKE IN, NOT IN, IS NULL, IS NOT NULL; upper case."""
    value: str | int | float | tuple[str, ...] | None
    """Several for IN and NOT IN, None for IS NULL and IS NOT NULL, a number for numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One key to sort by; what has no such value comes last either way."""

    entity: Entity
    key: str
    ascending: bool = True
    dataset: str | None = None
    """For a logged model's metric: measured on this dataset alone."""
    digest: str | None = None
    """The dataset's digest, where the name alone is not enough."""
