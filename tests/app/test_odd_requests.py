"""Requests that no client of ours sends are told what is wrong with them, never by a 500."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from athanor.testing.server import RunningServer, running_server

V = "/api/v1"
ARTIFACT = '{"type": "t", "name": "n", "uri": "u", "digest": "d", "size": 1, "metadata": %s}'
MODEL = (
    '[{"id": "%s", "experiment": "0", "points": [{"key": "k", "value": "%s", "step": 1, "run": "r",'
    ' "at": "2026-01-01T00:00:00Z"}]}]'
)
RUN = (
    '[{"id": "r1", "experiment": "%s", "name": "n", "points": [{"key": "k", "values": "%s",'
    ' "steps": "", "times": ""}]}]'
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("odd") / "workspace") as running:
        yield running


def ask(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"content-type": "application/json"} | sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", f"{V}/events?after={10**30}", "", 400),
        ("GET", f"{V}/events/stream?after={10**30}", "", 400),
        ("POST", f"{V}/sql", "[" * 100_000, 400),
        ("POST", f"{V}/sql", '{"sql": "select 1", "limit": 1' + "0" * 30 + "}", 400),
        ("POST", f"{V}/runs", '{"kind": "x", "name": "n", "parent": "nowhere"}', 404),
        ("POST", f"{V}/runs", '{"kind": "x", "name": "n", "id": "../../x"}', 400),
        ("POST", f"{V}/runs", '{"kind": "x", "name": "\\ud800"}', 400),
        ("POST", f"{V}/runs", '{"kind": "x", "name": "n", "labls": {}}', 400),
        (
            "POST",
            f"{V}/artifacts",
            '{"type": "t", "name": "n", "uri": "u", "digest": "d", "size": 1' + "0" * 30 + "}",
            400,
        ),
        ("POST", f"{V}/artifacts", ARTIFACT % ('{"n": 1' + "0" * 30 + "}"), 400),
        ("POST", f"{V}/artifacts", ARTIFACT % ('{"n": ' + "[" * 300 + "]" * 300 + "}"), 400),
        ("POST", f"{V}/runs", '{"kind": "x", "name": "n", "code": {"n": 1' + "0" * 30 + "}}", 400),
        ("POST", f"{V}/transfers/logged-models", MODEL % ("m-1", "no number"), 400),
        ("POST", f"{V}/transfers/logged-models", MODEL % ("../../x", "nan"), 400),
        ("POST", f"{V}/transfers/runs", RUN % ("0", "AAAA"), 400),
        ("POST", f"{V}/transfers/runs", RUN % ("404", ""), 404),
        ("PUT", f"{V}/datasets/churn/watches", '{"folder": "\\u0000"}', 404),
        ("PUT", f"{V}/datasets/churn/watches", '{"folder": ""}', 404),
    ],
)
def test_what_can_not_be_is_refused_by_name(
    server: RunningServer, method: str, path: str, body: str, status: int
) -> None:
    got, told = ask(server, method, path, body.encode())
    assert (got, told["status"]) == (status, status), told
    assert told["message"]
    assert told["hint"]


def test_a_time_without_a_zone_is_in_utc(server: RunningServer) -> None:
    run = b'{"kind": "x", "name": "n", "id": "zoneless", "started_at": "2026-01-01T00:00:00"}'
    assert ask(server, "POST", f"{V}/runs", run)[0] == 201
    told = ask(server, "GET", f"{V}/runs/zoneless")[1]
    assert told["started_at"] == "2026-01-01T00:00:00Z"


def test_a_broken_origin_is_a_foreign_one(server: RunningServer) -> None:
    assert ask(server, "GET", f"{V}/status", origin="http://[")[0] == 403


def test_of_two_hosts_none_is_believed(server: RunningServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("GET", f"{V}/status", skip_host=True)
    connection.putheader("host", "evil.example")
    connection.putheader("host", "localhost")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_a_client_that_leaves_in_its_upload_is_no_failure(server: RunningServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    connection.putrequest("PUT", f"{V}/datasets/gone/versions")
    connection.putheader("content-length", "1000000")
    connection.endheaders(b"a,b\n1,2\n")
    connection.close()
    assert ask(server, "GET", f"{V}/datasets/gone")[0] == 404
    log = (server.workspace / "logs" / "server.jsonl").read_text("utf-8")
    assert "ClientDisconnect" not in log


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("runs/log-metric", '{"key": "k", "value": 1, "timestamp": 1}', {}, 400),
        ("runs/log-metric", '{"run_id": "none", "key": "k", "value": 1, "timestamp": 1}', {}, 404),
        ("runs/log-batch", '{"run_id": "none", "metrics": [7]}', {}, 400),
        ("runs/search", '{"experiment_ids": ["0"], "filter": "metrics.x > "}', {}, 400),
        ("runs/search", '{"experiment_ids": ["0"]}', {"X-MLFLOW-WORKSPACE": "elsewhere"}, 200),
        ("runs/search", '{"experiment_ids": ["0"]}', {"X-MLFLOW-WORKSPACE": "../x"}, 400),
        ("runs/search", '{"experiment_ids": ["0"]}', {"Origin": "http://elsewhere"}, 403),
        ("runs/no-such", "{}", {}, 404),
        ("experiments/get-by-name", '{"experiment_name": "none"}', {}, 404),
    ],
)
def test_a_request_that_comes_again_is_answered_the_same(
    server: RunningServer, path: str, body: str, headers: dict[str, str], status: int
) -> None:
    # The first of them is parsed as everybody's is, what follows is known by its bytes.
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
    heard = []
    try:
        for _ in range(3):
            connection.request("POST", f"/api/2.0/mlflow/{path}", body, {"X-Of": path} | headers)
            answer = connection.getresponse()
            told = [(name, value) for name, value in answer.getheaders() if name != "date"]
            heard.append((answer.status, told, answer.read()))
    finally:
        connection.close()
    assert heard[0][0] == status, heard[0]
    assert heard == [heard[0]] * 3
