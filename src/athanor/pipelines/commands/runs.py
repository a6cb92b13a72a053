"""`athanor pipeline`: run, watch, explain, schedule."""

import json as json_text
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.kernel import provenance
from athanor.kernel.console import Json, RunId, emit, escaped, progress, say, table, transport
from athanor.kernel.ids import begins_id, is_id
from athanor.pipelines.authoring.loading import load_document
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.errors import BadPipeline
from athanor.pipelines.exports.airflow import airflow_file
from athanor.pipelines.ir.spec import Document
from athanor.pipelines.ir.text import read_document, write_document
from athanor.pipelines.types import NewTrigger, PipelineRun, Submission, Task

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Pipelines: run, watch, schedule."
)
trigger_commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="What starts pipelines by itself."
)
commands.add_typer(trigger_commands, name="trigger")

_FILE_ENDINGS = {".py", ".yaml", ".yml", ".json"}

Target = Annotated[
    str, typer.Argument(help="FILE.py, FILE.py:NAME, FILE.yaml, or a name from the gallery.")
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", help="NAME=VALUE; the value is JSON, or a text. May be repeated."),
]
Artifacts = Annotated[
    list[str] | None,
    typer.Option("--artifact", help="NAME=REFERENCE, such as data=dataset:churn@latest."),
]

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
    parameters = _read_args(args) | _pairs(param or [], as_json=True)
    artifacts = _pairs(artifact or [], as_json=False)
    submission = submission_of(target, parameters, artifacts, cache=not no_cache)
    client = PipelinesClient(transport())
    started = client.submit(submission)
    if not wait:
        emit(_summary(started)) if json else say(f"Run {started.id} has begun.")
        return
    ended = client.wait(started.id) if json else _watched(client, started)
    if json:
        emit(_summary(ended))
    else:
        _print_end(ended)
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
    """Print runs, newest first."""
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
                _took(run.created_at, run.ended_at),
            )
            for run in found
        ],
        empty="No runs yet. Start one: athanor pipeline run FILE.py",
    )


@commands.command("show")
def show(run_id: RunId, *, json: Json = False) -> None:
    """Print one run with its tasks."""
    run = PipelinesClient(transport()).run(run_id)
    if json:
        emit(run)
        return
    _print_end(run)


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
    ended = client.wait(run_id) if json else _watched(client, started)
    emit(_summary(ended)) if json else _print_end(ended)
    if ended.state != "done":
        raise typer.Exit(1)


@commands.command("logs")
def logs(
    run_id: RunId,
    task: Annotated[str, typer.Argument(help="The task. [default: all that wrote]")] = "",
) -> None:
    """Print what a task of a pipeline's run has written, or all of them."""
    client = PipelinesClient(transport())
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
    document = document_of(target)
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
        return task, inner
    if run:
        return run, task
    first, _, rest = task.partition("/")
    if rest and first[0].isdigit() and (is_id(first) or begins_id(first)):
        return first, rest
    latest = client.runs(limit=1)
    if not latest:
        raise BadPipeline("Nothing has run yet.", hint="athanor pipeline run FILE.py")
    return latest[0].id, task


commands.command("why-ran")(_why)
commands.command("why-cached")(_why)


@commands.command("schedule")
def schedule(
    target: Target,
    *,
    cron: Annotated[str, typer.Option(help="Minute hour day month weekday, in UTC.")],
    name: Annotated[str, typer.Option(help="The schedule's name.")] = "",
    param: Parameters = None,
    artifact: Artifacts = None,
) -> None:
    """Run a pipeline by the clock."""
    submission = submission_of(
        target, _pairs(param or [], as_json=True), _pairs(artifact or [], as_json=False)
    )
    new = NewTrigger(name=name or _stem(target), cron=cron, submission=submission)
    made = PipelinesClient(transport()).add_trigger(new)
    say(f"{made.name} runs next at {made.next_fire:%Y-%m-%d %H:%M} UTC.")


@trigger_commands.command("add")
def add_trigger(
    name: Annotated[str, typer.Argument()],
    target: Target,
    *,
    on: Annotated[str, typer.Option(help="An event, such as data.version.created.")] = "",
    match: Annotated[
        list[str] | None, typer.Option("--match", help="FIELD=VALUE of the event.")
    ] = None,
    cron: Annotated[str, typer.Option(help="Or a schedule, in UTC.")] = "",
    cooldown: Annotated[float, typer.Option(help="Seconds of rest after a firing.")] = 0.0,
    latest: Annotated[
        bool,
        typer.Option("--latest", help="After a run, run once more for an event met on the way."),
    ] = False,
    param: Parameters = None,
    artifact: Artifacts = None,
    json: Json = False,
) -> None:
    """Have a pipeline start by itself; --param and --artifact may hold {event.FIELD}."""
    submission = submission_of(
        target, _pairs(param or [], as_json=True), _pairs(artifact or [], as_json=False)
    )
    new = NewTrigger(
        name=name,
        submission=submission,
        action=on,
        match=_pairs(match or [], as_json=True),
        cron=cron,
        cooldown=cooldown,
        overlap="latest" if latest else "skip",
    )
    made = PipelinesClient(transport()).add_trigger(new)
    emit(made) if json else say(
        f"Trigger {made.name} is set: {' '.join([made.action or made.cron, *_told(made.match)])}."
    )


@trigger_commands.command("list")
def list_triggers(*, json: Json = False) -> None:
    """Print all triggers."""
    found = PipelinesClient(transport()).triggers()
    if json:
        emit(found)
        return
    table(
        ("name", "kind", "when", "pipeline", "last fired", "last run"),
        [
            (
                item.name,
                item.kind,
                " ".join([item.action or item.cron, *_told(item.match)]),
                item.submission.pipeline or "its own",
                f"{item.last_fired:%Y-%m-%d %H:%M:%S}" if item.last_fired else "never",
                item.last_run or "",
            )
            for item in found
        ],
        empty="No triggers yet.",
    )


@trigger_commands.command("fire")
def fire(
    name: Annotated[str, typer.Argument()],
    *,
    event: Annotated[
        list[str] | None, typer.Option("--event", help="FIELD=VALUE for its templates.")
    ] = None,
    json: Json = False,
) -> None:
    """Start a trigger's pipeline now."""
    run = PipelinesClient(transport()).fire(name, _pairs(event or [], as_json=True))
    emit(_summary(run)) if json else say(f"Run {run.id} has begun.")


@trigger_commands.command("remove")
def remove(name: Annotated[str, typer.Argument()]) -> None:
    """Remove a trigger; runs that it started go on."""
    PipelinesClient(transport()).remove_trigger(name)
    say(f"Trigger {name} is gone.")


def document_of(target: str) -> Document:
    """The compiled pipeline of a file or a gallery name.

    Raises: BadPipeline and its kinds.
    """
    if _is_file(target):
        return load_document(target)
    return read_document(PipelinesClient(transport()).compile(Submission(pipeline=target)).yaml)


def submission_of(
    target: str, parameters: dict[str, Any], artifacts: dict[str, Any], *, cache: bool = True
) -> Submission:
    """What is submitted for a file or a gallery name; the source of steps goes along.

    Raises: BadPipeline and its kinds.
    """
    if not _is_file(target):
        return Submission(pipeline=target, parameters=parameters, artifacts=artifacts, cache=cache)
    text = write_document(load_document(target))
    code = provenance.code(_path(target).resolve().parent)
    return Submission(
        yaml=text,
        parameters=parameters,
        artifacts=artifacts,
        cache=cache,
        code=code | {"entry_point": f"athanor pipeline run {shlex.quote(target)}"},
    )


def _is_file(target: str) -> bool:
    path = _path(target)
    return path.suffix in _FILE_ENDINGS or path.exists()


def _path(target: str) -> Path:
    return Path(target.rpartition(":")[0] if ".py:" in target else target)


def _stem(target: str) -> str:
    return _path(target).stem


def _pairs(given: list[str], *, as_json: bool) -> dict[str, Any]:
    """NAME=VALUE texts as a mapping. Raises: BadPipeline."""
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise BadPipeline(f"{item!r} is not NAME=VALUE.", hint="Write for example rows=100.")
        found[name] = _value(value) if as_json else value
    return found


def _value(text: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError:
        return text


def _read_args(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json_text.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadPipeline(f"{path} can't be read: {error}.", hint="Give a JSON object.") from None
    if not isinstance(found, dict):
        raise BadPipeline(f"{path} holds no JSON object.", hint='Write {"name": value, ...}.')
    return found


def _watched(client: PipelinesClient, run: PipelineRun) -> PipelineRun:
    """Wait with a progress bar that names what runs."""
    with progress() as shown:
        bar = shown.add_task(run.pipeline, total=None)

        def watch(now: PipelineRun) -> None:
            every = sum(now.counts.values())
            over = every - sum(now.counts.get(state, 0) for state in ("waiting", "running"))
            names = ", ".join(task.name for task in now.tasks if task.kind != "dag")
            text = f"{run.pipeline}: {names}" if names else run.pipeline
            shown.update(bar, total=every or None, completed=over, description=text)

        return client.wait(run.id, watch=watch)


_WORDS = {
    "waiting": "PENDING",
    "running": "RUNNING",
    "done": "SUCCEEDED",
    "cached": "CACHED",
    "failed": "FAILED",
    "skipped": "SKIPPED",
    "stopped": "CANCELED",
}
"""Our states in the words of Kubeflow's API."""


def _summary(run: PipelineRun) -> dict[str, Any]:
    """A run as `--json` prints it: what Kubeflow's tools would call its states."""
    summary: dict[str, Any] = {
        "state": _WORDS[run.state],
        "outputs": run.outputs,
        "tasks": [
            {"name": task.name, "state": _WORDS[task.state]}
            for task in _ordered(run)
            if task.kind != "dag"
        ],
        "run": run.id,
        "pipeline": run.pipeline,
    }
    if run.error is not None:
        summary["error"] = run.error.get("message", "")
        summary["hint"] = run.error.get("hint", "")
    return summary


def _ordered(run: PipelineRun) -> list[Task]:
    began: Callable[[Task], Any] = lambda task: (  # noqa: E731 - a sort key
        task.started_at is None,
        task.started_at.timestamp() if task.started_at else 0.0,
        task.name,
    )
    return sorted(run.tasks, key=began)


def _print_end(run: PipelineRun) -> None:
    say(f"{escaped(run.pipeline)}: [bold]{run.state}[/bold] (run {run.id})", markup=True)
    table(
        ("task", "state", "took", "CPU s", "why"),
        [
            (
                task.name,
                task.state,
                _took(task.started_at, task.ended_at),
                f"{task.resources['cpu_seconds']:.2f}" if "cpu_seconds" in task.resources else "",
                task.error["message"] if task.error else task.reason,
            )
            for task in _ordered(run)
            if task.kind != "dag"
        ],
        right=("took", "CPU s"),
    )
    if run.outputs:
        table(
            ("output", "value"),
            [(name, _shown(value)) for name, value in run.outputs.items()],
        )
    for name, value in run.outputs.items():
        if isinstance(value, dict) and value.get("type") == "model" and "digest" in value:
            say(
                f"{name} is not registered yet; to have it as model {run.pipeline!r}: athanor "
                f"model add {shlex.quote(run.pipeline)} artifact:{value['id']} --run {run.id}"
            )
    if run.error:
        say(str(run.error.get("message", "")), style="red")
        say(run.error.get("hint", ""))


def _shown(value: Any) -> str:
    """An output: an artifact by what other commands call it, anything else as JSON."""
    if isinstance(value, dict) and {"id", "type", "digest"} <= value.keys():
        return f"artifact:{value['id']} ({value['type']})"
    return json_text.dumps(value, ensure_ascii=False)


def _took(began: Any, ended: Any) -> str:
    return f"{(ended - began).total_seconds():.1f} s" if began and ended else ""


def _told(match: dict[str, Any]) -> list[str]:
    """What an event's detail must hold, as --match takes it."""
    return [f"{key}={value}" for key, value in match.items()]
