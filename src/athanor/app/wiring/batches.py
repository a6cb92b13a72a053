"""Batch predictions: their runner, and the threads that it works in."""

from typing import TYPE_CHECKING

from athanor.data import Datasets, Sql
from athanor.lineage import Lineage
from athanor.pipelines import RunNews
from athanor.registry import Models
from athanor.registry.scanning import Scanner
from athanor.serving.batches.desk import Desk
from athanor.serving.batches.runner import BatchGround, BatchRunner
from athanor.serving.service.batches import Batches
from athanor.serving.store.batches import SqlBatchStore

if TYPE_CHECKING:
    from athanor.app.house import House


def join_batches(house: "House") -> None:
    """Make the batches. A server works on them from its start, a command on those it submits."""
    store = SqlBatchStore(house.database)
    desk = Desk(house.database, house.clock)
    ground = BatchGround(
        database=house.database,
        storage=house.storage,
        workers=house.workers,
        events=house.events,
        clock=house.clock,
        lineage=house.services[Lineage],
        datasets=house.services[Datasets],
        sql=house.services[Sql],
        loading=house.services[Scanner],
        workspace=house.settings.workspace,
        sources_near=house.settings.sources_near,
        news=house.services[RunNews],
    )
    BatchRunner(store, ground, desk)
    house.services[Batches] = Batches(
        store,
        ground,
        models=house.services[Models],
        access=house.access,
        desk=desk,
        at_once=not house.serving,
    )
    if house.serving:
        house.starters.append(desk.start)
    house.closers.append(desk.close)
    house.counters["batches"] = lambda who: len(house.services[Batches].list(who, limit=1_000))
