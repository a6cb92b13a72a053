"""What every room's `commands.py` needs of the terminal: the transport, tables, JSON, progress.

rich is loaded where something is drawn, so that `athanor --help` stays quick.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from athanor.kernel.errors import Internal
from athanor.kernel.ids import begins_id, is_id
from athanor.kernel.transport import Transport

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
"""The option that every listing command has: `json: Json = False`."""

_connect: list[Callable[[], Transport]] = []


def connect_by(connect: Callable[[], Transport]) -> None:
    """Say how commands reach the platform; the app does, once, before a command runs."""
    _connect[:] = [connect]


def transport() -> Transport:
    """The way to the platform: a live server, or this process.

    Raises: whatever stands in the way (no server, locked workspace ...).
    """
    if not _connect:
        raise Internal("No transport was given to the command line.", hint="Call `athanor`.")
    return _connect[0]()


def _whole_id(given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        return [_whole_id(one) for one in given]
    if not isinstance(given, str) or not begins_id(given):
        return given
    return transport().send("GET", f"/runs/{given}").json()["id"]


RunId = Annotated[
    str, typer.Argument(callback=_whole_id, help="A run's id, or how it begins: six digits or more")
]
"""The argument of commands that speak of a run: `run_id: RunId`. They get the whole id."""
RunIds = Annotated[
    list[str], typer.Argument(callback=_whole_id, help="Runs' ids, or how they begin")
]


def emit(value: object) -> None:
    """Print a record, or a list of them, as indented JSON."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def say(text: str = "", *, style: str | None = None, markup: bool = False) -> None:
    """Print a line as it is, all of it in a style such as `bold`.

    With `markup`, rich's [bold] and the like are understood: what others wrote must be `escaped`.
    """
    console().print(text, style=style, markup=markup, highlight=False, emoji=False)


def escaped(text: object) -> str:
    """Text that stands in markup as it is."""
    import rich.markup  # noqa: PLC0415 - drawn things alone pay for rich

    return rich.markup.escape(str(text))


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    title: str = "",
    empty: str = "Nothing yet.",
    right: Sequence[str] = (),
) -> None:
    """Print rows as a table; columns named in `right` are aligned to the right."""
    import rich.markup  # noqa: PLC0415 - drawn things alone pay for rich
    import rich.table  # noqa: PLC0415

    kept = [list(row) for row in rows]
    if not kept:
        say(empty)
        return
    drawn = rich.table.Table(title=title or None, box=None, pad_edge=False, header_style="bold")
    for place, header in enumerate(headers):
        drawn.add_column(
            header,
            justify="right" if header in right else "left",
            overflow="fold",
            # An id is there to be copied: other columns give way.
            no_wrap=all(
                is_id(str(cell)) for row in kept for cell in row[place : place + 1] if cell
            ),
        )
    for row in kept:
        drawn.add_row(*("" if cell is None else rich.markup.escape(str(cell)) for cell in row))
    console().print(drawn)


def console() -> "Console":
    """rich's console on standard output.

    In a pipe or a file a row is one line, however long: what reads it looks for whole words.
    """
    import rich.console  # noqa: PLC0415 - drawn things alone pay for rich

    if not _consoles:
        drawn = rich.console.Console(soft_wrap=not sys.stdout.isatty())
        if not drawn.is_terminal and "COLUMNS" not in os.environ:
            drawn.width = _PIPE_WIDTH
        _consoles.append(drawn)
    return _consoles[0]


_PIPE_WIDTH = 10_000
_consoles: "list[Console]" = []


@contextmanager
def progress() -> "Iterator[Progress]":
    """A progress display with a spinner, a bar and the time taken."""
    import rich.progress  # noqa: PLC0415 - drawn things alone pay for rich

    with rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TimeElapsedColumn(),
        console=console(),
        transient=True,
    ) as shown:
        yield shown
