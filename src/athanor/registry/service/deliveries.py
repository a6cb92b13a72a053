"""Tells webhooks of events: a job for each, made in the transaction that moves the reader on.

So each event reaches each webhook at least once, also when the server dies in between; the id of
the delivery is the same in every attempt.
"""

import http.client
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from athanor.kernel import Event, Events, Job, Jobs
from athanor.registry.errors import BadWebhook, SecretUnreadable, WebhookUndelivered
from athanor.registry.logic.webhooks import TOLD_OF, told_as
from athanor.registry.service.webhooks import Webhooks
from athanor.registry.store import ModelStore
from athanor.registry.store.webhooks import WebhookStore
from athanor.registry.types import is_prompt
from athanor.registry.webhooks import ACTIVE, Delivery

_log = logging.getLogger(__name__)

_KIND = "registry.webhook"
_AGAIN = frozenset({429, 500, 502, 503, 504})
"""Answers after which a message is sent again."""


class Deliveries:
    """From events to jobs, from jobs to receivers."""

    def __init__(
        self, webhooks: Webhooks, store: WebhookStore, models: ModelStore, jobs: Jobs
    ) -> None:
        self._webhooks = webhooks
        self._store = store
        self._models = models
        self._jobs = jobs
        self._turns: defaultdict[str, Lock] = defaultdict(Lock)
        """One message at a time to each webhook: they arrive in the order of the events, where
        nothing fails."""

    def attach(self, events: Events) -> None:
        """Begin to listen, and to do the jobs."""
        events.subscribe("registry.webhooks", self.note, TOLD_OF)
        self._jobs.handle(_KIND, self.deliver, max_attempts=self._webhooks.reach.retries + 1)

    def note(self, event: Event) -> None:
        """Make a job for each webhook that is told of an event."""
        model = self._models.find_model(str(event.detail.get("model", "")))
        told = told_as(event, is_prompt=model is not None and is_prompt(model.tags))
        if told is None:
            return
        name, data = told
        for webhook in self._store.told_of(event.project, name):
            delivery_id = str(uuid5(NAMESPACE_URL, f"athanor:{event.id}:{webhook.id}"))
            payload = {
                "webhook": webhook.id,
                "delivery": delivery_id,
                "event": name,
                "at": event.at.isoformat(),
                "data": data,
                "project": event.project,
            }
            self._jobs.submit(_KIND, payload, key=delivery_id, project=event.project)

    def deliver(self, job: Job) -> Mapping[str, Any] | None:
        """One attempt to tell a webhook.

        Raises: WebhookUndelivered, after which the job is tried again.
        """
        told = job.payload
        kept = self._store.find(str(told["webhook"]))
        if kept is None or kept.webhook.status != ACTIVE:
            return {"left_out": "the webhook is gone or disabled"}
        delivery = Delivery(
            id=str(told["delivery"]),
            event=str(told["event"]),
            at=datetime.fromisoformat(str(told["at"])),
            data=dict(told["data"]),
            project=str(told["project"]),
        )
        name = kept.webhook.name
        try:
            with self._turns[kept.webhook.id]:
                status, _ = self._webhooks.send(kept, delivery)
        except (OSError, http.client.HTTPException) as error:
            raise WebhookUndelivered(name, type(error).__name__) from error
        except (BadWebhook, SecretUnreadable) as error:
            _log.warning("webhook %s is not told: %s", name, error.message)
            return {"refused": error.message}
        if status in _AGAIN:
            raise WebhookUndelivered(name, f"it answered {status}")
        if status >= 300:
            _log.warning("webhook %s answered %d; the message is not sent again", name, status)
        return {"status": status}
