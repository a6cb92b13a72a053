"""Exports of endpoints."""

from typing import TYPE_CHECKING

from athanor.data import Datasets
from athanor.lineage import Lineage
from athanor.registry.scanning import Scanner
from athanor.serving.service.exports import ExportGround, Exports
from athanor.serving.store import SqlEndpointStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_exports(house: "House") -> None:
    """Make the exports."""
    ground = ExportGround(
        storage=house.storage,
        lineage=house.services[Lineage],
        datasets=house.services[Datasets],
        workers=house.workers,
        loading=house.services[Scanner],
        workspace=house.settings.workspace,
        url=house.serving_url,
        token=bool(house.demanded_token),
    )
    store = SqlEndpointStore(house.database)
    house.services[Exports] = Exports(store, ground, access=house.access)
