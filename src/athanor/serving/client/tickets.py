"""Asynchronous predictions over a transport."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from athanor.kernel.errors import TookTooLong
from athanor.kernel.transport import Transport, segment
from athanor.serving.types.tickets import NewTicket, Ticket, TicketQuery

TicketList: TypeAlias = list[Ticket]

_LOOK_SECONDS = 0.1


class TicketsClient:
    """Requests that are answered later."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ask(self, endpoint: str, request: NewTicket | Sequence[Mapping[str, Any]]) -> Ticket:
        """Send a request, or just records, that is answered later."""
        new = request if isinstance(request, NewTicket) else NewTicket(body={"records": [*request]})
        path = f"/endpoints/{segment(endpoint)}/tickets"
        return self._transport.send("POST", path, body=new).read(Ticket)

    def ticket(self, ticket_id: str) -> Ticket:
        """One ticket, and how far it is."""
        return self._transport.send("GET", f"/tickets/{segment(ticket_id)}").read(Ticket)

    def tickets(self, query: TicketQuery | None = None) -> TicketList:
        """Tickets, newest first."""
        asked = query or TicketQuery()
        fields = {"endpoint": asked.endpoint, "state": asked.state, "limit": asked.limit}
        return self._transport.send("GET", "/tickets", query=fields).read(TicketList)

    def result(self, ticket_id: str, *, wait: float = 0.0) -> Any:
        """The answer; waits up to `wait` seconds for it.

        Raises: TicketOpen or TookTooLong where it is not there; why it failed.
        """
        end = time.monotonic() + wait
        while wait and not self.ticket(ticket_id).ended:
            if time.monotonic() > end:
                raise TookTooLong(
                    f"Ticket {ticket_id} has no answer after {wait:g} s.", hint="Ask again later."
                )
            time.sleep(_LOOK_SECONDS)
        return self._transport.send("GET", f"/tickets/{segment(ticket_id)}/result").json()

    def withdraw(self, ticket_id: str) -> Ticket:
        """Take a request back that is not answered yet."""
        return self._transport.send("POST", f"/tickets/{segment(ticket_id)}/withdraw").read(Ticket)
