"""`athanor data profile`."""

from collections.abc import Iterator
from typing import Annotated

import typer

from athanor.data.client import Data
from athanor.data.commands.datasets import Reference, commands
from athanor.data.types import ColumnProfile, Profile
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.wording import counted

_PAIRS = 10
_WEAK = 0.3
"""Relations below it are not listed; the JSON has them all."""


@commands.command()
def profile(
    reference: Reference,
    *,
    target: Annotated[
        str, typer.Option(help="The column to relate the others to, if not the dataset's own.")
    ] = "",
    json: Json = False,
) -> None:
    """Print what a version holds, column by column, and how its columns go together."""
    found = Data(transport()).profile(reference, target=target)
    if json:
        emit(found)
        return
    say(
        f"{counted(found.rows, 'row')}, {counted(len(found.columns), 'column')}, "
        f"{counted(found.duplicates, 'repeated row')}"
    )
    table(
        ("column", "type", "means", "missing", "distinct", "min", "mean", "max", "most frequent"),
        [
            (item.name, item.type, item.semantic, item.missing, item.distinct,
             _number(item.minimum), _number(item.mean), _number(item.maximum),
             ", ".join(f"{top.value} ({top.count})" for top in item.top[:2]))
            for item in found.columns
        ],
        right=("missing", "distinct", "min", "mean", "max"),
    )  # fmt: skip
    _print_target(found)
    _print_pairs(found)
    for warning in found.warnings:
        say(f"- {warning.message}")


def _print_target(found: Profile) -> None:
    """How each column goes with the target, the closest first."""
    related = [item for item in found.columns if _closeness(item) is not None]
    if not related:
        return
    say("")
    table(
        (f"with {found.target}", "correlation", "association"),
        [
            (item.name, _number(item.correlation), _number(item.association))
            for item in sorted(related, key=lambda item: -(_closeness(item) or 0.0))
        ],
        right=("correlation", "association"),
    )


def _closeness(item: ColumnProfile) -> float | None:
    told = [abs(value) for value in (item.correlation, item.association) if value is not None]
    return max(told, default=None)


def _print_pairs(found: Profile) -> None:
    """The pairs of columns that go together most closely."""
    pairs = sorted(_pairs(found), key=lambda pair: -abs(pair[3]))
    shown = [pair for pair in pairs if abs(pair[3]) >= _WEAK][:_PAIRS]
    if shown:
        say("")
        table(
            ("column", "goes with", "by", "how closely"),
            [(first, second, measure, _number(value)) for first, second, measure, value in shown],
            right=("how closely",),
        )


def _pairs(found: Profile) -> Iterator[tuple[str, str, str, float]]:
    measures = (
        ("Pearson's r", found.correlations),
        ("Cramer's V", found.associations),
        ("eta", found.ratios),
    )
    for measure, told in measures:
        for first, others in told.items():
            for second, value in others.items():
                yield first, second, measure, value


def _number(value: float | str | None) -> str:
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    return value or ""
