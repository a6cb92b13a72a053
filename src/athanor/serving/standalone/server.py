"""Serves the model of one folder, with the data plane's own protocol, parser and checks."""

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import uvloop

from athanor.serving.logic.doors import Doors
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.plane.app import Plane
from athanor.serving.plane.exchange import Exchange
from athanor.serving.plane.http import Connection, Limits, Request
from athanor.serving.plane.log import PredictionLog
from athanor.serving.standalone.settings import DESCRIPTION, Bundle, Settings, settings_of
from athanor.serving.types.recording import LogPolicy

logger = logging.getLogger(__name__)

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LEAVING_SECONDS = 10.0
_QUICK_DEATH_SECONDS = 5.0
_LONGEST_PAUSE = 10.0
_TICK_SECONDS = 0.2


def main(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Serve the folder until told to leave (SIGTERM, SIGINT)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    bundle = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Bundle)
    settings = settings_of(bundle, arguments, environment)
    with tempfile.TemporaryDirectory(prefix="athanor-standalone-") as run_folder:
        uvloop.run(_serve(folder, Path(run_folder), bundle, settings))


class _Plane(Plane):
    """The data plane, with the host's addresses beside its own."""

    aliases: Mapping[str, str] = {}

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, now or when the model has answered.

        Raises: AthanorError.
        """
        path, mark, query = request.path.partition("?")
        known = self.aliases.get(path)
        if known is not None:
            request.path = f"{known}{mark}{query}"
        super().handle(request, exchange)


async def _serve(folder: Path, run_folder: Path, bundle: Bundle, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    listener = _listener(settings)
    log = PredictionLog(Path(settings.predictions) if settings.predictions else run_folder / "log")
    loopback = settings.host in _LOOPBACK
    doors = Doors(loopback=loopback, tokens=(settings.token,) if settings.token else ())
    plane = _Plane(Limits(body_bytes=settings.body_bytes), doors, log)
    plane.aliases = settings.aliases
    native = bundle.runtime == "native"
    sockets = [str(run_folder / f"{place}.sock") for place in range(settings.workers)]
    workers = [_Worker(folder, path, pickles=bundle.pickles) for path in sockets if native]
    for worker in workers:
        worker.tend()
    plane.apply(_table(folder, bundle, sockets if native else [], logs=bool(settings.predictions)))
    leaving = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    server = await loop.create_server(lambda: Connection(plane), sock=listener, backlog=4096)
    host, port = listener.getsockname()[:2]
    logger.info(
        "%s@%d answers at http://%s:%d/endpoints/%s/predict (%s)",
        bundle.model, bundle.version, host, port, bundle.endpoint, bundle.runtime,
    )  # fmt: skip
    tended = loop.time()
    while not leaving.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), _TICK_SECONDS)
        for worker in workers:
            worker.tend()
        if loop.time() - tended > 1.0:
            tended = loop.time()
            plane.tend()
    server.close()
    await _drained(plane)
    await log.seal()
    for worker in workers:
        worker.end()


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        sys.exit(f"Can't listen at {settings.host} port {settings.port}: {error.strerror}.")
    return listener


def _table(folder: Path, bundle: Bundle, sockets: list[str], *, logs: bool) -> Table:
    runtime = {} if sockets else {"kind": bundle.runtime, "folder": str(folder / "runtime")}
    target = Target(
        id=bundle.deployment,
        number=bundle.number,
        model=bundle.model,
        version=bundle.version,
        weight=1.0,
        sockets=sockets,
        signature=bundle.signature,
        runtime=runtime,
    )
    policy = LogPolicy() if logs else LogPolicy(sample=0.0)
    route = Route(name=bundle.endpoint, targets=[target], key=bundle.key, log=policy)
    return Table(revision=1, routes=[route])


async def _drained(plane: Plane) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + _LEAVING_SECONDS
    for connection in list(plane.connections):
        connection.finish()
    while loop.time() < end and (plane.in_flight() or any(c.busy for c in plane.connections)):
        plane.log.flush()
        await asyncio.sleep(0.01)


class _Worker:
    """A process that loads the model with its own library; started again when it dies."""

    def __init__(self, folder: Path, path: str, *, pickles: bool) -> None:
        self._command = [
            sys.executable,
            str(folder / "serve.py"),
            "--worker",
            path,
            *(["--pickles"] if pickles else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._pause = 0.0
        self._again_at = 0.0

    def tend(self) -> None:
        """Start it, if it does not run; one that dies at once is given growing pauses."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                return
            logger.error("The model's worker ended with status %s", self._process.returncode)
            quick = now - self._began < _QUICK_DEATH_SECONDS
            self._pause = min(_LONGEST_PAUSE, self._pause * 2 or 0.1) if quick else 0.0
            self._again_at = now + self._pause
            self._process = None
        if now >= self._again_at:
            self._began = now
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE)

    def end(self) -> None:
        """End it; waits."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_LEAVING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
