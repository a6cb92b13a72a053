"""Whole models over a transport."""

from athanor.kernel import Transport
from athanor.kernel.transport import segment
from athanor.registry.records import ModelArrival, ModelRecord


class ModelTransfersClient:
    """Whole models, taken in and given out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def take_model(self, record: ModelRecord) -> ModelArrival:
        """Take a model in with its versions, numbers kept."""
        return self._transport.send("POST", "/transfers/models", body=record).read(ModelArrival)

    def give_model(self, name: str) -> ModelRecord:
        """A model with all its versions."""
        path = f"/transfers/models/{segment(name)}"
        return self._transport.send("GET", path).read(ModelRecord)
