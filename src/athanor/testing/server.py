"""Real servers for tests: `athanor up` as a process of its own, on a free port."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from athanor.app.connect import answers
from athanor.app.lock import read_server
from athanor.client import Client
from athanor.client.http import HttpTransport

_START_SECONDS = 120.0


class ServerFailed(RuntimeError):
    """The server ended before it answered; holds what it said."""


@dataclass(slots=True)
class RunningServer:
    """A server of a test's own."""

    workspace: Path
    process: subprocess.Popen[bytes]
    about: dict[str, Any]
    transports: list[HttpTransport] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The API's address."""
        return str(self.about["url"])

    @property
    def serving_url(self) -> str:
        """The data plane's address."""
        return str(self.about["serving_url"])

    def transport(self) -> HttpTransport:
        """A way to it; closed when the server ends."""
        opened = HttpTransport(self.url, token=self.about.get("token", ""))
        self.transports.append(opened)
        return opened

    def client(self) -> Client:
        """The SDK over it."""
        return Client(self.transport())

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._hang_up()
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = 30.0) -> int:
        """End it as an operator would: SIGTERM; its exit code."""
        self._hang_up()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def _hang_up(self) -> None:
        for transport in self.transports:
            transport.close()
        self.transports.clear()


def start_server(
    workspace: Path, *flags: str, env: Mapping[str, str] | None = None
) -> RunningServer:
    """Start a server on a workspace and wait until it answers.

    Raises: ServerFailed.
    """
    workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = workspace.with_name(f"{workspace.name}.log")
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "athanor.app.cli", "up", "--port", "0"),
                *("--workspace", str(workspace), *flags),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=os.environ | {"PYTHONFAULTHANDLER": "1"} | dict(env or {}),
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        about = read_server(workspace)
        if about is not None and about.get("pid") == process.pid and answers(about):
            return RunningServer(workspace, process, about)
        if process.poll() is not None:
            raise ServerFailed(log.read_text("utf-8", "replace"))
        time.sleep(0.05)
    process.kill()
    raise ServerFailed(f"no answer within {_START_SECONDS:.0f} s: {log.read_text()[-3000:]}")


@contextmanager
def running_server(
    workspace: Path, *flags: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """A server that ends with the block."""
    server = start_server(workspace, *flags, env=env)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                server.kill()
