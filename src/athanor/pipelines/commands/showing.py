"""How the commands of `athanor pipeline` show runs."""

import json as json_text
import shlex
from collections.abc import Callable
from typing import Any

from athanor.kernel.console import escaped, progress, say, table
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.types import PipelineRun, Task


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


def shown(value: Any) -> str:
    """An output: an artifact by what other commands call it, anything else as JSON."""
    if isinstance(value, dict) and {"id", "type", "digest"} <= value.keys():
        return f"artifact:{value['id']} ({value['type']})"
    return json_text.dumps(value, ensure_ascii=False)


def took(began: Any, ended: Any) -> str:
    """The seconds between two moments, if both are known."""
    return f"{(ended - began).total_seconds():.1f} s" if began and ended else ""
