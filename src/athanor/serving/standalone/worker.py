"""The process of a native model: loads the folder's model and answers at a Unix socket.

A user's own Python around no model needs no library but its own: what loads models is named here,
and not imported.
"""

import importlib
import os
import signal
import sys
import threading
from pathlib import Path

from athanor.registry import UnsafeModel
from athanor.serving.runtimes import python
from athanor.serving.runtimes.serving import serve


def main(folder: Path, path: str, *, pickles: bool) -> None:
    """Answer until the server that started this process is gone, or says so.

    Raises: BadModelFolder, UnsafeModel, CodeFailed.
    """
    threading.Thread(target=_leave_with_parent, name="parent", daemon=True).start()
    Path(path).unlink(missing_ok=True)
    model = folder / "model"
    if not python.is_code(model) or (model / python.INNER).is_dir():
        native = importlib.import_module("athanor.serving.runtimes.native")
        native.main(str(model), path, pickles=pickles)
        return
    if not pickles and not python.is_recipe(model):
        raise UnsafeModel(model.name, ["a user's own Python"])
    serve(python.load(model), path)


def _leave_with_parent() -> None:
    """Standard input is a pipe of the server's: it ends with it, however that ends."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
