"""Whole models in one archive, over a transport."""

from collections.abc import Iterator
from pathlib import Path

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.records import ModelArrival


class ExchangeClient:
    """Models that leave in a file, and arrive from one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give_whole(self, name: str) -> Iterator[bytes]:
        """A model with all its versions as a zip archive, chunk by chunk."""
        return self._transport.stream(f"/models/{segment(name)}/archive")

    def take_whole(self, archive: Path, *, name: str = "", project: str = "") -> ModelArrival:
        """Take in such an archive, numbers kept; `name` and `project` put others in place."""
        query = {"name": name or None, "project": project or None}
        answer = self._transport.send("PUT", "/model-archives", query=query, content=archive)
        return answer.read(ModelArrival)
