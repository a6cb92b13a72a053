"""How the commands of `athanor pipeline` show runs."""

import json as json_text
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from athanor.kernel.console import escaped, progress, say, table, transport
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.types import PipelineRun, Task
from athanor.tracking import DEFAULT_EXPERIMENT_ID, RunQuery

_REUSED = "equal to task "
_MOST_ASKED = 100
_MOST_ROWS = 40
_LONGEST = 100
_SECONDS_TO_STOP = 10.0


def watched(client: PipelinesClient, run: PipelineRun) -> PipelineRun:
    """Wait with a progress bar that names what runs."""
    with progress() as drawn:
        bar = drawn.add_task(run.pipeline, total=None)

        def watch(now: PipelineRun) -> None:
            every = sum(now.counts.values())
            over = every - sum(now.counts.get(state, 0) for state in ("waiting", "running"))
            names = ", ".join(task.name for task in now.tasks if task.kind != "dag")
            text = f"{run.pipeline}: {names}" if names else run.pipeline
            drawn.update(bar, total=every or None, completed=over, description=text)

        return client.wait(run.id, watch=watch)


def ends_with_us() -> bool:
    """Whether no server is there, so that what this process begins stands still without it."""
    return bool(getattr(transport(), "ends_with_process", False))


@contextmanager
def left_well(client: PipelinesClient, run_id: str) -> Iterator[None]:
    """Ctrl-C inside stops the run where it would stand still, and tells what has become of it."""
    try:
        yield
    except KeyboardInterrupt:
        if ends_with_us():
            client.cancel(run_id)
            state = client.wait(run_id, timeout=_SECONDS_TO_STOP).state
            print(
                f"Run {run_id} is {state}. Let it go on: athanor pipeline resume {run_id}",
                file=sys.stderr,
            )
        else:
            print(
                f"Run {run_id} goes on in the server. Stop it: athanor pipeline cancel {run_id}",
                file=sys.stderr,
            )
        raise


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


def summary(run: PipelineRun) -> dict[str, Any]:
    """A run as `--json` prints it: what Kubeflow's tools would call its states."""
    told: dict[str, Any] = {
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
        told["error"] = run.error.get("message", "")
        told["hint"] = run.error.get("hint", "")
    return told


def _ordered(run: PipelineRun) -> list[Task]:
    began: Callable[[Task], Any] = lambda task: (  # noqa: E731 - a sort key
        task.started_at is None,
        task.started_at.timestamp() if task.started_at else 0.0,
        task.name,
    )
    return sorted(run.tasks, key=began)


def print_end(run: PipelineRun) -> None:
    """Print a run with its tasks and outputs, and why it failed."""
    say(f"{escaped(run.pipeline)}: [bold]{run.state}[/bold] (run {run.id})", markup=True)
    table(
        ("task", "state", "took", "CPU s", "why"),
        [
            (
                task.name,
                task.state,
                took(task.started_at, task.ended_at),
                f"{task.resources['cpu_seconds']:.2f}" if "cpu_seconds" in task.resources else "",
                task.error["message"] if task.error else task.reason or _verdict(task),
            )
            for task in _ordered(run)
            if task.kind != "dag"
        ],
        right=("took", "CPU s"),
    )
    _print_told(run)
    if run.outputs:
        table(
            ("output", "value"),
            [(name, shown(value)) for name, value in run.outputs.items()],
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


def _verdict(task: Task) -> str:
    """Why a task that is done did not do what it is there for, such as to register a model."""
    reason = task.outputs.get("reason")
    return reason if isinstance(reason, str) else ""


def _print_told(run: PipelineRun) -> None:
    """Print what the tasks gave as values, and what they measured."""
    tasks = [task for task in _ordered(run) if task.kind != "dag"]
    metrics = _metrics_of(run, tasks)
    rows = []
    for task in tasks:
        rows += [
            (task.name, name, _cut(json_text.dumps(value, ensure_ascii=False)))
            for name, value in task.outputs.items()
            if value is not None and value != ""
        ]
        rows += [
            (task.name, name, "NaN" if value is None else f"{value:g}")
            for name, value in sorted(metrics.get(task.id, {}).items())
        ]
    if rows:
        table(("task", "told", "value"), rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        say(f"and {len(rows) - _MOST_ROWS:,} more: athanor pipeline show {run.id} --json")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _metrics_of(run: PipelineRun, tasks: list[Task]) -> dict[str, dict[str, float | None]]:
    """The last points of what the first tasks logged, by task.

    One that was reused logged what the first one did.
    """
    sources = {
        task.id: task.reason.removeprefix(_REUSED)
        if task.state == "cached" and task.reason.startswith(_REUSED)
        else task.id
        for task in tasks
        if task.kind == "step" and task.attempt + (task.state == "cached")
    }
    asked = list(dict.fromkeys(sources.values()))[:_MOST_ASKED]
    if not asked:
        return {}
    query = RunQuery(
        experiments=[DEFAULT_EXPERIMENT_ID],
        project=run.project,
        filter=f"attributes.run_id IN ({', '.join(repr(one) for one in asked)})",
    )
    found = transport().send("POST", "/tracked-runs/search", body=query).json()["runs"]
    told = {
        one["info"]["id"]: {point["key"]: point["value"] for point in one["metrics"]}
        for one in found
    }
    return {id_: told[source] for id_, source in sources.items() if source in told}


def shown(value: Any) -> str:
    """An output: an artifact by what other commands call it, anything else as JSON."""
    if isinstance(value, dict) and {"id", "type", "digest"} <= value.keys():
        return f"artifact:{value['id']} ({value['type']})"
    return json_text.dumps(value, ensure_ascii=False)


def took(began: Any, ended: Any) -> str:
    """The seconds between two moments, if both are known."""
    return f"{(ended - began).total_seconds():.1f} s" if began and ended else ""
