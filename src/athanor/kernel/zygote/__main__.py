"""The process behind `python -m athanor.kernel.zygote`: a zygote, or one fresh worker."""

import socket
import sys

from athanor.kernel.zygote.forkserver import Forkserver
from athanor.kernel.zygote.running import run_fresh


def main(arguments: list[str]) -> None:
    """Arguments: "zygote" or "worker", the socket's descriptor, the parent's pid, modules ..."""
    role, descriptor, parent, *modules = arguments
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    if role == "zygote":
        Forkserver(channel, int(parent)).run(modules)
    else:
        run_fresh(channel, int(parent))


main(sys.argv[1:])
