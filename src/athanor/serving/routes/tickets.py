"""Asynchronous predictions over HTTP."""

from typing import Annotated

from fastapi import Query, Response

from athanor.kernel.http import Caller, provide, room_router
from athanor.serving.logic.oip import header_length
from athanor.serving.service.tickets import Tickets
from athanor.serving.types.tickets import NewTicket, Ticket, TicketQuery

router = room_router("serving")
TheTickets = Annotated[Tickets, provide(Tickets)]


@router.post("/endpoints/{name}/tickets", status_code=202)
def ask(name: str, new: NewTicket, who: Caller, tickets: TheTickets, response: Response) -> Ticket:
    """Take a request that is answered later."""
    made = tickets.ask(who, name, new)
    response.headers["Location"] = f"/api/v1/tickets/{made.id}"
    return made


@router.get("/tickets")
def tickets(
    who: Caller,
    tickets: TheTickets,
    endpoint: str = "",
    state: str = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> list[Ticket]:
    """Tickets, newest first."""
    return tickets.tickets(who, TicketQuery(endpoint=endpoint, state=state, limit=limit))


@router.get("/tickets/{ticket_id}")
def ticket(ticket_id: str, who: Caller, tickets: TheTickets) -> Ticket:
    """One ticket, and how far it is."""
    return tickets.ticket(who, ticket_id)


@router.get("/tickets/{ticket_id}/result", response_class=Response)
def result(ticket_id: str, who: Caller, tickets: TheTickets) -> Response:
    """The answer, as the endpoint gave it."""
    content = tickets.result(who, ticket_id)
    length = header_length(content)
    if length == len(content):
        return Response(content, media_type="application/json")
    told = {"Inference-Header-Content-Length": str(length)}
    return Response(content, media_type="application/octet-stream", headers=told)


@router.post("/tickets/{ticket_id}/withdraw")
def withdraw(ticket_id: str, who: Caller, tickets: TheTickets) -> Ticket:
    """Take a request back that is not answered yet."""
    return tickets.withdraw(who, ticket_id)
