"""The nouns of asynchronous predictions: tickets, and who is told when one is done."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

TicketState = Literal["queued", "running", "done", "failed", "cancelled"]
TICKET_ENDED: frozenset[TicketState] = frozenset({"done", "failed", "cancelled"})

Told = Literal["", "waiting", "delivered", "undelivered"]
"""How far the webhook is: none was asked for, attempts go on, it answered 2xx, it never did."""

TICKET_ROUTES = ("predict", "invocations", "infer")
"""The protocols that a request may be in, by the last part of the endpoint's address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A request to be answered later."""

    body: Any = None
    """What would be sent to the endpoint: {"records": [...]}, or what its `route` takes."""
    content_type: str = "application/json"
    """Of a `body` that is text in another form: `text/csv` for `invocations`."""
    route: str = "predict"
    """`predict`, MLflow's `invocations`, or Open Inference's `infer`."""
    webhook: str = ""
    """The URL that is told of the end (POST, JSON); "" tells nobody."""
    secret: str | None = field(default=None, repr=False)
    """What the webhook's messages are signed with (Standard Webhooks, HMAC-SHA256)."""
    expires_seconds: float = 86_400.0
    """How long the answer is kept after the end: 60 s to 30 days."""
    idempotency_key: str | None = None
    """A repetition with the same one returns the first one's ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A request that was taken, and how far it is."""

    id: str
    """Also its request id (X-Request-Id): the log's rows carry it."""
    project: str
    endpoint: str
    route: str
    state: TicketState
    request_bytes: int
    answer: str | None = None
    """The digest of the answer's body, once it is done."""
    answer_bytes: int = 0
    error: dict[str, Any] | None = None
    """Why it failed: `error`, `status`, `message`, `hint`."""
    attempts: int = 0
    """How often the endpoint was asked."""
    webhook: str = ""
    told: Told = ""
    deliveries: int = 0
    """Attempts to reach the webhook so far."""
    delivered_at: datetime | None = None
    created_by: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    """When the answer goes; known once the ticket has ended."""

    @property
    def ended(self) -> bool:
        """Whether its answer is there, or will never be."""
        return self.state in TICKET_ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketQuery:
    """Which tickets to list."""

    endpoint: str = ""
    state: str = ""
    limit: int = 100
    """1 to 1,000; the newest come first."""
