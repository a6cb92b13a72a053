"""Where the planes say that a request waits for a deployment without workers."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

_LONGEST = 256


class Doorbell:
    """A datagram socket that the planes ring with a deployment's id."""

    def __init__(self, path: Path, rung: Callable[[str], None]) -> None:
        self.path = path
        self._rung = rung
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, on a thread of its own."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._listen, name="serving-wake", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._socket is None or self._thread is None:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()
        self._socket = None

    def _listen(self) -> None:
        heard = self._socket
        while heard is not None:
            said = heard.recv(_LONGEST)
            if not said:
                return
            self._rung(said.decode("ascii", "replace"))
