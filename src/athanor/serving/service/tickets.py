"""The verbs of asynchronous prediction."""

import hashlib
import re
from datetime import timedelta
from typing import TypeAlias

import orjson

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.database import to_json
from athanor.kernel.errors import error_from_dict
from athanor.kernel.ids import is_id, new_id
from athanor.kernel.permissions import Access, Principal
from athanor.serving.batches.desk import Desk
from athanor.serving.errors import EndpointNotFound
from athanor.serving.errors.repeats import IdempotencyKeyReused
from athanor.serving.errors.tickets import (
    BadTicket,
    TicketEnded,
    TicketNotFound,
    TicketOpen,
    TicketTooLarge,
    TooManyTickets,
)
from athanor.serving.logic.signature import parse
from athanor.serving.store import EndpointStore
from athanor.serving.store.tickets import KeptTicket, TicketStore
from athanor.serving.tickets.asking import JSON, packed
from athanor.serving.tickets.runner import TICKET, TicketGround
from athanor.serving.types import Endpoint
from athanor.serving.types.tickets import TICKET_ROUTES, NewTicket, Ticket, TicketQuery

TicketList: TypeAlias = list[Ticket]

MOST_BYTES = 64 << 20
"""Of one ticket's request."""
ONE_REQUEST_BYTES = 16 << 20
"""Of a request in a protocol that can't be asked in pieces: the plane's own limit."""
_MOST_ROWS = 1_000_000
_MOST_WAITING = 1_000
_LEAST_KEPT, _MOST_KEPT = 60.0, 30 * 86_400.0
_MOST_LISTED = 1_000
_OPEN = ("queued", "running")
_CONTENT_TYPE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+( *;[ -~]*)?")
"""A media type with its parameters (RFC 9110, 8.3.1): no line break gets into a header."""


class Tickets:
    """Requests that are answered later: they wait in the database and survive restarts."""

    def __init__(
        self,
        store: TicketStore,
        endpoints: EndpointStore,
        ground: TicketGround,
        *,
        access: Access,
        desk: Desk,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._ground = ground
        self._access = access
        self._desk = desk

    def ask(self, who: Principal, endpoint: str, new: NewTicket) -> Ticket:
        """Take a request that is answered later. What can be seen to be wrong is refused now.

        Raises: EndpointNotFound, BadTicket, TicketTooLarge, TooManyTickets, BadWebhook,
        DiskNearlyFull, IdempotencyKeyReused; for `predict`: BadPrediction, ColumnMissing,
        ValueRefused.
        """
        self._access.require(who, "serving.ask", endpoint)
        found = self._endpoints.find(endpoint)
        if found is None:
            raise EndpointNotFound(endpoint, [item.name for item in self._endpoints.all()])
        if done := self._repeated(endpoint, new):
            return done
        kept = self._kept(who, found, new)
        with self._ground.database.transaction():
            if done := self._repeated(endpoint, new):  # somebody with the same key came meanwhile
                return done
            if self._store.waiting(endpoint) >= _MOST_WAITING:
                raise TooManyTickets(endpoint, _MOST_WAITING)
            self._store.add(kept, new.idempotency_key)
            payload = {"ticket": kept.ticket.id}
            key = f"ticket:{kept.ticket.id}"
            self._desk.jobs.submit(TICKET, payload, key=key, project=found.project)
        return kept.ticket

    def ticket(self, who: Principal, ticket_id: str) -> Ticket:
        """The ticket with this id.

        Raises: TicketNotFound.
        """
        self._access.require(who, "serving.ticket", ticket_id)
        return self._found(ticket_id).ticket

    def tickets(
        self, who: Principal, query: TicketQuery, *, project: str = DEFAULT_PROJECT
    ) -> TicketList:
        """A project's tickets, newest first."""
        self._access.require(who, "serving.tickets", project)
        limit = max(1, min(query.limit, _MOST_LISTED))
        asked = TicketQuery(endpoint=query.endpoint, state=query.state, limit=limit)
        return self._store.page(project, asked, self._ground.clock.now())

    def result(self, who: Principal, ticket_id: str) -> bytes:
        """The answer, byte for byte as the endpoint gave it (JSON).

        Raises: TicketNotFound, TicketOpen, TicketEnded (withdrawn), and why it failed.
        """
        self._access.require(who, "serving.result", ticket_id)
        ticket = self._found(ticket_id).ticket
        if ticket.state == "failed" and ticket.error is not None:
            raise error_from_dict(ticket.error)
        if ticket.state == "cancelled":
            raise TicketEnded(ticket_id, ticket.state, "read")
        if ticket.answer is None:
            raise TicketOpen(ticket_id, ticket.state)
        return self._ground.storage.read(ticket.answer)

    def withdraw(self, who: Principal, ticket_id: str) -> Ticket:
        """Take a request back that is not answered yet; nobody is told.

        Raises: TicketNotFound, TicketEnded.
        """
        self._access.require(who, "serving.withdraw", ticket_id)
        now = self._ground.clock.now()
        with self._ground.database.transaction():
            kept = self._found(ticket_id)
            changes = {
                "state": "cancelled",
                "ended_at": now,
                "expires_at": now + timedelta(seconds=kept.expires_seconds),
            }
            if not self._store.change(ticket_id, changes, while_in=_OPEN):
                raise TicketEnded(ticket_id, kept.ticket.state, "withdrawn")
        return self._found(ticket_id).ticket

    def _repeated(self, endpoint: str, new: NewTicket) -> Ticket | None:
        """The ticket that this request made when it came before.

        Raises: IdempotencyKeyReused, BadTicket.
        """
        key = new.idempotency_key
        done = None if key is None else self._store.by_key(endpoint, key)
        if key is None or done is None:
            return None
        if self._is_over(done) and done.told != "waiting":
            self._store.remove(done.id)  # and its key is free again
            return None
        kept = self._store.find(done.id)
        body = packed(new.content_type, _body(new))
        asked = {
            "body": f"sha256:{hashlib.sha256(body).hexdigest()}",
            "route": new.route,
            "webhook": new.webhook,
        }
        first = {
            "body": asked["body"] if kept is None else kept.request,
            "route": done.route,
            "webhook": done.webhook,
        }
        for name, value in asked.items():
            if first[name] != value:
                raise IdempotencyKeyReused(key, f"ticket {done.id}", name)
        return done

    def _found(self, ticket_id: str) -> KeptTicket:
        found = self._store.find(ticket_id) if is_id(ticket_id) else None
        if found is None:
            raise TicketNotFound(ticket_id)
        if self._is_over(found.ticket):
            raise TicketNotFound(ticket_id)
        return found

    def _is_over(self, ticket: Ticket) -> bool:
        return ticket.expires_at is not None and ticket.expires_at < self._ground.clock.now()

    def _kept(self, who: Principal, endpoint: Endpoint, new: NewTicket) -> KeptTicket:
        """The ticket, its request stored.

        Raises: BadTicket, TicketTooLarge, BadWebhook, DiskNearlyFull, what the signature refuses.
        """
        if new.route not in TICKET_ROUTES:
            known = ", ".join(TICKET_ROUTES)
            raise BadTicket(f"There is no route {new.route!r}.", f"Routes are: {known}.")
        if not _LEAST_KEPT <= new.expires_seconds <= _MOST_KEPT:
            raise BadTicket(
                f"expires_seconds is {new.expires_seconds:g}.",
                f"It can be {_LEAST_KEPT:g} to {_MOST_KEPT:,.0f}.",
            )
        if new.webhook:
            self._ground.messenger.check(new.webhook)
        elif new.secret:
            raise BadTicket("There is a secret, and no webhook to sign for.", "Give `webhook`.")
        if not _CONTENT_TYPE.fullmatch(new.content_type):
            raise BadTicket(
                f"content_type is {new.content_type[:100]!r}, no media type.",
                "Give one such as application/json or text/csv; charset=utf-8.",
            )
        body = _body(new)
        limit = MOST_BYTES if new.route == "predict" else ONE_REQUEST_BYTES
        if len(body) > limit:
            raise TicketTooLarge(len(body), limit)
        if new.route == "predict":
            _check(endpoint, body)
        blob = self._ground.storage.put_bytes(packed(new.content_type, body))
        ticket = Ticket(
            id=new_id(),
            project=endpoint.project,
            endpoint=endpoint.name,
            route=new.route,
            state="queued",
            request_bytes=len(body),
            webhook=new.webhook,
            created_by=who.name,
            created_at=self._ground.clock.now(),
        )
        return KeptTicket(
            ticket=ticket,
            request=blob.digest,
            secret=self._ground.messenger.lock(new.secret) if new.secret else None,
            expires_seconds=new.expires_seconds,
        )


def _body(new: NewTicket) -> bytes:
    if new.body is None:
        raise BadTicket("The ticket has no body.", 'Send {"body": {"records": [...]}}.')
    if isinstance(new.body, str) and new.content_type != JSON:
        return new.body.encode()
    return to_json(new.body).encode()


def _check(endpoint: Endpoint, body: bytes) -> None:
    """Refuse now what the endpoint would refuse later.

    Raises: BadPrediction, TooManyRecords, ColumnMissing, ValueRefused.
    """
    live = endpoint.live
    if live is not None and live.signature.columns:
        told = orjson.loads(body)
        parse(live.signature, told, key=endpoint.key, max_rows=_MOST_ROWS)
