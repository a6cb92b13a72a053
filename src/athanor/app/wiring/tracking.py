"""Experiments, parameters, metrics, files, hints; the MLflow protocol over them."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from athanor.app.origins import TrackedOrigins
from athanor.lineage import Lineage
from athanor.registry import (
    Models,
    Origins,
    location_of,
)
from athanor.tracking import (
    ArtifactServices,
    Borders,
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
from athanor.tracking.relations import relations

if TYPE_CHECKING:
    from athanor.app.house import House

_log = logging.getLogger(__name__)


def join_tracking(house: "House") -> None:
    """Make tracking's services and put them on the MLflow protocol."""
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
    house.relations += relations(experiments, tracking)
    writes = WriteQueue(house.database)
    house.starters.append(writes.start)
    house.closers.append(writes.stop)
    house.services |= {Experiments: experiments, Tracking: tracking}
    inputs, models = _tracked_files(house, experiments, tracking)
    house.mlflow.borders = Borders(house.services[Lineage], experiments, models)
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
