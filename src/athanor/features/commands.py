"""`athanor feature`: define, build, join, bring online, look."""

import json as plain_json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.features.client import FeaturesClient, Kind
from athanor.features.files import read_definitions, rows_told
from athanor.features.records import FEW_ROWS
from athanor.features.spans import span
from athanor.features.types import SpineSource, TrainingRequest, TrainingSet
from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.wording import STABILITY, counted

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Features: define, join, bring online."
)
Project = Annotated[str, typer.Option(help="The project that names are of.")]
View = Annotated[str, typer.Argument(help="The feature view's name.")]


@commands.callback()
def _group() -> None:
    """Features: entities, views, training sets, online values."""


def _client(project: str) -> FeaturesClient:
    return FeaturesClient(transport(), project)


@commands.command()
def apply(
    file: Annotated[
        Path, typer.Argument(help="YAML or JSON with entities, views, on_demand, services; or .py.")
    ],
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Define what FILE holds, all of it or nothing."""
    applied = _client(project).apply(read_definitions(file))
    if json:
        emit(applied)
        return
    for word in ("created", "changed", "unchanged"):
        for item in getattr(applied, word):
            say(f"{word}: {item}")
    services = [item.split()[1] for item in applied.created if item.startswith("service ")]
    if services:
        say(f"Next, a training set: athanor feature join NAME {services[0]} "
            "--dataset ROWS --at COLUMN")  # fmt: skip


@commands.command("list")
def list_all(*, project: Project = DEFAULT_PROJECT, json: Json = False) -> None:
    """Print views, on-demand views and services."""
    client = _client(project)
    views, computed, services = client.views(), client.on_demand_views(), client.services()
    if json:
        emit({"entities": client.entities(), "views": views, "on_demand": computed,
              "services": services})  # fmt: skip
        return
    fresh = {item.view: item for item in client.freshness()}
    rows: list[tuple[object, ...]] = [
        ("view", view.name, ", ".join(view.entities), view.source.kind,
         span(view.ttl) if view.ttl else "", fresh[view.name].version or "",
         _when(fresh[view.name].last_event))
        for view in views
    ]  # fmt: skip
    rows += [("on-demand", item.name, "", "python" if item.code else "formulas", "", "", "")
             for item in computed]  # fmt: skip
    rows += [("service", item.name, "", ", ".join(item.features), "", "", "") for item in services]
    table(
        ("kind", "name", "entities", "source", "ttl", "version", "newest event"),
        rows,
        empty="No features yet. Define some: athanor feature apply FILE",
    )


@commands.command()
def show(
    name: View,
    *,
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many rows.")] = 5,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Print a view: its definition, its features, its newest rows."""
    client = _client(project)
    view, versions = client.view(name), client.versions(name)
    found = client.rows(name, limit=rows) if versions else []
    if json:
        emit({"view": view, "versions": versions[:1], "rows": found})
        return
    say(f"{view.name}: {view.description or 'a feature view'}", style="bold")
    say(f"of {', '.join(view.entities)}; event time {view.event_time}; "
        f"source {view.source.dataset or view.source.kind}; revision {view.revision}")  # fmt: skip
    fields = versions[0].fields if versions else view.features
    said = {field.name: field.description for field in view.features}
    table(("feature", "type", "description"),
          [(f.name, f.type, said.get(f.name) or f.description) for f in fields])  # fmt: skip
    if found:
        names = list(found[0])[:8]
        table(names, [[row.get(name) for name in names] for row in found])


@commands.command()
def build(
    name: View,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also where nothing moved.")] = False,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Read a view's source as its next version."""
    version = _client(project).build(name, force=force)
    if json:
        emit(version)
        return
    rows, keys = counted(version.rows, "row"), counted(version.keys, "key")
    say(f"{version.view} version {version.number}: {rows} of {keys}.")


@commands.command()
def versions(name: View, *, project: Project = DEFAULT_PROJECT, json: Json = False) -> None:
    """Print all versions of a view, newest first."""
    found = _client(project).versions(name)
    if json:
        emit(found)
        return
    table(
        ("version", "state", "rows", "keys", "last event", "sources", "tests"),
        [
            (item.number, item.state, item.rows, item.keys, _when(item.last_event),
             ", ".join(item.sources), _tests(item.tests))
            for item in found
        ],
        right=("version", "rows", "keys"),
    )  # fmt: skip


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _tests(tests: Any) -> str:
    failed = [test.message for test in tests if not test.passed]
    return "; ".join(failed) or (f"{len(tests)} passed" if tests else "")


@commands.command()
def join(
    name: Annotated[str, typer.Argument(help="The training set's name: a dataset.")],
    features: Annotated[list[str], typer.Argument(help="A service, VIEW or VIEW:FEATURE.")],
    *,
    dataset: Annotated[str, typer.Option(help="The rows to look up: NAME or NAME@3.")] = "",
    sql: Annotated[str, typer.Option(help="Or a SELECT that gives them.")] = "",
    at: Annotated[str, typer.Option(help="The column of instants.")] = "event_timestamp",
    target: Annotated[str, typer.Option(help="The column to be predicted.")] = "",
    known: Annotated[
        bool | None,
        typer.Option(
            "--known/--no-known",
            help="Only rows that were known by then, where a view says when; else as views say.",
        ),
    ] = None,
    full_names: Annotated[bool, typer.Option("--full-names", help="VIEW__FEATURE.")] = False,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Make a training set: the features of each row as of its instant."""
    request = TrainingRequest(
        features=tuple(features),
        spine=SpineSource(dataset=dataset, sql=sql),
        at=at,
        known_at=known,
        full_names=True if full_names else None,
        target=target,
    )
    made = _client(project).create(name, request)
    if json:
        emit(made)
    else:
        _print_made(made)
    if made.state == "quarantined":
        raise typer.Exit(1)


def _print_made(made: TrainingSet) -> None:
    title = f"{made.name}@{made.version}"
    held = made.state == "quarantined"
    say(f"{title}: {counted(made.rows, 'row')}, "
        f"{counted(len(made.columns), 'column')}{', in quarantine' if held else ''}.")  # fmt: skip
    for reason in made.reasons:
        say(f"- {reason}")
    table(
        ("feature", "missing"),
        [(feature, f"{share:.1%}") for feature, share in made.missing.items()],
        right=("missing",),
    )
    for warning in made.warnings:
        say(f"Warning: {warning}")
    if held:
        say(f"Look closer: athanor data checks {title}")


@commands.command()
def sets(
    name: Annotated[str, typer.Argument(help="Of this name alone.")] = "",
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Print training sets, newest first."""
    found = _client(project).sets(name)
    if json:
        emit(found)
        return
    table(
        ("set", "rows", "features", "made", "erased"),
        [
            (f"{item.name}@{item.version}", item.rows, ", ".join(item.request.features),
             _when(item.created_at), ", ".join(item.erased))
            for item in found
        ],
        right=("rows",),
    )  # fmt: skip


@commands.command()
def rebuild(
    reference: Annotated[str, typer.Argument(help="NAME@VERSION.")],
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Make a training set again, and say whether every bit is the same."""
    found = _client(project).rebuild(reference)
    if json:
        emit(found)
    else:
        say("Identical." if found.identical else f"Not identical: {found.digest}.")
    if not found.identical:
        raise typer.Exit(1)


@commands.command()
def materialize(
    views: Annotated[list[str] | None, typer.Argument(help="Views; all of them if none.")] = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Every key, changed or not.")] = False,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Bring the newest row of each key online."""
    found = _client(project).materialize(tuple(views or ()), full=full)
    if json:
        emit(found)
        return
    for item in found:
        say(f"{item.view}@{item.version}: {item.rows} keys looked at, {item.written} written, "
            f"{item.removed} removed.")  # fmt: skip
    if not found:
        say("No view is for online use. Define one: athanor feature apply FILE")


@commands.command()
def read(
    features: Annotated[list[str], typer.Argument(help="A service, VIEW or VIEW:FEATURE.")],
    *,
    key: Annotated[list[str], typer.Option(help="NAME=VALUE: a key, or a value of the request.")],
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Print the online features of one key."""
    row = dict(_pair(item) for item in key)
    found = _client(project).read(features, [row])[0]
    if json:
        emit(found)
        return
    table(
        ("feature", "value", ""),
        [(name, value, found.presence[name]) for name, value in found.values.items()],
    )


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE.")
    try:
        return name, plain_json.loads(value)
    except ValueError:
        return name, value


@commands.command()
def push(
    view: View,
    row: Annotated[
        list[str],
        typer.Argument(
            help="Rows as JSON: an object, a list of them, a FILE (or @FILE) with such or with an "
            "object a line; a .csv or .parquet FILE; - is standard input."
        ),
    ],
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Take fresh rows, at once in the history and online."""
    client = _client(project)
    texts = _texts(client, view) if any(text.lower().endswith(".csv") for text in row) else ()
    pushed = client.push(view, [item for text in row for item in rows_told(text, texts)])
    if json:
        emit(pushed)
        return
    say(f"{counted(pushed.rows, 'row')} kept, {pushed.online} online.")


def _texts(client: FeaturesClient, name: str) -> set[str]:
    """The columns of a view that hold text, whatever they look like."""
    view, versions = client.view(name), client.versions(name)
    keys = [key for entity in view.entities for key in client.entity(entity).keys]
    fields = [*view.features, *(versions[0].fields if versions else ()), *keys]
    texts = {field.name for field in fields if field.type == "text"}
    if versions:
        types = zip(keys, versions[0].key_types, strict=False)
        texts |= {key.name for key, kind in types if kind == "text"}
    return texts


@commands.command()
def drop(
    view: View,
    row: Annotated[list[int], typer.Argument(help="Numbers of pushed rows, as a build tells.")],
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Take pushed rows back that no version holds yet."""
    dropped = _client(project).drop(view, row)
    if json:
        emit(dropped)
        return
    say(f"{counted(dropped.rows, 'row')} dropped, {dropped.online} of them taken from online.")


@commands.command()
def parity(
    features: Annotated[list[str], typer.Argument(help="A service, VIEW or VIEW:FEATURE.")],
    *,
    sample: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many keys.")] = 200,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Compare, byte by byte, what training would see with what the endpoint would get."""
    report = _client(project).parity(features, sample=sample)
    if json:
        emit(report)
    else:
        say(f"{counted(report.rows, 'row')} of "
            f"{counted(report.keys, 'different key')} compared, "
            f"{report.differing} differ.")  # fmt: skip
        for example in report.examples:
            say(f"  {example['feature']}: offline {example['offline']!r}, "
                f"online {example['online']!r} ({example['row']})")  # fmt: skip
    if report.differing:
        raise typer.Exit(1)


@commands.command()
def freshness(
    view: Annotated[str, typer.Argument(help="One view alone.")] = "",
    *,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Print how old the newest rows are; the exit code is 1 where a view is stale."""
    found = _client(project).freshness(view)
    if json:
        emit(found)
    else:
        table(
            ("view", "state", "newest event", "online until", "pending", ""),
            [(item.view, item.state, _when(item.last_event), _when(item.online_until),
              item.pending or "", item.message) for item in found],
        )  # fmt: skip
    if any(item.state == "stale" for item in found):
        raise typer.Exit(1)


@commands.command()
def drift(
    view: View,
    *,
    since: Annotated[str, typer.Option(help="Events from here on against those before.")] = "",
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.1,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Print how far a view's newest values have moved."""
    report = _client(project).drift(view, since=since or None, threshold=threshold)
    if json:
        emit(report)
        return
    say(f"{counted(report.rows[1], 'row')} since {report.split} against {report.rows[0]} before.")
    table(
        ("feature", "distance", "stability", "missing before", "after", ""),
        [
            (item.feature, f"{item.distance:.3f}", f"{item.stability:.2f}",
             f"{item.missing[0]:.1%}", f"{item.missing[1]:.1%}", "moved" if item.drifted else "")
            for item in report.features
        ],
        right=("distance", "stability", "missing before", "after"),
    )  # fmt: skip
    say(STABILITY)
    if 0 < min(report.rows) < FEW_ROWS:
        say(f"Caution: of fewer than {FEW_ROWS} rows on a side these figures tell little.")


@commands.command()
def search(
    text: Annotated[str, typer.Argument(help="Words of names, descriptions, owners, tags.")] = "",
    *,
    project: Annotated[str, typer.Option(help="One project alone.")] = "",
    json: Json = False,
) -> None:
    """Find features, views and services in any project."""
    found = FeaturesClient(transport()).search(text, project=project)
    if json:
        emit(found)
        return
    table(
        ("kind", "name", "type", "project", "owner", "description", "used by"),
        [
            (item.kind, item.name, item.type, item.project, item.owner, item.description,
             ", ".join(item.used_by))
            for item in found
        ],
        empty="Nothing holds these words.",
    )  # fmt: skip


@commands.command("import-feast")
def import_feast(
    folder: Annotated[Path, typer.Argument(help="The folder with its Python definitions.")],
    *,
    data: Annotated[bool, typer.Option(help="Bring in the sources' files as datasets.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be.")] = False,
    project: Project = DEFAULT_PROJECT,
    json: Json = False,
) -> None:
    """Bring in a Feast repository; its Python is read, not run."""
    if not folder.is_dir():
        raise typer.BadParameter(f"There is no folder {str(folder)!r}.")
    found = _client(project).import_feast(folder, data=data, apply=not dry_run)
    if json:
        emit(found)
        return
    made = found.definitions
    say("Nothing was changed. It would bring in:" if dry_run else "Brought in:")
    kinds: dict[str, Sequence[Any]] = {
        "entities": made.entities, "views": made.views, "on-demand views": made.on_demand,
        "services": made.services,
    }  # fmt: skip
    for kind, items in kinds.items():
        say(f"{kind} ({len(items)}): {', '.join(item.name for item in items)}".removesuffix(": "))
    for dataset, path in found.sources.items():
        say(f"dataset {dataset}: {path}{'' if data else ' (as it is here already)'}")
    for view in made.views:
        if view.created_time:
            say(f"view {view.name}: {view.created_time!r} only decides between rows of one event "
                "time, as in Feast. If it says when rows became known, join with --known, or "
                "say known_at: true in the view.")  # fmt: skip
    for reason in found.skipped:
        say(f"skipped {reason}")


@commands.command()
def remove(
    kind: Annotated[str, typer.Argument(help="entity, view, on_demand or service.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Remove a definition that nothing else uses."""
    kinds: dict[str, Kind] = {
        "entity": "entity", "view": "view", "on_demand": "on_demand", "on-demand": "on_demand",
        "service": "service",
    }  # fmt: skip
    if kind not in kinds:
        raise typer.BadParameter("The kind is entity, view, on_demand or service.")
    _client(project).remove(kinds[kind], name)
    say(f"Removed {kind} {name}.")


@commands.command()
def erase(
    entity: Annotated[str, typer.Argument(help="The entity's name.")],
    *,
    key: Annotated[list[str], typer.Option(help="NAME=VALUE.")],
    project: Project = DEFAULT_PROJECT,
) -> None:
    """Remove a key's online rows."""
    gone = _client(project).erase(entity, dict(_pair(item) for item in key))
    say(f"{gone} online rows removed.")
