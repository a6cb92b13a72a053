"""What every room's `commands.py` needs of the terminal: the transport, tables, JSON, progress.

rich is loaded where something is drawn, so that `athanor --help` stays quick.
"""

import os
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
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
    """Print rows as a table; columns named in `right` are aligned to the right.

    Where the terminal is too narrow, columns are left out, and named below.
    """
    import rich.table  # noqa: PLC0415 - drawn things alone pay for rich

    kept = [
        [*("" if cell is None else str(cell) for cell in row), *[""] * len(headers)][: len(headers)]
        for row in rows
    ]
    if not kept:
        say(empty)
        return
    columns = [[header, *cells] for header, *cells in zip(headers, *kept, strict=True)]
    widths = _fitting(columns, right)
    drawn = rich.table.Table(title=title or None, box=None, pad_edge=False, header_style="bold")
    for place, width in widths.items():
        drawn.add_column(
            escaped(headers[place]),
            justify="right" if headers[place] in right else "left",
            overflow="fold",
            width=width,
        )
    for row in kept:
        drawn.add_row(*(escaped(row[place]) for place in widths))
    console().print(drawn)
    out = [header for place, header in enumerate(headers) if place not in widths]
    if out:
        more = "1 more column does" if len(out) == 1 else f"{len(out)} more columns do"
        note = f"{more} not fit: {', '.join(out)}. All of it: --json, or a wider terminal."
        say(fill(note, console().width, break_long_words=False, break_on_hyphens=False))


def _fitting(columns: Sequence[Sequence[str]], right: Sequence[str]) -> dict[int, int]:
    """The width of each column that is shown, by its place; `columns` begin with their headers.

    The first one stays. The others come in as they are short, those that hold nothing last. No
    header is broken inside a word, nor an id, nor what stands `right`, a number; the widest columns
    give way first.
    """
    from rich.cells import cell_len  # noqa: PLC0415 - drawn things alone pay for rich

    def longest(texts: Iterable[str]) -> int:
        return max(map(cell_len, texts), default=0)

    whole, least = [], []
    for header, *cells in columns:
        whole.append(
            max(1, longest(line for text in (header, *cells) for line in text.split("\n")))
        )
        words = longest(word for text in cells for word in text.split())
        if header not in right and not all(is_id(text) for text in cells if text):
            words = min(words, _LONG_WORD)
        least.append(max(1, longest(header.split()), words))
    first, *others = range(len(columns))
    others.sort(key=lambda place: (not any(columns[place][1:]), whole[place]))
    room = console().width
    shown, taken = [first], least[first]
    for place in others:
        if taken + _GAP + least[place] <= room:
            shown.append(place)
            taken += _GAP + least[place]
    room -= _GAP * (len(shown) - 1)

    def at(level: int) -> list[int]:
        return [min(whole[place], max(least[place], level)) for place in shown]

    level = bisect_right(range(1, max(whole) + 1), room, key=lambda step: sum(at(step)))
    widths = dict(zip(shown, at(level), strict=True))
    widths[first] = min(widths[first], console().width)
    return dict(sorted(widths.items()))


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
_GAP = 2
_LONG_WORD = 16
"""Cells; a longer word, such as a digest or a path, may be broken."""
_consoles: "list[Console]" = []


@contextmanager
def progress() -> "Iterator[Progress]":
    """A progress display with a spinner, a bar and the time taken."""
    import rich.progress  # noqa: PLC0415 - drawn things alone pay for rich

    drawn = console().is_interactive
    shown = rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TimeElapsedColumn(),
        console=console(),
        transient=True,
        disable=not drawn,
    )
    if not drawn:  # where it is begun and ended all the same, it leaves an empty line
        yield shown
        return
    with shown:
        yield shown
