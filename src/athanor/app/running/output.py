"""What a script printed is kept as a file of its run: `athanor run logs RUN`."""

import codecs
import io
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, TextIO

import typer

from athanor.app.running.processes import end_if_gone
from athanor.client import Client
from athanor.kernel import AthanorError, NotFound
from athanor.kernel.console import RunId, say, transport
from athanor.kernel.provenance import masked_text
from athanor.pipelines.commands.runs import logs
from athanor.pipelines.errors import PipelineRunNotFound
from athanor.tracking import Batch, place_of

NAME = "output.log"
_MOST = 10_000_000
"""Characters that are kept: the last ones."""
_MOST_GOING = 200_000
"""Of them, those that are sent while the script goes."""
_PAUSES = (3.0, 30.0)
"""Seconds between two sendings: at first, and at most."""
_TAG = "athanor.output"


class Output:
    """The last characters of what was printed. Threads may add at once."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._pieces: deque[str] = deque()
        self._length = 0
        self.total = 0
        """Characters that were ever added."""

    def add(self, text: str) -> None:
        """Keep this, and forget what is oldest where there is too much."""
        self._pieces.append(text)
        self._length += len(text)
        self.total += len(text)
        while len(self._pieces) > 1 and self._length - len(self._pieces[0]) >= self._most:
            self._length -= len(self._pieces.popleft())

    def text(self, most: int | None = None) -> str:
        """What is kept, or its last `most` characters from a line's beginning; without secrets."""
        kept, most = self._joined(), min(most or self._most, self._most)
        if len(kept) > most:
            # From the line that begins in it; one that is longer than all of it is cut.
            cut = kept.find("\n", len(kept) - most - 1) + 1
            kept = kept[cut if 0 < cut < len(kept) else len(kept) - most :]
        left = self.total - len(kept)
        note = f"… the first {left:,} characters are not kept\n" if left > 0 else ""
        return note + masked_text(kept)

    def _joined(self) -> str:
        while True:
            with suppress(RuntimeError):  # another thread printed meanwhile
                return "".join(self._pieces)


class _Bytes(io.BufferedIOBase):
    """Bytes that are shown and kept. It is never closed: the stream below is not the script's."""

    def __init__(self, shown: TextIO, output: Output) -> None:
        self._shown = shown
        self._below = getattr(shown, "buffer", None)
        self._output = output
        self._encoding = getattr(shown, "encoding", None) or "utf-8"
        self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        text = self._decoder.decode(content)
        self._output.add(text)
        if self._below is None:
            self._shown.write(text)
        else:
            self._below.write(content)
        return len(content)

    def flush(self) -> None:
        self._shown.flush()

    def close(self) -> None:
        with suppress(ValueError):
            self.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._shown.isatty()

    def fileno(self) -> int:
        return self._shown.fileno()

    @property
    def name(self) -> str:
        return str(getattr(self._shown, "name", "<output>"))

    @property
    def mode(self) -> str:
        return "wb"

    @property
    def raw(self) -> Any:
        return getattr(self._below, "raw", self)


def _both(shown: TextIO, output: Output) -> io.TextIOWrapper:
    """A text stream that shows what is written to it, and keeps it."""
    shown.flush()
    return io.TextIOWrapper(
        _Bytes(shown, output),
        encoding=getattr(shown, "encoding", None) or "utf-8",
        errors=getattr(shown, "errors", None) or "backslashreplace",
        newline="",
        line_buffering=bool(getattr(shown, "line_buffering", False)),
        write_through=True,
    )


@contextmanager
def printed(output: Output) -> Iterator[None]:
    """Keep what Python code prints inside; what its child processes print is shown alone."""
    out, err = sys.stdout, sys.stderr
    both = _both(out, output), _both(err, output)
    sys.stdout, sys.stderr = both
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr, *both):
            with suppress(ValueError, OSError, AttributeError):  # detached, or closed, or None
                stream.flush()
        sys.stdout, sys.stderr = out, err


@contextmanager
def sent_as_it_goes(client: Client, run_id: str, output: Output) -> Iterator[None]:
    """Send the end of what is printed every few seconds: of a killed script it is what is left."""
    ended = threading.Event()

    def send() -> None:
        pause, sent = _PAUSES[0], 0
        while not ended.wait(pause):
            if output.total == sent:
                continue
            sent, begun = output.total, time.monotonic()
            with suppress(AthanorError):  # the last sending tells
                _put(client, run_id, output.text(_MOST_GOING))
            pause = min(max(pause * 1.2, 10 * (time.monotonic() - begun)), _PAUSES[1])

    sender = threading.Thread(target=send, name="output", daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join(_PAUSES[1])


def keep(client: Client, run_id: str, output: Output) -> None:
    """Put it with the run's files; that it can't be kept is told, and fails nothing."""
    text = output.text()
    if not text:
        return
    try:
        _put(client, run_id, text)
    except AthanorError as error:
        print(f"What it printed is not kept: {error}", file=sys.stderr)


def _put(client: Client, run_id: str, text: str) -> None:
    client.tracking.log(run_id, Batch(tags={_TAG: NAME}))
    place = place_of(client.tracking.run(run_id).info.artifact_uri)
    if place.kind == "tree":
        client.files.put(f"{place.path}/{NAME}", text.encode("utf-8", "replace"))


def run_logs(
    run_id: RunId,
    task: Annotated[str, typer.Argument(help="A pipeline's task. [default: all]")] = "",
) -> None:
    """Print what a script's run has printed, or what a pipeline's tasks have (or one of them)."""
    try:
        logs(run_id, task)
    except PipelineRunNotFound:
        client = Client(transport())
        run = end_if_gone(client, client.runs.run(run_id))
        text = _kept(client, run.id)
        if text is not None:
            typer.echo(text, nl=not text.endswith("\n"))
        if run.error:
            typer.echo(f"Run {run.id} {run.state}: {run.error.get('message', '')}", err=True)
        if text is None:
            say(f"Nothing is kept that run {run.id} printed: it printed nothing, or was killed")
            say("before any of it was sent, or the terminal alone had it (what `athanor run FILE`")
            say("starts is kept).")
            say(f"See what it told: athanor run show {run.id}")


def _kept(client: Client, run_id: str) -> str | None:
    try:
        place = place_of(client.tracking.run(run_id).info.artifact_uri)
        content = b"".join(client.files.read(f"{place.path}/{NAME}"))
    except NotFound:
        return None
    return content.decode("utf-8", "replace")
