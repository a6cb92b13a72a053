"""The process behind `python -m athanor.kernel.zygote`: a zygote, or one fresh worker."""

import socket
import sys

from athanor.kernel.zygote.forkserver import Forkserver
from athanor.kernel.zygote.running import run_fresh


def main(arguments: list[str]) -> None:
    """Arguments: "zygote", the socket's descriptor, the parent's pid, modules; or "worker", it."""
    role, descriptor, *rest = arguments
    channel = socket.socket(fileno=int(descriptor))
    channel.set_inheritable(False)
    if role == "zygote":
        Forkserver(channel, parent=int(rest[0])).run(rest[1:])
    else:
        run_fresh(channel)


main(sys.argv[1:])
