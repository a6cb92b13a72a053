"""Person trace and erase, over all rooms."""

from typing import TYPE_CHECKING

from athanor.app.persons.columns import Columns
from athanor.app.persons.derived import DerivedHolder
from athanor.app.persons.holders import DescentHolder, PredictionHolder
from athanor.app.persons.keyed import KeyHistory
from athanor.app.persons.service import Persons
from athanor.app.persons.stored import Places, StoredHolder
from athanor.data import Datasets, Recipes, Sources
from athanor.data.service.persons import DatasetHolder
from athanor.data.store import SqlDataStore, SqlMarkStore
from athanor.lineage import Lineage
from athanor.monitoring.store import SqlMonitorStore
from athanor.registry import Catalog, Models
from athanor.serving import ServingLog
from athanor.serving.store.tickets import SqlTicketStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_persons(house: "House", log: ServingLog) -> None:
    """Ask every room that holds rows; rooms add their holders to `house.holders`."""
    datasets: Datasets = house.services[Datasets]
    rows = DatasetHolder(
        SqlDataStore(house.database),
        datasets.ground,
        marks=SqlMarkStore(house.database),
        intake=datasets.intake,
        sources=house.services[Sources],
    )
    keys = KeyHistory(house.database)
    house.holders += [
        rows,
        PredictionHolder(
            log,
            house.storage,
            keys=keys,
            access=house.access,
            workers=house.workers,
        ),
    ]
    descent = DescentHolder(
        house.services[Lineage],
        house.storage,
        models=house.services[Models],
        catalog=house.services[Catalog],
        cache=house.settings.workspace / "cache" / "models",
    )
    house.services[Persons] = Persons(
        house.holders,
        descent,
        derived=DerivedHolder(house.services[Lineage], rows, house.services[Recipes]),
        stored=StoredHolder(
            Places(storage=house.storage, workspace=house.settings.workspace),
            house.database,
            house.workers,
            access=house.access,
            monitors=SqlMonitorStore(house.database),
            tickets=SqlTicketStore(house.database),
        ),
        columns=Columns(rows, house.database, keys),
        events=house.events,
        access=house.access,
    )
