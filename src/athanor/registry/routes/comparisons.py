"""Versions side by side over HTTP."""

from typing import Annotated

from fastapi import Query

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.service.comparisons import Comparisons
from athanor.registry.types import Comparison, Holdout

router = room_router("registry")
TheComparisons = Annotated[Comparisons, provide(Comparisons)]


@router.get("/models/{name}/compare")
def compare(
    name: str,
    who: Caller,
    comparisons: TheComparisons,
    version: Annotated[list[str], Query(min_length=1, max_length=20)],
) -> Comparison:
    """Versions side by side."""
    return comparisons.compare(who, name, version)


@router.get("/models/{name}/holdouts")
def holdouts(name: str, who: Caller, comparisons: TheComparisons) -> list[Holdout]:
    """On which rows the metrics of a model's versions were measured, newest first."""
    return comparisons.holdouts(who, name)
