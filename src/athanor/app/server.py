"""`athanor up`: one process that serves the API and supervises the others."""

import contextlib
import errno
import gc
import logging
import os
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import uvicorn

from athanor.app.api import front_of, make_app
from athanor.app.asking import workspace_served_at
from athanor.app.doors import Doors, is_loopback
from athanor.app.house import House
from athanor.app.lock import SERVER_FILE, WorkspaceLock, write_server
from athanor.app.logs import start_logging
from athanor.app.short_way import short_way_of
from athanor.kernel import Conflict
from athanor.kernel.reaching import Way
from athanor.kernel.settings import Settings

_log = logging.getLogger("athanor.server")

_BACKLOG = 2048
_GRACE_SECONDS = 5
_SWITCH_SECONDS = 0.001
"""How long a thread computes while others wait: requests pass through several, and Python's 5 ms
would be a good part of their time."""


class PortInUse(Conflict):
    """Another program listens there."""

    def __init__(self, host: str, port: int, reason: str, *, workspace: str = "") -> None:
        said, hint = f"Can't listen on {host}:{port}: {reason}.", "Choose another port, or"
        if workspace:
            said = f"{said} Another Athanor listens there; it serves {workspace}."
            hint = f"End that one: athanor down --workspace {shlex.quote(workspace)}. {hint}"
        super().__init__(said, hint=f"{hint} let one be found: athanor up --port 0")


def serve(settings: Settings) -> None:
    """Serve a workspace until SIGTERM or SIGINT.

    Raises: WorkspaceBusy, PortInUse, NoTokenChosen, SchemaTooNew, DatabaseUnavailable.
    """
    demanded = settings.shared_host or bool(settings.token)
    token = settings.token or (secrets.token_urlsafe(32) if is_loopback(settings.host) else "")
    doors = Doors.for_host(settings.host, token=token, demanded=demanded)
    lock = WorkspaceLock(settings.workspace, "a server").take()
    try:
        listener = _listen(settings.host, settings.port)
        sys.setswitchinterval(_SWITCH_SECONDS)
        start_logging(settings.log_level, settings.workspace / "logs")
        house = House.open(settings, serving=True, token=doors.token)
        try:
            _run(house, doors, listener, token)
        finally:
            house.close()
    finally:
        with contextlib.suppress(OSError):
            (settings.workspace / SERVER_FILE).unlink(missing_ok=True)
        lock.release()


def _run(house: House, doors: Doors, listener: socket.socket, token: str) -> None:
    settings = house.settings
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    house.way = lambda: Way(url=url, token=token)
    app = make_app(house, doors)
    server = _Server(
        uvicorn.Config(
            front_of(app),
            http=short_way_of(app),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            backlog=_BACKLOG,
        ),
        on_stop=house.live.close,
    )
    house.start()
    # What is there now stays: the collector looks at requests' own things alone, and seldom, as
    # an answer may hold tens of thousands of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    write_server(
        settings.workspace,
        {
            "url": url,
            "serving_url": house.serving_url(),
            "token": token,
            "pid": os.getpid(),
            "started": datetime.now(UTC).isoformat(),
            "version": house.version,
        },
    )
    _log.info("serving %s from %s", url, settings.workspace)
    _greet(url, settings)
    server.run(sockets=[listener])


def _greet(url: str, settings: Settings) -> None:
    if sys.stdout.isatty() or os.environ.get("ATHANOR_GREET"):
        print(f"Athanor serves {settings.workspace} at {url}  (stop: Ctrl-C)", flush=True)


class _Server(uvicorn.Server):
    """uvicorn, which ends the live streams first so that they do not hold it up."""

    def __init__(self, config: uvicorn.Config, *, on_stop: Any) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._on_stop()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT; do not raise them again once served."""
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise PortInUse(
            host,
            port,
            error.strerror or str(error),
            workspace=workspace_served_at(host, port) if error.errno == errno.EADDRINUSE else "",
        ) from error
    listener.set_inheritable(False)
    return listener
