"""Which room is given what: one function a room, called in the order of the floors."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from athanor.lineage import Lineage, RunFilter, SqlLineageStore
from athanor.lineage.routes import router as lineage_router
from athanor.tracking import SqlTrackingStore, Tracking
from athanor.tracking.routes import router as tracking_router

if TYPE_CHECKING:
    from athanor.app.house import House

_MANY = 1000


def join_rooms(house: "House") -> None:
    """Make every room's service and introduce them to each other."""
    _lineage(house)
    _tracking(house)


def all_routers() -> list[APIRouter]:
    """Every room's routes."""
    return [lineage_router, tracking_router]


def _lineage(house: "House") -> None:
    lineage = Lineage(
        SqlLineageStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    house.services[Lineage] = lineage
    house.counters["runs"] = lambda who: len(lineage.runs(who, RunFilter(limit=_MANY)))


def _tracking(house: "House") -> None:
    house.services[Tracking] = Tracking(
        SqlTrackingStore(house.database),
        house.database,
        lineage=house.services[Lineage],
        access=house.access,
        clock=house.clock,
    )
