"""The services behind arrivals and departures, joined to the rooms that they stand in."""

from typing import TYPE_CHECKING

from athanor.lineage import Lineage
from athanor.registry import Intake, Origins, SqlCatalogStore, SqlModelStore
from athanor.registry.service.transfers import ModelSurroundings, ModelTransfers
from athanor.registry.store import SqlTransferStore as SqlModelTransferStore
from athanor.tracking import (
    Inputs,
    LoggedModels,
    SqlExperimentStore,
    SqlFileStore,
    SqlLoggedModelStore,
    SqlTrackedRunStore,
)
from athanor.tracking.service.arrivals import Arrivals, Household, TransferStores
from athanor.tracking.service.departures import Departures
from athanor.tracking.store.transfers import SqlTransferStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_transfers(house: "House") -> None:
    """Make the services that take whole runs and models in, and give them out."""
    database, lineage = house.database, house.services[Lineage]
    stores = TransferStores(
        experiments=SqlExperimentStore(database),
        runs=SqlTrackedRunStore(database),
        models=SqlLoggedModelStore(database),
        files=SqlFileStore(database),
        transfers=SqlTransferStore(database),
    )
    household = Household(
        lineage=lineage,
        inputs=house.services[Inputs],
        models=house.services[LoggedModels],
        storage=house.storage,
    )
    house.services[Arrivals] = Arrivals(
        stores,
        database,
        household=household,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    house.services[Departures] = Departures(stores, household=household, access=house.access)
    models = SqlModelStore(database)
    house.services[ModelTransfers] = ModelTransfers(
        SqlModelTransferStore(database),
        database,
        surroundings=ModelSurroundings(
            models=models,
            intake=Intake(
                (models, SqlCatalogStore(database)),
                lineage=lineage,
                storage=house.storage,
                origins=house.services[Origins],
                clock=house.clock,
            ),
            lineage=lineage,
            storage=house.storage,
        ),
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
