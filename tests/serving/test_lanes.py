"""The short way through the plane answers and logs what the long way does."""

import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from athanor.kernel.workers import Workers
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.plane.lanes import Lane
from athanor.serving.types.recording import LogPolicy
from athanor.testing.serving import (
    SIGNATURE,
    Browser,
    RunningPlane,
    deployment_ids,
    eventually,
    record,
    running_plane,
)

PROGRAM = """
from math import exp
def one(row):
    size, rooms, mood = row
    if mood == "refuse": refuse("mood", "it is refused")
    p = 1.0 / (1.0 + exp(-(0.1 * (size or 0.0) - 0.3 * (rooms or 0))))
    return (int(p > 0.5), (1.0 - p, p))
def many(rows):
    return [one(row) for row in rows]
"""


def compiled(folder: Path) -> dict[str, str]:
    """A folded model that answers as the stub does."""
    folder.mkdir()
    told = {"kind": "folded", "classes": ["no", "yes"], "format_version": 1}
    (folder / "runtime.json").write_text(json.dumps(told))
    (folder / "program.py").write_text(PROGRAM)
    return {"kind": "folded", "folder": str(folder)}


def routed(running: RunningPlane, folder: Path, log: LogPolicy | None = None) -> None:
    target = Target(
        id=deployment_ids(1)[0],
        number=1,
        model="stub",
        version=1,
        weight=1.0,
        sockets=[],
        signature=SIGNATURE,
        runtime=compiled(folder),
    )
    route = Route(name="houses", targets=[target], key="house", log=log or LogPolicy())
    running.planes.publish(Table(revision=9, routes=[route]))


@pytest.fixture(params=["folded", "native"])
def plane_(
    request: pytest.FixtureRequest, tmp_path: Path, warm_workers: Workers
) -> Iterator[RunningPlane]:
    with running_plane(tmp_path, warm_workers) as running:
        if request.param == "folded":
            routed(running, tmp_path / "compiled")
        else:
            running.route({deployment_ids(1)[0]: 1.0}, key="house")
        yield running


def predictions(answer: Any) -> Any:
    """What does not differ from request to request."""
    assert answer.status == 200, answer.body
    body = answer.body
    for item in body["predictions"]:
        assert len(item.pop("id")) == 32
    return body


def same(row: dict[str, Any]) -> dict[str, Any]:
    moving = ("id", "request", "predicted_at", "latency", "trace")
    return {name: value for name, value in row.items() if name not in moving}


def test_both_ways_are_one(plane_: RunningPlane) -> None:
    browser = Browser(plane_.port)
    odd = {"size": 1e300, "rooms": None, "mood": 'q"\\%s\n', "house": "h%1"}
    rows = [{**record(n), "house": n} for n in (3, 400)] + [odd, {"size": None, "mood": None}]
    for number, row in enumerate(rows):
        long = predictions(browser.predict([row], X_Request_Id=f"r{number}"))
        for _ in range(3):
            assert predictions(browser.predict([row])) == long
    logged = plane_.logged()
    assert len(logged) == 4 * len(rows)
    assert len({row["id"] for row in logged}) == len(logged)
    for place in range(0, len(logged), 4):
        assert logged[place]["request"] == f"r{place // 4}"
        for row in logged[place + 1 : place + 4]:
            assert same(row) == same(logged[place])
            assert row["predicted_at"] >= logged[place]["predicted_at"]
    # A connection's first is parsed; those after it go the short way where they come whole, which
    # this client's, head and body apart, do by chance alone: these are sent in one piece each.
    for answer in whole(plane_.port, rows[0], times=3):
        assert answer.startswith(b"HTTP/1.1 200")
    assert eventually(lambda: len(plane_.logged()) == 4 * len(rows) + 3)
    *_, last = plane_.logged()
    assert last["request"] == last["id"]
    assert same(last) == same(logged[1])


def whole(port: int, row: dict[str, Any], times: int) -> list[bytes]:
    """What is answered on one connection to requests that arrive in one piece each."""
    body = json.dumps({"records": [row]}).encode()
    head = f"POST /endpoints/houses/predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    told = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        return [ask(connection, (head + told).encode() + body) for _ in range(times)]


def ask(connection: socket.socket, request: bytes) -> bytes:
    """The answer's first part, which holds all of a short one."""
    connection.sendall(request)
    return connection.recv(65536)


def test_what_the_short_way_can_not_take(plane_: RunningPlane) -> None:
    browser = Browser(plane_.port)
    secret = {"size": 1.0, "mood": "https://me:hunter22@example.org"}
    for _ in range(3):
        assert predictions(browser.predict([record(3), record(4)]))["predictions"]
        assert "ignored_columns" in predictions(browser.predict([{**record(3), "more": 1}]))
        assert browser.predict([{"size": "x", "mood": "a"}]).status == 400
        assert browser.predict([secret]).status == 200
    assert b"hunter22" not in b"".join(p.read_bytes() for p in plane_.predictions.iterdir())
    assert eventually(lambda: len(plane_.logged()) == 12)


def test_a_refused_row_is_named(tmp_path: Path, warm_workers: Workers) -> None:
    with running_plane(tmp_path, warm_workers) as running:
        routed(running, tmp_path / "compiled")
        browser = Browser(running.port)
        for _ in range(3):
            refused = browser.predict([record(1, "refuse")])
            assert refused.status == 422
            assert "Record 0, column 'mood'" in refused.body["message"]


def test_a_model_that_fails_on_the_short_way_is_told_in_the_words_that_asked(
    tmp_path: Path, warm_workers: Workers
) -> None:
    with running_plane(tmp_path, warm_workers) as running:
        running.route({deployment_ids(1)[0]: 1.0})
        body = json.dumps({"dataframe_records": [record(1, "raise")]}).encode()
        head = f"POST /endpoints/houses/invocations HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
            for _ in range(3):
                answer = ask(connection, request)
                assert b" 400 " in answer.partition(b"\r\n")[0]
                assert b'"error_code":"BAD_REQUEST"' in answer


def test_several_values_of_a_row_are_not_taken_for_one() -> None:
    lane: Any = Lane.__new__(Lane)
    lane._served = SimpleNamespace(route=SimpleNamespace(name="houses"))
    lane._plane = Mock()
    lane.dialect, lane._hello = Mock(), None
    hello, values = Hello([], "none"), struct.pack("<2d", 1.0, 2.0)
    lane._replied([1], Reply([], values), hello, (0.0, b"null", b"{}", Mock()))
    lane._plane.finish.return_value.replied.assert_called_once_with(Reply([], values), hello)


@pytest.mark.parametrize("durability", ["os", "fsync", "off"])
def test_durability_sampling_and_redaction(
    tmp_path: Path, warm_workers: Workers, durability: Any
) -> None:
    with running_plane(tmp_path, warm_workers) as running:
        routed(running, tmp_path / "compiled", LogPolicy(durability=durability))
        browser = Browser(running.port)
        for number in range(20):
            assert browser.predict([record(number)]).status == 200
        assert eventually(lambda: len(running.logged()) == 20)
        page = browser.send("GET", "/metrics").content.decode()
        assert "athanor_predict_rows_total" in page
    (tmp_path / "more").mkdir()
    with running_plane(tmp_path / "more", warm_workers) as running:
        policy = LogPolicy(durability=durability, sample=0.5, redact=("mood",))
        routed(running, tmp_path / "again", policy)
        browser = Browser(running.port)
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for number in range(60):
            assert browser.predict([record(number)], traceparent=trace).status == 200
        assert eventually(lambda: 10 < len(running.logged()) < 50)
        for row in running.logged():
            assert row["features"]["mood"] == "***"
            assert row["trace"] == "0af7651916cd43dd8448eb211c80319c"
