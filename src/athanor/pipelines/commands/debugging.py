"""`athanor pipeline debug`: one step once more, in this terminal, with its very inputs."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from athanor.kernel.console import say, transport
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.runs import (
    RunOfTask,
    TaskBehindRun,
    TaskOfRun,
    commands,
    placed,
)

_MODULE = "athanor.pipelines.engines.local.debugging"


@commands.command("debug")
def debug(
    task: TaskOfRun,
    inner: TaskBehindRun = None,
    *,
    run: RunOfTask = None,
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Stop in the debugger where the step fails.")
    ] = False,
) -> None:
    """Run one step once more in this terminal, with its code and inputs; nothing is recorded."""
    client = PipelinesClient(transport())
    order = client.order(*placed(client, run, task, inner))
    with tempfile.TemporaryDirectory(prefix="athanor-debug-") as folder:
        Path(folder, "task.json").write_text(order.order, "utf-8")
        say(f"{order.task} of run {order.run}, attempt {order.attempt} once more:", style="bold")
        words = [sys.executable, "-P", "-m", _MODULE, folder, *(["--pdb"] if pdb else [])]
        done = subprocess.run(words, check=False, cwd=folder)
    raise typer.Exit(done.returncode)
