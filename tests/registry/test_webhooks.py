"""Receivers are told of models: signed, again after failures, and never where they must not be."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from athanor.kernel import Database
from athanor.kernel.permissions import OWNER
from athanor.registry import (
    BadWebhook,
    Locker,
    NewModel,
    NewSource,
    NewWebhook,
    Reach,
    WebhookChange,
    WebhookNotFound,
)
from athanor.registry.errors import SecretUnreadable
from athanor.registry.logic.webhooks import ACTIONS, example, signature
from athanor.registry.sending import addresses_of, post
from athanor.testing.registry_room import RegistryRoom

LOCAL = Reach(loopback=True, timeout=5.0)


class Receiver:
    """A small server that remembers what it was told."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """Statuses of the next answers; 200 when there are none left."""
        self.told: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.told.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(outer.answers.pop(0) if outer.answers else 200)
                self.send_header("location", "http://169.254.169.254/")
                self.end_headers()
                self.wfile.write(b"thank you")

            def log_message(self, *_args: Any) -> None:
                """Be silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.stop()


@pytest.fixture
def room(sqlite: Database, tmp_path: Path) -> RegistryRoom:
    made = RegistryRoom(sqlite, tmp_path, LOCAL)
    made.deliveries.attach(made.events)
    made.events.settle()
    return made


def hook(room: RegistryRoom, receiver: Receiver, *events: str, **more: Any) -> str:
    told = events or ("registered_model.created",)
    new = NewWebhook(name="hook", url=receiver.url, events=told, **more)
    return room.webhooks.create_webhook(OWNER, new).id


def work(room: RegistryRoom) -> None:
    """Hand out events, do jobs, let time pass, until nothing is left."""
    for _ in range(50):
        room.events.deliver()
        if not room.jobs.run_next("worker"):
            room.clock.advance(60)
            if not room.jobs.run_next("worker"):
                return


def test_what_happens_is_told_in_mlflows_words(room: RegistryRoom, receiver: Receiver) -> None:
    every = [f"{entity}.{action}" for entity, actions in ACTIONS.items() for action in actions]
    hook(room, receiver, *every)
    room.catalog.create_model(OWNER, NewModel(name="m", tags={"a": "b"}, description="d"))
    room.catalog.add_version(
        OWNER, NewSource(model="m", source="s3://b/m", run_id="r", tags={"c": "d"})
    )
    room.catalog.tag_version(OWNER, "m", 1, "k", "v")
    room.catalog.untag_version(OWNER, "m", 1, "k")
    room.models.set_alias(OWNER, "m", "prod", 1)
    room.models.remove_alias(OWNER, "m", "prod")
    room.catalog.tag_model(OWNER, "m", "no", "event")
    prompt = {"mlflow.prompt.is_prompt": "true"}
    room.catalog.create_model(OWNER, NewModel(name="p", tags=prompt))
    room.catalog.add_version(
        OWNER,
        NewSource(
            model="p", source="prompt-template", tags={**prompt, "mlflow.prompt.text": "Hi {{x}}"}
        ),
    )
    room.catalog.tag_model(OWNER, "p", "tone", "kind")
    work(room)
    told = [json.loads(body) for _, body in receiver.told]
    wanted = [
        ("registered_model.created", {"name": "m", "tags": {"a": "b"}, "description": "d"}),
        (
            "model_version.created",
            {
                "name": "m",
                "version": "1",
                "source": "s3://b/m",
                "run_id": "r",
                "tags": {"c": "d"},
                "description": None,
            },
        ),
        ("model_version_tag.set", {"name": "m", "version": "1", "key": "k", "value": "v"}),
        ("model_version_tag.deleted", {"name": "m", "version": "1", "key": "k"}),
        ("model_version_alias.created", {"name": "m", "alias": "prod", "version": "1"}),
        ("model_version_alias.deleted", {"name": "m", "alias": "prod"}),
        ("prompt.created", {"name": "p", "tags": {}, "description": ""}),
        (
            "prompt_version.created",
            {
                "name": "p",
                "version": "1",
                "template": "Hi {{x}}",
                "tags": {},
                "description": None,
            },
        ),
        ("prompt_tag.set", {"name": "p", "key": "tone", "value": "kind"}),
    ]
    heard = [(f"{item['entity']}.{item['action']}", item["data"]) for item in told]
    # Also in MLflow's order: receivers compare and hash texts.
    assert list(map(str, heard)) == list(map(str, wanted))


def test_a_message_is_signed_as_mlflow_signs(room: RegistryRoom, receiver: Receiver) -> None:
    hook(room, receiver, secret="s3cret")
    room.catalog.create_model(OWNER, NewModel(name="m"))
    work(room)
    ((headers, body),) = receiver.told
    signed = b".".join(
        (headers["x-mlflow-delivery-id"].encode(), headers["x-mlflow-timestamp"].encode(), body)
    )
    made = hmac.new(b"s3cret", signed, hashlib.sha256).digest()
    assert headers["x-mlflow-signature"] == f"v1,{base64.b64encode(made).decode()}"
    assert signature("k", "id", "1", "{}").startswith("v1,")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_is_tried_again_under_one_id(
    room: RegistryRoom, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status, status]
    hook(room, receiver)
    room.catalog.create_model(OWNER, NewModel(name="m"))
    work(room)
    assert len(receiver.told) == 3
    assert len({headers["x-mlflow-delivery-id"] for headers, _ in receiver.told}) == 1
    assert len({body for _, body in receiver.told}) == 1


@pytest.mark.parametrize("status", [400, 401, 302, 307])
def test_a_refusal_is_final_and_redirects_are_not_followed(
    room: RegistryRoom, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    hook(room, receiver)
    room.catalog.create_model(OWNER, NewModel(name="m"))
    work(room)
    assert len(receiver.told) == 1


def test_retries_come_to_an_end(room: RegistryRoom, receiver: Receiver) -> None:
    receiver.answers = [500] * 20
    hook(room, receiver)
    room.catalog.create_model(OWNER, NewModel(name="m"))
    work(room)
    assert len(receiver.told) == 4


def test_who_is_disabled_deleted_or_elsewhere_is_not_told(
    room: RegistryRoom, receiver: Receiver
) -> None:
    disabled, deleted = hook(room, receiver), hook(room, receiver)
    hook(room, receiver, project="other")
    room.webhooks.change_webhook(OWNER, disabled, WebhookChange(status="DISABLED"))
    room.catalog.create_model(OWNER, NewModel(name="m"))
    room.events.deliver()
    room.webhooks.delete_webhook(OWNER, deleted)
    work(room)
    assert receiver.told == []
    with pytest.raises(WebhookNotFound):
        room.webhooks.webhook(OWNER, deleted)


def test_trying_a_webhook(room: RegistryRoom, receiver: Receiver) -> None:
    made = hook(room, receiver, "model_version.created", "prompt_alias.deleted")
    result = room.webhooks.test_webhook(OWNER, made)
    assert (result.success, result.response_status, result.response_body) == (
        True,
        200,
        "thank you",
    )
    assert json.loads(receiver.told[0][1])["data"] == example("model_version.created")
    receiver.answers = [401]
    assert not room.webhooks.test_webhook(OWNER, made, "prompt_alias.deleted").success
    room.webhooks.change_webhook(OWNER, made, WebhookChange(url="http://127.0.0.1:1/"))
    failed = room.webhooks.test_webhook(OWNER, made)
    assert not failed.success
    assert failed.error_message is not None
    with pytest.raises(BadWebhook):
        room.webhooks.test_webhook(OWNER, made, "model.exploded")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[fd00::1]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "http://1.1.1.1/",
        "ftp://1.1.1.1/",
        "https:///x",
        "https://user:pw@1.1.1.1/",
        "https://1.1.1.1:99999/",
        "http://[invalid",
        "   ",
    ],
)
def test_addresses_that_are_not_told(sqlite: Database, tmp_path: Path, url: str) -> None:
    room = RegistryRoom(sqlite, tmp_path)
    new = NewWebhook(name="w", url=url, events=("registered_model.created",))
    with pytest.raises(BadWebhook):
        room.webhooks.create_webhook(OWNER, new)


def test_this_machine_is_told_where_only_it_can_ask() -> None:
    here = urlsplit("http://localhost:1/")
    assert addresses_of(here, LOCAL)
    for url in ("http://10.0.0.1/", "http://169.254.169.254/"):
        with pytest.raises(BadWebhook):
            addresses_of(urlsplit(url), LOCAL)
    assert addresses_of(urlsplit("http://10.0.0.1/"), Reach(private=True)) == ["10.0.0.1"]


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a" * 64, "ü"])
def test_names_of_webhooks_that_cannot_be(room: RegistryRoom, name: str) -> None:
    new = NewWebhook(name=name, url="https://1.1.1.1", events=("registered_model.created",))
    with pytest.raises(BadWebhook):
        room.webhooks.create_webhook(OWNER, new)


def test_webhooks_come_in_pages(room: RegistryRoom, receiver: Receiver) -> None:
    made = []
    for _ in range(5):
        made.append(hook(room, receiver))
        room.clock.advance(1)
    first = room.webhooks.webhooks(OWNER, "default", limit=3)
    second = room.webhooks.webhooks(OWNER, "default", limit=3, page=first.next_page_token)
    found = [webhook.id for webhook in (*first.webhooks, *second.webhooks)]
    assert found == list(reversed(made))
    assert second.next_page_token is None


def test_a_secret_needs_its_key(room: RegistryRoom, receiver: Receiver, tmp_path: Path) -> None:
    made = hook(room, receiver, secret="s3cret")
    key = tmp_path / "webhooks.key"
    assert key.stat().st_mode & 0o777 == 0o600
    other = Locker(tmp_path / "other.key")
    with pytest.raises(ValueError, match="another key"):
        other.unlock(Locker(key).lock("s3cret"))
    key.unlink()
    again = RegistryRoom(room.database, tmp_path, LOCAL)
    again.webhooks.change_webhook(OWNER, made, WebhookChange(description="made anew"))
    result = again.webhooks.test_webhook(OWNER, made)
    assert not result.success
    assert SecretUnreadable.__name__ in (result.error_message or "")
    again.webhooks.change_webhook(OWNER, made, WebhookChange(secret="anew"))
    assert again.webhooks.test_webhook(OWNER, made).success


def test_a_receiver_that_answers_byte_by_byte_is_cut_off() -> None:
    """It never lets a single look at the socket wait for long, and never ends."""
    over = threading.Event()

    def drips(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not over.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drips, args=(server,))
        thread.start()
        url = urlsplit(f"http://127.0.0.1:{server.getsockname()[1]}/")
        try:
            assert post(url, b"{}", {}, Reach(loopback=True, timeout=0.1)) == (200, "")
        finally:
            over.set()
            thread.join()
