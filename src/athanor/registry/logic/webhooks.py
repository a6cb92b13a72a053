"""Webhooks without a network: what events there are, what is sent, how it is signed.

Source: mlflow 3.17, `mlflow/webhooks/` and `mlflow/entities/webhook.py`.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from athanor.kernel import Event
from athanor.registry.errors import BadWebhook
from athanor.registry.webhooks import ACTIVE, DISABLED, Delivery, Reach

ACTIONS: dict[str, tuple[str, ...]] = {
    "registered_model": ("created",),
    "model_version": ("created",),
    "model_version_tag": ("deleted", "set"),
    "model_version_alias": ("created", "deleted"),
    "prompt": ("created",),
    "prompt_version": ("created",),
    "prompt_tag": ("deleted", "set"),
    "prompt_version_tag": ("deleted", "set"),
    "prompt_alias": ("created", "deleted"),
    "budget_policy": ("exceeded",),
}
"""Entities, each with what may happen to it."""

TOLD_OF = (
    "registry.model.created",
    "registry.model.tagged",
    "registry.model.untagged",
    "registry.version.created",
    "registry.version.tagged",
    "registry.version.untagged",
    "registry.alias.moved",
)
"""The events of ours that webhooks can be told of."""

_OF_MODELS = {
    "registry.model.created": "registered_model.created",
    "registry.version.created": "model_version.created",
    "registry.version.tagged": "model_version_tag.set",
    "registry.version.untagged": "model_version_tag.deleted",
}
_OF_PROMPTS = {
    "registry.model.created": "prompt.created",
    "registry.model.tagged": "prompt_tag.set",
    "registry.model.untagged": "prompt_tag.deleted",
    "registry.version.created": "prompt_version.created",
    "registry.version.tagged": "prompt_version_tag.set",
    "registry.version.untagged": "prompt_version_tag.deleted",
}
_PROMPT_TAGS = ("mlflow.prompt.is_prompt", "_mlflow_prompt_type", "mlflow.prompt.text")
_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
_ORDER = ("name", "alias", "version", "source", "run_id", "template", "key", "value", "tags")
"""How MLflow orders what it tells; the rest stands behind."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def check_event(entity: str, action: str) -> str:
    """`entity.action`, if webhooks can be told of it. Case does not matter.

    Raises: BadWebhook.
    """
    entity, action = entity.lower(), action.lower()
    valid = ACTIONS.get(entity)
    if valid is None:
        raise BadWebhook(f"Invalid entity '{entity}'. Valid entities are: {sorted(ACTIONS)}")
    if action not in valid:
        raise BadWebhook(
            f"Invalid action '{action}' for entity '{entity}'. Valid actions are: {sorted(valid)}"
        )
    return f"{entity}.{action}"


def check_webhook_name(name: str) -> None:
    """Raises: BadWebhook."""
    if not _NAME.fullmatch(name):
        raise BadWebhook(
            f"Webhook name {name[:100]!r} is invalid. It must start and end with a letter or "
            "digit, be less than 63 characters long, and contain only letters, digits, dots (.), "
            "underscores (_), and hyphens (-)."
        )


def check_webhook_status(status: str) -> None:
    """Raises: BadWebhook."""
    if status not in {ACTIVE, DISABLED}:
        raise BadWebhook(f"Invalid webhook status {status[:100]!r}: say ACTIVE or DISABLED.")


def check_webhook_events(events: Iterable[str]) -> None:
    """Raises: BadWebhook."""
    told = list(events)
    if not told:
        raise BadWebhook(
            f"Webhook events must be a non-empty list of WebhookEvent objects: {told}."
        )
    for event in told:
        check_event(*event.partition(".")[::2])


def read_url(url: str, reach: Reach) -> SplitResult:
    """An address that may be told; whether its host may be is found out when it is resolved.

    Raises: BadWebhook.
    """
    shown = url[:500]
    if not url.strip():
        raise BadWebhook(f"Webhook URL cannot be empty or just whitespace: {shown!r}")
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError as error:
        raise BadWebhook(f"Invalid webhook URL {shown!r}: {error!r}") from error
    local = reach.loopback and parsed.hostname in _LOCAL
    if parsed.scheme not in (*reach.schemes, *(("http",) if local else ())):
        raise BadWebhook(
            f"Invalid webhook URL scheme: {parsed.scheme!r}. "
            f"Allowed schemes are: {', '.join(reach.schemes)}."
        )
    if not parsed.hostname or port == 0:
        raise BadWebhook(f"Webhook URL must include a hostname: {shown!r}")
    if parsed.username or parsed.password:
        raise BadWebhook("Webhook URL must not include embedded credentials.")
    return parsed


def told_as(event: Event, *, is_prompt: bool) -> tuple[str, dict[str, Any]] | None:
    """An event of ours as MLflow tells it: `entity.action` and its data; None if it does not."""
    detail = event.detail
    if event.action == "registry.alias.moved":
        entity = "prompt_alias" if is_prompt else "model_version_alias"
        data = {"name": detail["model"], "alias": detail["alias"]}
        if detail["number"] is None:
            return f"{entity}.deleted", data
        return f"{entity}.created", data | {"version": str(detail["number"])}
    named = (_OF_PROMPTS if is_prompt else _OF_MODELS).get(event.action)
    if named is None:
        return None
    return named, _data_of(event, is_prompt=is_prompt)


def _data_of(event: Event, *, is_prompt: bool) -> dict[str, Any]:
    detail = event.detail
    data: dict[str, Any] = {"name": detail["model"]}
    if event.action == "registry.model.created":
        tags = dict(detail.get("tags") or {})
        data["tags"] = _without_own(tags) if is_prompt else tags
        data["description"] = detail.get("description") or ""
        return data
    if "number" in detail:
        data["version"] = str(detail["number"])
    if event.action == "registry.version.created":
        tags = dict(detail.get("tags") or {})
        if is_prompt:
            data["template"] = tags.get("mlflow.prompt.text")
            data["tags"] = _without_own(tags)
        else:
            data["source"] = detail.get("source") or ""
            data["run_id"] = detail.get("run") or None
            data["tags"] = tags
        data["description"] = detail.get("description") or None
        return data
    return data | {name: detail[name] for name in ("key", "value") if name in detail}


def example(event: str) -> dict[str, Any]:
    """What a test of a webhook sends."""
    entity, _, action = event.partition(".")
    kind = "prompt" if entity.startswith("prompt") else "model"
    if entity == "budget_policy":
        return {
            "budget_policy_id": "bp-abc123",
            "budget_unit": "USD",
            "budget_amount": 100.0,
            "current_spend": 105.5,
            "duration_unit": "MONTHS",
            "duration_value": 1,
            "target_scope": "ENDPOINT",
            "workspace": "default",
            "target_value": "ep-abc123",
            "window_start": 1704067200000,
        }
    data: dict[str, Any] = {"name": f"example_{kind}"}
    if entity.endswith("_alias"):
        data["alias"] = "example_alias"
        return data | ({"version": "1"} if action == "created" else {})
    if "version" in entity:
        data["version"] = "1"
    if entity.endswith("_tag"):
        data["key"] = "example_key"
        return data | ({"value": "example_value"} if action == "set" else {})
    if entity == "model_version":
        data |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if entity == "prompt_version":
        data["template"] = "Hello {{name}}!"
    what = {
        "registered_model": "registered model",
        "model_version": "model version",
        "prompt_version": "prompt version",
    }
    described = f"An example {what.get(entity, entity)}"
    return data | {"tags": {"example_key": "example_value"}, "description": described}


def body_of(delivery: Delivery) -> str:
    """The JSON that is sent."""
    entity, _, action = delivery.event.partition(".")
    first = {name: delivery.data[name] for name in _ORDER if name in delivery.data}
    return json.dumps(
        {
            "entity": entity,
            "action": action,
            "timestamp": delivery.at.isoformat(),
            "data": first | delivery.data,
            "workspace": delivery.project,
        }
    )


def signature(secret: str, delivery_id: str, timestamp: str, body: str) -> str:
    """HMAC-SHA256 of `id.timestamp.body` under the secret: `v1,<base64>`."""
    signed = f"{delivery_id}.{timestamp}.{body}".encode()
    made = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def _without_own(tags: Mapping[str, str]) -> dict[str, str]:
    """Without the tags by which MLflow keeps prompts as models."""
    return {key: value for key, value in tags.items() if key not in _PROMPT_TAGS}
