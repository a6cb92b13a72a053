"""Pipelines, their engine and their triggers."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from athanor.kernel import Principal
from athanor.lineage import Lineage, Operation
from athanor.pipelines import (
    FolderSecrets,
    Pipelines,
    RunNews,
    Secrets,
    SqlRunStore,
    SqlTriggerStore,
    Surroundings,
    TriggerWatch,
    Workbench,
    local_engine,
)
from athanor.pipelines.logic.figures import Figure
from athanor.tracking import Batch, NewMetric, Tracking

if TYPE_CHECKING:
    from athanor.app.house import House

_MANY = 1000
_MATERIALIZERS = ("athanor.registry.packaging.materializer:ModelMaterializer",)


def join_pipelines(house: "House", steps: dict[str, Operation]) -> None:
    """Make the pipelines; the steps that rooms above offer are filled in later."""
    runs, triggers = SqlRunStore(house.database), SqlTriggerStore(house.database)
    pipelines = Pipelines(
        runs,
        triggers,
        house.database,
        lineage=house.services[Lineage],
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    news = RunNews()

    def measure(who: Principal, task_id: str, figures: Sequence[Figure]) -> None:
        points = [NewMetric(key=one.key, value=one.value, step=one.step) for one in figures]
        house.services[Tracking].log(who, task_id, Batch(metrics=points))

    secrets = FolderSecrets(house.folder("secrets"))
    engine = local_engine(
        Surroundings(
            store=runs,
            database=house.database,
            storage=house.storage,
            lineage=house.services[Lineage],
            events=house.events,
            clock=house.clock,
            workers=house.workers,
            folder=house.folder("work"),
            secrets=secrets,
            materializers=(*_MATERIALIZERS, *house.settings.materializers),
            operations=steps,
            news=news,
            way=house.reached,
            measure=measure,
            slots=house.settings.workers or os.cpu_count() or 1,
        )
    )
    pipelines.use_engine(engine)
    pipelines.offer_gallery(
        "classification",
        "athanor.app.gallery.classification:classification",
        "Check, split, train two models, evaluate, gate, register and deploy a classifier.",
    )
    watch = TriggerWatch(
        pipelines, triggers, house.database, events=house.events, clock=house.clock
    )
    watch.attach(house.jobs)
    house.services[Pipelines] = pipelines
    house.services[RunNews] = news
    house.services[Workbench] = Workbench(pipelines, engine, house.access, house.services[Lineage])
    house.services[Secrets] = Secrets(secrets, house.events, house.access)
    house.starters.append(engine.start)
    house.closers.append(engine.stop)
    house.counters["pipelines"] = lambda who: len(pipelines.runs(who, limit=_MANY))
