"""`athanor endpoint submit`, `ticket`, `tickets`, `withdraw`: requests that are answered later."""

from typing import Annotated

import typer

from athanor.kernel.console import Json, emit, say, table, transport
from athanor.serving.client import EndpointsClient
from athanor.serving.client.tickets import TicketsClient
from athanor.serving.commands.records import records_told
from athanor.serving.errors import ServerNeeded
from athanor.serving.types.tickets import NewTicket, Ticket, TicketQuery

Name = Annotated[str, typer.Argument(metavar="ENDPOINT")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the answer, and print it.")]
Id = Annotated[str, typer.Argument(metavar="TICKET", help="The ticket's id.")]

_WAIT_SECONDS = 3_600.0


def submit(
    name: Name,
    records: Annotated[
        str,
        typer.Argument(
            metavar="RECORDS",
            help="A CSV or JSON file; - is standard input (JSON); or the JSON itself.",
        ),
    ],
    *,
    webhook: Annotated[str, typer.Option(help="The URL that is told of the end.")] = "",
    secret: Annotated[
        str | None, typer.Option(help="What its messages are signed with.", envvar="WEBHOOK_SECRET")
    ] = None,
    expires_hours: Annotated[
        float, typer.Option(help="How long the answer is kept after the end.")
    ] = 24.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the answer, and print it.")
    ] = False,
    json: Json = False,
) -> None:
    """Send records to an endpoint that answers them later."""
    client = TicketsClient(transport())
    made = client.ask(
        name,
        NewTicket(
            body={"records": list(records_told(records))},
            webhook=webhook,
            secret=secret,
            expires_seconds=expires_hours * 3_600,
        ),
    )
    if wait:
        _wait(client, made)
    elif json:
        emit(made)
    else:
        say(f"Ticket {made.id}. Its answer: athanor endpoint ticket {made.id} --wait")


def ticket(
    ticket: Id,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the answer, and print it.")
    ] = False,
    json: Json = False,
) -> None:
    """Print how far a ticket is; with --wait its answer."""
    client = TicketsClient(transport())
    found = client.ticket(ticket)
    if wait:
        _wait(client, found)
    else:
        _tell(found, json=json)


def tickets(
    *,
    endpoint: Annotated[str, typer.Option(help="Only those of this endpoint.")] = "",
    state: Annotated[str, typer.Option(help="Only those in this state.")] = "",
    limit: Annotated[int, typer.Option(help="How many; the newest come first.")] = 20,
    json: Json = False,
) -> None:
    """Print the tickets."""
    query = TicketQuery(endpoint=endpoint, state=state, limit=limit)
    found = TicketsClient(transport()).tickets(query)
    if json:
        emit(found)
        return
    table(
        ("ticket", "endpoint", "state", "since", "webhook", "told"),
        [
            (
                item.id,
                item.endpoint,
                item.state,
                f"{item.created_at:%Y-%m-%d %H:%M:%S}",
                item.webhook,
                item.told,
            )
            for item in found
        ],
        empty="No tickets yet. Make one: athanor endpoint submit ENDPOINT FILE",
    )


def withdraw(ticket: Id, *, json: Json = False) -> None:
    """Take a request back that is not answered yet."""
    _tell(TicketsClient(transport()).withdraw(ticket), json=json)


def _wait(client: TicketsClient, found: Ticket) -> None:
    """Print the answer. Raises: ServerNeeded where nobody will ever give it."""
    if not found.ended and not EndpointsClient(transport()).get(found.endpoint).url:
        raise ServerNeeded
    emit(client.result(found.id, wait=_WAIT_SECONDS))


def _tell(found: Ticket, *, json: bool) -> None:
    if json:
        emit(found)
        return
    why = f": {found.error['message']}" if found.error else ""
    say(f"Ticket {found.id} of endpoint {found.endpoint} is {found.state}{why}.")
    if found.webhook:
        say(
            f"{found.webhook} is {found.told or 'told when it ends'} ({found.deliveries} messages)."
        )
