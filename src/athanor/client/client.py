"""The whole SDK: every room's client, joined over one transport."""

from athanor.kernel import Transport
from athanor.lineage.client import Runs
from athanor.tracking.client import TrackingClient


class Client:
    """A connection to a platform, room by room."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.runs = Runs(transport)
        self.tracking = TrackingClient(transport)
