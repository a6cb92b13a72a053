"""Whole models over HTTP."""

from typing import Annotated

from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.records import ModelArrival, ModelRecord
from athanor.registry.service.transfers import ModelTransfers

router = room_router("registry")
TheTransfers = Annotated[ModelTransfers, provide(ModelTransfers)]


@router.post("/transfers/models")
def take_model(record: ModelRecord, who: Caller, transfers: TheTransfers) -> ModelArrival:
    """Take a model in with its versions, numbers kept."""
    return transfers.take_model(who, record)


@router.get("/transfers/models/{name}")
def give_model(name: str, who: Caller, transfers: TheTransfers) -> ModelRecord:
    """A model with all its versions."""
    return transfers.give_model(who, name)
