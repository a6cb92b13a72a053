"""Webhooks: who is told, and how it went when one is tried."""

import http.client
import time
from typing import Any

from athanor.kernel import Access, Clock, Database, Principal, new_id
from athanor.registry.errors import (
    BadWebhook,
    SecretUnreadable,
    WebhookNotFound,
)
from athanor.registry.logic.webhooks import (
    body_of,
    check_event,
    check_webhook_events,
    check_webhook_name,
    check_webhook_status,
    example,
    read_url,
    signature,
)
from athanor.registry.secrets import Locker
from athanor.registry.sending import addresses_of, post
from athanor.registry.store.webhooks import KeptWebhook, WebhookStore
from athanor.registry.webhooks import (
    Delivery,
    DeliveryResult,
    NewWebhook,
    Reach,
    Webhook,
    WebhookChange,
    WebhookPage,
)
from athanor.tracking import page_offset, page_token

_MOST = 1000
_BAD = 400


class Webhooks:
    """Addresses that are told over HTTP of what happens to models."""

    def __init__(
        self,
        store: WebhookStore,
        database: Database,
        *,
        locker: Locker,
        reach: Reach,
        access: Access,
        clock: Clock,
    ) -> None:
        self._store = store
        self._database = database
        self._locker = locker
        self._reach = reach
        self._access = access
        self._clock = clock

    @property
    def reach(self) -> Reach:
        """Where deliveries may go."""
        return self._reach

    def create_webhook(self, who: Principal, new: NewWebhook) -> Webhook:
        """Tell an address of events from now on.

        Raises: BadWebhook.
        """
        self._access.require(who, "registry.create_webhook", new.name)
        check_webhook_name(new.name)
        self._check_url(new.url)
        check_webhook_events(new.events)
        check_webhook_status(new.status)
        now = self._clock.now()
        webhook = Webhook(
            id=new_id(),
            project=new.project,
            name=new.name,
            url=new.url,
            events=tuple(dict.fromkeys(new.events)),
            description=new.description,
            status=new.status,
            signed=bool(new.secret),
            created_by=who.name,
            created_at=now,
            updated_at=now,
        )
        self._store.add(webhook, self._locker.lock(new.secret) if new.secret else None)
        return webhook

    def webhook(self, who: Principal, webhook_id: str) -> Webhook:
        """The webhook of this id.

        Raises: WebhookNotFound.
        """
        self._access.require(who, "registry.webhook", webhook_id)
        return self._kept(webhook_id).webhook

    def webhooks(
        self, who: Principal, project: str, *, limit: int = 100, page: str | None = None
    ) -> WebhookPage:
        """A project's webhooks, newest first, `limit` (1 to 1,000) at a time.

        Raises: BadWebhook, BadSearch (the page).
        """
        self._access.require(who, "registry.webhooks", project)
        if not 1 <= limit <= _MOST:
            raise BadWebhook(f"max_results must be between 1 and {_MOST}.")
        offset = page_offset(page or "")
        found = self._store.page(project, limit + 1, offset)
        following = page_token(offset + limit) if len(found) > limit else None
        return WebhookPage(webhooks=found[:limit], next_page_token=following)

    def change_webhook(self, who: Principal, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change a webhook; what is None stays.

        Raises: WebhookNotFound, BadWebhook.
        """
        self._access.require(who, "registry.change_webhook", webhook_id)
        changes: dict[str, Any] = {"updated_at": self._clock.now()}
        for name in ("name", "url", "description", "status"):
            if (value := getattr(change, name)) is not None:
                changes[name] = value
        if change.events is not None:
            check_webhook_events(change.events)
            changes["events"] = list(dict.fromkeys(change.events))
        if change.secret is not None:
            changes["secret"] = self._locker.lock(change.secret) if change.secret else None
        with self._database.transaction():
            self._kept(webhook_id)
            if change.name is not None:
                check_webhook_name(change.name)
            if change.status is not None:
                check_webhook_status(change.status)
            if change.url is not None:
                self._check_url(change.url)
            self._store.change(webhook_id, changes)
            return self._kept(webhook_id).webhook

    def delete_webhook(self, who: Principal, webhook_id: str) -> None:
        """Tell an address no longer.

        Raises: WebhookNotFound.
        """
        self._access.require(who, "registry.delete_webhook", webhook_id)
        if not self._store.remove(webhook_id):
            raise WebhookNotFound(webhook_id)

    def test_webhook(
        self, who: Principal, webhook_id: str, event: str | None = None
    ) -> DeliveryResult:
        """Send an example of an event now, and say how it went.

        Raises: WebhookNotFound, BadWebhook (the event).
        """
        self._access.require(who, "registry.test_webhook", webhook_id)
        kept = self._kept(webhook_id)
        named = event or kept.webhook.events[0]
        check_event(*named.partition(".")[::2])
        delivery = Delivery(
            id=new_id(),
            event=named,
            at=self._clock.now(),
            data=example(named),
            project=kept.webhook.project,
        )
        try:
            status, text = self.send(kept, delivery)
        except (BadWebhook, SecretUnreadable, OSError, http.client.HTTPException) as error:
            return DeliveryResult(success=False, error_message=f"Failed to test webhook: {error!r}")
        return DeliveryResult(success=status < _BAD, response_status=status, response_body=text)

    def send(self, kept: KeptWebhook, delivery: Delivery) -> tuple[int, str]:
        """One attempt: the answer's status and text.

        Raises: BadWebhook, SecretUnreadable, OSError, http.client.HTTPException.
        """
        body, now = body_of(delivery), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "athanor",
            "X-MLflow-Delivery-Id": delivery.id,
            "X-MLflow-Timestamp": now,
        }
        if kept.secret:
            try:
                secret = self._locker.unlock(kept.secret)
            except ValueError as error:
                raise SecretUnreadable(kept.webhook.name) from error
            headers["X-MLflow-Signature"] = signature(secret, delivery.id, now, body)
        url = read_url(kept.webhook.url, self._reach)
        return post(url, body.encode(), headers, self._reach)

    def _check_url(self, url: str) -> None:
        parsed = read_url(url, self._reach)
        try:
            addresses_of(parsed, self._reach)
        except (OSError, UnicodeError):
            # A host that has no address yet is judged again before each delivery.
            return

    def _kept(self, webhook_id: str) -> KeptWebhook:
        found = self._store.find(webhook_id)
        if found is None:
            raise WebhookNotFound(webhook_id)
        return found
