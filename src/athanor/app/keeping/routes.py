"""Keeping over HTTP: what cleans up. Backups are files: they are made where the workspace lies."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from athanor.app.keeping.clean import clean as clean_up
from athanor.app.keeping.orders import Cleaned, CleanOrder
from athanor.kernel.http import Caller, room_router

if TYPE_CHECKING:
    from athanor.app.house import House


def keeping_routes(house: "House") -> APIRouter:
    """The routes over a house."""
    router = room_router("platform")

    @router.post("/clean")
    def clean(order: CleanOrder, who: Caller) -> Cleaned:
        """What nobody needs any more; removed unless it is a dry run."""
        return clean_up(house, who, order)

    return router
