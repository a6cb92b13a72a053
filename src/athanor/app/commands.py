"""`athanor up`, `down`, `status`, `settings`, `event`: the server itself."""

import gc
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer

from athanor.app.asking import told_at
from athanor.app.connect import answers
from athanor.app.lock import is_alive, read_server
from athanor.kernel import NotFound, Unavailable
from athanor.kernel.console import Json, emit, say, table, transport
from athanor.kernel.settings import load_settings
from athanor.kernel.sought import Sought

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.5
_COUNTED = {"pipelines": "pipeline runs"}
"""What is counted under a name that says less."""
_DETAIL = 120
"""Characters of an event's detail that are printed."""

Workspace = Annotated[
    Path | None, typer.Option(help="The folder that holds everything.", show_default=".athanor")
]


class NoServer(NotFound):
    """The workspace has no live server."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(
            f"No server runs on the workspace {workspace}.",
            hint=f"Start one: athanor up --workspace {shlex.quote(str(workspace))}",
        )


class DidNotStart(Unavailable):
    """The server that was started in the background did not come up."""

    def __init__(self, said: str) -> None:
        # It ends with what it told on its standard error: the error, and below it what to do.
        _, error, told = said.strip().rpartition("Error: ")
        reason, _, hint = told.partition("\n") if error else (said.strip(), "", "")
        super().__init__(
            f"The server did not start: {reason or 'it said nothing'}",
            hint=hint.strip() or "Start it in the foreground to see why: athanor up",
        )


def up(
    *,
    port: Annotated[
        int | None, typer.Option(help="The API's port; 0 takes a free one.", show_default="8700")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address; others want a token.", show_default="127.0.0.1")
    ] = None,
    shared_host: Annotated[
        bool | None, typer.Option("--shared-host", help="Demand a token of everybody here.")
    ] = None,
    workspace: Workspace = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Serve in the background.")
    ] = False,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning, error.", show_default="info")
    ] = None,
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
    try:
        _wait_for(process, workspace, log)
    except KeyboardInterrupt:
        process.terminate()
        raise


def _wait_for(process: "subprocess.Popen[bytes]", workspace: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        server = read_server(workspace)
        if server is not None and server["pid"] == process.pid and answers(server):
            say(f"Serving {workspace} at {server['url']}")
            say(f"Stop: athanor down --workspace {shlex.quote(str(workspace))}")
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
    """Print whether a server runs, how it is, and what there is."""
    way = transport()
    # A transport over HTTP has an address; without one, the app answered in this process.
    url = str(getattr(way, "url", ""))
    ready = told_at(f"{url}/readyz") if url else {}
    found = way.send("GET", "/status").json()
    if json:
        emit(found | {"url": url, "ready": ready.get("status") == "ready"})
        return
    say(f"Athanor {found['version']} on {found['workspace']}")
    if not url:
        place = shlex.quote(found["workspace"])
        say(
            "No server runs here, so that endpoints and triggers rest. Start one: "
            f"athanor up --workspace {place}"
        )
    else:
        warm = "warm" if found["pool_warm"] else "not yet warm: first steps take longer"
        state = ready.get("status") or "no answer whether it is ready"
        why = f" ({ready['reason']})" if ready.get("reason") else ""
        say(f"Server: {url}, {state}{why}; its pool of workers is {warm}")
        if found["serving_url"]:
            say(f"Endpoints: {found['serving_url']}")
    counts = [(_COUNTED.get(name, name), count) for name, count in found["counts"].items()]
    table(("what", "how many"), counts, right=("how many",))


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
    action: Annotated[
        str, typer.Option(help="Only of this action, or what it begins with: registry.alias")
    ] = "",
    subject: Annotated[
        str, typer.Option(help="Only of this thing: a model with its versions, a dataset, a run.")
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on printing what happens, until Ctrl-C.")
    ] = False,
    after: Annotated[
        int | None, typer.Option(help="The events behind this number instead of the last ones.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """Print what happened last, the newest at the end."""
    sought = Sought(action=action, subject=subject)
    if after is None:
        query = {"latest": "true", "limit": limit, "action": action, "subject": subject}
        found = _events(query, sought)
    else:
        found = _events({"after": after, "limit": limit}, sought)
    if json:
        emit(found)
    elif not found and not follow:
        say("Nothing yet.")
    else:
        for event in found:
            say(_line(event))
    if follow:
        _follow(sought, _newest() if not found else found[-1]["seq"], json=json)


def _follow(sought: Sought, seen: int, *, json: bool) -> None:
    """Print events behind a number as they come."""
    while True:
        fresh = _events({"after": seen, "limit": 1000}, Sought())
        for event in fresh:
            if not sought.fits(event["action"], event["subject"]):
                continue
            if json:
                emit(event)
            else:
                say(_line(event))
        if fresh:
            seen = fresh[-1]["seq"]
        else:
            time.sleep(_LOOK_SECONDS)


def _newest() -> int:
    return next((e["seq"] for e in _events({"latest": "true", "limit": 1}, Sought())), 0)


def _events(query: dict[str, Any], sought: Sought) -> list[dict[str, Any]]:
    found = transport().send("GET", "/events", query=query).json()
    return [event for event in found if sought.fits(event["action"], event["subject"])]


def _line(event: dict[str, Any]) -> str:
    """An event as it is printed: its number, when, who, what, to which, and the detail."""
    told = (event["at"][:19].replace("T", " "), event["actor"], event["action"], event["subject"])
    return "  ".join((f"{event['seq']:>6}", *told, detail_of(event))).rstrip()


def detail_of(event: dict[str, Any]) -> str:
    """What an event tells beside, in a line: why, or else what is plain in it."""
    told = event["detail"]
    if reason := told.get("reason"):
        text = f"{reason} (run {told['run']})" if told.get("run") else str(reason)
    else:
        text = ", ".join(
            f"{key}={value}"
            for key, value in told.items()
            if isinstance(value, (str, int, float)) and str(value) not in {"", event["subject"]}
        )
    return shorten(text, _DETAIL, placeholder=" ...")
