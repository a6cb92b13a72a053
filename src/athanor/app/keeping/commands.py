"""`athanor backup`, `athanor restore`: commands that work on the workspace's own files."""

import os
from pathlib import Path
from typing import Annotated

import typer

from athanor.app.connect import URL_VARIABLE
from athanor.app.keeping.backup import backup as back_up
from athanor.app.keeping.errors import OnlyHere
from athanor.app.keeping.places import Places
from athanor.app.keeping.restore import restore as bring_back
from athanor.kernel.console import Json, emit, say
from athanor.kernel.settings import load_settings


def backup(
    target: Annotated[
        Path, typer.Argument(help="A new folder, or a new file named .tar or .tar.gz.")
    ],
    *,
    json: Json = False,
) -> None:
    """Copy the workspace as it is now, while it is served: metadata, tables, models, logs."""
    made = back_up(_places("backup"), target.absolute())
    if json:
        emit(made)
        return
    at = f"{made.created_at:%F %T} UTC"
    say(f"{made.path}: {made.files:,} files, {shown_size(made.size)}, as of {at}.")
    for problem in made.damaged:
        say(f"Left out: {problem}", style="yellow")
    say("Bring it back: athanor --workspace NEW restore " + str(target))


def restore(
    source: Annotated[Path, typer.Argument(help="What `athanor backup` wrote.")],
    *,
    json: Json = False,
) -> None:
    """Make a workspace of a backup, in an empty folder; every file is checked first."""
    made = bring_back(_places("restore"), source.absolute())
    if json:
        emit(made)
        return
    say(
        f"{made.workspace}: {made.files:,} files, {shown_size(made.size)}, "
        f"as of {made.created_at:%F %T} UTC, written by Athanor {made.written_by}."
    )
    say(f"Serve it: athanor up --workspace {made.workspace}")


def shown_size(size: int) -> str:
    """Bytes as a person reads them, in powers of ten."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def _places(command: str) -> Places:
    if os.environ.get(URL_VARIABLE):
        raise OnlyHere(command)
    settings, _ = load_settings()
    return Places.of(settings)
