"""Endpoints, the data plane under its supervisor, the prediction log."""

from typing import TYPE_CHECKING

from athanor.app.doors import is_loopback
from athanor.app.uses import Served
from athanor.data import Datasets, Preparations, Recipes
from athanor.features import OnlineFeatures
from athanor.lineage import Lineage, Operation
from athanor.registry import (
    Catalog,
    Models,
)
from athanor.registry.scanning import Scanner
from athanor.registry.service.exchange import Exchange
from athanor.serving import (
    Deployments,
    Endpoints,
    EndpointStore,
    Fleet,
    GraphParts,
    Graphs,
    Neighbours,
    NoFleet,
    Parts,
    PlaneSettings,
    Recording,
    ServingLog,
    ShadowLog,
    SqlEndpointStore,
    Supervisor,
    SupervisorSettings,
    Traffic,
)
from athanor.serving import Surroundings as ServingSurroundings
from athanor.serving import operations as endpoint_operations
from athanor.serving import resolvers as prediction_resolvers
from athanor.serving.logic.doors import Doors as PlaneDoors

if TYPE_CHECKING:
    from athanor.app.house import House


def join_serving(house: "House", steps: dict[str, Operation]) -> ServingLog:
    """Make the endpoints; where this process serves, also the plane. Gives the prediction log."""
    settings, lineage = house.settings, house.services[Lineage]
    store = SqlEndpointStore(house.database)
    log = ServingLog(settings.workspace, house.storage, house.workers)
    fleet: Fleet = NoFleet()
    traffic = Traffic(
        store, house.database, events=house.events, lineage=lineage, clock=house.clock
    )
    if house.serving:
        fleet = _supervised(house, store, traffic, log)
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
            features=house.services[OnlineFeatures],
            code=house.services[Exchange],
            recipes=Preparations(
                house.services[Recipes], house.services[Datasets], lineage, house.workers
            ),
        ),
    )
    steps |= endpoint_operations(endpoints)
    for kind, resolver in prediction_resolvers(endpoints, lineage, house.database).items():
        lineage.offer_resolver(kind, resolver)
    house.events.subscribe("serving.follow", endpoints.follow, ("registry.alias.moved",))
    house.events.subscribe("serving.renamed", endpoints.renamed, ("registry.model.renamed",))
    house.services[Endpoints] = endpoints
    house.services[Catalog].mind(Served(store, house.events))
    house.services[Recording] = Recording(
        store, house.database, events=house.events, access=house.access, log=log, fleet=fleet
    )
    _join_deployments(house, store, traffic, log, fleet)
    house.relations += log.relations(house.access)
    house.counters["endpoints"] = lambda who: len(endpoints.list(who))
    return log


def _supervised(
    house: "House", store: EndpointStore, traffic: Traffic, log: ServingLog
) -> Supervisor:
    """What runs planes and workers, started and ended with the house."""
    settings = house.settings
    supervisor = Supervisor(
        SupervisorSettings(
            workspace=settings.workspace,
            plane=PlaneSettings(
                host=settings.host,
                port=settings.serving_port,
                grpc_port=settings.serving_grpc_port,
                usual=settings.port + 1 if settings.port else 0,
                online=house.services[OnlineFeatures].url,
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
            lineage=house.services[Lineage],
            storage=house.storage,
            workers=house.workers,
            clock=house.clock,
            loading=house.services[Scanner],
        ),
    )
    house.starters.append(supervisor.start)
    house.closers.append(supervisor.stop)
    house.serving_url = supervisor.url
    return supervisor


def _join_deployments(
    house: "House", store: EndpointStore, traffic: Traffic, log: ServingLog, fleet: Fleet
) -> None:
    """Make the services of traffic among deployments, and of graphs."""
    house.services[Graphs] = Graphs(
        store,
        house.database,
        access=house.access,
        parts=GraphParts(
            events=house.events,
            lineage=house.services[Lineage],
            clock=house.clock,
            traffic=traffic,
            fleet=fleet,
        ),
    )
    house.services[Deployments] = Deployments(
        store,
        house.database,
        access=house.access,
        parts=Parts(
            traffic=traffic,
            fleet=fleet,
            shadows=ShadowLog(log.predictions_folder.parent / "shadows", log, house.workers),
            logs=house.settings.workspace / "logs" / "serving",
        ),
    )
