"""`athanor person`: where somebody's rows are, and how they go."""

import shlex
from typing import Annotated

import typer

from athanor.client.persons import PersonsClient
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.holder import Holding

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="A person's rows: trace and erase them."
)

Column = Annotated[str, typer.Argument(help="The column that names persons, such as customer.")]
Value = Annotated[str, typer.Argument(help="The person's value in it.")]


@commands.callback()
def _group() -> None:
    """A person's rows, in every room."""


@commands.command()
def trace(column: Column, value: Value, *, json: Json = False) -> None:
    """Print the versions, runs, models and predictions that hold somebody's rows."""
    _print(PersonsClient(transport()).trace(column, value), json=json)


@commands.command()
def erase(
    column: Column,
    value: Value,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Erase; without it nothing goes.")] = False,
    derived: Annotated[
        str,
        typer.Option(help="Datasets made of the rows that lost the column: name, rebuild, purge."),
    ] = "name",
    json: Json = False,
) -> None:
    """Write clean versions, and remove for good what held somebody's rows."""
    found = PersonsClient(transport()).erase(column, value, dry_run=not yes, derived=derived)
    _print(found, json=json)
    if found and not yes and not json:
        words = ["athanor", "person", "erase", column, value, "--yes"]
        words += ["--derived", derived] if derived != "name" else []
        say(f"Nothing was erased. Erase it: {shlex.join(words)}")
    if any(item.kind == "failure" for item in found):
        raise typer.Exit(1)


def _print(found: list[Holding], *, json: bool) -> None:
    if json:
        emit(found)
        return
    table(
        ("room", "kind", "name", "rows", "", "note"),
        [
            (item.room, item.kind, item.name, item.rows, "erased" if item.erased else "", item.note)
            for item in found
        ],
        right=("rows",),
        empty="No room holds such rows.",
    )
