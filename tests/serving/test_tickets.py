"""Requests are answered later, and who asked is told."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs

from athanor.app.house import House
from athanor.kernel.database import Database
from athanor.kernel.errors import AthanorError
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import OWNER
from athanor.kernel.storage import Storage
from athanor.kernel.workers import Workers
from athanor.registry import BadWebhook
from athanor.serving import Deploy, Endpoints
from athanor.serving.errors import BadPrediction, ColumnMissing, EndpointNotFound, ValueRefused
from athanor.serving.errors.repeats import IdempotencyKeyReused
from athanor.serving.errors.tickets import (
    BadTicket,
    EndpointBusy,
    TicketEnded,
    TicketNotFound,
    TicketOpen,
)
from athanor.serving.log import Answered, ServingLog
from athanor.serving.logic.rows import PredictionRow, line
from athanor.serving.routes import tickets as routes
from athanor.serving.segments import Segment
from athanor.serving.service.tickets import Tickets
from athanor.serving.store import SqlEndpointStore
from athanor.serving.store.tickets import KeptTicket, SqlTicketStore
from athanor.serving.tickets.asking import Asker, packed
from athanor.serving.tickets.logged import Logged, answers_of
from athanor.serving.types import Endpoint
from athanor.serving.types.tickets import NewTicket, Ticket, TicketQuery
from athanor.testing.serving import eventually
from tests.serving.conftest import Trained, opened_house, registered

SECRET = "whsec_" + base64.b64encode(b"a shared secret of 24 by").decode()


@dataclass(slots=True)
class Receiver:
    """A webhook's receiver that fails so many times."""

    failures: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(500 if len(told.got) <= told.failures else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/told?by=athanor"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def ended(house: House, ticket: Ticket) -> Ticket:
    tickets: Tickets = house.services[Tickets]
    assert eventually(lambda: tickets.ticket(OWNER, ticket.id).ended)
    return tickets.ticket(OWNER, ticket.id)


def asked(records: list[dict[str, Any]], **more: Any) -> NewTicket:
    return NewTicket(body={"records": records}, **more)


def test_the_answer_comes_later_and_is_the_endpoints(shop: House, champion: Trained) -> None:
    tickets: Tickets = shop.services[Tickets]
    records = champion.records[:3]
    made = tickets.ask(OWNER, "churn", asked(records))
    assert ended(shop, made).state == "done"
    told = json.loads(tickets.result(OWNER, made.id))
    direct = champion.model.predict_records(records)
    assert [item["label"] for item in told["predictions"]] == [item["label"] for item in direct]
    assert routes.result(made.id, OWNER, tickets).headers["content-type"] == "application/json"


def test_more_rows_than_one_request_may_hold_are_one_answer(shop: House, champion: Trained) -> None:
    tickets: Tickets = shop.services[Tickets]
    records = (champion.records * 20)[:5_000]
    made = tickets.ask(OWNER, "churn", asked(records))
    ended(shop, made)
    told = json.loads(tickets.result(OWNER, made.id))
    direct = champion.model.predict_records(records)
    assert [item["label"] for item in told["predictions"]] == [item["label"] for item in direct]


def test_a_long_ticket_goes_on_where_its_endpoint_was_busy() -> None:
    sent: list[int] = []
    busy = [False, True, False, False]

    def plane(request: httpx.Request) -> httpx.Response:
        if busy.pop(0):
            return httpx.Response(503, text="no room")
        rows = [row["a"] for row in json.loads(request.content)["records"]]
        sent.extend(rows)
        return httpx.Response(200, json={"predictions": rows})

    asker = Asker(lambda: "http://plane", "")
    vars(asker)["_http"] = httpx.Client(transport=httpx.MockTransport(plane))
    rows = list(range(4_500))
    kept = packed("application/json", json.dumps({"records": [{"a": n} for n in rows]}).encode())
    with pytest.raises(EndpointBusy):
        asker.ask("churn", "predict", "t1", kept, lambda: None)
    told = json.loads(asker.ask("churn", "predict", "t1", kept, lambda: None))
    assert (sent, told["predictions"]) == (rows, rows)
    asker.close()


@pytest.mark.parametrize("answered", [0, 1, 3])
def test_a_ticket_that_comes_again_is_asked_for_what_is_not_logged(
    shop: House, champion: Trained, answered: int
) -> None:
    log = ServingLog(shop.settings.workspace, shop.storage, shop.workers)
    logged = Logged(log, SqlEndpointStore(shop.database), began="0" * 32)
    records = [row | {"more": 1} for row in (champion.records * 20)[:4_500]]
    kept = packed("application/json", json.dumps({"records": records}).encode())
    ticket = new_id()

    def asked_by_a_server(pieces: int) -> bytes:
        left = [None] * pieces
        asker = Asker(shop.serving_url, shop.demanded_token, logged)
        try:
            return asker.ask("churn", "predict", ticket, kept, left.pop, again=answered > 0)
        finally:
            asker.close()

    if answered:
        with suppress(IndexError):  # as if it were killed before the next piece
            whole = Asker(shop.serving_url, shop.demanded_token)
            whole.ask("churn", "predict", ticket, kept, [None, None, None][:answered].pop)
        whole.close()
    told = json.loads(asked_by_a_server(3 - answered))
    rows = log.answered("churn", ticket)
    assert [item["id"] for item in told["predictions"]] == [row.id for row in rows]
    assert told["ignored_columns"] == ["more"]
    direct = champion.model.predict_records(records)
    assert [item["label"] for item in told["predictions"]] == [item["label"] for item in direct]
    assert [item["score"] for item in told["predictions"]] == [row.score for row in rows]


def test_what_the_log_does_not_hold_whole_is_asked_again(shop: House, champion: Trained) -> None:
    endpoint = shop.services[Endpoints].get(OWNER, "churn")
    assert endpoint.live is not None
    row = Answered(
        at=1, id="a", deployment=endpoint.live.id, label="left", score=0.7, probabilities=None
    )
    number = replace(row, label=None)
    plain = replace(endpoint.live, signature=replace(endpoint.live.signature, classes=()))
    regressor = replace(endpoint, deployments=(plain,))
    asks = json.dumps({"records": champion.records[:1]}).encode()
    two = json.dumps({"records": champion.records[:2]}).encode()
    instances = json.dumps({"instances": champion.records[:1]}).encode()

    def told(
        found: Answered, *, by: Endpoint = endpoint, body: bytes = asks, one: bool = True
    ) -> int:
        return len(list(answers_of(by, [body], [found], lambda _: one)))

    assert (told(row), told(number, by=regressor)) == (1, 1)
    assert told(row, body=two) == 0
    assert told(row, body=instances) == 0
    assert told(replace(row, label="elsewhere")) == 0
    assert told(replace(row, deployment="gone")) == 0
    assert told(row, by=regressor) == 0
    assert told(number, by=regressor, one=False) == 0


def test_the_rows_of_a_request_are_found_before_and_after_their_move(
    tmp_path: Path, warm_workers: Workers
) -> None:
    log = ServingLog(tmp_path, Storage(str(tmp_path / "storage"), reserve_bytes=0), warm_workers)
    at = datetime(2026, 3, 1, microsecond=123_457, tzinfo=UTC)
    row = PredictionRow(
        id="b",
        request="r1",
        predicted_at=at,
        endpoint="churn",
        deployment="d",
        model="churn",
        version=1,
        latency=0.1,
        key=None,
        features={"note": "r1"},
        label="left",
        score=0.1 + 0.2,
        probabilities={"left": 0.1 + 0.2, "stayed": 0.7},
    )
    others = [structs.replace(row, request="r2"), structs.replace(row, endpoint="other")]
    segment = Segment(log.predictions_folder)
    segment.append(b"".join(map(line, [row, *others, structs.replace(row, id="a")])))
    younger, older = new_id(), segment.path.stem
    assert (log.written_before(younger), log.written_before(older)) == (True, False)
    found = log.answered("churn", "r1")
    assert [item.id for item in found] == ["a", "b"]
    assert found[1].probabilities == row.probabilities
    segment.seal()
    assert not log.written_before(younger)
    assert log.compact() == 4
    assert log.answered("churn", "r1") == found


def test_a_webhook_is_told_through_three_failures_and_signed(
    shop: House, champion: Trained, receiver: Receiver
) -> None:
    receiver.failures = 3
    tickets: Tickets = shop.services[Tickets]
    new = asked(champion.records[:1], webhook=receiver.url, secret=SECRET)
    made = tickets.ask(OWNER, "churn", new)
    assert eventually(lambda: tickets.ticket(OWNER, made.id).told == "delivered")
    assert len(receiver.got) == 4
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {made.id}
    headers, body = receiver.got[-1]
    signed = f"{made.id}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    told = json.loads(body)
    assert told["type"] == "prediction.done"
    assert len(told["data"]["answer"]["predictions"]) == 1
    assert tickets.ticket(OWNER, made.id).deliveries == 4


def test_a_message_holds_no_answer_that_is_no_json(
    shop: House, champion: Trained, receiver: Receiver
) -> None:
    (row,) = champion.records[:1]
    types = {"age": "INT64", "card": "BYTES", "region": "BYTES"}
    inputs = [
        {"name": name, "datatype": types.get(name, "FP64"), "shape": [1], "data": [value]}
        for name, value in row.items()
    ]
    body = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    tickets: Tickets = shop.services[Tickets]
    made = tickets.ask(OWNER, "churn", NewTicket(body=body, route="infer", webhook=receiver.url))
    assert eventually(lambda: tickets.ticket(OWNER, made.id).told == "delivered")
    assert tickets.ticket(OWNER, made.id).state == "done"
    data = json.loads(receiver.got[-1][1])["data"]
    assert "answer" not in data
    assert made.id in data["result"]
    result = routes.result(made.id, OWNER, tickets)
    length = int(result.headers["inference-header-content-length"])
    told = json.loads(bytes(result.body[:length]))["outputs"]
    sizes = [item["parameters"]["binary_data_size"] for item in told]
    assert len(result.body) == length + sum(sizes)


def test_receivers_that_never_answer_keep_nobody_waiting(
    shop: House, champion: Trained, receiver: Receiver
) -> None:
    tickets: Tickets = shop.services[Tickets]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        stuck = [
            tickets.ask(OWNER, "churn", asked(champion.records[:1], webhook=nowhere))
            for _ in range(3)
        ]
        assert all(ended(shop, ticket).state == "done" for ticket in stuck)
        made = tickets.ask(OWNER, "churn", asked(champion.records[:1], webhook=receiver.url))
        assert eventually(lambda: tickets.ticket(OWNER, made.id).told == "delivered")
        assert {tickets.ticket(OWNER, item.id).told for item in stuck} == {"waiting"}


def test_an_expired_ticket_is_gone_and_its_key_is_free(shop: House, champion: Trained) -> None:
    tickets: Tickets = shop.services[Tickets]
    new = asked(champion.records[:1], idempotency_key="expires")
    made = tickets.ask(OWNER, "churn", new)
    ended(shop, made)
    past = datetime(2026, 1, 1, tzinfo=UTC)
    assert SqlTicketStore(shop.database).change(made.id, {"expires_at": past})
    with pytest.raises(TicketNotFound):
        tickets.result(OWNER, made.id)
    assert made.id not in {item.id for item in tickets.tickets(OWNER, TicketQuery())}
    assert tickets.ask(OWNER, "churn", new).id != made.id


def test_tickets_survive_a_restart(
    tmp_path: Path,
    warm_workers: Workers,
    champion: Trained,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = tmp_path / "workspace"
    with opened_house(workspace, warm_workers, monkeypatch, serving=False) as house:
        registered(house, champion)
        house.services[Endpoints].deploy(OWNER, "churn", Deploy(model="churn"))
        tickets: Tickets = house.services[Tickets]
        made = tickets.ask(OWNER, "churn", asked(champion.records[:2], webhook=receiver.url))
        with pytest.raises(TicketOpen):
            tickets.result(OWNER, made.id)
    with opened_house(workspace, warm_workers, monkeypatch) as house:
        tickets = house.services[Tickets]
        assert eventually(lambda: tickets.ticket(OWNER, made.id).told == "delivered")
        assert len(json.loads(tickets.result(OWNER, made.id))["predictions"]) == 2
        assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("endpoint", "new", "kind"),
    [
        ("nope", NewTicket(body={"records": [{}]}), EndpointNotFound),
        ("churn", NewTicket(), BadTicket),
        ("churn", NewTicket(body=5), BadPrediction),
        ("churn", NewTicket(body={"records": []}), BadPrediction),
        ("churn", NewTicket(body={"records": [{"age": 1}]}), ColumnMissing),
        (
            "churn",
            NewTicket(
                body={
                    "records": [
                        {"age": "old", "balance": 1, "trend": 1, "card": "a", "region": "b"}
                    ]
                }
            ),
            ValueRefused,
        ),
        ("churn", NewTicket(body={}, route="nope"), BadTicket),
        ("churn", NewTicket(body={}, expires_seconds=float("nan")), BadTicket),
        ("churn", NewTicket(body={}, content_type="text/csv\r\nX-Evil: 1"), BadTicket),
        ("churn", NewTicket(body={}, content_type="csv"), BadTicket),
        ("churn", NewTicket(body={}, secret="x"), BadTicket),
        ("churn", NewTicket(body={}, webhook="ftp://127.0.0.1/"), BadWebhook),
        ("churn", NewTicket(body={}, webhook="https://10.0.0.1/"), BadWebhook),
    ],
)
def test_what_is_wrong_is_refused_at_once(
    shop: House, endpoint: str, new: NewTicket, kind: type[AthanorError]
) -> None:
    with pytest.raises(kind):
        shop.services[Tickets].ask(OWNER, endpoint, new)


def test_a_key_that_comes_again_with_another_request_is_refused(
    shop: House, champion: Trained
) -> None:
    tickets: Tickets = shop.services[Tickets]
    new = asked(champion.records[:1], idempotency_key="once")
    made = tickets.ask(OWNER, "churn", new)
    assert tickets.ask(OWNER, "churn", new).id == made.id
    for other in (replace(new, body={"records": champion.records[:2]}), replace(new, body=5)):
        with pytest.raises(IdempotencyKeyReused, match=f"{made.id} already, with another body"):
            tickets.ask(OWNER, "churn", other)
    with pytest.raises(IdempotencyKeyReused, match="another route"):
        tickets.ask(OWNER, "churn", replace(new, route="invocations"))


def test_what_the_endpoint_refuses_is_the_tickets_failure(shop: House) -> None:
    tickets: Tickets = shop.services[Tickets]
    made = tickets.ask(OWNER, "churn", NewTicket(body={"nothing": 1}, route="invocations"))
    assert ended(shop, made).state == "failed"
    with pytest.raises(AthanorError) as failed:
        tickets.result(OWNER, made.id)
    assert failed.value.status == 400
    new = NewTicket(body="x", content_type="image/png", route="invocations")
    end = ended(shop, tickets.ask(OWNER, "churn", new))
    assert (end.state, end.attempts, (end.error or {})["status"]) == ("failed", 1, 400)
    csv = "age,balance,trend,card,region\n40,1.5,0.1,blue,a\n"
    new = NewTicket(body=csv, content_type="text/csv", route="invocations")
    made = tickets.ask(OWNER, "churn", new)
    assert ended(shop, made).state == "done"


def test_a_ticket_is_withdrawn_once(shop: House) -> None:
    tickets: Tickets = shop.services[Tickets]
    with pytest.raises(TicketNotFound):
        tickets.withdraw(OWNER, "nope")
    done = tickets.tickets(OWNER, TicketQuery(endpoint="churn", state="done"))
    if done:
        with pytest.raises(TicketEnded):
            tickets.withdraw(OWNER, done[0].id)


def test_tickets_are_kept_by_every_database(database: Database) -> None:
    store = SqlTicketStore(database)
    ticket = Ticket(
        id="b" * 32,
        project="default",
        endpoint="churn",
        route="predict",
        state="queued",
        request_bytes=3,
        created_by="owner",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    kept = KeptTicket(ticket=ticket, request="sha256:0", secret="locked", expires_seconds=60.0)
    store.add(kept, "key")
    assert store.find(ticket.id) == kept
    assert store.by_key("churn", "key") == ticket
    assert store.by_key("other", "key") is None
    assert store.waiting("churn") == 1
    assert not store.change(ticket.id, {"state": "done"}, while_in=("running",))
    ended_at = datetime(2026, 3, 2, tzinfo=UTC)
    assert store.change(ticket.id, {"state": "done", "expires_at": ended_at})
    assert store.waiting("churn") == 0
    assert store.expired(ended_at) == []
    assert store.expired(datetime(2026, 3, 3, tzinfo=UTC)) == [ticket.id]
    done = TicketQuery(state="done")
    assert [item.id for item in store.page("default", done, ended_at)] == [ticket.id]
    assert store.page("default", done, datetime(2026, 3, 3, tzinfo=UTC)) == []
    store.remove(ticket.id)
    assert store.find(ticket.id) is None
