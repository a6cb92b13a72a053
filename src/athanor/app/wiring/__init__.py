"""Which room is given what: a module a room, called in the order of the floors."""

from typing import TYPE_CHECKING

from fastapi import APIRouter

from athanor.app.hooks import join_webhooks
from athanor.app.moving.wiring import join_transfers
from athanor.app.rules import govern_models
from athanor.app.wiring.batches import join_batches
from athanor.app.wiring.data import join_data
from athanor.app.wiring.exports import join_exports
from athanor.app.wiring.features import join_features
from athanor.app.wiring.lineage import join_lineage
from athanor.app.wiring.monitoring import join_monitoring
from athanor.app.wiring.persons import join_persons
from athanor.app.wiring.pipelines import join_pipelines
from athanor.app.wiring.recipes import join_recipes
from athanor.app.wiring.registry import join_registry
from athanor.app.wiring.responsible import join_responsible
from athanor.app.wiring.serving import join_serving
from athanor.app.wiring.tickets import join_tickets
from athanor.app.wiring.tracking import join_tracking
from athanor.data import Sql
from athanor.data.routes import router as data_router
from athanor.features.routes import router as features_router
from athanor.lineage import Operation
from athanor.lineage.routes import router as lineage_router
from athanor.monitoring.routes import router as monitoring_router
from athanor.pipelines.routes import router as pipelines_router
from athanor.registry.routes import router as registry_router
from athanor.responsible.routes import router as responsible_router
from athanor.serving.routes import router as serving_router
from athanor.serving.routes.batches import router as batches_router
from athanor.serving.routes.deployments import router as deployments_router
from athanor.serving.routes.exports import router as exports_router
from athanor.serving.routes.recording import router as recording_router
from athanor.serving.routes.tickets import router as tickets_router
from athanor.tracking.routes import router as tracking_router

if TYPE_CHECKING:
    from athanor.app.house import House


def join_rooms(house: "House") -> None:
    """Make every room's service and introduce them to each other."""
    steps: dict[str, Operation] = {}
    join_lineage(house)
    join_tracking(house)
    join_data(house)
    join_recipes(house, steps)
    join_features(house, steps)
    join_pipelines(house, steps)
    join_registry(house, steps)
    join_transfers(house)
    join_webhooks(house)
    join_responsible(house)
    govern_models(house)
    log = join_serving(house, steps)
    join_batches(house)
    join_tickets(house)
    join_exports(house)
    join_monitoring(house, log)
    join_persons(house, log)
    sql: Sql = house.services[Sql]
    for relation in house.relations:
        sql.offer(relation)


def all_routers() -> list[APIRouter]:
    """Every room's routes."""
    return [
        lineage_router,
        tracking_router,
        data_router,
        features_router,
        pipelines_router,
        registry_router,
        responsible_router,
        serving_router,
        batches_router,
        tickets_router,
        exports_router,
        deployments_router,
        recording_router,
        monitoring_router,
    ]
