"""webhooks: who is told of what happens to models."""

from typing import Any

from msgspec import field

from athanor.registry.errors import BadWebhook, WebhookNotFound
from athanor.registry.logic.webhooks import check_event
from athanor.registry.mlflow.entities import milliseconds
from athanor.registry.service import Webhooks
from athanor.registry.webhooks import NewWebhook, Webhook, WebhookChange
from athanor.tracking import Answered, Call, MlflowRoutes, Record, Required

_DEFAULT = 100


class EventForm(Record):
    """An entity and what happens to it."""

    entity: str = ""
    action: str = ""


class CreateWebhook(Record):
    """webhooks, by POST."""

    name: Required
    url: Required
    events: list[EventForm]
    description: str = ""
    secret: str = ""
    status: str = ""


class ListWebhooks(Record):
    """webhooks, by GET."""

    max_results: int = _DEFAULT
    page_token: str = ""


class UpdateWebhook(Record):
    """webhooks/{webhook_id}, by PATCH."""

    name: str = ""
    url: str = ""
    events: list[EventForm] = field(default_factory=list)
    description: str | None = None
    secret: str | None = None
    status: str = ""


class TestWebhook(Record):
    """webhooks/{webhook_id}/test."""

    event: EventForm | None = None


def add_webhook_routes(routes: MlflowRoutes, webhooks: Webhooks) -> None:
    """Answer what is asked about webhooks."""
    routes.translate(BadWebhook, "INVALID_PARAMETER_VALUE", lambda error: str(error.message))
    routes.translate(WebhookNotFound, "RESOURCE_DOES_NOT_EXIST", lambda error: str(error.message))
    _add_many(routes, webhooks)
    _add_one(routes, webhooks)


def _add_many(routes: MlflowRoutes, webhooks: Webhooks) -> None:
    def create(call: Call) -> Answered:
        asked = call.read(CreateWebhook)
        made = webhooks.create_webhook(
            call.who,
            NewWebhook(
                name=asked.name,
                url=asked.url,
                events=_events(asked.events),
                description=asked.description or None,
                secret=asked.secret or None,
                status=asked.status or "ACTIVE",
                project=call.project,
            ),
        )
        return {"webhook": _json(made)}

    def listing(call: Call) -> Answered:
        asked = call.read(ListWebhooks)
        page = webhooks.webhooks(
            call.who,
            call.project,
            limit=asked.max_results or _DEFAULT,
            page=asked.page_token or None,
        )
        told: dict[str, Any] = {}
        if page.webhooks:
            told["webhooks"] = [_json(webhook) for webhook in page.webhooks]
        if page.next_page_token:
            told["next_page_token"] = page.next_page_token
        return told

    routes.add("POST", "webhooks", create)
    routes.add("GET", "webhooks", listing)


def _add_one(routes: MlflowRoutes, webhooks: Webhooks) -> None:
    def get(call: Call) -> Answered:
        return {"webhook": _json(_found(call, webhooks))}

    def update(call: Call) -> Answered:
        asked = call.read(UpdateWebhook)
        found = _found(call, webhooks)
        change = WebhookChange(
            name=asked.name or None,
            url=asked.url or None,
            events=_events(asked.events) if asked.events else None,
            description=asked.description,
            secret=asked.secret,
            status=asked.status or None,
        )
        return {"webhook": _json(webhooks.change_webhook(call.who, found.id, change))}

    def delete(call: Call) -> Answered:
        webhooks.delete_webhook(call.who, _found(call, webhooks).id)
        return {}

    def test(call: Call) -> Answered:
        asked = call.read(TestWebhook)
        found = _found(call, webhooks)
        event = None if asked.event is None else _events([asked.event])[0]
        result = webhooks.test_webhook(call.who, found.id, event)
        told: dict[str, Any] = {"success": result.success}
        for name in ("response_status", "response_body", "error_message"):
            if (value := getattr(result, name)) is not None:
                told[name] = value
        return {"result": told}

    routes.add("GET", "webhooks/{webhook_id}", get)
    routes.add("PATCH", "webhooks/{webhook_id}", update)
    routes.add("DELETE", "webhooks/{webhook_id}", delete)
    routes.add("POST", "webhooks/{webhook_id}/test", test, writes=False)


def _found(call: Call, webhooks: Webhooks) -> Webhook:
    found = webhooks.webhook(call.who, call.path["webhook_id"])
    if found.project != call.project:
        raise WebhookNotFound(found.id)
    return found


def _events(told: list[EventForm]) -> tuple[str, ...]:
    return tuple(check_event(event.entity, event.action) for event in told)


def _json(webhook: Webhook) -> dict[str, Any]:
    told: dict[str, Any] = {
        "webhook_id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": [
            {"entity": entity.upper(), "action": action.upper()}
            for entity, _, action in (event.partition(".") for event in webhook.events)
        ],
        "status": webhook.status,
        "creation_timestamp": milliseconds(webhook.created_at),
        "last_updated_timestamp": milliseconds(webhook.updated_at),
    }
    if webhook.description:
        told["description"] = webhook.description
    return told
