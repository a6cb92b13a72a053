"""What a script printed is kept as a file of its run: `athanor run logs RUN`."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer

from athanor.client import Client
from athanor.kernel import AthanorError, NotFound
from athanor.kernel.console import RunId, say, transport
from athanor.kernel.redaction import redact
from athanor.pipelines.commands.runs import logs
from athanor.pipelines.errors import PipelineRunNotFound
from athanor.tracking import Batch, place_of

NAME = "output.log"
_MOST = 10_000_000
"""Characters that are kept: the last ones."""
_TAG = "athanor.output"


class Output:
    """The last characters of what was printed."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._pieces: deque[str] = deque()
        self._length = 0

    def add(self, text: str) -> None:
        """Keep this, and forget what is oldest where there is too much."""
        self._pieces.append(text)
        self._length += len(text)
        while len(self._pieces) > 1 and self._length - len(self._pieces[0]) >= self._most:
            self._length -= len(self._pieces.popleft())

    def text(self) -> str:
        """What is kept, without secrets."""
        return str(redact("".join(self._pieces)[-self._most :]))


class _Both:
    """A stream that shows what is written to it, and keeps it."""

    def __init__(self, shown: TextIO, output: Output) -> None:
        self._shown = shown
        self._output = output

    def write(self, text: str) -> int:
        self._output.add(text)
        return self._shown.write(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._shown, name)


@contextmanager
def printed(output: Output) -> Iterator[None]:
    """Keep what Python code prints inside; what its child processes print is shown alone."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Both(out, output), _Both(err, output)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


def keep(client: Client, run_id: str, output: Output) -> None:
    """Put it with the run's files; that it can't be kept is told, and fails nothing."""
    text = output.text()
    if not text:
        return
    try:
        client.tracking.log(run_id, Batch(tags={_TAG: NAME}))
        place = place_of(client.tracking.run(run_id).info.artifact_uri)
        if place.kind == "tree":
            client.files.put(f"{place.path}/{NAME}", text.encode("utf-8", "replace"))
    except AthanorError as error:
        print(f"What it printed is not kept: {error}", file=sys.stderr)


def run_logs(
    run_id: RunId,
    task: Annotated[str, typer.Argument(help="A pipeline's task. [default: all]")] = "",
) -> None:
    """Print what a script's run has printed, or what a pipeline's tasks have (or one of them)."""
    try:
        logs(run_id, task)
    except PipelineRunNotFound:
        client = Client(transport())
        run = client.runs.run(run_id)
        text = _kept(client, run.id)
        if text is None:
            say(f"Nothing is kept that run {run.id} printed: either it printed nothing, or the")
            say("terminal alone had it (what `athanor run FILE` starts is kept).")
            say(f"See what it told: athanor run show {run.id}")
            return
        typer.echo(text, nl=not text.endswith("\n"))


def _kept(client: Client, run_id: str) -> str | None:
    try:
        place = place_of(client.tracking.run(run_id).info.artifact_uri)
        content = b"".join(client.files.read(f"{place.path}/{NAME}"))
    except NotFound:
        return None
    return content.decode("utf-8", "replace")
