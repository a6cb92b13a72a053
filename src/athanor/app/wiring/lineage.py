"""Runs, artifacts and their edges."""

from typing import TYPE_CHECKING

from athanor.lineage import Lineage, SqlLineageStore
from athanor.lineage.relations import runs

if TYPE_CHECKING:
    from athanor.app.house import House


def join_lineage(house: "House") -> None:
    """Make the lineage, which every other room writes to."""
    store = SqlLineageStore(house.database)
    lineage = Lineage(
        store,
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    house.services[Lineage] = lineage
    house.relations.append(runs(lineage))
    house.counters["runs"] = lambda _who: store.count_runs()
