"""Which room is given what: a module a room, called in the order of the floors."""

from typing import TYPE_CHECKING

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
from athanor.lineage import Operation

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
    join_tickets(house, log)
    join_exports(house)
    join_monitoring(house, log)
    join_persons(house, log)
    sql: Sql = house.services[Sql]
    for relation in house.relations:
        sql.offer(relation)
