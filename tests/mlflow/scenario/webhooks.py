"""Webhooks: kept, changed, tried, delivered with their signature."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus

from tests.mlflow.scenario.book import Book

_VERSION_MADE = WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)
_MODEL_MADE = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)
_ALIAS_MADE = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)


class _Ear:
    """What a receiver has heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The bodies, once so many have come; after ten seconds those that came."""
        end = time.monotonic() + 10
        while len(self.heard) < count and time.monotonic() < end:
            time.sleep(0.05)
        return [json.loads(body) for _, body in self.heard]


@contextmanager
def _listening() -> Iterator[tuple[str, _Ear]]:
    ear = _Ear()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            ear.heard.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(ear.answers.pop(0) if ear.answers else 200)
            self.end_headers()
            self.wfile.write(b"heard")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}/hook", ear
    finally:
        server.shutdown()
        server.server_close()


def kept_and_changed(book: Book) -> None:
    client = book.client
    made = client.create_webhook(
        "first", "https://example.com/hook", [_VERSION_MADE], description="d", secret="s" * 20
    )
    kept = client.get_webhook(made.webhook_id)
    book.same("kept", [kept.name, kept.url, kept.description], ["first", made.url, "d"])
    book.same("events", [str(e) for e in kept.events], ["model_version.created"])
    book.same("active at once", kept.status, WebhookStatus.ACTIVE)
    book.same("the secret stays", kept.secret, None)
    changed = client.update_webhook(
        made.webhook_id, name="renamed", status=WebhookStatus.DISABLED, events=[_ALIAS_MADE]
    )
    book.same(
        "changed",
        [changed.name, changed.status, [str(e) for e in changed.events]],
        ["renamed", WebhookStatus.DISABLED, ["model_version_alias.created"]],
    )
    client.create_webhook("second", "https://example.com/2", [_MODEL_MADE])
    book.same("listed", sorted(w.name for w in client.list_webhooks()), ["renamed", "second"])
    book.same("a page", len(client.list_webhooks(max_results=1)), 1)
    for hook in client.list_webhooks():
        client.delete_webhook(hook.webhook_id)
    book.same("deleted", len(client.list_webhooks()), 0)
    book.refused("gone", "RESOURCE_DOES_NOT_EXIST", lambda: client.get_webhook(made.webhook_id))
    for url in ("", "   ", "ftp://example.com", "nonsense"):
        book.refused(
            f"url {url!r}",
            "INVALID_PARAMETER_VALUE",
            lambda url=url: client.create_webhook("bad", url, [_MODEL_MADE]),
        )
    book.refused(
        "no events",
        "INVALID_PARAMETER_VALUE",
        lambda: client.create_webhook("bad", "https://example.com", []),
    )


def tried(book: Book) -> None:
    with _listening() as (url, ear):
        hook = book.client.create_webhook("tried", url, [_MODEL_MADE], secret="a secret")
        result = book.client.test_webhook(hook.webhook_id)
        book.same("result", [result.success, result.response_status], [True, 200])
        headers, body = ear.heard[0]
        signed = b".".join(
            [
                headers["x-mlflow-delivery-id"].encode(),
                headers["x-mlflow-timestamp"].encode(),
                body,
            ]
        )
        signature = base64.b64encode(hmac.new(b"a secret", signed, hashlib.sha256).digest())
        book.holds("signature", headers["x-mlflow-signature"] == f"v1,{signature.decode()}")
        told = json.loads(body)
        book.same("told", [told["entity"], told["action"]], ["registered_model", "created"])
        ear.answers.append(418)
        refused = book.client.test_webhook(hook.webhook_id)
        book.same(
            "a receiver that refuses", [refused.success, refused.response_status], [False, 418]
        )
        book.client.delete_webhook(hook.webhook_id)


def delivered(book: Book) -> None:
    client = book.client
    with _listening() as (url, ear):
        hook = client.create_webhook("all", url, [_MODEL_MADE, _VERSION_MADE, _ALIAS_MADE])
        client.create_registered_model("heard of", tags={"a": "1"}, description="d")
        client.create_model_version("heard of", "s3://bucket/heard", tags={"v": "1"})
        client.set_registered_model_tag("heard of", "not", "told")
        client.set_registered_model_alias("heard of", "live", "1")
        bodies = ear.wait_for(3)
        kinds = {(b["entity"], b["action"]): b["data"] for b in bodies}
        book.same("three", sorted(kinds), _THREE)
        book.same(
            "the model",
            kinds["registered_model", "created"],
            {"name": "heard of", "tags": {"a": "1"}, "description": "d"},
        )
        version = kinds["model_version", "created"]
        book.same(
            "the version",
            {k: version[k] for k in ("name", "version", "source", "tags")},
            {"name": "heard of", "version": "1", "source": "s3://bucket/heard", "tags": {"v": "1"}},
        )
        book.same(
            "the alias",
            kinds["model_version_alias", "created"],
            {"name": "heard of", "alias": "live", "version": "1"},
        )
        client.update_webhook(hook.webhook_id, status=WebhookStatus.DISABLED)
        client.create_registered_model("unheard of")
        time.sleep(1)
        book.same("disabled", len(ear.heard), 3)
        client.update_webhook(hook.webhook_id, status=WebhookStatus.ACTIVE)
        ear.answers.append(503)
        client.create_registered_model("heard twice")
        ear.wait_for(5)
        book.same("tried again", len(ear.heard), 5)
        client.delete_webhook(hook.webhook_id)


_THREE = [
    ["model_version", "created"],
    ["model_version_alias", "created"],
    ["registered_model", "created"],
]


SCENES = (kept_and_changed, tried, delivered)
