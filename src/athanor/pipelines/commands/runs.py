"""`athanor pipeline`: run, watch, explain."""

from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.ids import begins_id, is_id
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.showing import (
    ends_with_us,
    left_well,
    print_end,
    summary,
    took,
    watched,
)
from athanor.pipelines.commands.submitting import (
    Artifacts,
    Parameters,
    Target,
    document_of,
    read_args,
    submission_of,
)
from athanor.pipelines.errors import BadPipeline, NobodyGoesOn
from athanor.pipelines.exports.airflow import airflow_file
from athanor.pipelines.exports.places import without_places
from athanor.pipelines.ir.text import write_document

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Pipelines: run, watch, schedule."
)

TaskOfRun = Annotated[
    str, typer.Argument(help="The task, such as train or for-loop-1/0/train; or RUN/TASK.")
]
TaskBehindRun = Annotated[
    str | None, typer.Argument(help="The task, where a run's id came first.", show_default=False)
]
RunOfTask = Annotated[
    str | None,
    typer.Option("--run", help="The run, or how its id begins; the last one if left out."),
]


LATEST = "latest"


def run_of(given: str) -> str:
    """The whole id of a run that is given as `latest`, by its id, or by how that begins.

    Raises: BadPipeline where nothing has run.
    """
    if given == LATEST:
        return _last(PipelinesClient(transport()))
    if begins_id(given):
        return str(transport().send("GET", f"/runs/{given}").json()["id"])
    return given


RunId = Annotated[
    str, typer.Argument(callback=run_of, help="A run's id, how it begins, or: latest")
]


@commands.command("run")
def run(
    target: Target,
    *,
    param: Parameters = None,
    artifact: Artifacts = None,
    args: Annotated[Path | None, typer.Option(help="A JSON file with parameters by name.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every task, whatever ran before.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a pipeline; without a server it runs in this process."""
    submission = submission_of(
        target, param or [], artifact or [], args=read_args(args), cache=not no_cache
    )
    client = PipelinesClient(transport())
    if not wait and ends_with_us():
        raise NobodyGoesOn
    started = client.submit(submission)
    if not wait:
        emit(summary(started)) if json else say(f"Run {started.id} has begun.")
        return
    with left_well(client, started.id):
        ended = client.wait(started.id) if json else watched(client, started)
    if json:
        emit(summary(ended))
    else:
        print_end(ended)
    if ended.state != "done":
        raise typer.Exit(1)


@commands.command("list")
def list_runs(
    *,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Only runs this trigger started.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """Print runs of pipelines, newest first."""
    found = PipelinesClient(transport()).runs(pipeline=pipeline, trigger=trigger, limit=limit)
    if json:
        emit(found)
        return
    table(
        ("run", "pipeline", "state", "trigger", "began", "took"),
        [
            (
                run.id,
                run.pipeline,
                run.state,
                run.trigger or "",
                f"{run.created_at:%Y-%m-%d %H:%M:%S}",
                took(run.created_at, run.ended_at),
            )
            for run in found
        ],
        empty="No pipeline has run yet. Start one: athanor pipeline run FILE.py",
    )


@commands.command("show")
def show(run_id: RunId, *, json: Json = False) -> None:
    """Print one run with its tasks."""
    run = PipelinesClient(transport()).run(run_id)
    if json:
        emit(run)
        return
    print_end(run)


@commands.command("cancel")
def cancel(run_id: RunId) -> None:
    """Stop a run and all that it started."""
    client = PipelinesClient(transport())
    client.cancel(run_id)
    say(f"Run {run_id} is {client.wait(run_id, timeout=30).state}.")


@commands.command("resume")
def resume(run_id: RunId, *, json: Json = False) -> None:
    """Let a failed or stopped run go on; what is done stays done."""
    client = PipelinesClient(transport())
    started = client.resume(run_id)
    with left_well(client, run_id):
        ended = client.wait(run_id) if json else watched(client, started)
    emit(summary(ended)) if json else print_end(ended)
    if ended.state != "done":
        raise typer.Exit(1)


@commands.command("logs")
def logs(
    what: Annotated[
        str, typer.Argument(help="A run, or: latest. Or a task of the last run; or RUN/TASK.")
    ],
    task: Annotated[str, typer.Argument(help="The task. [default: all that wrote]")] = "",
    *,
    run: RunOfTask = None,
) -> None:
    """Print what a task of a pipeline's run has written, or all of them."""
    client = PipelinesClient(transport())
    first, _, rest = what.partition("/")
    if task or run or not (first == LATEST or _is_run(first)):
        run_id, task = placed(client, run, what, task)
    else:
        run_id, task = run_of(first), rest
    if task:
        typer.echo(client.logs(run_id, task), nl=False)
        return
    for item in client.run(run_id).tasks:
        written = client.logs(run_id, item.name) if item.kind == "step" else ""
        if written:
            say(f"== {item.name} ({item.state})", style="bold")
            typer.echo(written, nl=not written.endswith("\n"))


@commands.command("compile")
def compile_(
    target: Target,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here.")] = None,
    to: Annotated[str, typer.Option(help="kubeflow (YAML), or airflow (a DAG file).")] = "kubeflow",
) -> None:
    """Print a pipeline as Kubeflow Pipelines YAML, or as a DAG file of Apache Airflow."""
    if to not in {"kubeflow", "airflow"}:
        raise BadPipeline(f"There is no form {to!r}.", hint="Choose kubeflow or airflow.")
    document = without_places(document_of(target))
    text = airflow_file(document) if to == "airflow" else write_document(document)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, "utf-8")
        return
    typer.echo(text, nl=False)


@commands.command("gallery")
def gallery(*, json: Json = False) -> None:
    """Print the ready-made pipelines."""
    found = PipelinesClient(transport()).gallery()
    if json:
        emit(found)
        return
    table(("name", "what it does"), [(item.name, item.description) for item in found])


def _why(
    task: TaskOfRun,
    inner: TaskBehindRun = None,
    *,
    run: RunOfTask = None,
    json: Json = False,
) -> None:
    """Explain why a task ran, or why it did not have to."""
    client = PipelinesClient(transport())
    told = client.explain(*placed(client, run, task, inner))
    if json:
        emit(told)
        return
    say(told.summary)
    table(("part of the key", "value"), sorted(told.parts.items()), empty="It has no cache key.")


def placed(
    client: PipelinesClient, run: str | None, task: str, inner: str | None = None
) -> tuple[str, str]:
    """The run and the task that are meant: of RUN TASK, RUN/TASK or --run; else of the last run.

    Raises: BadPipeline where nothing has run.
    """
    if inner:
        return _named(client, task), inner
    if run:
        return _named(client, run), task
    first, _, rest = task.partition("/")
    if rest and (first == LATEST or _is_run(first)):
        return _named(client, first), rest
    return _last(client), task


def _is_run(given: str) -> bool:
    """Whether it is a run's id, or how one begins, and hardly a task's name."""
    return given[:1].isdigit() and (is_id(given) or begins_id(given))


def _named(client: PipelinesClient, run: str) -> str:
    return _last(client) if run == LATEST else run


def _last(client: PipelinesClient) -> str:
    """The newest run. Raises: BadPipeline where there is none."""
    latest = client.runs(limit=1)
    if not latest:
        raise BadPipeline("Nothing has run yet.", hint="athanor pipeline run FILE.py")
    return latest[0].id


commands.command("why-ran")(_why)
commands.command("why-cached")(_why)
