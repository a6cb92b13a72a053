"""`athanor model card`: read, download, write."""

from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, transport
from athanor.registry.client import CardsClient
from athanor.registry.commands.models import Reference, commands


@commands.command()
def card(
    reference: Reference,
    *,
    edit: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Take the sections of this Markdown file."),
    ] = None,
    set_: Annotated[
        tuple[str, str] | None,
        typer.Option("--set", metavar="SECTION TEXT", help='Write one section; "" removes it.'),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--to", "--output", "-o", help="Write the card to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Print a version's card, in Markdown; or write what the platform can't know into it."""
    cards = CardsClient(transport())
    if edit is not None:
        found = cards.edit_card(reference, edit.read_text("utf-8"))
    if set_ is not None:
        found = cards.write_section(reference, *set_)
    if edit is None and set_ is None:
        found = cards.card(reference)
    if output is not None:
        output.write_text(found.text, "utf-8")
    if json:
        emit({"card": found.text, "sections": found.sections, "suggested": found.suggested})
        return
    if output is not None:
        say(f"Wrote {output}")
        return
    typer.echo(found.text, nl=False)
