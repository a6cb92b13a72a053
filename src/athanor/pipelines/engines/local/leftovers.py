"""Processes that a step started and left behind, and logs that grow without end."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_OOM_FIRST = b"900"
_OOM_FILE = "/proc/self/oom_score_adj"
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_prctl = _libc.prctl if _libc is not None else None
_waitpid = _libc.waitpid if _libc is not None else None
_LONGEST_LOG = 64 << 20
_KEPT_HEAD, _KEPT_TAIL = 1 << 20, 4 << 20
_PROC = Path("/proc")


def adopt() -> None:
    """Become the parent of what this process's children leave behind.

    And when memory runs out, let the kernel end this process and not the server.
    """
    if _prctl is None:
        return
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        descriptor = os.open(_OOM_FILE, os.O_WRONLY)
        os.write(descriptor, _OOM_FIRST)
        os.close(descriptor)
    except OSError:
        return


def end_descendants(pid: int) -> None:
    """End all that a process started, and that these started."""
    if pid == os.getpid() and _alone():
        return
    if not (_PROC / str(pid) / "task").is_dir():
        return
    for _ in range(100):  # those that fork while they are being ended
        found = list(descendants(pid))
        if not found:
            return
        for child in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        if pid == os.getpid():
            _reap()


def end_strays(folder: Path) -> None:
    """End processes that work in an attempt's folder, or write to its log, after its end."""
    if not _PROC.is_dir():
        return
    own = os.getpid()
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != own and _works_in(entry, str(folder)):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)


def shorten_log(log: Path, *, over: int = _LONGEST_LOG) -> None:
    """Keep the beginning and the end of a log that has grown too long."""
    try:
        size = os.stat(log).st_size  # noqa: PTH116 - after each step: a third of what Path's costs
    except FileNotFoundError:
        return
    if size <= over:
        return
    with log.open("r+b") as stream:
        head = stream.read(_KEPT_HEAD)
        stream.seek(-_KEPT_TAIL, os.SEEK_END)
        tail = stream.read()
        left_out = (size - len(head) - len(tail)) >> 20
        stream.truncate(0)
    with log.open("ab") as stream:  # what the step writes meanwhile comes behind
        stream.write(head)
        stream.write(f"\n... {left_out} MB left out: the log is too long ...\n".encode())
        stream.write(tail)


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process started, and that these started."""
    try:
        threads = list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return
    for thread in threads:
        try:
            children = (thread / "children").read_text("ascii").split()
        except OSError:
            continue
        for child in children:
            if _state(int(child)) != "Z":
                yield int(child)
            yield from descendants(int(child))


def _alone() -> bool:
    """Whether this process, which adopts whom its children leave behind, has no child at all."""
    # Without waiting, this fails where there is none alone; an exception costs ten times as much.
    return _waitpid is not None and _waitpid(-1, None, os.WNOHANG) < 0


def _state(pid: int) -> str:
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
        return text.rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "Z"


def _works_in(entry: Path, folder: str) -> bool:
    for name in ("cwd", "fd/1", "fd/2"):
        try:
            target = str((entry / name).readlink())
        except OSError:
            continue
        if target == folder or target.startswith(folder + os.sep):
            return True
    return False


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
