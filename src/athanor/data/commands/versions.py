"""Diffs, splits, marks, deletion, and versions on the way out."""

from pathlib import Path
from typing import Annotated

import typer

from athanor.data.client import Data
from athanor.data.commands.datasets import Name, Reference, commands
from athanor.data.records import ContentFormat, Diff, Mark, Overlap, Split, SplitKind
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.wording import STABILITY

Target = Annotated[str, typer.Argument(help="NAME (the dataset) or NAME@VERSION.")]


@commands.command()
def diff(
    before: Reference,
    after: Reference,
    *,
    key: Annotated[list[str] | None, typer.Option(help="A column that names rows.")] = None,
    json: Json = False,
) -> None:
    """Print how version AFTER differs from BEFORE: columns, rows by key, distributions."""
    found = Data(transport()).diff(before, after, key=key or ())
    if json:
        emit(found)
        return
    _print_diff(found)


def _print_diff(found: Diff) -> None:
    columns, rows = found.columns, found.rows
    if found.same:
        say(f"{found.before} and {found.after} hold the same rows in the same order.")
        return
    for words, names in (("new", columns.added), ("gone", columns.removed)):
        for name in names:
            say(f"- column {name!r} is {words}")
    for item in columns.retyped:
        say(f"- column {item.name!r} was {item.before} and is {item.after}")
    by = f"by {', '.join(rows.key)}" if rows.key else "as whole rows"
    say(f"{rows.before} rows before, {rows.after} after; {by}: {rows.added} added, "
        f"{rows.removed} removed, {rows.changed} changed, {rows.unchanged} the same.")  # fmt: skip
    shown = [
        (item.change, _cells(item.key), _cells(item.before), _cells(item.after))
        for item in rows.examples[:10]
    ]
    if shown:
        table(("", "row", "before", "after"), shown)
    table(
        ("column", "stability", "missing", "distinct", "mean", "changed cells"),
        [
            (item.name, f"{item.stability:.3f}", f"{item.missing[0]:.1%} > {item.missing[1]:.1%}",
             f"{item.distinct[0]} > {item.distinct[1]}",
             "" if item.mean[0] is None or item.mean[1] is None
             else f"{item.mean[0]:.6g} > {item.mean[1]:.6g}",
             rows.changes.get(item.name, ""))
            for item in found.distributions
        ],
        right=("stability",),
    )  # fmt: skip
    if found.distributions:
        say(STABILITY)


def _cells(row: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in list(row.items())[:5])


@commands.command()
def split(
    reference: Reference,
    *,
    name: Annotated[str, typer.Option(help="What the split is called.")] = "default",
    kind: Annotated[
        SplitKind, typer.Option(help="random, stratified, group, time or column.")
    ] = "random",
    column: Annotated[str, typer.Option(help="The classes, groups, times or parts.")] = "",
    share: Annotated[
        list[str] | None, typer.Option(help="A part and its share: train=0.8; in order.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal parts.")] = 0,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the split.")] = False,
    json: Json = False,
) -> None:
    """Divide a version's rows into named parts; read one as NAME@3#train."""
    data = Data(transport())
    if remove:
        data.remove_split(reference, name)
        say(f"The split {name!r} is gone.")
        return
    shares = dict(_share(item) for item in share) if share else None
    found = data.split(
        reference, name=name, kind=kind, column=column, seed=seed, shares=shares
    )  # fmt: skip
    if json:
        emit(found)
        return
    _print_splits([found])


def _share(text: str) -> tuple[str, float]:
    part, _, share = text.partition("=")
    try:
        return part, float(share)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no PART=SHARE, such as train=0.8.") from None


@commands.command()
def splits(reference: Reference, *, json: Json = False) -> None:
    """Print the splits of a version, and what their parts share."""
    found = Data(transport()).splits(reference)
    if json:
        emit(found)
        return
    _print_splits(found)


def _print_splits(found: list[Split]) -> None:
    table(
        ("split", "kind", "column", "seed", "parts"),
        [
            (item.name, item.kind, item.column, item.seed,
             ", ".join(f"{name}: {rows}" for name, rows in item.parts.items()))
            for item in found
        ],
        empty="No splits. Make one: athanor data split NAME@VERSION",
    )  # fmt: skip
    for item in found:
        _print_overlaps(list(item.overlaps))


@commands.command()
def overlaps(first: Reference, second: Reference, *, json: Json = False) -> None:
    """Print what SECOND shares with FIRST and should not, if it is to test it."""
    found = Data(transport()).overlaps(first, second)
    if json:
        emit(found)
        return
    _print_overlaps(found)
    if not found:
        say(f"{first} and {second} share no rows and no ids.")


def _print_overlaps(found: list[Overlap]) -> None:
    for item in found:
        say(f"- {item.message} Rows: {', '.join(map(str, item.rows[:10]))}.")


@commands.command()
def mark(
    reference: Target,
    *,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; they replace the tags.")] = None,
    note: Annotated[str | None, typer.Option(help="A note.")] = None,
    owner: Annotated[list[str] | None, typer.Option(help="An owner; they replace them.")] = None,
    json: Json = False,
) -> None:
    """Say something about a dataset or a version, or print what is said of it."""
    data = Data(transport())
    if tag is None and note is None and owner is None:
        found = data.marks(reference.partition("@")[0])
    else:
        found = [data.mark(reference, tags=tag, note=note, owners=owner)]
    if json:
        emit(found)
        return
    _print_marks(found)


def _print_marks(found: list[Mark]) -> None:
    table(
        ("version", "tags", "note", "owners", "by"),
        [
            (item.number or "all", ", ".join(item.tags), item.note, ", ".join(item.owners),
             item.changed_by)
            for item in found
        ],
        empty="Nothing is said yet. Say it: athanor data mark NAME --note TEXT",
    )  # fmt: skip


@commands.command()
def delete(reference: Target, *, json: Json = False) -> None:
    """Delete a version (NAME@3) or a dataset (NAME); both can be restored."""
    found = Data(transport()).delete(reference)
    if json:
        emit(found)
        return
    numbers = ", ".join(str(item.number) for item in found) or "none"
    say(f"{reference} is deleted (versions: {numbers}).")
    say(f"Bring it back: athanor data restore {reference}")


@commands.command()
def restore(reference: Target, *, json: Json = False) -> None:
    """Bring a deleted version or dataset back."""
    found = Data(transport()).restore(reference)
    if json:
        emit(found)
        return
    say(f"Restored: {', '.join(f'{item.dataset}@{item.number}' for item in found) or reference}.")


@commands.command()
def vacuum(
    name: Name,
    *,
    days: Annotated[float, typer.Option(min=0.0, help="Deleted at least so long ago.")] = 0.0,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it nothing goes.")] = False,
    json: Json = False,
) -> None:
    """Remove the files of deleted versions that no run used; or print what would go."""
    found = Data(transport()).vacuum(name, dry_run=not yes, days=days)
    if json:
        emit(found)
        return
    versions = ", ".join(map(str, found.versions)) or "none"
    done = "would go" if found.dry_run else "went"
    say(f"Versions whose files {done}: {versions} ({found.files} files, {found.size:,} bytes).")
    for number, why in found.kept.items():
        say(f"- Version {number} keeps its files: {why}.")
    if found.dry_run and found.versions:
        say(f"Remove them: athanor data vacuum {name} --yes")


@commands.command()
def get(
    reference: Reference,
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    *,
    form: Annotated[
        str,
        typer.Option("--format", help="parquet, arrow, csv or jsonl; by the name if not given."),
    ] = "",
) -> None:
    """Write all rows of a version, or of a part of a split (NAME@3#train), to a file."""
    chosen = form or target.suffix.lstrip(".")
    forms: dict[str, ContentFormat] = {
        "parquet": "parquet", "arrow": "arrow", "csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl",
    }  # fmt: skip
    if chosen not in forms:
        raise typer.BadParameter(f"{chosen!r} is no format: parquet, arrow, csv or jsonl.")
    say(str(Data(transport()).content(reference, target, form=forms[chosen])))


@commands.command()
def checkout(
    reference: Reference,
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
) -> None:
    """Write the files of a version that was made of a folder of images or texts."""
    say(str(Data(transport()).checkout(reference, folder)))


@commands.command()
def dvc(
    reference: Reference,
    folder: Annotated[Path, typer.Argument(help="A folder on the server's machine.")],
    *,
    remote: Annotated[str, typer.Option(help="The remote's path or URL.")] = "",
    json: Json = False,
) -> None:
    """Write a version as a DVC project with its remote; `dvc pull` there takes it whole."""
    found = Data(transport()).export_dvc(reference, folder, remote=remote)
    if json:
        emit(found)
        return
    say(f"{found.file}: {found.files} files, {found.size:,} bytes at {found.remote}")
    say(f"Take it with: cd {found.folder} && dvc pull")
