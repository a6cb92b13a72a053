"""`python -m athanor.serving.plane CONFIG`: one plane process, started by the server.

It serves on a listening socket that it inherits, so that while it is restarted callers wait in the
socket's queue instead of being refused. When its standard input ends, its server is gone: it
answers what it has begun and leaves.
"""

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from athanor.serving.logic.routing import Table
from athanor.serving.plane.app import Plane
from athanor.serving.plane.config import PlaneConfig
from athanor.serving.plane.control import Control
from athanor.serving.plane.enrich import Enrichments
from athanor.serving.plane.http import Connection
from athanor.serving.plane.log import PredictionLog
from athanor.serving.plane.shadows import Shadows
from athanor.serving.plane.waking import Bell

_LEAVING_SECONDS = 10.0


def prepared(config: PlaneConfig) -> tuple[Plane, PredictionLog]:
    """The plane and its log."""
    log = PredictionLog(
        Path(config.predictions), seal_bytes=config.seal_bytes, seal_seconds=config.seal_seconds
    )
    plane = Plane(config.limits, config.doors, log)
    plane.bell = Bell(config.doorbell)
    plane.features = Enrichments(config.online)
    if config.shadows:
        plane.shadows = Shadows(Path(config.shadows), config.limits.answer_seconds)
    return plane, log


async def serve(config: PlaneConfig, table: Table | None) -> None:
    """Serve until told to leave."""
    loop = asyncio.get_running_loop()
    plane, log = prepared(config)
    if table is not None:
        plane.apply(table)
    leaving = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    with contextlib.suppress(OSError, ValueError, PermissionError):
        loop.add_reader(0, _end_of_input, leaving)
    listener = socket.socket(fileno=config.listener)
    server = await loop.create_server(lambda: Connection(plane), sock=listener, backlog=4096)
    control = await Control(plane).listen(config.control)
    grpc = await _grpc(config, plane)
    gc.freeze()
    # Requests leave no cycles: what the collector looks for is rare.
    gc.set_threshold(50_000, 20, 50)
    while not leaving.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), 1.0)
        plane.tend()
    server.close()
    control.close()
    if grpc is not None:
        await grpc.close(_LEAVING_SECONDS)
    await _drained(plane)
    await log.seal()
    if plane.shadows is not None:
        plane.shadows.close()
    plane.bell.close()


async def _grpc(config: PlaneConfig, plane: Plane) -> Any:
    """The gRPC door, where a port for it is set."""
    if not config.grpc:
        return None
    # Named by its path: it imports grpcio, which most workspaces do without.
    door = importlib.import_module("athanor.serving.plane.grpc.server").GrpcDoor(
        plane, config.doors
    )
    port = await door.open(config.grpc, config.limits.body_bytes)
    logging.getLogger(__name__).info("gRPC is answered at port %s", port)
    return door


def _end_of_input(leaving: asyncio.Event) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        leaving.set()


async def _drained(plane: Plane) -> None:
    """Wait until every request that was begun has its answer, within bounds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _LEAVING_SECONDS
    for connection in list(plane.connections):
        connection.finish()
    while loop.time() < end and (plane.in_flight() or any(c.busy for c in plane.connections)):
        plane.log.flush()
        await asyncio.sleep(0.01)


def main() -> None:
    """Read the configuration named by the one argument, and serve."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=PlaneConfig)
    path = Path(config.table)
    table = msgspec.json.decode(path.read_bytes(), type=Table) if path.exists() else None
    uvloop.run(serve(config, table))


if __name__ == "__main__":
    main()
