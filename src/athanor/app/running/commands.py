"""`athanor run`: a file, or one of its subcommands."""

import hashlib
import json as jsonlib
import os
import runpy
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.app.moving.boards import export_tensorboard, import_tensorboard
from athanor.app.running.files import (
    TRAIN,
    NotOfAFunction,
    NotOfAScript,
    UnknownArgument,
    check_script,
    functions_of,
    training_pipeline,
)
from athanor.app.running.output import Output, keep, printed, run_logs, sent_as_it_goes
from athanor.app.running.processes import (
    Terminated,
    end_if_gone,
    end_those_gone,
    ended_as_by_hand,
    this_process,
)
from athanor.app.sdk import recording
from athanor.client import Client
from athanor.client.http import HttpTransport
from athanor.kernel import Invalid, NotFound, provenance
from athanor.kernel.console import Json, RunId, emit, say, transport
from athanor.kernel.reaching import MLFLOW_URL, Way, mlflow_variables
from athanor.kernel.redaction import redact
from athanor.lineage import NewRun, RunState
from athanor.lineage import commands as lineage
from athanor.pipelines import NewTrigger, PipelineRun, Submission
from athanor.pipelines.ir.spec import ComponentInputs, Document
from athanor.pipelines.ir.text import submitted
from athanor.tracking import Diagnosis, TrackedRun
from athanor.tracking import commands as tracking
from athanor.tracking.commands import compare_runs, delete_runs, restore_runs, tag_run

commands = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Run a file of your own as a recorded run: athanor run FILE.py [OPTIONS]. "
    "Or look at what ran.",
)
commands.command("compare")(compare_runs)
commands.command("tag")(tag_run)
commands.command("delete")(delete_runs)
commands.command("restore")(restore_runs)
commands.command("export-tensorboard")(export_tensorboard)
commands.command("import-tensorboard")(import_tensorboard)
commands.command("logs")(run_logs)


@commands.command("file")
def run_file(
    file: Annotated[Path, typer.Argument(help="A Python file.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="A script's own arguments, after --: -- --lr 3", show_default=False),
    ] = None,
    *,
    data: Annotated[
        list[str] | None, typer.Option(help="INPUT=DATASET: a table for the function.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE (JSON): a parameter of the function.")
    ] = None,
    function: Annotated[str, typer.Option(help="The function to run, if there is one.")] = TRAIN,
    model: Annotated[str, typer.Option(help="The model's name. [default: the file's]")] = "",
    schedule: Annotated[
        str, typer.Option(help="Run it by the clock instead: minute hour day month weekday (UTC).")
    ] = "",
    json: Json = False,
) -> None:
    """Run FILE: its `train` function as a pipeline of one step, or else the whole script.

    A model that the function returns becomes the next version of a registered model; numbers in a
    dict beside it become its metrics. The function needs no decorator, and imports nothing of ours.
    A script gets what stands after -- as its own arguments.
    """
    if function in functions_of(file):
        if arguments:
            raise NotOfAFunction(file, function)
        _run_function(
            file,
            function,
            model or file.stem,
            (data or [], param or []),
            schedule=schedule,
            json=json,
        )
    elif function != TRAIN:
        training_pipeline(file, function, model=model or file.stem)
    else:
        check_script(file)
        for option, value in (("--param", param), ("--data", data), ("--schedule", schedule)):
            if value:
                raise NotOfAScript(file, option)
        _run_script(file, arguments or [], json=json)


alone: dict[str, Callable[..., Any]] = {"run": run_file}
"""What `athanor run FILE` means: the file comes where a subcommand could stand."""


@commands.command("list")
def list_runs(
    *,
    kind: Annotated[str | None, typer.Option(help="Only runs of this kind.")] = None,
    state: Annotated[str | None, typer.Option(help="Only runs in this state.")] = None,
    filter_: Annotated[
        str,
        typer.Option(
            "--filter", help="Conditions such as: metrics.loss < 0.1 AND params.lr = '0.01'"
        ),
    ] = "",
    order_by: Annotated[
        list[str] | None, typer.Option(help="Such as: metrics.loss ASC. May come several times.")
    ] = None,
    experiment: Annotated[str, typer.Option(help="Only runs of this experiment.")] = "",
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted runs instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """Print runs, newest first; with conditions, an order or an experiment, what they told too."""
    if not (filter_ or order_by or experiment or deleted):
        lineage.list_runs(kind=kind, state=state, limit=limit, json=json)
        return
    found = tracking.find_runs(
        filter_=filter_,
        order_by=order_by or [],
        experiment=experiment,
        deleted=deleted,
        limit=limit,
    )
    tracking.list_found([run for run in found if state in {None, run.info.state}], json=json)


@commands.command("show")
def show_run(run_id: RunId, *, json: Json = False) -> None:
    """Print one run: what it told, what it used and made, what it ran on."""
    client = Client(transport())
    told = _told(client, run_id)
    hints = client.debug.diagnosis(run_id).hints if told else []
    run = end_if_gone(client, client.runs.run(run_id))
    files = tracking.files_of(told, run.project) if told else []
    if json:
        whole = {"run": run, "edges": client.runs.edges(run_id)}
        emit(whole | ({"told": told, "hints": hints, "files": files} if told else {}))
        return
    lineage.show_run(run_id)
    if told is not None:
        tracking.show_data(told)
        tracking.show_files(files)
        tracking.show_hints(hints)


@commands.command("hints")
def hints_of_run(run_id: RunId, *, json: Json = False) -> None:
    """Judge a run's training now: what is wrong with it, and what to do."""
    client = Client(transport())
    run = client.runs.run(run_id)
    try:
        found = client.debug.judge(run.id)
    except NotFound:
        found = Diagnosis(run=run.id, hints=[])  # it logged nothing
    if json:
        emit(found)
        return
    lineage.show_failure(run)
    tracking.show_hints(found.hints)
    if found.hints or run.error:
        return
    if run.state == "failed":
        say("It failed, and nothing that it logged says why: see what it printed.")
    else:
        say("Nothing is wrong with this training, as far as it has logged.")


def _told(client: Client, run_id: str) -> TrackedRun | None:
    """What a run told; None where it told nothing."""
    try:
        return client.tracking.run(run_id)
    except NotFound:
        return None


def _run_function(
    file: Path,
    function: str,
    model: str,
    given: tuple[list[str], list[str]],
    *,
    schedule: str,
    json: bool,
) -> None:
    values = {
        key: _value(value)
        for key, value in (_pair(item, "--param NAME=VALUE") for item in given[1])
    }
    written = training_pipeline(file, function, model=model, values=values).compile()
    client = Client(transport())
    submission = replace(submission_of(written, (given[0], values), file.stem), code=_code_of(file))
    if schedule:
        new = NewTrigger(name=file.stem, cron=schedule, submission=submission)
        made = client.pipelines.add_trigger(new)
        say(f"{made.name} runs next at {made.next_fire:%Y-%m-%d %H:%M} UTC.")
        return
    run = client.pipelines.wait(client.pipelines.submit(submission).id)
    if json:
        emit(run)
    else:
        _tell(client, run)
    if run.state != "done":
        raise typer.Exit(1)


def submission_of(
    document: Document,
    given: tuple[list[str], dict[str, Any]],
    name: str,
) -> Submission:
    """What to submit: inputs that are tables by dataset (`INPUT=DATASET`), the others by value.

    Raises: UnknownArgument, Invalid.
    """
    definitions = document.spec.root.input_definitions or ComponentInputs()
    tables, parameters = definitions.artifacts, definitions.parameters
    artifacts = {}
    for key, value in (_pair(item, "--data INPUT=DATASET") for item in given[0]):
        if key not in tables:
            raise UnknownArgument(name, key, list(tables))
        artifacts[key] = value if ":" in value else f"dataset:{value}"
    for key in given[1]:
        if key not in parameters:
            raise UnknownArgument(name, key, list(parameters))
    for key, definition in tables.items():
        # An input of a dataset's own name needs no word.
        if key not in artifacts and not definition.is_optional:
            artifacts[key] = f"dataset:{key}"
    return Submission(**submitted(document), parameters=given[1], artifacts=artifacts)


def _tell(client: Client, run: PipelineRun) -> None:
    for task in sorted(run.tasks, key=lambda item: item.started_at or run.created_at):
        log = client.pipelines.logs(run.id, task.name).rstrip() if task.kind == "step" else ""
        if log:
            say(log)
        took = task.resources.get("wall_seconds")
        say(f"{task.name}: {task.state}" + (f" in {took:.1f} s" if took else ""))
        if task.error:
            say(f"  {task.error.get('message', '')}")
            say(f"  {task.error.get('hint', '')}")
        if task.outputs.get("registered") is False:
            say(f"No model is registered: {task.outputs.get('reason', '')}.")
        if task.outputs.get("registered"):
            reference = task.outputs["reference"]
            model = reference.partition("@")[0]
            office = (
                "it is the champion from now on"
                if task.outputs.get("promoted")
                else f"the champion stays: {task.outputs.get('reason', '')}"
            )
            say(f"Registered {reference}; {office.rstrip('.')}.")
            say(f"Serve it: athanor deploy {reference} --endpoint {model}")
    say(f"Run {run.id}: {run.state}. More: athanor pipeline show {run.id}")


def _run_script(file: Path, given: list[str], *, json: bool) -> None:
    client = Client(transport())
    end_those_gone(client)
    run = client.runs.start_run(
        NewRun(
            kind="script",
            name=file.stem,
            labels=this_process(),
            code=_code_of(file),
            environment=provenance.environment(),
        )
    )
    output = Output()
    with ended_as_by_hand(), _recorded(client, run.id, output, json=json):
        arguments = sys.argv
        sys.argv = [str(file), *given]
        try:
            with (
                recording(run.id),
                mlflow_follows(transport()),
                sent_as_it_goes(client, run.id, output),
                printed(output),
            ):
                runpy.run_path(str(file), run_name="__main__")
        except Exception as error:
            with printed(output):
                _print_failure(error, str(file))
            raise
        finally:
            sys.argv = arguments


@contextmanager
def _recorded(client: Client, run_id: str, output: Output, *, json: bool) -> Iterator[None]:
    """End a run as the script inside ends, with what it printed and used."""
    started, cpu = time.perf_counter(), time.process_time()
    ended: RunState = "failed"
    failure: dict[str, Any] | None = None
    try:
        yield
        ended = "done"
    except Terminated:
        failure = {"message": "It was ended from outside (SIGTERM)."}
        raise
    except SystemExit as left:
        ended = "failed" if left.code else "done"
        if isinstance(left.code, str):
            output.add(f"{left.code}\n")
        raise
    except KeyboardInterrupt:
        failure = {"message": "It was ended by hand (Ctrl-C)."}
        raise
    except Exception as error:
        failure = {"message": redact(f"{type(error).__name__}: {error}")}
        raise typer.Exit(1) from error
    finally:
        used = {
            "wall_seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - cpu,
        }
        keep(client, run_id, output)
        run = client.runs.finish_run(run_id, ended, resources=used, error=failure)
        if json:
            emit(run)
        else:
            say(f"Run {run.id}: {run.state}. More: athanor run show {run.id}")


def _print_failure(error: Exception, file: str) -> None:
    """Print a script's own traceback: what lies around it says nothing to its author."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename != file:
        place = place.tb_next
    traceback.print_exception(type(error), error, place)


@contextmanager
def mlflow_follows(way: object) -> Iterator[None]:
    """Meanwhile, MLflow's clients in this process record on the server, if they are told no other.

    Without a server there is nobody who could listen to them.
    """
    if not isinstance(way, HttpTransport) or MLFLOW_URL in os.environ:
        yield
        return
    told = mlflow_variables(Way(url=way.url, token=way.token))
    os.environ.update(told)
    try:
        yield
    finally:
        for name in told:
            os.environ.pop(name, None)


def _code_of(file: Path) -> dict[str, Any]:
    """What is told of a file's code: the checkout that it lies in, and its own digest."""
    return provenance.code(file.resolve().parent) | {
        "entry_point": f"athanor run {shlex.quote(str(file))}",
        "file": str(file),
        "digest": f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}",
    }


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise Invalid(f"{text!r} is not of the form NAME=VALUE.", hint=f"Write {form}.")
    return name.strip(), value.strip()


def _value(text: str) -> Any:
    try:
        return jsonlib.loads(text)
    except ValueError:
        return text
