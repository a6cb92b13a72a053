"""What a plane process is started with."""

from dataclasses import dataclass, field

from athanor.serving.logic.doors import Doors
from athanor.serving.plane.http import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneConfig:
    """The content of a plane's configuration file (JSON)."""

    listener: int
    """The inherited file descriptor of the listening TCP socket."""
    control: str
    """Where to listen for the server's messages: a path of a Unix socket."""
    table: str
    """The file that holds the routing table as it was last told."""
    predictions: str
    """The folder of the prediction log's segments."""
    shadows: str = ""
    """The folder where shadows' answers are written down; "" asks no shadows."""
    doorbell: str = ""
    """The datagram socket to say at that a request waits for a deployment without workers."""
    doors: Doors = field(default_factory=Doors)
    limits: Limits = field(default_factory=Limits)
    seal_bytes: int = 64 << 20
    seal_seconds: float = 300.0
    online: str = ""
    """Where online features are read, a database's URL; "" where there are none."""
    grpc: str = ""
    """Where to listen for gRPC, `host:port`; "" is nowhere."""
    format_version: int = 1
