"""Which room is given what: one function a room, called in the order of the floors."""

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from athanor.app.doors import is_loopback
from athanor.app.hooks import join_webhooks
from athanor.app.moving.wiring import join_transfers
from athanor.app.origins import TrackedOrigins
from athanor.app.rules import govern_models
from athanor.data import (
    Datasets,
    Ground,
    Sql,
    SqlDataStore,
    SqlWatchStore,
    Watches,
)
from athanor.data.routes import router as data_router
from athanor.lineage import Lineage, Operation, SqlLineageStore
from athanor.lineage.relations import runs
from athanor.lineage.routes import router as lineage_router
from athanor.monitoring import (
    AlertFilter,
    Alerts,
    AlertState,
    Monitors,
    SqlAlertStore,
    SqlMonitorStore,
    Watch,
)
from athanor.monitoring import Neighbours as MonitoringNeighbours
from athanor.monitoring import relations as monitoring_relations
from athanor.monitoring.routes import router as monitoring_router
from athanor.pipelines import (
    Pipelines,
    SqlRunStore,
    SqlTriggerStore,
    Surroundings,
    TriggerWatch,
    local_engine,
)
from athanor.pipelines.routes import router as pipelines_router
from athanor.registry import (
    Catalog,
    Intake,
    Models,
    Origins,
    SqlCatalogStore,
    SqlModelStore,
    SqlSearchStore,
    add_model_routes,
    add_version_routes,
    location_of,
    model_versions,
)
from athanor.registry import operations as model_operations
from athanor.registry import resolver as model_resolver
from athanor.registry.routes import router as registry_router
from athanor.registry.scanning import Scanner
from athanor.responsible import ReportIndex, Reports, SqlReportStore
from athanor.responsible.routes import router as responsible_router
from athanor.serving import (
    Endpoints,
    Fleet,
    Neighbours,
    NoFleet,
    PlaneSettings,
    ServingLog,
    SqlEndpointStore,
    Supervisor,
    SupervisorSettings,
    Traffic,
)
from athanor.serving import Surroundings as ServingSurroundings
from athanor.serving import operations as endpoint_operations
from athanor.serving import resolvers as prediction_resolvers
from athanor.serving.logic.doors import Doors as PlaneDoors
from athanor.serving.routes import router as serving_router
from athanor.tracking import (
    ArtifactServices,
    Call,
    Debug,
    DebugNeighbours,
    DebugWatch,
    Experiments,
    InputNeighbours,
    Inputs,
    LoggedModels,
    ModelArtifacts,
    ModelNeighbours,
    RunFiles,
    RunSearch,
    Shelf,
    SqlExperimentStore,
    SqlFileStore,
    SqlHintStore,
    SqlInputStore,
    SqlLoggedModelStore,
    SqlTrackedRunStore,
    TrackedHomes,
    Tracking,
    WriteQueue,
    add_artifact_routes,
    add_experiment_routes,
    add_input_routes,
    add_logged_model_routes,
    add_metric_routes,
    add_run_routes,
    add_server_routes,
    add_workspace_routes,
    attached,
    model_metrics,
)
from athanor.tracking import Neighbours as TrackingNeighbours
from athanor.tracking.boards import BoardWatch
from athanor.tracking.routes import router as tracking_router

if TYPE_CHECKING:
    from athanor.app.house import House

_log = logging.getLogger(__name__)

_MANY = 1000
_MATERIALIZERS = ("athanor.registry.packaging.materializer:ModelMaterializer",)


def join_rooms(house: "House") -> None:
    """Make every room's service and introduce them to each other."""
    steps: dict[str, Operation] = {}
    _lineage(house)
    _tracking(house)
    _data(house)
    _pipelines(house, steps)
    _registry(house, steps)
    join_transfers(house)
    join_webhooks(house)
    _responsible(house)
    govern_models(house)
    log = _serving(house, steps)
    _monitoring(house, log)
    sql: Sql = house.services[Sql]
    for relation in house.relations:
        sql.offer(relation)


def all_routers() -> list[APIRouter]:
    """Every room's routes."""
    return [
        lineage_router,
        tracking_router,
        data_router,
        pipelines_router,
        registry_router,
        responsible_router,
        serving_router,
        monitoring_router,
    ]


def _lineage(house: "House") -> None:
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


def _tracking(house: "House") -> None:
    experiments = Experiments(
        SqlExperimentStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    tracking = Tracking(
        SqlTrackedRunStore(house.database),
        house.database,
        neighbours=TrackingNeighbours(
            lineage=house.services[Lineage],
            experiments=experiments,
            search=RunSearch(house.database),
            events=house.events,
        ),
        access=house.access,
        clock=house.clock,
    )
    writes = WriteQueue(house.database)
    house.starters.append(writes.start)
    house.closers.append(writes.stop)
    house.services |= {Experiments: experiments, Tracking: tracking}
    inputs, models = _tracked_files(house, experiments, tracking)
    boards = BoardWatch(tracking, house.jobs, house.storage)
    house.services[RunFiles].listen(boards.note)
    _debug(house)
    add_server_routes(house.mlflow)
    add_experiment_routes(house.mlflow, experiments)
    add_run_routes(
        house.mlflow,
        tracking,
        writes,
        attached=partial(attached, inputs),
        model_metrics=partial(model_metrics, models),
    )
    add_metric_routes(house.mlflow, tracking)
    add_workspace_routes(house.mlflow, experiments)


def _debug(house: "House") -> None:
    """Hints on trainings: on by default."""
    debug = Debug(
        SqlHintStore(house.database),
        house.database,
        neighbours=DebugNeighbours(
            tracking=house.services[Tracking],
            lineage=house.services[Lineage],
            inputs=house.services[Inputs],
            files=house.services[RunFiles],
            models=house.services[LoggedModels],
            workers=house.workers,
        ),
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    watch = DebugWatch(debug, house.jobs)
    watch.attach(house.events)
    house.services[Tracking].listen(watch.note)
    house.services[Debug] = debug
    house.starters.append(watch.start)
    house.closers.append(watch.stop)


def _tracked_files(
    house: "House", experiments: Experiments, tracking: Tracking
) -> tuple[Inputs, LoggedModels]:
    """The artifact tree, logged models, and what runs used and made."""
    database, lineage = house.database, house.services[Lineage]
    kernel: dict[str, Any] = {
        "events": house.events,
        "access": house.access,
        "clock": house.clock,
    }
    file_store, model_store = SqlFileStore(database), SqlLoggedModelStore(database)
    input_store = SqlInputStore(database)
    homes = TrackedHomes(experiments, tracking, lineage)
    files = RunFiles(
        file_store,
        database,
        shelf=Shelf(lineage, house.storage),
        storage=house.storage,
        **kernel,
    )
    models = LoggedModels(
        model_store,
        database,
        neighbours=ModelNeighbours(
            homes=homes,
            inputs=input_store,
            artifacts=ModelArtifacts(file_store, house.storage),
            lineage=lineage,
        ),
        **kernel,
    )
    inputs = Inputs(
        input_store,
        database,
        neighbours=InputNeighbours(
            homes=homes, models=model_store, lineage=lineage, storage=house.storage
        ),
        events=house.events,
        access=house.access,
    )
    house.services |= {RunFiles: files, LoggedModels: models, Inputs: inputs}
    house.starters.append(lambda: _swept(files))
    add_logged_model_routes(house.mlflow, models)
    add_input_routes(house.mlflow, inputs, tracking, models)

    def version_source(call: Call, name: str, version: str) -> str:
        return location_of(call, house.services[Models], name, version)

    add_artifact_routes(
        house.mlflow,
        ArtifactServices(files=files, models=models, homes=homes, version_source=version_source),
    )
    house.services[Origins] = TrackedOrigins(files, models, homes)
    return inputs, models


def _swept(files: RunFiles) -> None:
    gone = files.sweep()
    if gone:
        _log.info("forgot %d uploads that nobody went on with for a week", gone)


def _data(house: "House") -> None:
    ground = Ground(
        database=house.database,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
        workers=house.workers,
    )
    store = SqlDataStore(house.database)
    datasets = Datasets(store, house.services[Lineage], ground)
    watches = Watches(SqlWatchStore(house.database), store, datasets.intake, house.jobs, ground)
    if house.database.dialect == "sqlite":
        # Under the workspace's lock: whoever wrote when the last process died is gone.
        house.starters.append(lambda: _recovered(datasets))
    house.starters.append(watches.resume)
    house.services |= {Datasets: datasets, Watches: watches, Sql: Sql(datasets, ground)}
    house.counters["datasets"] = lambda who: len(datasets.datasets(who))


def _recovered(datasets: Datasets) -> None:
    freed = datasets.recover()
    if freed:
        _log.info("freed %d datasets that a process was writing when it ended", freed)


def _pipelines(house: "House", steps: dict[str, Operation]) -> None:
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
            materializers=(*_MATERIALIZERS, *house.settings.materializers),
            operations=steps,
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
    house.starters.append(engine.start)
    house.closers.append(engine.stop)
    house.counters["pipelines"] = lambda who: len(pipelines.runs(who, limit=_MANY))


def _registry(house: "House", steps: dict[str, Operation]) -> None:
    lineage = house.services[Lineage]
    store, catalog_store = SqlModelStore(house.database), SqlCatalogStore(house.database)
    models = Models(
        store,
        house.database,
        lineage=lineage,
        storage=house.storage,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    steps |= model_operations(models, house.events)
    lineage.offer_resolver("model", model_resolver(models, lineage))
    catalog = Catalog(
        (store, catalog_store, SqlSearchStore(house.database)),
        house.database,
        intake=Intake(
            (store, catalog_store),
            lineage=lineage,
            storage=house.storage,
            origins=house.services[Origins],
            clock=house.clock,
        ),
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    add_model_routes(house.mlflow, models, catalog)
    add_version_routes(house.mlflow, models, catalog)
    house.services |= {Models: models, Catalog: catalog}
    house.relations.append(model_versions(models))
    house.counters["models"] = lambda who: len(models.models(who))


def _responsible(house: "House") -> None:
    store, lineage = SqlReportStore(house.database), house.services[Lineage]
    index = ReportIndex(store, lineage=lineage, storage=house.storage)
    house.events.subscribe("responsible.reports", index.note, ("lineage.run.finished",))
    house.services[Reports] = Reports(
        store, lineage=lineage, storage=house.storage, access=house.access
    )


def _serving(house: "House", steps: dict[str, Operation]) -> ServingLog:
    settings, lineage = house.settings, house.services[Lineage]
    store = SqlEndpointStore(house.database)
    log = ServingLog(settings.workspace, house.storage, house.workers)
    fleet: Fleet = NoFleet()
    if house.serving:
        traffic = Traffic(
            store, house.database, events=house.events, lineage=lineage, clock=house.clock
        )
        supervisor = Supervisor(
            SupervisorSettings(
                workspace=settings.workspace,
                plane=PlaneSettings(
                    host=settings.host,
                    port=settings.serving_port,
                    usual=settings.port + 1 if settings.port else 0,
                    doors=PlaneDoors(
                        loopback=is_loopback(settings.host),
                        tokens=(house.demanded_token,) if house.demanded_token else (),
                    ),
                ),
            ),
            ServingSurroundings(
                store=store,
                traffic=traffic,
                log=log,
                lineage=lineage,
                storage=house.storage,
                workers=house.workers,
                clock=house.clock,
                loading=house.services[Scanner],
            ),
        )
        house.starters.append(supervisor.start)
        house.closers.append(supervisor.stop)
        fleet = supervisor
        house.serving_url = supervisor.url
    endpoints = Endpoints(
        store,
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
        neighbours=Neighbours(
            lineage=lineage,
            models=house.services[Models],
            log=log,
            fleet=fleet,
            loading=house.services[Scanner],
        ),
    )
    steps |= endpoint_operations(endpoints)
    for kind, resolver in prediction_resolvers(endpoints, lineage, house.database).items():
        lineage.offer_resolver(kind, resolver)
    house.events.subscribe("serving.follow", endpoints.follow, ("registry.alias.moved",))
    house.events.subscribe("serving.renamed", endpoints.renamed, ("registry.model.renamed",))
    house.services[Endpoints] = endpoints
    house.relations += log.relations(house.access)
    house.counters["endpoints"] = lambda who: len(endpoints.list(who))
    return log


def _monitoring(house: "House", log: ServingLog) -> None:
    alerts = Alerts(
        SqlAlertStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
    )
    monitors = Monitors(
        SqlMonitorStore(house.database),
        house.database,
        events=house.events,
        access=house.access,
        clock=house.clock,
        neighbours=MonitoringNeighbours(
            lineage=house.services[Lineage],
            models=house.services[Models],
            predictions=log,
            storage=house.storage,
            workers=house.workers,
            alerts=alerts,
        ),
    )
    watch = Watch(monitors, alerts, jobs=house.jobs, clock=house.clock)
    watch.attach(house.events)
    house.starters.append(watch.start)
    house.services |= {Monitors: monitors, Alerts: alerts}
    house.relations += monitoring_relations(monitors, alerts)
    open_alerts = AlertFilter(state=AlertState.OPEN)
    house.counters["alerts"] = lambda who: len(alerts.alerts(who, open_alerts))
