"""`athanor pipeline secret`: what steps are given and nobody is shown."""

import sys
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.runs import commands
from athanor.pipelines.errors import BadSecret

secret_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Secrets that steps are given."
)
commands.add_typer(secret_commands, name="secret")


@secret_commands.command("set")
def set_secret(
    name: Annotated[str, typer.Argument()],
    pairs: Annotated[
        list[str], typer.Argument(help="KEY=VALUE; KEY alone reads the value from the input.")
    ],
    *,
    json: Json = False,
) -> None:
    """Set keys of a secret; others stay."""
    values = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not key:
            raise BadSecret(f"{pair!r} has no key.")
        values[key] = value if mark else sys.stdin.readline().rstrip("\n")
    made = PipelinesClient(transport()).secrets.set_secret(name, values)
    emit(made) if json else say(f"Secret {made.name} has the keys {', '.join(made.keys)}.")


@secret_commands.command("list")
def list_secrets(*, json: Json = False) -> None:
    """Print all secrets with the names of their keys."""
    found = PipelinesClient(transport()).secrets.secrets()
    if json:
        emit(found)
        return
    rows = [(item.name, ", ".join(item.keys)) for item in found]
    table(("name", "keys"), rows, empty="No secrets yet.")


@secret_commands.command("remove")
def remove_secret(name: Annotated[str, typer.Argument()]) -> None:
    """Forget a secret."""
    PipelinesClient(transport()).secrets.remove_secret(name)
    say(f"Secret {name} is gone.")
