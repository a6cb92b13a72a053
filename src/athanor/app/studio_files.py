"""Serve the built studio: its files, its deep links, and the headers that fence it in.

The studio is built from ``web/`` into the folder ``studio/`` beside this module (see
``web/build.py``). Its router lives in the browser, so every path that no other route knows is
answered with the one page, except under ``/api/``, where an unknown path stays a 404.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

BUILT: Final = Path(__file__).with_name("studio")
"""Where the build puts the studio; not under version control, but in the wheel."""

_RESERVED: Final = ("/api/", "/ajax-api/", "/openapi.json", "/healthz", "/readyz", "/metrics")
_HASHED: Final = "assets/"
_YEAR: Final = 365 * 24 * 3600
_FENCE: Final = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; object-src 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Athanor</title></head>
<body>
<h1>The studio is not built</h1>
<p>This installation runs from a source tree whose web page was not built yet.
The API, the command line and the Python client work without it.</p>
<p>Build it with <code>make studio</code> (or <code>python web/build.py</code>),
then load this page again. Packages from an index come with it built.</p>
</body>
</html>
"""


def mount_studio(app: Starlette, folder: Path = BUILT) -> None:
    """Answer with the studio whatever no route before this call answers.

    Call it last: routes are tried in the order in which they were added. The folder is looked at
    on each request, so that a build made while the server runs is seen.
    """
    app.router.routes.append(StudioRoute(folder))


class StudioRoute(BaseRoute):
    """The route behind all others: a file of the build, or the one page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take reads outside the API; leave the rest to the router's own 404 and 405."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return Match.NONE, {}
        if scope["path"].startswith(_RESERVED):
            return Match.NONE, {}
        return Match.FULL, {"endpoint": self}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, the page, a 404 for a missing asset, or how to build the studio."""
        response = self._response(scope["path"].lstrip("/"), Headers(scope=scope))
        for name, value in _FENCE.items():
            response.headers.setdefault(name, value)
        await response(scope, receive, send)

    def _response(self, path: str, asked: Headers) -> Response:
        page = self._folder / "index.html"
        if not page.is_file():
            return HTMLResponse(_NOT_BUILT, status_code=503, headers={"cache-control": "no-store"})
        file = self._file(path)
        if file is not None:
            return _file_response(file, asked, hashed=path.startswith(_HASHED))
        if path.startswith(_HASHED) or PurePosixPath(path).suffix in {".js", ".css", ".map"}:
            return PlainTextResponse("Not found\n", status_code=404)
        return _file_response(page, asked, hashed=False)

    def _file(self, path: str) -> Path | None:
        """Find the built file at a path, never one outside the folder or a hidden one."""
        parts = PurePosixPath(path).parts
        if not parts or any(part.startswith(".") for part in parts) or "\0" in path:
            return None
        file = (self._folder / Path(*parts)).resolve()
        return file if file.is_relative_to(self._folder) and file.is_file() else None


def _file_response(file: Path, asked: Headers, *, hashed: bool) -> Response:
    """Answer a file, in its compressed twin where the build made one and the client takes it."""
    headers = {
        "cache-control": f"public, max-age={_YEAR}, immutable" if hashed else "no-cache",
        "vary": "accept-encoding",
    }
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    twin = file.with_name(file.name + ".gz")
    if "gzip" in asked.get("accept-encoding", "") and twin.is_file():
        headers["content-encoding"] = "gzip"
        return FileResponse(twin, media_type=media_type, headers=headers)
    return FileResponse(file, media_type=media_type, headers=headers)
