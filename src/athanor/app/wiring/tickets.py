"""Asynchronous predictions: their queue, and who is told."""

from typing import TYPE_CHECKING

from athanor.registry import Messenger
from athanor.serving import ServingLog
from athanor.serving.batches.desk import Desk
from athanor.serving.service.tickets import Tickets
from athanor.serving.store import SqlEndpointStore
from athanor.serving.store.tickets import SqlTicketStore
from athanor.serving.tickets.asking import Asker
from athanor.serving.tickets.logged import Logged
from athanor.serving.tickets.runner import TicketGround, TicketRunner

if TYPE_CHECKING:
    from athanor.app.house import House


def join_tickets(house: "House", log: ServingLog) -> None:
    """Make the tickets. They are taken everywhere; a server, which has a plane, answers them."""
    store = SqlTicketStore(house.database)
    desk = Desk(house.database, house.clock)
    ground = TicketGround(
        database=house.database,
        storage=house.storage,
        events=house.events,
        clock=house.clock,
        messenger=house.services[Messenger],
    )
    endpoints = SqlEndpointStore(house.database)
    asker = Asker(house.serving_url, house.demanded_token, Logged(log, endpoints))
    TicketRunner(store, ground, desk, asker)
    house.services[Tickets] = Tickets(store, endpoints, ground, access=house.access, desk=desk)
    if house.serving:
        house.starters.append(desk.start)
    house.closers += [asker.close, desk.close]
