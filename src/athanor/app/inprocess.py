"""Straight into the app in this process: the transport of clients that have no server.

One code path: the same routes and services answer as in a server. The house runs its own events
and jobs while the transport is open, under the workspace's lock.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import IO

import httpx

from athanor.app.api import make_app
from athanor.app.doors import Doors
from athanor.app.house import House
from athanor.app.lock import WorkspaceLock
from athanor.app.side_door import SideDoor
from athanor.client.http import asked, encoded, told
from athanor.kernel import Answer
from athanor.kernel.settings import Settings
from athanor.kernel.transport import PREFIX

_CHUNK = 1 << 20


class InProcessTransport:
    """Calls the ASGI app; open it once a process and workspace."""

    ends_with_process = True
    """What is begun through it stands still once this process has ended."""

    def __init__(self, settings: Settings) -> None:
        self._lock = WorkspaceLock(settings.workspace, "a command without a server").take()
        try:
            self._house = House.open(settings, serving=False)
            self._house.start()
        except BaseException:
            self._lock.release()
            raise
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="app", daemon=True)
        self._thread.start()
        self._side_door = SideDoor(self._house, self._loop)
        self._house.way = self._side_door.way
        app = make_app(self._house, Doors(loopback=True, token=""))
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://localhost",
            timeout=httpx.Timeout(None),
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        content: bytes | Path | None = None,
    ) -> Answer:
        """Send one request.

        Raises: the AthanorError that the app told.
        """
        data, headers = encoded(body, content)
        sent = self._client.request(
            method,
            PREFIX + path,
            params=asked(query),
            content=data if data is None or isinstance(data, bytes) else _chunks(data),
            headers=headers,
        )
        answer = asyncio.run_coroutine_threadsafe(sent, self._loop).result()
        return told(answer.status_code, dict(answer.headers), answer.content)

    def stream(self, path: str, *, query: Mapping[str, object] | None = None) -> Iterator[bytes]:
        """The body of a GET; it comes whole, as there is no network between."""
        yield self.send("GET", path, query=query).content

    def close(self) -> None:
        """Stop the house and let the workspace go."""
        asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result()
        self._side_door.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._house.close()
        self._lock.release()


async def _chunks(source: IO[bytes]) -> AsyncIterator[bytes]:
    with source:
        while chunk := source.read(_CHUNK):
            yield chunk
