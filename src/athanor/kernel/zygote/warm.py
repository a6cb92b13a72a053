"""Workers that are forks of a zygote."""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from athanor.kernel.errors import Unavailable
from athanor.kernel.ids import new_id
from athanor.kernel.workers import Exit, Options
from athanor.kernel.zygote.frames import Reader, encode, send
from athanor.kernel.zygote.handle import Calling, Worker, encoded, open_log, request_of
from athanor.kernel.zygote.running import THREAD_VARIABLES

_log = logging.getLogger(__name__)
_START_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_MAX_BACK_OFF_SECONDS = 10.0

_ZYGOTE_ENVIRONMENT = {
    **dict.fromkeys(THREAD_VARIABLES, "1"),
    # Arrow's jemalloc starts a thread at import, and a fork must find one thread only.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # Equal work gives equal digests, so sets of strings have one order in every worker.
    "PYTHONHASHSEED": "0",
}


class ZygoteWorkers(Calling):
    """Forks of one warm process, which is started again whenever it dies.

    The zygote and its workers end with this process, also when it is killed.
    """

    def __init__(self, preload: Sequence[str] = (), *, ahead: bool = True) -> None:
        self._preload = tuple(preload)
        self._ahead = ahead
        self._state = threading.Condition()
        self._sending = threading.Lock()
        self._workers: dict[str, Worker] = {}
        self._link: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None
        self._light: ZygoteWorkers | None = None
        """Forks of a zygote that has loaded next to nothing; made when it is first asked for."""
        self._warm = False
        self._closed = False

    @property
    def warm(self) -> bool:
        """Whether the zygote has loaded its modules."""
        return self._warm

    @property
    def zygote_pid(self) -> int | None:
        """The zygote's process id while it runs."""
        return self._zygote.pid if self._zygote and self._link else None

    def start(self) -> None:
        """Start the zygote, if it was not yet; it loads its modules behind us."""
        with self._state:
            if self._closed:
                raise Unavailable("The workers are closed.", hint="The server is shutting down.")
            if self._keeper is None:
                # Linux ends a process with the *thread* that started it (PR_SET_PDEATHSIG), so one
                # thread that lives as long as we do starts every zygote.
                self._keeper = threading.Thread(target=self._keep, name="zygote", daemon=True)
                self._keeper.start()

    def warm_up(self) -> None:
        """Load the modules, if that was left until it is worth it; the next worker waits for it."""
        with self._sending:
            if self._ahead:
                return
            self._ahead = True
            if self._link is not None:
                with contextlib.suppress(OSError):  # one that died loads them at its next start
                    send(self._link, encode({"load": self._preload}))

    def close(self, grace: float = 2.0) -> None:
        """End every worker, then the zygote; start no more."""
        with self._state:
            self._closed = True
            self._state.notify_all()
            workers = list(self._workers.values())
            keeper, light = self._keeper, self._light
        if light is not None:
            light.close(grace)
        enders = [threading.Thread(target=worker.kill, args=(grace,)) for worker in workers]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(grace + _CLOSE_SECONDS)
        with self._sending:
            if self._link:
                with contextlib.suppress(OSError):
                    self._link.shutdown(socket.SHUT_RDWR)
        if keeper:
            keeper.join(_CLOSE_SECONDS)

    def _start_worker(self, target: str, payload: Mapping[str, Any], options: Options) -> Worker:
        if options.get("light"):
            heavy: Options = {**options, "light": False}
            return self._lighter(target).spawn(target, payload, **heavy)
        self.start()
        number = new_id()
        log = open_log(options)
        try:
            worker = Worker(target, payload, options, lambda sign: self._signal(number, sign))
            ends = [] if worker.silent else [worker.channel().fileno()]
            fds = ends if log is None else [*ends, log]
            request = request_of(target, options) | {"id": number, "fd_count": len(fds)}
            if worker.silent:
                request["payload"] = payload
            frame = encoded(request, target)
            try:
                self._register(number, worker)
            except Unavailable:
                worker.discard()
                raise
            try:
                with self._sending:
                    if self._link is None:
                        raise BrokenPipeError
                    send(self._link, frame, fds)
            except OSError:
                worker.lost("The zygote died before it could start it.")
        finally:
            if log is not None:
                os.close(log)
        if not worker.silent:
            threading.Thread(
                target=self._converse, args=(number, worker), name=f"worker {target}", daemon=True
            ).start()
        return worker

    def _lighter(self, target: str) -> "ZygoteWorkers":
        with self._state:
            if self._light is None and not self._closed:
                self._light = ZygoteWorkers((target.partition(":")[0],))
            return self._light or self

    def _register(self, number: str, worker: Worker) -> None:
        with self._state:
            self._state.wait_for(lambda: self._link or self._closed, _START_SECONDS)
            if self._closed or self._link is None:
                raise Unavailable("No worker can be started.", hint="The server's log says why.")
            self._workers[number] = worker

    def _converse(self, number: str, worker: Worker) -> None:
        try:
            worker.converse()
        finally:
            self._strike_off(number)

    def _strike_off(self, number: str) -> None:
        with self._state:
            self._workers.pop(number, None)

    def _signal(self, number: str, sign: int) -> None:
        """Through the zygote, which alone knows that the process id is still this worker's."""
        with self._sending, contextlib.suppress(OSError):
            if self._link:
                send(self._link, encode({"kill": number, "signal": int(sign)}))

    # The keeper's thread.

    def _keep(self) -> None:
        failures = 0
        while not self._closed:
            try:
                was_warm = self._run_zygote()
            except OSError:
                _log.exception("the zygote could not be started")
                was_warm = False
            failures = 0 if was_warm else failures + 1
            if not self._closed:
                _log.warning("the zygote died; starting another")
            if failures:
                with self._state:
                    pause = min(0.25 * 2**failures, _MAX_BACK_OFF_SECONDS)
                    self._state.wait_for(lambda: self._closed, pause)

    def _run_zygote(self) -> bool:
        """Start a zygote and hear it until it ends; says whether it got warm."""
        near, far = socket.socketpair()
        ahead = self._ahead
        with far:
            zygote = self._zygote = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "athanor.kernel.zygote", "zygote"),
                    *(str(far.fileno()), str(os.getpid()), *(self._preload if ahead else ())),
                ],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | _ZYGOTE_ENVIRONMENT,
                start_new_session=True,
            )
        with self._sending, self._state:
            self._link = near
            self._state.notify_all()
            if self._ahead and not ahead:
                send(near, encode({"load": self._preload}))
        reader = Reader(near)
        while (message := reader.next()) is not None:
            self._hear(message)
        was_warm, self._warm = self._warm, False
        with self._sending:
            self._link = None
            near.close()
        try:
            zygote.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            zygote.kill()
            zygote.wait()
        with self._state:
            lost = list(self._workers.items())
        for number, worker in lost:
            worker.lost("The zygote, its parent, died.")
            if worker.silent:
                self._strike_off(number)
        return was_warm

    def _hear(self, message: dict[str, Any]) -> None:
        if "warm" in message:
            if message["failed"]:
                _log.error("the zygote could not load %s", ", ".join(message["failed"]))
            self._warm = True
            return
        with self._state:
            worker = self._workers.get(message["id"])
        if worker is None:
            return
        if "pid" in message:
            worker.began(message["pid"])
            if "exit" not in message:
                return
        if worker.silent:
            self._strike_off(message["id"])
        if "exit" in message:
            worker.ended(Exit(**message["exit"]))
        else:
            worker.ended(Exit(code=None), message["refused"])
