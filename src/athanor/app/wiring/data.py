"""Datasets, watched folders, SQL."""

import logging
from typing import TYPE_CHECKING

from athanor.data import (
    Datasets,
    Finder,
    Ground,
    Sources,
    Splits,
    Sql,
    SqlDataStore,
    SqlMarkStore,
    SqlWatchStore,
    Versions,
    Watches,
)
from athanor.lineage import Lineage

if TYPE_CHECKING:
    from athanor.app.house import House

_log = logging.getLogger(__name__)


def join_data(house: "House") -> None:
    """Make the datasets, their watches and SQL."""
    ground = Ground(
        database=house.database,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
        workers=house.workers,
        sources_near=house.settings.sources_near,
    )
    store, marks = SqlDataStore(house.database), SqlMarkStore(house.database)
    datasets = Datasets(store, marks, house.services[Lineage], ground)
    watches = Watches(SqlWatchStore(house.database), store, datasets.intake, house.jobs, ground)
    if house.database.dialect == "sqlite":
        # Under the workspace's lock: whoever wrote when the last process died is gone.
        house.starters.append(lambda: _recovered(datasets))
    house.starters.append(watches.resume)
    sql = Sql(datasets, ground, Finder(store, marks))
    house.services |= {
        Datasets: datasets,
        Watches: watches,
        Sql: sql,
        Sources: Sources(store, marks, ground, intake=datasets.intake, sql=sql),
        Versions: Versions(
            store, marks, ground, datasets=datasets, lineage=house.services[Lineage]
        ),
        Splits: Splits(store, marks, ground),
    }
    house.counters["datasets"] = lambda who: len(datasets.datasets(who))


def _recovered(datasets: Datasets) -> None:
    freed = datasets.recover()
    if freed:
        _log.info("freed %d datasets that a process was writing when it ended", freed)
