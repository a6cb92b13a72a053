"""`athanor backup`, `athanor restore`, `athanor clean`."""

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from athanor.app.keeping.backup import backup as back_up
from athanor.app.keeping.errors import NotConfirmed, OnlyHere
from athanor.app.keeping.orders import Cleaned, CleanOrder
from athanor.app.keeping.places import Places
from athanor.app.keeping.restore import restore as bring_back
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.reaching import URL
from athanor.kernel.settings import load_settings

_ROWS = 40


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
    say(f"Bring it back: athanor --workspace NEW restore {shlex.quote(str(target))}")


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
    say(f"Serve it: athanor up --workspace {shlex.quote(str(made.workspace))}")


def clean(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Days that deleted runs and unused caches are kept.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove what nobody needs: deleted runs past their grace, blobs without a name, caches, ..."""
    found = _cleaned(CleanOrder(dry_run=True, grace_days=grace))
    if not dry_run and found.findings:
        if not json:
            _tell(found)
        if not yes and not (sys.stdin.isatty() and typer.confirm("Remove all of it?")):
            raise NotConfirmed
        found = _cleaned(CleanOrder(dry_run=False, grace_days=grace))
    if json:
        emit(found)
        return
    if dry_run or not found.findings:
        _tell(found)
        return
    say(f"Removed: {shown_size(found.size)} are free again.")


def _cleaned(order: CleanOrder) -> Cleaned:
    return transport().send("POST", "/clean", body=order).read(Cleaned)


def _tell(found: Cleaned) -> None:
    shown = found.findings[:_ROWS]
    table(
        ("kind", "what", "size", "why"),
        [(item.kind, item.what, shown_size(item.size), item.why) for item in shown],
        empty="Nothing to clean.",
        right=("size",),
    )
    more = sum(item.count for item in found.sums) - len(shown)
    if more > 0:
        say(f"... and {more:,} more")
    if found.sums:
        sums = ", ".join(f"{item.count:,} {item.kind}" for item in found.sums)
        say(f"{sums}: {shown_size(found.size)}")
    for run, why in found.kept.items():
        say(f"Deleted, and kept: run {run}, as {why}.")


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
    if os.environ.get(URL):
        raise OnlyHere(command)
    settings, _ = load_settings()
    return Places.of(settings)
