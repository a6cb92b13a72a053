"""The server's side of one worker: sends the payload, hears messages and the answer."""

import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from athanor.kernel.errors import Invalid, TookTooLong, error_from_dict
from athanor.kernel.workers import Exit, Options, WorkerDied
from athanor.kernel.zygote.frames import Reader, encode
from athanor.kernel.zygote.running import signal_group

_log = logging.getLogger(__name__)
_ORPHAN_CHECK_SECONDS = 0.5
_CALL_GRACE_SECONDS = 2.0


class Worker:
    """A `Child`. Its maker tells it `began`, `ended` or `refused`, and runs `converse`."""

    def __init__(
        self,
        target: str,
        payload: Mapping[str, Any],
        options: Options,
        signal_group: Callable[[int], None],
    ) -> None:
        self.target = target
        self._options = options
        self._signal_group = signal_group
        self.silent = bool(options.get("silent"))
        # A silent one's goes with the request, and nothing is said after that.
        self._payload = b"" if self.silent else encoded(payload, target)
        self._near: socket.socket | None = None
        self.far: socket.socket | None = None
        if not self.silent:
            self._near, self.far = socket.socketpair()
        self._pid = 0
        self._answer: dict[str, Any] | None = None
        self._reason = ""
        self._exit: Exit | None = None
        self._began = threading.Event()
        self._ended = threading.Event()
        self._done = threading.Event()

    def channel(self) -> socket.socket:
        """The process's end of the channel. Raises ValueError: a silent one has none."""
        if self.far is None:
            raise ValueError(self.target)
        return self.far

    # What its maker tells it.

    def discard(self) -> None:
        """It will not be started after all."""
        if self._near is not None and self.far is not None:
            self.far.close()
            self._near.close()

    def began(self, pid: int) -> None:
        """The process exists."""
        self._pid = pid
        self._began.set()

    def ended(self, how: Exit, reason: str = "") -> None:
        """The process is gone; `reason` is a sentence where its exit alone does not explain it."""
        if not self._ended.is_set():
            self._exit, self._reason = how, reason
            self._ended.set()
            self._began.set()
            if self.silent:
                self._finish()

    def greet(self, request: bytes) -> None:
        """Send a request ahead of the payload, to a worker that no zygote briefs."""
        self._payload = request + self._payload

    def lost(self, reason: str) -> None:
        """Its parent is gone: end its group, which no zygote does any more."""
        if self._pid:
            signal_group(self._pid, signal.SIGKILL)
        self.ended(Exit(code=None, signal=signal.SIGKILL if self._pid else None), reason)

    def converse(self, poll: Callable[[float | None], bool] | None = None) -> None:
        """Talk with the process until it is gone.

        `poll(timeout)` says whether it is; by default that is whether `ended` was told.
        """
        poll = poll or self._ended.wait
        near, far = self._near, self.far
        if near is None or far is None:
            return
        far.close()
        try:
            near.sendall(self._payload)
            self._payload = b""
            self._listen(near, poll)
        except OSError:
            pass  # it died; its exit says how
        poll(None)
        near.close()
        self._finish()

    def _finish(self) -> None:
        self._done.set()
        if (on_exit := self._options.get("on_exit")) and self._exit:
            try:
                on_exit(self._exit)
            except Exception:  # noqa: BLE001 (a listener's trouble is not the worker's)
                _log.exception("on_exit of %s failed", self.target)

    def _listen(self, near: socket.socket, poll: Callable[[float | None], bool]) -> None:
        reader = Reader(near)
        waiter = select.poll()
        waiter.register(near, select.POLLIN)
        while self._answer is None:
            if (message := reader.buffered()) is not None:
                self._hear(message)
            elif waiter.poll(_ORPHAN_CHECK_SECONDS * 1000):
                if not reader.fill():
                    return
            elif poll(0):  # gone, and something it started still holds the channel open
                return

    def _hear(self, message: dict[str, Any]) -> None:
        if "message" not in message:
            self._answer = message
        elif on_message := self._options.get("on_message"):
            try:
                on_message(message["message"])
            except Exception:  # noqa: BLE001 (same)
                _log.exception("on_message of %s failed", self.target)

    # What its users ask.

    @property
    def pid(self) -> int:
        """The process id; waits until the process exists. Raises: WorkerDied."""
        self._began.wait()
        if not self._pid:
            raise self._died()
        return self._pid

    def wait(self, timeout: float | None = None) -> Exit | None:
        """How it ended; None if it still runs after `timeout` seconds."""
        return self._exit if self._done.wait(timeout) else None

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned, or its failure raised."""
        if self.wait(timeout) is None:
            raise TookTooLong(
                f"{self.target} has not answered within {timeout:g} s; it runs on.",
                hint="Wait longer, or kill it.",
            )
        if self._answer is None:
            raise self._died()
        if "error" in self._answer:
            raise error_from_dict(self._answer["error"])
        return self._answer["result"]

    def result_within(self, timeout: float | None) -> Any:
        """The result, or the end of the process when the time is over."""
        try:
            if self.wait(timeout) is not None:
                return self.result()
            raise TookTooLong(
                f"{self.target} took longer than {timeout:g} s and was stopped.",
                hint="Allow it more time, or give it less to do.",
            )
        except BaseException:
            if self._began.is_set():
                self.kill(_CALL_GRACE_SECONDS)
            else:  # still waiting for its turn to start: nothing to be gentle with
                self._signal_group(signal.SIGKILL)
            raise

    def kill(self, grace: float = 5.0) -> None:
        """End it and its group: SIGTERM, and SIGKILL after `grace` seconds."""
        if self._done.is_set():
            return
        self._signal_group(signal.SIGTERM if grace > 0 else signal.SIGKILL)
        if grace > 0 and not self._done.wait(grace):
            self._signal_group(signal.SIGKILL)
        self._done.wait()

    def _died(self) -> WorkerDied:
        log = self._options.get("log")
        how = self._exit
        if self._reason:
            told = self._reason
        elif how and how.signal:
            told = f"It was ended by {signal.Signals(how.signal).name}."
        else:
            told = f"It ended with exit status {how.code if how else '?'} and no answer."
        hint = "Ask again; where it dies again, a library that it calls crashes."
        if log:
            hint = f"Its log may say more: {log}"
        if how and how.signal == signal.SIGKILL and not self._reason:
            hint = f"If nobody stopped it, the machine may be out of memory. {hint}".strip()
        return WorkerDied(
            f"The process of {self.target} died. {told}",
            hint=hint,
            details={"signal": how.signal if how else None, "code": how.code if how else None},
        )


class Calling:
    """`call` in terms of `spawn`, for every kind of Workers."""

    def _start_worker(self, target: str, payload: Mapping[str, Any], options: Options) -> Worker:
        raise NotImplementedError

    def spawn(self, target: str, payload: Mapping[str, Any], **options: Unpack[Options]) -> Worker:
        """Start "module:function" with the payload as keywords."""
        return self._start_worker(target, payload, options)

    def call(
        self,
        target: str,
        payload: Mapping[str, Any],
        *,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Any:
        """Run "module:function" and return what it returns; ended after `timeout` seconds."""
        return self._start_worker(target, payload, options).result_within(timeout)


def encoded(message: Mapping[str, Any], target: str) -> bytes:
    """What is told to a worker, as a frame. Raises: Invalid."""
    try:
        return encode(message)
    except (TypeError, ValueError) as error:
        told = f"The payload of {target} can't be sent: {error}."
        raise Invalid(told, hint="Give plain data, or a file's path.") from error


def request_of(target: str, options: Options) -> dict[str, Any]:
    """What the worker has to know before its payload."""
    return {
        "target": target,
        "env": dict(options.get("env") or {}),
        "cwd": str(options["cwd"]) if options.get("cwd") else None,
        "umask": options.get("umask"),
        "threads": options.get("threads", 1),
        "memory_bytes": options.get("memory_bytes"),
        "session": options.get("session", True),
    }


def open_log(options: Options) -> int | None:
    """A descriptor that appends to the log file, or None. Its folder is made if need be."""
    log = options.get("log")
    if log is None:
        return None
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(log, flags, 0o600)
    except FileNotFoundError:
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.open(log, flags, 0o600)
