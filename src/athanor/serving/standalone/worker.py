"""The process of a native model: loads the folder's model and answers at a Unix socket."""

import os
import signal
import sys
import threading
from pathlib import Path

from athanor.serving.runtimes import native


def main(folder: Path, path: str, *, pickles: bool) -> None:
    """Answer until the server that started this process is gone, or says so.

    Raises: BadModelFolder, UnsafeModel.
    """
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    Path(path).unlink(missing_ok=True)
    native.main(str(folder / "model"), path, pickles=pickles)


def _leave_with_parent() -> None:
    """Standard input is a pipe of the server's: it ends with it, however that ends."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
