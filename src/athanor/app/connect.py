"""Finds the platform: a URL, the workspace's live server, or this process."""

import atexit
import os
from pathlib import Path
from typing import Any

from athanor.app.lock import WorkspaceBusy, read_server
from athanor.client.http import HttpTransport
from athanor.kernel import AthanorError, NotFound, Transport
from athanor.kernel.reaching import TOKEN, URL
from athanor.kernel.settings import holds_workspace, load_settings

_opened: dict[str, Any] = {}


def open_transport(url: str | None = None, workspace: Path | str | None = None) -> Transport:
    """The way to the platform; one a process and place.

    In this order: `url`, `ATHANOR_URL`, the live server of the workspace, this process.
    Raises: ServerUnreachable, WorkspaceBusy, BadSetting.
    """
    chosen = url or os.environ.get(URL)
    if chosen and workspace is None:
        return _kept(chosen, lambda: HttpTransport(chosen, token=os.environ.get(TOKEN, "")))
    settings, _ = load_settings({"workspace": workspace})
    server = read_server(settings.workspace)
    if server is None:
        from athanor.app.inprocess import InProcessTransport  # noqa: PLC0415 - a server needs less

        place = str(settings.workspace)
        try:
            return _kept(place, lambda: InProcessTransport(settings))
        except WorkspaceBusy:
            server = read_server(settings.workspace)
            if server is None:
                raise
    found = server
    return _kept(found["url"], lambda: HttpTransport(found["url"], token=found.get("token", "")))


class NoWorkspace(NotFound):
    """There is nothing to read: nobody made a workspace here."""

    def __init__(self, workspace: Path) -> None:
        super().__init__(
            f"There is no workspace in {workspace.absolute()}.",
            hint="Make one: athanor up, or athanor data add NAME FILE. If it lies elsewhere: "
            "athanor --workspace FOLDER COMMAND",
        )


def open_for_reading() -> Transport:
    """The way to a platform that is there; unlike `open_transport` it makes no workspace.

    Raises: as `open_transport`, and NoWorkspace.
    """
    if not os.environ.get(URL):
        settings, _ = load_settings({})
        if not settings.database_url and not holds_workspace(settings.workspace):
            raise NoWorkspace(settings.workspace)
    return open_transport()


def answers(server: dict[str, Any]) -> bool:
    """Whether the server that wrote this about itself answers."""
    http = HttpTransport(server["url"], token=server.get("token", ""))
    try:
        http.send("GET", "/status")
    except AthanorError:
        return False
    finally:
        http.close()
    return True


def close_all() -> None:
    """Close every transport that was opened."""
    for transport in list(_opened.values()):
        transport.close()
    _opened.clear()


def _kept(place: str, make: Any) -> Transport:
    found = _opened.get(place)
    if found is None:
        if not _opened:
            atexit.register(close_all)
        found = _opened[place] = make()
    return found  # type: ignore[no-any-return]
