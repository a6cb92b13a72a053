"""Webhooks: what the settings and MLflow's environment say of them, joined to events and jobs."""

import os
from typing import TYPE_CHECKING

from athanor.app.doors import is_loopback
from athanor.registry import (
    KEY_FILE,
    Deliveries,
    Locker,
    Messenger,
    Reach,
    SqlModelStore,
    SqlWebhookStore,
    Webhooks,
    add_webhook_routes,
)

if TYPE_CHECKING:
    from athanor.app.house import House

_TRUE = frozenset({"1", "true", "yes", "on"})


def join_webhooks(house: "House") -> None:
    """Make the service, answer its requests, and tell receivers of events."""
    store = SqlWebhookStore(house.database)
    reach = _reach(house)
    locker = Locker(
        house.settings.workspace / KEY_FILE,
        os.environ.get("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", ""),
    )
    house.services[Messenger] = Messenger(reach, locker)
    webhooks = Webhooks(
        store,
        house.database,
        locker=locker,
        reach=reach,
        access=house.access,
        clock=house.clock,
    )
    house.services[Webhooks] = webhooks
    add_webhook_routes(house.mlflow, webhooks)
    deliveries = Deliveries(webhooks, store, SqlModelStore(house.database), house.jobs)
    deliveries.attach(house.events)


def _reach(house: "House") -> Reach:
    """Our own settings, and MLflow's variables for who comes from there."""
    said = os.environ.get
    schemes = said("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "")
    private = said("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "").strip().lower() in _TRUE
    known = tuple(item.strip() for item in schemes.split(",") if item.strip())
    return Reach(
        schemes=known or house.settings.webhook_schemes,
        private=private or house.settings.webhook_private,
        # Who reaches a server on loopback is on this machine, and could ask its ports himself.
        loopback=is_loopback(house.settings.host),
        timeout=_number("MLFLOW_WEBHOOK_REQUEST_TIMEOUT", 10),
        retries=_number("MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", 3),
    )


def _number(name: str, default: int) -> int:
    told = os.environ.get(name, "")
    return max(0, int(told)) if told.isdecimal() else default
