"""The plane processes: started on one listening socket, restarted when they die."""

import contextlib
import importlib.util
import logging
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import msgspec
import orjson

from athanor.serving.errors import PlaneUnreachable, PortTaken
from athanor.serving.errors.protocols import GrpcMissing
from athanor.serving.logic.doors import Doors
from athanor.serving.logic.routing import Table
from athanor.serving.plane.config import PlaneConfig
from athanor.serving.plane.http import Limits

logger = logging.getLogger(__name__)

_TELL_SECONDS = 5.0
_START_SECONDS = 20.0
_STOP_SECONDS = 15.0
_QUICK_DEATH_SECONDS = 5.0
_LONGEST_PAUSE = 5.0
_LINE = 1 << 16
_LAST_PORT = 65_535
DOORBELL = "wake.sock"
"""The name, in the planes' folder, of the socket that they ring when a request waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSettings:
    """How planes are run."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes `usual` or, where that can't be had, any free one. It stays the same until the
    server ends."""
    usual: int = 0
    """The port to try first where `port` is 0, so that a restart keeps it; 0 names none."""
    grpc_port: int = 0
    """For the Open Inference Protocol over gRPC; 0 does without."""
    processes: int = 1
    doors: Doors = field(default_factory=Doors)
    limits: Limits = field(default_factory=Limits)
    seal_bytes: int = 64 << 20
    seal_seconds: float = 300.0
    online: str = ""
    """Where online features are read, a database's URL; "" where there are none."""


class Planes:
    """All plane processes of this server."""

    def __init__(self, settings: PlaneSettings, run: Path, predictions: Path, log: Path) -> None:
        self._settings = settings
        self._run = run
        self._predictions = predictions
        self._log = log
        self._listener: socket.socket | None = None
        self._processes: list[_PlaneProcess] = []

    @property
    def url(self) -> str:
        """Where callers reach the planes, or "" before they are started."""
        if self._listener is None:
            return ""
        host, port = self._listener.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - compared
        return f"http://{shown}:{port}"

    @property
    def pids(self) -> list[int]:
        """Process ids of the planes that run."""
        return [item.pid for item in self._processes if item.pid]

    def start(self) -> None:
        """Take the port and start the processes.

        Raises: PortTaken.
        """
        self._listener = _listener_of(self._settings)
        for number in range(self._settings.processes):
            config = PlaneConfig(
                listener=self._listener.fileno(),
                control=str(self._run / f"p{number}.sock"),
                table=str(self._run / "table.json"),
                predictions=str(self._predictions),
                shadows=str(self._predictions.parent / "shadows"),
                doorbell=str(self._run / DOORBELL),
                doors=self._settings.doors,
                limits=self._settings.limits,
                seal_bytes=self._settings.seal_bytes,
                seal_seconds=self._settings.seal_seconds,
                online=self._settings.online,
                grpc=self._grpc(),
            )
            process = _PlaneProcess(config, self._run / f"p{number}.json", self._log)
            process.start()
            self._processes.append(process)

    def _grpc(self) -> str:
        """Where planes listen for gRPC, or "".

        Raises: GrpcMissing.
        """
        if not self._settings.grpc_port:
            return ""
        if importlib.util.find_spec("grpc") is None:
            raise GrpcMissing
        return f"{self._settings.host}:{self._settings.grpc_port}"

    def tend(self) -> bool:
        """Start again what died; whether anything was."""
        started = [item.tend() for item in self._processes]
        return any(started)

    def publish(self, table: Table, *, patient: bool = True) -> None:
        """Have every plane serve by this table; it holds for planes started later, too.

        A patient call waits for planes that are being started.

        Raises: PlaneUnreachable; that plane takes the table when it is started again.
        """
        path = self._run / "table.json"
        passing = path.with_suffix(".new")
        passing.write_bytes(msgspec.json.encode(table))
        passing.replace(path)
        message = {"do": "table", "table": msgspec.to_builtins(table)}
        for process in self._processes:
            process.tell(message, patient=patient)

    def ask(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """What each plane that answers says."""
        answers = []
        for process in self._processes:
            with contextlib.suppress(PlaneUnreachable):
                answers.append(process.tell(message))
        return answers

    def stop(self) -> None:
        """Let every plane answer what it has begun, and end."""
        for process in self._processes:
            process.leave()
        for process in self._processes:
            process.join()
        self._processes.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None


class _PlaneProcess:
    """One plane process, over all its lives."""

    def __init__(self, config: PlaneConfig, path: Path, log: Path) -> None:
        self._config = config
        self._path = path
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._began = 0.0
        self._pause = 0.0
        self._again_at = 0.0

    @property
    def pid(self) -> int:
        """Its process id, or 0 while it is down."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else 0

    def start(self) -> None:
        """Start it; its control socket answers a moment later."""
        Path(self._config.control).unlink(missing_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._config))
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            # Its standard input is the tie to us: it ends when we are gone.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "athanor.serving.plane", str(self._path)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[self._config.listener],
                start_new_session=True,
            )
        self._began = time.monotonic()

    def tend(self) -> bool:
        """Start it again if it died; one that dies at once is given growing pauses."""
        if self._process is None or self._process.poll() is None:
            return False
        now = time.monotonic()
        if not self._again_at:
            quick = now - self._began < _QUICK_DEATH_SECONDS
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or 0.1) if quick else 0.0
            self._again_at = now + self._pause
            logger.warning(
                "The data plane (pid %s) ended with %s; it is started again",
                self._process.pid,
                self._process.returncode,
            )
        if now < self._again_at:
            return False
        self._again_at = 0.0
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.start()
        return True

    def tell(self, message: dict[str, Any], *, patient: bool = True) -> dict[str, Any]:
        """Send one message and read the answer; a patient call waits while the process starts.

        Raises: PlaneUnreachable.
        """
        end = self._began + _START_SECONDS
        while True:
            try:
                answer = _talk(self._config.control, orjson.dumps(message) + b"\n")
            except OSError as error:
                starting = isinstance(error, FileNotFoundError | ConnectionRefusedError)
                late = not self.pid or time.monotonic() > end
                if late or not starting or not patient:
                    raise PlaneUnreachable(error.strerror or type(error).__name__) from error
                time.sleep(0.02)
            else:
                if not answer.get("ok"):
                    raise PlaneUnreachable(str(answer.get("reason")))
                return answer

    def leave(self) -> None:
        """Tell it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def join(self) -> None:
        """Wait for its end; one that hangs is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


def _talk(path: str, line: bytes) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(_TELL_SECONDS)
        channel.connect(path)
        channel.sendall(line)
        parts: list[bytes] = []
        while not parts or not parts[-1].endswith(b"\n"):
            data = channel.recv(_LINE)
            if not data:
                raise ConnectionResetError
            parts.append(data)
    answer: dict[str, Any] = orjson.loads(b"".join(parts))
    return answer


def _listener_of(settings: PlaneSettings) -> socket.socket:
    if settings.port == 0 and 0 < settings.usual <= _LAST_PORT:
        with contextlib.suppress(PortTaken):
            return _listener(settings.host, settings.usual)
        logger.warning("Port %d can't be had; the data plane takes a free one", settings.usual)
    return _listener(settings.host, settings.port)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(4096)
    except OSError as error:
        listener.close()
        raise PortTaken(host, port, error.strerror or str(error)) from error
    return listener
