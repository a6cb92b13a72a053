"""The zygote: a process that loads heavy libraries once and forks a worker for each request.

It stays single-threaded and computes nothing before it forks, so its forks are safe and share its
pages. It ends with its server, and its workers end with it.
"""

import contextlib
import gc
import importlib
import inspect
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from athanor.kernel.zygote.frames import Reader, encode, send
from athanor.kernel.zygote.running import (
    die_with_parent,
    enter,
    serve,
    serve_silently,
    signal_group,
)
from athanor.kernel.zygote.trimming import rest

_TELL_SECONDS = 0.02
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Without the wrapper, which turns what it takes and gives into enumerations: that touches many
# pages, and each page that a fork touches is copied.
_handle = inspect.unwrap(signal.signal)
_SIGCHLD, _SIGTERM, _SIGINT = int(signal.SIGCHLD), int(signal.SIGTERM), int(signal.SIGINT)
_SIGKILL, _DEFAULT = int(signal.SIGKILL), int(signal.SIG_DFL)


class Forkserver:
    """One loop over requests, ends of children, and the server's end."""

    def __init__(self, server: socket.socket, parent: int) -> None:
        # SIGTERM and not SIGKILL, so that we can take our workers' own children along.
        die_with_parent(parent, signal.SIGTERM)
        self._server = server
        self._reader = Reader(server)
        self._workers: dict[int, str] = {}  # pid: the request's id
        self._untold: list[int] = []
        """Silent workers whose ids the server does not know yet: most end before it asks."""
        self._tell_at = 0.0
        self._stopping = False
        self._wakeup = socket.socketpair()
        for end in self._wakeup:
            end.setblocking(False)
        self._own = [end.fileno() for end in (server, *self._wakeup)]
        """What no worker is to hold."""

    def run(self, modules: Sequence[str]) -> NoReturn:
        """Load the modules, then serve until the server is gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to answer
        failed = _load(modules)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        with contextlib.suppress(OSError):  # the server is gone, which ends us as well
            self._tell({"warm": True, "failed": failed})
            self._serve()
        for pid in self._workers:
            signal_group(pid, signal.SIGKILL)
        os._exit(0)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _serve(self) -> None:
        ends = [self._server, self._wakeup[0]]
        while not self._stopping:
            ready, _, _ = select.select(ends, [], [], _TELL_SECONDS if self._untold else None)
            if self._wakeup[0] in ready:
                with contextlib.suppress(BlockingIOError):
                    self._wakeup[0].recv(4096)
            self._reap()
            if self._untold and (not ready or time.monotonic() > self._tell_at):
                self._tell_begun()
            if self._server in ready:
                if not self._reader.fill():
                    return
                while (request := self._reader.buffered()) is not None:
                    self._obey(request)

    def _obey(self, request: dict[str, Any]) -> None:
        if "load" in request:
            self._tell({"warm": True, "failed": _load(request["load"])})
            return
        if "kill" in request:
            for pid, number in self._workers.items():
                if number == request["kill"]:
                    signal_group(pid, request["signal"])
            return
        _prepare(request)
        try:
            self._fork(request)
        except OSError as error:
            self._tell({"id": request["id"], "refused": f"No new process: {error.strerror}."})
        finally:
            for fd in request.get("fds", ()):
                with contextlib.suppress(OSError):
                    os.close(fd)

    def _fork(self, request: dict[str, Any]) -> None:
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(parent, request)
            except BaseException:  # noqa: BLE001 (never return into the zygote's loop)
                traceback.print_exc()
            finally:
                os._exit(1)
        with contextlib.suppress(OSError):  # both sides set it, so neither comes too late
            if not request.get("session", True):
                os.setpgid(pid, pid)
        self._workers[pid] = request["id"]
        if "payload" not in request:
            self._tell({"id": request["id"], "pid": pid})
            return
        if not self._untold:
            self._tell_at = time.monotonic() + _TELL_SECONDS
        self._untold.append(pid)

    def _tell_begun(self) -> None:
        """Tell the ids of those that take longer than a moment."""
        for pid in self._untold:
            self._tell({"id": self._workers[pid], "pid": pid})
        self._untold.clear()

    def _become_worker(self, parent: int, request: dict[str, Any]) -> NoReturn:
        signal.set_wakeup_fd(-1)
        _handle(_SIGCHLD, _DEFAULT)
        _handle(_SIGTERM, _DEFAULT)
        _handle(_SIGINT, signal.default_int_handler)
        die_with_parent(parent, _SIGKILL)
        if request.get("session", True):
            os.setsid()
        else:
            os.setpgid(0, 0)
        for own in self._own:  # by number: a socket's own `close` costs a fork ten times as much
            os.close(own)
        ends = list(request.get("fds", ()))
        channel = None if "payload" in request else socket.socket(fileno=ends.pop(0))
        for log in ends:
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
        enter(request)
        if channel is None:
            serve_silently(request["target"], request["payload"], request.get("function"))
        serve(channel, Reader(channel), request["target"])

    def _reap(self) -> None:
        while self._workers:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            # What it started and left behind goes too; its id is still taken, so this is safe.
            signal_group(ended.si_pid, signal.SIGKILL)
            pid, status, usage = os.wait4(ended.si_pid, 0)
            number = self._workers.pop(pid, None)
            if number is not None:
                told: dict[str, Any] = {"id": number, "exit": exit_record(status, usage)}
                if pid in self._untold:
                    self._untold.remove(pid)
                    told["pid"] = pid
                self._tell(told)

    def _tell(self, message: dict[str, Any]) -> None:
        send(self._server, encode(message))


def _prepare(request: dict[str, Any]) -> None:
    """Find the target here, and let its module read its payload, if it can.

    That is ten times as fast as in a fork. Where it fails, it will fail in the fork, and be told
    there.
    """
    if "payload" not in request:
        return
    name, _, function = request["target"].partition(":")
    module = sys.modules.get(name)
    request["function"] = getattr(module, function, None)
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        with contextlib.suppress(Exception):
            request["payload"] = prepare(request["payload"])


def exit_record(status: int, usage: resource.struct_rusage) -> dict[str, Any]:
    """A wait status and its resource usage as the fields of an `Exit`."""
    signalled = os.WIFSIGNALED(status)
    return {
        "code": None if signalled else os.WEXITSTATUS(status),
        "signal": os.WTERMSIG(status) if signalled else None,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "max_rss_bytes": usage.ru_maxrss * _RSS_UNIT,
    }


def _load(modules: Sequence[str]) -> list[str]:
    """Import the modules; the names of those that could not be are returned, not fatal.

    One that has a function `rehearse` has it called: what it settles is settled for all forks.
    """
    failed = []
    gc.disable()  # nothing that an import makes is garbage soon
    for name in modules:
        try:
            module = importlib.import_module(name)
            if callable(rehearse := getattr(module, "rehearse", None)):
                rehearse()
        except Exception:  # noqa: BLE001 (a broken optional library must not stop every worker)
            traceback.print_exc()
            failed.append(name)
    gc.enable()
    gc.collect()
    gc.freeze()  # later collections leave these pages alone, so that they stay shared
    rest()
    return failed
