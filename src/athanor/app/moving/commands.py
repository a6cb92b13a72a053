"""`athanor import`, `athanor export` and `athanor push`: whole stores come and go."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from athanor.app.moving.errors import NothingToPush
from athanor.app.moving.journey import Journey, Route, Tally
from athanor.app.moving.mlflow.opening import open_store
from athanor.app.moving.mlflow.writing import MlflowExport
from athanor.app.moving.own import OwnStore
from athanor.app.moving.receiver import Platform, Receiver
from athanor.app.moving.source import Source
from athanor.client import Client
from athanor.client.http import HttpTransport
from athanor.kernel.console import Json, emit, progress, say, table, transport

import_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Bring in what another tracker keeps."
)
export_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Write what is kept here for another tracker."
)

Experiments = Annotated[
    list[str] | None,
    typer.Option("--experiment", help="Only this experiment, by name; may be given again."),
]
Prefix = Annotated[
    str,
    typer.Option(help="Put this before the names of registered models, such as 'old-'."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")]
Artifacts = Annotated[
    str,
    typer.Option(help="Where the files behind `mlflow-artifacts:` lie: a folder, or a bucket."),
]


@import_commands.callback()
def _of_what() -> None:
    """Bring in what another tracker keeps."""


@export_commands.callback()
def _for_what() -> None:
    """Write what is kept here for another tracker."""


@import_commands.command("mlflow")
def import_mlflow(
    store: Annotated[
        str, typer.Argument(help="An mlruns folder, a database (file or URL), a server's URL.")
    ],
    *,
    experiment: Experiments = None,
    artifacts: Artifacts = "",
    model_prefix: Prefix = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring in an MLflow store: runs, files and models, with their ids, times and numbers.

    Stopped and started again, it goes on where it was; once more, it changes nothing.
    """
    route = Route(experiments=tuple(experiment or ()), dry_run=dry_run, model_prefix=model_prefix)
    with _opened(store, artifacts) as source:
        tally = _go(source, Platform(Client(transport())), route, quiet=json)
    _tell(tally, json=json)


@export_commands.command("mlflow")
def export_mlflow(
    folder: Annotated[Path, typer.Argument(help="Where to write: mlflow.db and mlartifacts/.")],
    *,
    experiment: Experiments = None,
    project: Annotated[str, typer.Option(help="The project to export.")] = "default",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write an MLflow store that `mlflow server` and `mlflow ui` open, with the same ids."""
    route = Route(experiments=tuple(experiment or ()), dry_run=dry_run)
    source = OwnStore(Client(transport()), "this workspace", project=project)
    with MlflowExport(folder) as target:
        tally = _go(source, target, route, quiet=json)
        version = target.version
    _tell(tally, json=json)
    if not json and not dry_run:
        say(f"Open it with MLflow (schema {version}):")
        store = shlex.quote(f"sqlite:///{folder.absolute() / 'mlflow.db'}")
        say(f"  mlflow server --backend-store-uri {store}")


def push(
    url: Annotated[str, typer.Argument(help="The shared server: http://host:port")],
    *,
    source: Annotated[
        str,
        typer.Option("--from", help="An MLflow store instead of this workspace's own runs."),
    ] = "",
    experiment: Experiments = None,
    token: Annotated[
        str, typer.Option(help="The server's token. [default: ATHANOR_PUSH_TOKEN]")
    ] = "",
    artifacts: Artifacts = "",
    model_prefix: Prefix = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Send runs that were recorded here to a shared server, with their ids, times and files.

    Stopped and started again, it goes on where it was; once more, it changes nothing.
    """
    route = Route(experiments=tuple(experiment or ()), dry_run=dry_run, model_prefix=model_prefix)
    shared = HttpTransport(url, token=token or os.environ.get("ATHANOR_PUSH_TOKEN", ""))
    try:
        with _opened(source, artifacts) if source else _own(url) as opened:
            tally = _go(opened, Platform(Client(shared)), route, quiet=json)
    finally:
        shared.close()
    _tell(tally, json=json)


@contextmanager
def _opened(store: str, artifacts: str) -> Iterator[Source]:
    source = open_store(store, artifacts=artifacts)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def _own(url: str) -> Iterator[Source]:
    way = transport()
    if getattr(way, "url", "") == url.rstrip("/"):
        raise NothingToPush(url)
    yield OwnStore(Client(way), "this workspace")


def _go(source: Source, receiver: Receiver, route: Route, *, quiet: bool) -> Tally:
    if quiet:
        return Journey(source, receiver, told=lambda _tally: None).go(route)
    with progress() as shown:
        task = shown.add_task(source.name, total=None)

        def told(tally: Tally) -> None:
            done = f"{tally.runs:,} runs, {tally.points:,} points, {tally.files:,} files"
            shown.update(task, description=f"{source.name}: {done}")

        return Journey(source, receiver, told=told).go(route)


def _tell(tally: Tally, *, json: bool) -> None:
    if json:
        emit(tally)
        return
    say(tally.source)
    would = "would go" if tally.dry_run else "sent"
    rows = [
        ("experiments", tally.experiments, ""),
        ("runs", tally.runs, tally.runs_sent),
        ("logged models", tally.logged_models, tally.logged_models_sent),
        ("registered models", tally.models, "" if tally.dry_run else tally.models_changed),
        ("versions", tally.versions, "" if tally.dry_run else tally.versions_new),
    ]
    table(("what", "there", would), rows, right=("there", would))
    if not tally.dry_run:
        say(f"{tally.points:,} points, {tally.files:,} files, {tally.bytes_sent:,} bytes sent.")
    for missing in tally.missing[:_SHOWN]:
        say(f"Missing: {missing.owner} {missing.path} ({missing.why})")
    if len(tally.missing) > _SHOWN:
        say(f"... and {len(tally.missing) - _SHOWN:,} more: see --json")
    for refused in tally.refused:
        say(f"Not taken: {refused}")
    if tally.refused:
        say("Bring these beside what is here: the same command with --model-prefix old-")


_SHOWN = 20
