"""Versions side by side, and whether their figures may be set against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from athanor.registry.logic.gates import differences
from athanor.registry.types import Comparison, Evaluation, Holdout, ModelVersion

Value = TypeVar("Value", float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version with what is known of it."""

    version: ModelVersion
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    holdout: Evaluation | None = None
    """What the metrics were measured on."""
    evaluations: Sequence[Evaluation] = ()
    data: Sequence[str] = ()


def side_by_side(model: str, sides: Sequence[Side]) -> Comparison:
    """The comparison of one version or more.

    Where the versions' own metrics rest on different rows, but all were also judged on the same
    ones, the figures of those are shown.
    """
    common = _common(sides)
    own = [side.holdout for side in sides]
    figures: list[Mapping[str, float]] = [side.metrics for side in sides]
    if _same(own) is False and common is not None:
        own = [next(e for e in side.evaluations if e.digest == common) for side in sides]
        figures = [e.metrics for e in own if e is not None]
    same = _same(own)
    first, last = sides[0].version.signature, sides[-1].version.signature
    before, after = ({column.name for column in said.inputs} for said in (first, last))
    return Comparison(
        model=model,
        versions=[side.version for side in sides],
        metrics=_rows(figures),
        inputs_added=sorted(after - before),
        inputs_removed=sorted(before - after),
        holdouts=[described(side.version, found) for side, found in zip(sides, own, strict=True)],
        same_holdout=same,
        note=note(own) if len(sides) > 1 else "",
        params=_rows([side.params for side in sides]),
        breaks=differences(first, last) if first.inputs and last.inputs else [],
        data=[list(side.data) for side in sides],
    )


def described(version: ModelVersion, found: Evaluation | None) -> Holdout:
    """What a version's metrics were measured on."""
    if found is None:
        return Holdout(number=version.number)
    return Holdout(number=version.number, digest=found.digest, name=found.name, rows=found.rows)


def note(holdouts: Sequence[Evaluation | None]) -> str:
    """In words, whether figures may be compared."""
    same = _same(holdouts)
    if same:
        found = holdouts[0]
        rows = f" ({found.rows:,} rows)" if found is not None and found.rows else ""
        return f"All were measured on the same holdout{rows}."
    if same is False:
        return (
            "The holdouts differ: each figure rests on rows of its own, and a difference between "
            "two of them may be that of the rows."
        )
    return "On which rows they were measured is not recorded for each: compare with care."


def _same(holdouts: Sequence[Evaluation | None]) -> bool | None:
    known = {found.digest for found in holdouts if found is not None}
    if len(known) > 1:
        return False
    return None if any(found is None for found in holdouts) else True


def _common(sides: Sequence[Side]) -> str | None:
    """Rows that every version was judged on; the newest ones of the first version."""
    for found in sides[0].evaluations:
        if all(any(e.digest == found.digest for e in side.evaluations) for side in sides[1:]):
            return found.digest
    return None


def _rows(tables: Sequence[Mapping[str, Value]]) -> dict[str, list[Value | None]]:
    names = sorted({name for table in tables for name in table})
    return {name: [table.get(name) for table in tables] for name in names}
