"""The serving room with its neighbours, for tests: a real database and real processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from athanor.kernel.clock import SystemClock
from athanor.kernel.database import Database
from athanor.kernel.events import Events, SqlEventStore
from athanor.kernel.permissions import OWNER, OwnerAccess
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Workers
from athanor.lineage import Artifact, Lineage, NewArtifact, SqlLineageStore
from athanor.registry import Models, ModelVersion, NewModelVersion, SqlModelStore
from athanor.serving.log import ServingLog
from athanor.serving.ports import Fleet
from athanor.serving.service import (
    Deployments,
    Endpoints,
    GraphParts,
    Graphs,
    Neighbours,
    Parts,
    Traffic,
    resolvers,
)
from athanor.serving.shadows import ShadowLog
from athanor.serving.store import EndpointStore, SqlEndpointStore
from athanor.serving.supervisor import (
    PlaneSettings,
    Supervisor,
    SupervisorSettings,
    Surroundings,
)
from athanor.serving.supervisor.crew import NATIVE
from athanor.serving.types import (
    DeploymentState,
    Endpoint,
)
from athanor.testing.serving import STUB, eventually


def stored(
    storage: Storage, lineage: Lineage, folder: Path, name: str, description: Mapping[str, Any]
) -> Artifact:
    """A model folder that is stored and recorded."""
    blob = storage.put_folder(folder)
    return lineage.record(
        OWNER,
        NewArtifact(
            type="model",
            name=name,
            uri=blob.uri,
            digest=blob.digest,
            size=blob.size,
            metadata=dict(description),
        ),
    )


@dataclass(slots=True)
class ServingRoom:
    """Serving with its neighbours, on a real database and real processes."""

    endpoints: Endpoints
    supervisor: Supervisor
    log: ServingLog
    lineage: Lineage
    models: Models
    events: Events
    storage: Storage
    folder: Path
    deployments: Deployments
    graphs: Graphs

    def register(
        self, model_folder: Path, name: str, description: Mapping[str, Any]
    ) -> ModelVersion:
        """Store a model folder and register it."""
        artifact = stored(self.storage, self.lineage, model_folder, name, description)
        return self.models.register(OWNER, NewModelVersion(model=name, artifact_id=artifact.id))

    def wait_for(self, name: str, number: int, *states: DeploymentState) -> Endpoint:
        """The endpoint once its deployment of this number is in one of these states."""

        def there() -> bool:
            found = self.endpoints.get(OWNER, name)
            return any(i.number == number and i.state in states for i in found.deployments)

        assert eventually(there), [
            (item.number, item.state, item.reason)
            for item in self.endpoints.get(OWNER, name).deployments
        ]
        return self.endpoints.get(OWNER, name)

    def actions(self) -> list[str]:
        """The actions of every event so far, oldest first."""
        return [event.action for event in self.events.since(0)]


@contextmanager
def serving_room(
    folder: Path,
    database: Database,
    workers: Workers,
    plane: PlaneSettings | None = None,
    runtime: str = NATIVE,
    *,
    compiling: bool = False,
) -> Iterator[ServingRoom]:
    """Everything of serving, started; it ends with the block. Call again for a restart."""
    clock, access = SystemClock(), OwnerAccess()
    events = Events(SqlEventStore(database), database, clock)
    storage = Storage(str(folder / "storage"), reserve_bytes=0)
    lineage = Lineage(
        SqlLineageStore(database), database, events=events, access=access, clock=clock
    )
    models = Models(
        SqlModelStore(database),
        database,
        lineage=lineage,
        storage=storage,
        events=events,
        access=access,
        clock=clock,
    )
    store = SqlEndpointStore(database)
    log = ServingLog(folder, storage, workers)
    traffic = Traffic(store, database, events=events, lineage=lineage, clock=clock)
    supervisor = Supervisor(
        SupervisorSettings(
            workspace=folder,
            plane=plane or PlaneSettings(),
            runtime=runtime,
            compiling=compiling,
        ),
        Surroundings(
            store=store,
            traffic=traffic,
            log=log,
            lineage=lineage,
            storage=storage,
            workers=workers,
            clock=clock,
        ),
    )
    fleet: Fleet = supervisor
    endpoints = Endpoints(
        store,
        database,
        events=events,
        access=access,
        clock=clock,
        neighbours=Neighbours(lineage=lineage, models=models, log=log, fleet=fleet),
    )
    for kind, resolver in resolvers(endpoints, lineage, database).items():
        lineage.offer_resolver(kind, resolver)
    supervisor.start()
    try:
        rest = _rest(store, database, (traffic, supervisor, log, lineage), workers)
        yield ServingRoom(
            endpoints, supervisor, log, lineage, models, events, storage, folder, *rest
        )
    finally:
        supervisor.stop()


def _rest(
    store: EndpointStore,
    database: Database,
    parts: tuple[Traffic, Supervisor, ServingLog, Lineage],
    workers: Workers,
) -> tuple[Deployments, Graphs]:
    """The services of traffic among deployments, and of graphs."""
    traffic, fleet, log, lineage = parts
    access, clock = OwnerAccess(), SystemClock()
    events = Events(SqlEventStore(database), database, clock)
    shadows = ShadowLog(log.predictions_folder.parent / "shadows", log, workers)
    logs = log.predictions_folder.parents[1] / "logs" / "serving"
    beside = Parts(traffic=traffic, fleet=fleet, shadows=shadows, logs=logs)
    around = GraphParts(events=events, lineage=lineage, clock=clock, traffic=traffic, fleet=fleet)
    return (
        Deployments(store, database, access=access, parts=beside),
        Graphs(store, database, access=access, parts=around),
    )


@contextmanager
def stub_room(folder: Path, database: Database, workers: Workers) -> Iterator[ServingRoom]:
    """A serving room whose models are stubs."""
    with serving_room(folder, database, workers, runtime=STUB) as room:
        yield room
