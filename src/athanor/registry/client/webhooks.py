"""Webhooks over a transport."""

from athanor.kernel import DEFAULT_PROJECT, Transport
from athanor.kernel.transport import segment
from athanor.registry.webhooks import (
    DeliveryResult,
    NewWebhook,
    Webhook,
    WebhookChange,
    WebhookPage,
)


class WebhooksClient:
    """Addresses that are told over HTTP of what happens to models."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_webhook(self, new: NewWebhook) -> Webhook:
        """Tell an address of events from now on."""
        return self._transport.send("POST", "/webhooks", body=new).read(Webhook)

    def webhook(self, webhook_id: str) -> Webhook:
        """One webhook; its secret is not shown."""
        return self._transport.send("GET", _path(webhook_id)).read(Webhook)

    def webhooks(
        self, project: str = DEFAULT_PROJECT, *, limit: int = 100, page: str | None = None
    ) -> WebhookPage:
        """Webhooks, newest first."""
        query = {"project": project, "limit": limit, "page": page}
        return self._transport.send("GET", "/webhooks", query=query).read(WebhookPage)

    def change_webhook(self, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change a webhook; what is None stays."""
        return self._transport.send("PATCH", _path(webhook_id), body=change).read(Webhook)

    def delete_webhook(self, webhook_id: str) -> None:
        """Tell an address no longer."""
        self._transport.send("DELETE", _path(webhook_id))

    def test_webhook(self, webhook_id: str, event: str | None = None) -> DeliveryResult:
        """Send an example now, and say how it went."""
        answer = self._transport.send("POST", f"{_path(webhook_id)}/test", body={"event": event})
        return answer.read(DeliveryResult)


def _path(webhook_id: str) -> str:
    return f"/webhooks/{segment(webhook_id)}"
