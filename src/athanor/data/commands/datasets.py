"""`athanor data` and `athanor sql`: tables in, versions out, and questions about them."""

import csv
import shlex
import sys
from glob import has_magic
from pathlib import Path
from textwrap import fill
from typing import Annotated

import msgspec
import typer

from athanor.data.client import Data
from athanor.data.commands.goodrows import good_rows
from athanor.data.records import ContentFormat, NewSource, SqlExport
from athanor.data.types import (
    CheckResult,
    DatasetVersion,
    DateWay,
    Expectation,
    Mode,
    NewVersion,
    Query,
    QueryResult,
    ReadOptions,
    Roles,
    SchemaRule,
    Watch,
)
from athanor.kernel.console import Json, emit, escaped, say, table, transport

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Datasets: versions, profiles, checks."
)

Reference = Annotated[
    str, typer.Argument(help="NAME, NAME@3, NAME@2026-01-31, NAME@sha256:... or NAME@TAG.")
]
Name = Annotated[str, typer.Argument(help="The dataset's name.")]
_SHOWN = 60
_FOLDED = 160
"""Characters of a message in a line of a table."""


@commands.callback()
def _group() -> None:
    """Datasets: tables with numbered versions, their profiles and checks."""


@commands.command()
def add(
    name: Name,
    source: Annotated[
        str,
        typer.Argument(
            help="A CSV (plain or gz, bz2, xz, zst), Parquet, Arrow or JSON-lines file; a folder "
            "of them, or a quoted pattern ('sales-*.csv'), as one table; a folder of images or "
            "texts; a Delta table; a .dvc file; a URL; with --sql an SQLAlchemy URL or duckdb:///FILE."
        ),
    ] = "",
    *,
    target: Annotated[str, typer.Option(help="The column to be predicted.")] = "",
    id: Annotated[str, typer.Option(help="The column that names a row.")] = "",
    time: Annotated[str, typer.Option(help="The column that says when.")] = "",
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A column whose groups are to be treated alike.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add the rows to the latest's.")] = False,
    watch: Annotated[
        Path | None, typer.Option(help="Take each file put into this folder, from now on.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="A column that stays text.")] = None,
    missing: Annotated[
        list[str] | None, typer.Option(help="A word that means a missing value.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="One character; found if not given.")] = "",
    encoding: Annotated[str, typer.Option(help="latin-1, utf-16 ...; found if not given.")] = "",
    first: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Only the first share of the rows, 0 to 1.")
    ] = 1.0,
    decimal: Annotated[str, typer.Option(help='"." or ","; found if not given.')] = "",
    dates: Annotated[
        DateWay, typer.Option(help="dmy or mdy: is 03/04/2026 in April or March; else found.")
    ] = "",
    sql: Annotated[str, typer.Option(help="A query; its rows, of SOURCE or our tables.")] = "",
    labels: Annotated[str, typer.Option(help="A folder's file that labels its files.")] = "",
    remote: Annotated[str, typer.Option(help="The DVC remote of a .dvc file.")] = "",
    delta_version: Annotated[int | None, typer.Option(help="Of a Delta table.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="For the URL's file system, as NAME=VALUE.")
    ] = None,
    schema: Annotated[
        SchemaRule, typer.Option(help="widen, strict or union: how columns may change.")
    ] = "widen",
    look: Annotated[bool, typer.Option(help="Profile and check the rows at once.")] = True,
    keep: Annotated[bool, typer.Option(help="Keep the file as it came, beside the table.")] = True,
    json: Json = False,
) -> None:
    """Read SOURCE as the next version of dataset NAME; and --watch a folder for more."""
    if not source and not sql and watch is None:
        raise typer.BadParameter("Give a SOURCE, --sql, a folder to --watch, or several of them.")
    data = Data(transport())
    roles = Roles(target=target, id=id, time=time, sensitive=tuple(sensitive or ()))
    version: DatasetVersion | None = None
    read = ReadOptions(
        text=tuple(text or ()),
        missing=tuple(missing or ()),
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        dates=dates,
        first=first,
    )
    mode: Mode = "append" if append else "replace"
    path = Path(source)
    if watch is not None and source and not watch.is_dir():
        raise typer.BadParameter(f"There is no folder {str(watch)!r} to watch; nothing was added.")
    pattern = has_magic(source) and "://" not in source and not path.exists()
    elsewhere = bool(sql) or bool(
        source and (pattern or "://" in source or path.is_dir() or path.suffix == ".dvc")
    )
    if elsewhere:
        new = NewSource(
            uri=str(path.absolute()) if source and "://" not in source else source,
            sql=sql,
            version=delta_version,
            labels=labels,
            remote=remote,
            options=dict(_pair(item) for item in option or ()),
            mode=mode,
            roles=roles,
            read=read,
            schema=schema,
            look=look,
        )
        version = data.add_from(name, new)
    elif source:
        if not path.is_file():
            raise typer.BadParameter(f"There is no file {source!r}.")
        handed = NewVersion(
            path=path, mode=mode, roles=roles, read=read, schema=schema, look=look, keep=keep
        )
        version = data.add(name, handed)
    watched = data.watch(name, watch.absolute(), roles=roles) if watch is not None else None
    _print_added(version, watched, json=json)
    if version is not None and version.state == "quarantined":
        raise typer.Exit(1)


def _pair(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is no NAME=VALUE.")
    return name, value


def _print_added(version: DatasetVersion | None, watched: Watch | None, *, json: bool) -> None:
    if json:
        emit(version if version is not None else watched)
        return
    if version is not None:
        _print_version(version)
    if watched is not None:
        say(f"Each file put into {watched.folder} becomes the next version of {watched.dataset}.")


@commands.command("list")
def list_datasets(*, json: Json = False) -> None:
    """Print all datasets."""
    found = Data(transport()).datasets()
    if json:
        emit(found)
        return
    table(
        ("dataset", "latest", "versions", "rows", "target", "id", "time"),
        [
            (item.name, item.latest, item.versions, item.rows, item.roles.target, item.roles.id,
             item.roles.time)
            for item in found
        ],
        right=("latest", "versions", "rows"),
        empty="No datasets yet. Make one: athanor data add NAME FILE --target COLUMN",
    )  # fmt: skip


@commands.command()
def show(
    reference: Reference,
    *,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many rows.")] = 5,
    json: Json = False,
) -> None:
    """Print a version: where it comes from, its columns, its first rows."""
    data = Data(transport())
    version = data.version(reference)
    if json:
        emit({"version": version, "rows": data.rows(reference, limit=rows)})
        return
    _print_version(version)
    table(
        ("column", "type", "role", "note"),
        [
            (column.name, column.type, _role(version, column.name), _note(version, column.name))
            for column in version.columns
        ],
    )
    found = data.rows(reference, limit=rows)
    names = [column.name for column in version.columns][:8]
    table(names, [[_short(row.get(name)) for name in names] for row in found])


@commands.command()
def versions(
    name: Name,
    *,
    deleted: Annotated[bool, typer.Option("--deleted", help="The deleted ones too.")] = False,
    json: Json = False,
) -> None:
    """Print the versions of a dataset, newest first."""
    found = Data(transport()).versions(name, deleted=deleted)
    if json:
        emit(found)
        return
    table(
        ("version", "state", "rows", "columns", "from", "digest", "made"),
        [
            (item.number, _state(item), item.rows, len(item.columns), item.source.file,
             item.digest[:19], f"{item.created_at:%Y-%m-%d %H:%M:%S}")
            for item in found
        ],
        right=("version", "rows", "columns"),
    )  # fmt: skip


@commands.command()
def checks(
    reference: Reference,
    *,
    suggest: Annotated[bool, typer.Option("--suggest", help="Print what could be set.")] = False,
    set_from: Annotated[
        Path | None, typer.Option("--set", help="A JSON file of expectations to be set.")
    ] = None,
    expected: Annotated[bool, typer.Option("--expected", help="Print what is set.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Try them again now.")] = False,
    json: Json = False,
) -> None:
    """Print how a version did in its checks; a failing one's rows are in quarantine."""
    data = Data(transport())
    name = reference.partition("@")[0]
    if set_from is not None:
        wanted = msgspec.json.decode(set_from.read_bytes(), type=list[Expectation])
        _print_expectations(data.expect(name, wanted), json=json)
    elif suggest:
        _print_expectations(data.suggest(reference), json=json)
    elif expected:
        _print_expectations(data.expectations(name), json=json)
    else:
        # Without a version it is the newest one, quarantined or not, that one asks about.
        version = data.version(reference) if "@" in reference else data.versions(reference)[0]
        results = data.check(f"{name}@{version.number}") if again else list(version.checks)
        _print_checks(version, results, json=json)


@commands.command()
def watch(name: Annotated[str, typer.Argument()] = "", *, json: Json = False) -> None:
    """Print the watched folders of a dataset, or of all."""
    found = Data(transport()).watches(name)
    if json:
        emit(found)
        return
    table(
        ("dataset", "folder", "mode", "since"),
        [
            (item.dataset, item.folder, item.mode, f"{item.created_at:%Y-%m-%d %H:%M}")
            for item in found
        ],
        empty="Nothing is watched. Begin with: athanor data add NAME --watch FOLDER",
    )  # fmt: skip


@commands.command()
def unwatch(name: Name, folder: Annotated[Path, typer.Argument()]) -> None:
    """Take no more files from FOLDER."""
    Data(transport()).unwatch(name, folder.absolute())
    say(f"{folder} is no longer watched.")


@commands.command()
def files(name: Name, *, json: Json = False) -> None:
    """Print what became of the files in a dataset's watched folders."""
    found = Data(transport()).files(name)
    if json:
        emit(found)
        return
    table(
        ("file", "outcome", "version", "at", "why"),
        [
            (Path(item.file).name, item.outcome, item.version, f"{item.at:%Y-%m-%d %H:%M:%S}",
             item.message)
            for item in found
        ],
        empty="No file was taken yet.",
    )  # fmt: skip


def run_sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT, in DuckDB's dialect; - reads it from the input.")
    ] = "",
    *,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file that holds the SELECT.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000)] = 10_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time limit.")] = 60.0,
    memory: Annotated[int, typer.Option(min=64, help="Memory limit, in MB.")] = 1_024,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write all rows to a .parquet, .arrow, .csv or .jsonl file.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask datasets, runs, models and predictions; NAME@3 is a version, as is NAME AS OF 'date'."""
    if bool(query) == (file is not None):
        raise typer.BadParameter("Give one SELECT, as words or by --file.")
    if file is not None:
        query = file.read_text("utf-8")
    elif query == "-":
        query = sys.stdin.read()
    if out is not None:
        forms: dict[str, ContentFormat] = {
            ".parquet": "parquet", ".arrow": "arrow", ".csv": "csv", ".jsonl": "jsonl",
        }  # fmt: skip
        if out.suffix not in forms:
            raise typer.BadParameter(f"{out.name!r} is no .parquet, .arrow, .csv or .jsonl.")
        say(str(Data(transport()).export(SqlExport(sql=query, format=forms[out.suffix]), out)))
        return
    asked = Query(sql=query, limit=limit, seconds=seconds, memory_mb=memory)
    _print_result(Data(transport()).query(asked), as_csv=as_csv, json=json)


def print_tables(*, json: Json = False) -> None:
    """Print what SQL may read."""
    found = Data(transport()).tables()
    if json:
        emit(found)
        return
    table(("table", "what"), [(item.name, item.description) for item in found])


def _state(version: DatasetVersion) -> str:
    if version.deleted_at is None:
        return version.state
    return f"deleted, {version.purged_for}" if version.purged_for else "deleted"


def _print_version(version: DatasetVersion) -> None:
    state = "ready" if version.state == "ready" else "in quarantine"
    say(
        f"[bold]{version.dataset} version {version.number}[/bold]: {version.rows} rows, "
        f"{len(version.columns)} columns, {state} ({version.digest[:19]}), "
        f"from {escaped(version.source.file)}",
        markup=True,
    )
    for note in version.notes:
        say(f"- {note}")
    for name, reason in version.left_out.items():
        say(f"- Training leaves out {name!r}: {reason}")
    for check in version.checks:
        if not check.passed and check.severity == "fail":
            rows = f" Rows: {', '.join(map(str, check.rows))}." if check.rows else ""
            say(f"- [bold]{check.kind}[/bold]: {escaped(check.message)}{rows}", markup=True)
    if version.state == "quarantined":
        say(f"Look closer: athanor data checks {version.dataset}@{version.number}")
        _say_how_to_go_on(version)


def _say_how_to_go_on(version: DatasetVersion) -> None:
    """A version in quarantine stays there; its good rows may become the next one."""
    versions = Data(transport()).versions(version.dataset)
    ready = next((each for each in versions if each.state == "ready"), None)
    query, broken = good_rows(version, ready)
    append = ["--append"] if version.mode == "append" else []
    words = shlex.join(["athanor", "data", "add", version.dataset, *append, "--sql", query])
    which = f", where your CONDITION leaves out what breaks {broken}" if broken else ""
    say(f"Take its good rows alone{which}: {words}")
    checks = f"athanor data checks {version.dataset}"
    say(f"Or relax a check: {checks} --expected --json > checks.json, change that file, "
        f"{checks} --set checks.json, and add the rows again.")  # fmt: skip


def _print_checks(version: DatasetVersion, results: list[CheckResult], *, json: bool) -> None:
    if json:
        emit({"dataset": version.dataset, "version": version.number, "state": version.state,
              "checks": results})  # fmt: skip
        return
    failed = sum(1 for result in results if not result.passed)
    say(f"{version.dataset} version {version.number}: {version.state}; "
        f"{len(results) - failed} of {len(results)} checks passed.")  # fmt: skip
    table(
        ("check", "column", "", "what was found", "rows"),
        [
            (result.kind, result.column, _outcome(result), fill(result.message, _FOLDED),
             ", ".join(map(str, result.rows[:5])))
            for result in sorted(results, key=lambda result: result.passed)
        ],
    )  # fmt: skip
    if version.state == "quarantined":
        _say_how_to_go_on(version)


def _outcome(result: CheckResult) -> str:
    """A column with new values, though few enough, is told of: nobody looks behind an "ok"."""
    if not result.passed:
        return result.severity
    return "warn" if result.kind == "values" and result.count else "ok"


def _print_expectations(found: list[Expectation], *, json: bool) -> None:
    if json:
        emit(found)
        return
    table(
        ("check", "column", "severity", "parameters"),
        [
            (item.kind, item.column, item.severity, _short(_as_json(item.parameters)))
            for item in found
        ],
    )  # fmt: skip


def _print_result(result: QueryResult, *, as_csv: bool, json: bool) -> None:
    if json:
        emit({
            "columns": result.columns,
            "rows": [dict(zip(result.columns, row, strict=True)) for row in result.rows],
            "truncated": result.truncated,
        })  # fmt: skip
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(result.columns)
        writer.writerows(result.rows)
        return
    numeric = ("INT", "DOUBLE", "FLOAT", "DECIMAL")
    right = [
        name
        for name, kind in zip(result.columns, result.types, strict=True)
        if any(word in kind for word in numeric)
    ]
    table(result.columns, result.rows, right=right, empty="No rows.")
    if result.truncated:
        say(f"... more rows than {len(result.rows)}: --limit")


def _as_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _role(version: DatasetVersion, name: str) -> str:
    roles = version.roles
    named = [
        role
        for role, column in (("target", roles.target), ("id", roles.id), ("time", roles.time))
        if column == name
    ]
    return ", ".join([*named, *(["sensitive"] if name in roles.sensitive else [])])


def _note(version: DatasetVersion, name: str) -> str:
    if name in version.left_out:
        return "left out of training"
    return next((column.note for column in version.columns if column.name == name), "")


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
