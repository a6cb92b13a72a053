"""One writer a workspace: whoever holds its lock runs its jobs."""

import fcntl
import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

from athanor.kernel import Conflict

SERVER_FILE = "server.json"
_PAUSES = (0.001, 0.01, 0.05, 0.0)
"""Seconds between the looks at a lock that is taken."""


class WorkspaceBusy(Conflict):
    """Another process holds the workspace."""

    def __init__(self, workspace: Path, holder: dict[str, Any]) -> None:
        what = holder.get("what", "another process")
        pid = holder.get("pid", "?")
        url = holder.get("url")
        super().__init__(
            f"The workspace {workspace} is held by {what} (process {pid})"
            + (f", which serves {url}." if url else "."),
            hint="Use that server, or end it first: athanor down --workspace "
            f"{shlex.quote(str(workspace))}"
            if url
            else "Wait until it is done, or name another folder with --workspace.",
        )


class WorkspaceLock:
    """The lock on a workspace; the system lets it go when the process ends, however it ends."""

    def __init__(self, workspace: Path, what: str) -> None:
        self._workspace = workspace
        self._what = what
        self._descriptor: int | None = None

    def take(self) -> "WorkspaceLock":
        """Take the lock at once.

        Raises: WorkspaceBusy, with who holds it.
        """
        self._workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._workspace / "lock"
        if path.exists() or not any(self._workspace.iterdir()):
            # Never a folder that holds somebody's other things, such as /tmp.
            self._workspace.chmod(0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            holder = _read(path)
            os.close(descriptor)
            server = read_server(self._workspace)
            if server and server.get("pid") == holder.get("pid"):
                holder["url"] = server.get("url")
            raise WorkspaceBusy(self._workspace, holder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "what": self._what}).encode(), 0)
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Let the lock go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    """Take the lock; somebody who just looks whether it is held, holds it for a moment."""
    for pause in _PAUSES:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause)
        else:
            return True
    return False


def read_server(workspace: Path) -> dict[str, Any] | None:
    """What a live server of a workspace wrote about itself; None if there is none."""
    found = _read(workspace / SERVER_FILE)
    pid = found.get("pid")
    if not isinstance(pid, int):
        return None
    return found if is_alive(pid) and _held(workspace) else None


def _held(workspace: Path) -> bool:
    """Whether anybody holds the workspace; a process number alone may be another's by now."""
    try:
        descriptor = os.open(workspace / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return system_word_of(pid, 0) not in {"Z", "X"}


def system_word_of(pid: int, place: int) -> str:
    """What Linux says of a process behind its name: 0 is its state, 19 its start; else empty."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[place]
    except (OSError, IndexError):
        return ""


def write_server(workspace: Path, about: dict[str, Any]) -> None:
    """Say where the server is; readable by its owner alone, as it holds the token."""
    target = workspace / SERVER_FILE
    passing = target.with_suffix(f".{os.getpid()}")
    descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(about, stream)
    passing.replace(target)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
