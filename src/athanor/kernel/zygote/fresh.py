"""Workers that are fresh interpreters: slower to start, and safe where a fork is not."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from athanor.kernel.errors import Unavailable
from athanor.kernel.workers import Exit, Options
from athanor.kernel.zygote.forkserver import exit_record
from athanor.kernel.zygote.frames import encode
from athanor.kernel.zygote.handle import Calling, Worker, open_log, request_of
from athanor.kernel.zygote.running import THREAD_VARIABLES, signal_group

_CLOSE_SECONDS = 5.0


class SpawnWorkers(Calling):
    """One new interpreter a call. They end with this process, also when it is killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[_Fresh] = set()
        self._closed = False
        # Workers hold the reading end, and end themselves when the last writing end closes.
        self._lifeline = os.pipe()

    @property
    def warm(self) -> bool:
        """Always: each interpreter starts as slowly as the first."""
        return True

    def start(self) -> None:
        """Nothing to make ready."""

    def warm_up(self) -> None:
        """Nothing to load: interpreters share nothing."""

    def close(self, grace: float = 2.0) -> None:
        """End every worker and start no more."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        enders = [threading.Thread(target=fresh.worker.kill, args=(grace,)) for fresh in running]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(grace + _CLOSE_SECONDS)
        for end in self._lifeline:
            os.close(end)

    def _start_worker(self, target: str, payload: Mapping[str, Any], options: Options) -> Worker:
        fresh = _Fresh(target, payload, {**options, "silent": False}, self._lifeline[0])
        with self._lock:
            if self._closed:
                fresh.worker.discard()
                raise Unavailable("The workers are closed.", hint="The server is shutting down.")
            self._running.add(fresh)
        threading.Thread(
            target=self._run, args=(fresh,), name=f"worker {target}", daemon=True
        ).start()
        return fresh.worker

    def _run(self, fresh: "_Fresh") -> None:
        try:
            fresh.run()
        finally:
            with self._lock:
                self._running.discard(fresh)


class _Fresh:
    """One interpreter."""

    def __init__(
        self, target: str, payload: Mapping[str, Any], options: Options, lifeline: int
    ) -> None:
        self.worker = Worker(target, payload, options, self._signal)
        self._options = options
        self._lifeline = lifeline
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pending_signal = 0
        self._gone = False

    def run(self) -> None:
        """Start it, talk with it, and see how it ends."""
        try:
            self._begin()
        except OSError as error:
            self.worker.ended(Exit(code=None), f"No new process: {error.strerror}.")
            self.worker.converse()
            return
        self.worker.converse(self._poll)

    def _begin(self) -> None:
        far = self.worker.channel()
        log = open_log(self._options)
        try:
            with self._lock:
                self._process = subprocess.Popen(
                    [
                        *(sys.executable, "-P", "-m", "athanor.kernel.zygote", "worker"),
                        str(far.fileno()),
                    ],
                    pass_fds=[far.fileno(), self._lifeline],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    start_new_session=self._options.get("session", True),
                    process_group=None if self._options.get("session", True) else 0,
                )
        finally:
            if log is not None:
                os.close(log)
        self.worker.began(self._process.pid)
        if self._pending_signal:
            self._signal(self._pending_signal)
        request = request_of(self.worker.target, self._options) | {"lifeline": self._lifeline}
        self.worker.greet(encode(request))

    def _environment(self) -> dict[str, str]:
        threads = str(self._options.get("threads", 1))
        own = dict(self._options.get("env") or {})
        return os.environ | {"PYTHONHASHSEED": "0"} | dict.fromkeys(THREAD_VARIABLES, threads) | own

    def _signal(self, sign: int) -> None:
        with self._lock:
            if self._process is None:
                self._pending_signal = sign
            elif not self._gone:  # its id is taken until we have waited for it
                signal_group(self._process.pid, sign)

    def _poll(self, timeout: float | None) -> bool:
        """Whether it is gone; with no timeout, wait until it is."""
        process = self._process
        if self._gone or process is None:
            return True
        flags = os.WEXITED | os.WNOWAIT | (0 if timeout is None else os.WNOHANG)
        if os.waitid(os.P_PID, process.pid, flags) is None:
            return False
        with self._lock:
            signal_group(process.pid, signal.SIGKILL)  # what it left behind
            _pid, status, usage = os.wait4(process.pid, 0)
            self._gone = True
            process.returncode = os.waitstatus_to_exitcode(status)
        self.worker.ended(Exit(**exit_record(status, usage)))
        return True
