"""The API of a process without a server, for the steps that it starts and for nobody else.

They reach it on loopback, by a token that they alone are told. Nothing but a listener is there
until one of them comes: most commands start none, and most steps log nothing.
"""

import asyncio
import secrets
import socket
import threading

from athanor.app.api import front_of, make_app
from athanor.app.doors import Doors
from athanor.app.house import House
from athanor.kernel.reaching import Way

_BACKLOG = 128
_GRACE_SECONDS = 2
_CLOSE_SECONDS = 5.0


class SideDoor:
    """Opens when it is first asked for."""

    def __init__(self, house: House, loop: asyncio.AbstractEventLoop) -> None:
        self._house = house
        self._loop = loop
        self._lock = threading.Lock()
        self._way: Way | None = None
        self._listener: socket.socket | None = None
        self._end = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def way(self) -> Way:
        """Where it is, and the token; from any thread."""
        with self._lock:
            if self._way is None:
                listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
                listener.setblocking(False)
                port = listener.getsockname()[1]
                self._way = Way(url=f"http://127.0.0.1:{port}", token=secrets.token_urlsafe(32))
                self._listener = listener
                self._loop.call_soon_threadsafe(self._loop.add_reader, listener, self._answer)
            return self._way

    def close(self) -> None:
        """Close it; who is inside is answered first."""
        with self._lock:
            if self._listener is not None:
                closing = asyncio.run_coroutine_threadsafe(self._close(self._listener), self._loop)
                closing.result(_CLOSE_SECONDS)

    def _answer(self) -> None:
        """Somebody is there: serve."""
        if self._listener is not None and self._way is not None:
            self._loop.remove_reader(self._listener)
            self._serving = self._loop.create_task(self._serve(self._listener, self._way.token))

    async def _serve(self, listener: socket.socket, token: str) -> None:
        import uvicorn  # noqa: PLC0415 - most commands do without it

        app = make_app(self._house, Doors(loopback=True, token=token))
        server = uvicorn.Server(
            uvicorn.Config(
                front_of(app),
                log_config=None,
                access_log=False,
                lifespan="off",
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

        async def ended() -> None:
            await self._end.wait()
            server.should_exit = True

        ending = self._loop.create_task(ended())
        await server.serve(sockets=[listener])
        ending.cancel()

    async def _close(self, listener: socket.socket) -> None:
        self._loop.remove_reader(listener)
        self._end.set()
        if self._serving is not None:
            await self._serving
        listener.close()
