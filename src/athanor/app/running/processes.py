"""Scripts that were killed: the process that a run was opened by is gone, and the run is open."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from athanor.app.lock import is_alive, system_word_of
from athanor.client import Client
from athanor.kernel import AthanorError
from athanor.lineage import Run, RunFilter

LABEL = "athanor.process"
"""The label of a run that says which process it is: machine, id, start."""
_KILLED = "The script's process is gone and has not told how it ended: it was killed, or left."


def this_process() -> dict[str, str]:
    """The label of a run that this process is."""
    return {LABEL: f"{socket.gethostname()} {os.getpid()} {_start_of(os.getpid())}"}


def end_if_gone(client: Client, run: Run) -> Run:
    """The run; ended as failed where it is open and its process, of this machine, is gone."""
    host, process, start = ["", "", *run.labels.get(LABEL, "").rsplit(" ", 2)][-3:]
    if run.state != "running" or host != socket.gethostname() or not process.isdigit():
        return run
    if is_alive(int(process)) and _start_of(int(process)) == start:
        return run
    with suppress(AthanorError):  # it ended by itself just now, or others saw it first
        return client.runs.finish_run(run.id, "failed", error={"message": _KILLED})
    return client.runs.run(run.id)


def end_those_gone(client: Client) -> None:
    """End the scripts' runs that are open, and whose process of this machine is gone."""
    for run in client.runs.runs(RunFilter(kind="script", state="running")):
        end_if_gone(client, run)


@contextmanager
def ended_as_by_hand() -> Iterator[None]:
    """Inside, SIGTERM ends a script as Ctrl-C does: it can tell how far it came.

    Once it has come another one changes nothing: what is to be told is told.
    """
    first = threading.current_thread() is threading.main_thread()
    if not first or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    came = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        if not came:
            came = True
            raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Terminated(SystemExit):
    """SIGTERM has come."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


def _start_of(process: int) -> str:
    """When a process began, by the system's own count; empty where it does not tell."""
    return system_word_of(process, 19)
