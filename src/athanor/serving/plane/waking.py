"""The plane's side of waking: it tells the server which deployment a request waits for."""

import contextlib
import socket
import time

_AGAIN_SECONDS = 0.1


class Bell:
    """Rings the server's doorbell; without one nothing happens."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rung: dict[str, float] = {}
        self._socket: socket.socket | None = None

    def ring(self, deployment: str) -> None:
        """Say that a request waits for this deployment; at most ten times a second."""
        now = time.monotonic()
        if not self._path or now - self._rung.get(deployment, 0.0) < _AGAIN_SECONDS:
            return
        self._rung[deployment] = now
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        # A server that is away finds the request waiting when it is back: it is rung again.
        with contextlib.suppress(OSError):
            self._socket.sendto(deployment.encode("ascii"), self._path)

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
