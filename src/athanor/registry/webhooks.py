"""Who is told over HTTP when something happens to models."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from athanor.kernel import DEFAULT_PROJECT

ACTIVE = "ACTIVE"
DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told of events. Its secret is never shown."""

    id: str
    project: str
    name: str
    url: str
    events: tuple[str, ...]
    """`entity.action` in MLflow's words: `model_version.created` ..."""
    description: str | None = None
    status: str = ACTIVE
    """`ACTIVE` or `DISABLED`."""
    signed: bool = False
    """Whether there is a secret that deliveries are signed with."""
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A webhook to be made."""

    name: str
    url: str
    events: tuple[str, ...]
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    """Shared with the receiver, who checks signatures by it."""
    status: str = ACTIVE
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """What is to change; None leaves a field as it is."""

    name: str | None = None
    url: str | None = None
    events: tuple[str, ...] | None = None
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    """"" takes the secret away."""
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPage:
    """Webhooks, newest first."""

    webhooks: list[Webhook]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one webhook."""

    id: str
    """Stable over attempts: what a receiver knows a repetition by."""
    event: str
    """`entity.action`."""
    at: datetime
    data: dict[str, Any]
    """In MLflow's form for the event."""
    project: str = DEFAULT_PROJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """How a delivery went."""

    success: bool
    response_status: int | None = None
    response_body: str | None = None
    """At most 64 KiB of it."""
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where deliveries may go."""

    schemes: tuple[str, ...] = ("https",)
    private: bool = False
    """Whether private, link-local and loopback addresses may be told."""
    loopback: bool = False
    """Whether this very machine may be told, by plain HTTP too: so where only it can reach us."""
    timeout: float = 10.0
    """Seconds that an attempt may take."""
    retries: int = 3
    """Attempts after the first."""
