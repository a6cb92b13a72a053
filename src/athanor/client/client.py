"""The whole SDK: every room's client, joined over one transport."""

from athanor.kernel import Transport
from athanor.lineage.client import Runs


class Client:
    """A connection to a platform, room by room."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.runs = Runs(transport)
