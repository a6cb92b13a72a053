"""`athanor data check-kinds` and `athanor data import-checks`."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from athanor.data.client.checks import ChecksClient
from athanor.data.commands.datasets import commands
from athanor.data.errors.checks import BadSuite
from athanor.kernel.console import Json, emit, say, table, transport


@commands.command("check-kinds")
def check_kinds(*, json: Json = False) -> None:
    """Print the kinds of expectations, and what they take."""
    found = ChecksClient(transport()).kinds()
    if json:
        emit(found)
        return
    table(("kind", "what it expects"), [(item.name, item.words) for item in found])


@commands.command("import-checks")
def import_checks(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    file: Annotated[Path, typer.Argument(help="JSON of a pandera schema or a GX suite.")],
    *,
    keep: Annotated[bool, typer.Option("--set", help="Set them for the dataset.")] = False,
    json: Json = False,
) -> None:
    """Read a suite of pandera or Great Expectations as expectations of a dataset."""
    try:
        suite = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise BadSuite(f"{file}: {error}.") from error
    if not isinstance(suite, dict):
        raise BadSuite(f"{file} holds no JSON object.")
    found = ChecksClient(transport()).import_suite(name, suite, keep=keep)
    if json:
        emit(found)
        return
    table(("check", "column", "parameters"),
          [(item.kind, item.column, msgspec.json.encode(item.parameters).decode())
           for item in found.expectations])  # fmt: skip
    for words in found.left_out:
        say(f"- not read: {words}")
    if keep:
        say(f"{len(found.expectations)} expectations are set for {name}.")
