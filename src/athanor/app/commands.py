"""`athanor up`, `down`, `status`, `settings`, `event`: the server itself."""

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from athanor.app.connect import answers
from athanor.app.lock import is_alive, read_server
from athanor.kernel import NotFound, Unavailable
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.settings import load_settings

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0

Workspace = Annotated[
    Path | None, typer.Option(help="The folder that holds everything. [default: .athanor]")
]


class NoServer(NotFound):
    """The workspace has no live server."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(
            f"No server runs on the workspace {workspace}.", hint="Start one: athanor up"
        )


class DidNotStart(Unavailable):
    """The server that was started in the background did not come up."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The server did not start: {said.strip() or 'it said nothing'}",
            hint="Start it in the foreground to see why: athanor up",
        )


def up(
    *,
    port: Annotated[int | None, typer.Option(help="The API's port; 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="The address; others want a token.")] = None,
    shared_host: Annotated[
        bool | None, typer.Option("--shared-host", help="Demand a token of everybody here.")
    ] = None,
    workspace: Workspace = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Serve in the background.")
    ] = False,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
) -> None:
    """Serve a workspace: API, studio, pipelines and endpoints, until Ctrl-C."""
    flags = {
        "port": port,
        "host": host,
        "shared_host": shared_host,
        "workspace": workspace,
        "log_level": log_level,
    }
    settings, _ = load_settings(flags)
    if detach:
        _start_behind(settings.workspace, flags)
        return
    # Thousands of classes are made at the start, and none of them is garbage.
    gc.disable()
    from athanor.app.server import serve  # noqa: PLC0415 - the server alone needs it

    serve(settings)


def _start_behind(workspace: Path, flags: dict[str, Any]) -> None:
    running = read_server(workspace)
    if running is not None:
        say(f"Already serving {workspace} at {running['url']}")
        return
    workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = workspace / "logs" / "start.log"
    log.parent.mkdir(exist_ok=True)
    arguments = ["--shared-host"] if flags["shared_host"] else []
    for name in ("port", "host", "log_level"):
        if flags[name] is not None:
            arguments += [f"--{name.replace('_', '-')}", str(flags[name])]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "athanor.app.cli",
                "up",
                "--workspace",
                str(workspace),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        server = read_server(workspace)
        if server is not None and server["pid"] == process.pid and answers(server):
            say(f"Serving {workspace} at {server['url']}")
            say(f"Stop: athanor down --workspace {workspace}")
            return
        if process.poll() is not None:
            raise DidNotStart(log.read_text("utf-8", "replace")[-2000:])
        time.sleep(0.05)
    raise DidNotStart(f"no answer within {_START_SECONDS:.0f} s; see {log}")


def down(*, workspace: Workspace = None) -> None:
    """End the workspace's server and everything that it started."""
    settings, _ = load_settings({"workspace": workspace})
    server = read_server(settings.workspace)
    if server is None:
        raise NoServer(settings.workspace)
    pid = server["pid"]
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        if not is_alive(pid):
            say(f"Stopped the server of {settings.workspace}")
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    say(f"The server did not end within {_STOP_SECONDS:.0f} s and was killed; nothing is lost.")


def status(*, json: Json = False) -> None:
    """Print what there is, and whether it is well."""
    found = transport().send("GET", "/status").json()
    if json:
        emit(found)
        return
    say(f"Athanor {found['version']} on {found['workspace']}")
    table(("what", "how many"), list(found["counts"].items()), right=("how many",))


def settings(*, workspace: Workspace = None, json: Json = False) -> None:
    """Print every setting with its value and where it comes from."""
    _, sourced = load_settings({"workspace": workspace})
    if json:
        emit(sourced)
        return
    table(
        ("setting", "value", "source", "what it is"),
        [(item.name, item.value, item.source, item.description) for item in sourced],
    )


def events(
    *,
    after: Annotated[int, typer.Option(help="Only events behind this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    json: Json = False,
) -> None:
    """Print what happened, oldest first."""
    found = transport().send("GET", "/events", query={"after": after, "limit": limit}).json()
    if json:
        emit(found)
        return
    table(
        ("number", "at", "who", "what", "to which"),
        [(e["seq"], e["at"][:19], e["actor"], e["action"], e["subject"]) for e in found],
    )
