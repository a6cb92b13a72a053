"""Marks, diffs, deletion and splits over HTTP."""

from typing import Annotated

from fastapi import Query

from athanor.data.records import (
    Diff,
    Mark,
    NewMark,
    NewSplit,
    Overlap,
    Split,
    Vacuumed,
    VacuumOrder,
)
from athanor.data.service import Splits, Versions
from athanor.data.types import DatasetVersion
from athanor.kernel.http import Caller, provide, room_router

router = room_router("data")
TheVersions = Annotated[Versions, provide(Versions)]
TheSplits = Annotated[Splits, provide(Splits)]


@router.get("/datasets/{name}/marks")
def marks(name: str, who: Caller, versions: TheVersions) -> list[Mark]:
    """What is said about a dataset (number 0) and its versions."""
    return versions.marks(who, name)


@router.patch("/datasets/{name}/mark")
def mark_dataset(name: str, new: NewMark, who: Caller, versions: TheVersions) -> Mark:
    """Say something about a dataset; what is left out stays."""
    return versions.mark(who, name, new)


@router.patch("/datasets/{name}/versions/{number}/mark")
def mark(name: str, number: str, new: NewMark, who: Caller, versions: TheVersions) -> Mark:
    """Say something about a version: tags, a note, owners; what is left out stays."""
    return versions.mark(who, f"{name}@{number}", new)


@router.get("/diff")
def diff(
    before: str,
    after: str,
    who: Caller,
    versions: TheVersions,
    key: Annotated[list[str] | None, Query()] = None,
) -> Diff:
    """How version `after` differs from `before`; both as NAME@..."""
    return versions.diff(who, before, after, key=tuple(key or ()))


@router.delete("/datasets/{name}")
def delete_dataset(name: str, who: Caller, versions: TheVersions) -> list[DatasetVersion]:
    """Delete a dataset; it can be restored."""
    return versions.delete(who, name)


@router.delete("/datasets/{name}/versions/{number}")
def delete(name: str, number: str, who: Caller, versions: TheVersions) -> list[DatasetVersion]:
    """Delete a version; it can be restored until its files are vacuumed."""
    return versions.delete(who, f"{name}@{number}")


@router.post("/datasets/{name}/restore")
def restore_dataset(name: str, who: Caller, versions: TheVersions) -> list[DatasetVersion]:
    """Bring a deleted dataset back."""
    return versions.restore(who, name)


@router.post("/datasets/{name}/versions/{number}/restore")
def restore(name: str, number: str, who: Caller, versions: TheVersions) -> list[DatasetVersion]:
    """Bring a deleted version back."""
    return versions.restore(who, f"{name}@{number}")


@router.post("/datasets/{name}/vacuum")
def vacuum(name: str, order: VacuumOrder, who: Caller, versions: TheVersions) -> Vacuumed:
    """Remove the files of deleted versions that no run used; a dry run tells what would go."""
    return versions.vacuum(who, name, order)


@router.post("/datasets/{name}/versions/{number}/splits", status_code=201)
def split(name: str, number: str, new: NewSplit, who: Caller, splits: TheSplits) -> Split:
    """Divide a version's rows into named parts."""
    return splits.split(who, f"{name}@{number}", new)


@router.get("/datasets/{name}/versions/{number}/splits")
def splits_of(name: str, number: str, who: Caller, splits: TheSplits) -> list[Split]:
    """The splits of a version."""
    return splits.splits(who, f"{name}@{number}")


@router.delete("/datasets/{name}/versions/{number}/splits/{split}", status_code=204)
def remove_split(name: str, number: str, split: str, who: Caller, splits: TheSplits) -> None:
    """Remove a split."""
    splits.remove_split(who, f"{name}@{number}", split)


@router.get("/overlaps")
def overlaps(first: str, second: str, who: Caller, splits: TheSplits) -> list[Overlap]:
    """What the second version shares with the first and should not, if it is to test it."""
    return splits.overlaps(who, first, second)
