"""Webhooks over HTTP."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query

from athanor.kernel import DEFAULT_PROJECT
from athanor.kernel.http import Caller, provide, room_router
from athanor.registry.service import Webhooks
from athanor.registry.webhooks import (
    DeliveryResult,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookPage,
)

router = room_router("registry")
TheWebhooks = Annotated[Webhooks, provide(Webhooks)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrial:
    """What a test sends an example of."""

    event: str | None = None
    """`entity.action`; the webhook's first event where none is named."""


@router.post("/webhooks", status_code=201)
def create_webhook(new: NewWebhook, who: Caller, hooks: TheWebhooks) -> Webhook:
    """Tell an address of events from now on."""
    return hooks.create_webhook(who, new)


@router.get("/webhooks")
def webhooks(
    who: Caller,
    hooks: TheWebhooks,
    project: str = DEFAULT_PROJECT,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page: str | None = None,
) -> WebhookPage:
    """Webhooks, newest first."""
    return hooks.webhooks(who, project, limit=limit, page=page)


@router.get("/webhooks/{webhook_id}")
def webhook(webhook_id: str, who: Caller, hooks: TheWebhooks) -> Webhook:
    """One webhook; its secret is not shown."""
    return hooks.webhook(who, webhook_id)


@router.patch("/webhooks/{webhook_id}")
def change_webhook(
    webhook_id: str, change: WebhookChange, who: Caller, hooks: TheWebhooks
) -> Webhook:
    """Change a webhook; what is left out stays."""
    return hooks.change_webhook(who, webhook_id, change)


@router.delete("/webhooks/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, who: Caller, hooks: TheWebhooks) -> None:
    """Tell an address no longer."""
    hooks.delete_webhook(who, webhook_id)


@router.post("/webhooks/{webhook_id}/test")
def test_webhook(
    webhook_id: str, trial: WebhookTrial, who: Caller, hooks: TheWebhooks
) -> DeliveryResult:
    """Send an example now, and say how it went."""
    return hooks.test_webhook(who, webhook_id, trial.event)
