"""The data plane over real sockets, with a stub for a model."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from athanor.kernel.workers import Workers
from athanor.serving.errors import PortTaken
from athanor.serving.logic.doors import Doors, loopback_origins
from athanor.serving.plane.http import Limits
from athanor.serving.supervisor import PlaneSettings
from athanor.serving.supervisor.planes import Planes
from athanor.testing.serving import (
    Browser,
    RunningPlane,
    deployment_ids,
    eventually,
    formula,
    record,
    running_plane,
)


def raw(port: int, *parts: bytes, pause: float = 0.0, timeout: float = 20.0) -> bytes:
    """Send bytes as they are and read until the plane hangs up or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        with contextlib.suppress(OSError):  # the plane hung up first
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
    return received


def hung_up(connection: socket.socket) -> bool:
    """Whether the plane has ended the connection."""
    try:
        connection.sendall(b"x")
    except OSError:
        return True
    return False


def post(body: bytes, *headers: str, path: str = "/endpoints/houses/predict") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def records(*numbers: int, mood: str = "calm") -> bytes:
    return json.dumps({"records": [record(number, mood) for number in numbers]}).encode()


@pytest.fixture
def served(plane: RunningPlane) -> RunningPlane:
    plane.route({deployment_ids(1)[0]: 1.0}, key="house")
    return plane


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, warm_workers: Workers
) -> Iterator[RunningPlane]:
    """One plane for the tests that leave no trace but rows in its log."""
    with running_plane(tmp_path_factory.mktemp("plane"), warm_workers) as running:
        running.route({deployment_ids(1)[0]: 1.0}, key="house")
        yield running


@pytest.fixture
def browser(served: RunningPlane) -> Browser:
    return Browser(served.port)


def test_answers_and_logs(served: RunningPlane, browser: Browser) -> None:
    answer = browser.predict([{**record(3), "house": 77}, record(50)])
    assert answer.status == 200
    assert answer.body["model"] == "stub"
    assert answer.body["version"] == 1
    found = answer.body["predictions"]
    assert [item["score"] for item in found] == [
        formula(record(n)["size"], record(n)["rooms"]) for n in (3, 50)
    ]
    assert found[0]["label"] == ("yes" if found[0]["score"] > 0.5 else "no")
    assert found[0]["probabilities"]["no"] == 1.0 - found[0]["score"]
    logged = served.logged()
    assert [row["id"] for row in logged] == [item["id"] for item in found]
    assert logged[0]["key"] == "77"
    assert logged[1]["key"] is None
    assert logged[0]["features"] == record(3)
    assert logged[0]["probabilities"] == found[0]["probabilities"]
    assert len({row["request"] for row in logged}) == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "no valid JSON"),
        (b"", 400, "no valid JSON"),
        (b"[1]", 400, 'no "records"'),
        (b"{}", 400, 'no "records"'),
        (b'{"records": []}', 400, "empty"),
        (b'{"records": [1]}', 400, "Record 0 is a number"),
        (b'{"records": [{"size": 1}]}', 400, "lacks the column 'mood'"),
        (b'{"records": [{"size": "x", "mood": "a"}]}', 400, "'size' of record 0 holds 'x'"),
        (
            b'{"records": [{"size": 1, "mood": "a"}, {"size": 1, "mood": 5}]}',
            400,
            "'mood' of record 1 holds 5; the model expects a text",
        ),
        (b'{"records": [{"size": 1, "rooms": 2.5, "mood": "a"}]}', 400, "a whole number"),
        (b'{"records": [{"size": 1, "rooms": 1e300, "mood": "a"}]}', 400, "64 bits"),
        (b'{"records": [{"size": true, "mood": "a"}]}', 400, "holds True"),
        (b'{"records": [{"size": NaN, "mood": "a"}]}', 400, "no valid JSON"),
        (b'{"records": [{"size": ' + b"9" * 400 + b', "mood": "a"}]}', 400, ""),
        (b'{"dataframe_split": {"columns": ["size"], "data": [[1, 2]]}}', 400, "one value for"),
        (b'{"records": ' + b"[" * 100_000, 400, "no valid JSON"),
    ],
)
def test_bad_input_is_named(shared: RunningPlane, body: bytes, status: int, said: str) -> None:
    browser = Browser(shared.port)
    answer = browser.send("POST", "/endpoints/houses/predict", body)
    assert answer.status == status
    assert said in answer.body["message"]
    assert answer.body["hint"]
    assert browser.predict([record(1)]).status == 200


def test_nulls_unseen_and_extra_columns_are_fine(shared: RunningPlane) -> None:
    browser = Browser(shared.port)
    strange = {"size": None, "mood": "never seen before", "colour": "red", "house": 1}
    answer = browser.predict([strange])
    assert answer.status == 200
    assert answer.body["ignored_columns"] == ["colour"]
    assert answer.body["predictions"][0]["score"] == formula(None, None)


def test_a_row_that_the_model_refuses_harms_no_neighbour(served: RunningPlane) -> None:
    def ask(number: int) -> None:
        with_mood = "raise" if number % 5 == 0 else "calm"
        answers[number] = Browser(served.port).predict([record(number, with_mood)]).status

    answers: dict[int, int] = {}
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: status for number, status in answers.items() if number % 5} == {
        number: 200 for number in range(40) if number % 5
    }
    assert {answers[number] for number in range(0, 40, 5)} == {422}
    assert len(served.logged()) == 32


def test_a_row_that_kills_its_worker_twice_is_given_up(served: RunningPlane) -> None:
    stop = threading.Event()

    def tend() -> None:
        while not stop.wait(0.02):
            served.tend()

    tender = threading.Thread(target=tend)
    tender.start()
    try:
        answer = Browser(served.port).predict([record(1, "die")])
        assert answer.status == 503
        assert "died twice" in answer.body["message"]
        assert answer.headers["retry-after"] == "1"
        assert Browser(served.port).predict([record(2)]).status == 200
    finally:
        stop.set()
        tender.join()


def test_other_routes(served: RunningPlane, browser: Browser) -> None:
    assert browser.send("GET", "/healthz").body == {"status": "alive"}
    assert browser.send("GET", "/readyz").body == {"status": "ready"}
    signature = browser.send("GET", "/endpoints/houses").body["deployments"][0]
    assert [item["name"] for item in signature["inputs"]] == ["size", "rooms", "mood"]
    missing = browser.predict([record(1)], name="horses")
    assert missing.status == 404
    assert "houses" in missing.body["hint"]
    for path in ("/", "/metrics/x", "/endpoints/houses/else", "/v2/models", "/v2/else"):
        assert browser.send("GET", path).status == 404
    wrong = browser.send("DELETE", "/endpoints/houses")
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET")
    browser.predict([record(1)])
    browser.send("POST", "/endpoints/houses/predict", b"{")
    page = browser.send("GET", "/metrics").content.decode()
    assert 'athanor_predict_requests_total{endpoint="houses",' in page
    assert 'code="200"} 1\n' in page
    assert 'code="400"} 1\n' in page
    assert "athanor_prediction_log_oldest_unflushed_seconds" in page


def test_its_counts_are_told_to_the_server(served: RunningPlane, browser: Browser) -> None:
    browser.predict([record(1), record(2)])
    browser.predict([record(1, "raise")])
    (told,) = served.planes.ask({"do": "stats"})
    (counts,) = told["deployments"].values()
    assert counts["codes"] == {"200": 1, "422": 1}
    assert sum(counts["buckets"]) == 2
    assert told["in_flight"] == 0


def test_pipelined_answers_keep_their_order(shared: RunningPlane) -> None:
    asked = [records(number, mood="slow" if number == 0 else "calm") for number in range(20)]
    bad = post(b"{")
    received = raw(
        shared.port, b"".join([post(body) for body in asked[:10]]) + bad + post(asked[10])
    )
    answers = received.split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200"] * 10 + [b"400", b"200"]
    scores = [
        json.loads(answer.partition(b"\r\n\r\n")[2])["predictions"][0]["score"]
        for answer in [*answers[:10], answers[11]]
    ]
    assert scores == [formula(record(n)["size"], record(n)["rooms"]) for n in range(11)]


def test_head_is_answered_without_a_body_and_nothing_after_close(shared: RunningPlane) -> None:
    head = b"HEAD /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"HEAD /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    first, second, third, rest = raw(shared.port, head + head + last + head).split(b"\r\n\r\n")
    assert first == second
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert b"Content-Length: 13" in first
    assert third.startswith(b"HTTP/1.1 404")
    assert rest == b""


def test_bytes_that_come_one_by_one(shared: RunningPlane) -> None:
    whole = post(records(5))
    assert raw(shared.port, *(whole[i : i + 1] for i in range(len(whole)))).startswith(
        b"HTTP/1.1 200"
    )


def test_chunked_bodies_and_expect_continue(shared: RunningPlane) -> None:
    body = records(5)
    head = b"POST /endpoints/houses/predict HTTP/1.1\r\nHost: localhost\r\n"
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7)
    )
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert raw(shared.port, chunked).startswith(b"HTTP/1.1 200")
    for coding in (b"gzip, chunked", b"identity, chunked", b"chunked, chunked"):
        told = raw(shared.port, chunked.replace(b"Encoding: chunked", b"Encoding: " + coding))
        assert told.startswith(b"HTTP/1.1 400"), coding
    assert b"chunked alone" in raw(shared.port, head + b"Transfer-Encoding: gzip, chunked\r\n\r\n")
    waiting = post(body, "Expect: 100-continue")
    cut = len(waiting) - len(body)
    received = raw(shared.port, waiting[:cut], waiting[cut:], pause=0.2)
    assert received.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    "request_",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /endpoints/houses/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused(shared: RunningPlane, request_: bytes) -> None:
    assert raw(shared.port, request_).startswith(b"HTTP/1.1 400")
    assert Browser(shared.port).predict([record(1)]).status == 200


def test_an_upgrade_is_declined(shared: RunningPlane) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    # In one piece: bytes that come after the answer's end may have the system reset it.
    received = raw(shared.port, asked.replace(b"Host: a", b"Host: localhost") + b"PRI * HTTP/2.0")
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1:99"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example:8700"}, 403),
        ({"Origin": "http://localhost:8700"}, 200),
    ],
)
def test_doors(tmp_path: Path, warm_workers: Workers, headers: dict[str, str], status: int) -> None:
    doors = Doors(loopback=True, origins=loopback_origins(8700))
    with running_plane(tmp_path, warm_workers, PlaneSettings(doors=doors)) as plane:
        assert Browser(plane.port).send("GET", "/healthz", headers=headers).status == status


def test_tokens(tmp_path: Path, warm_workers: Workers) -> None:
    settings = PlaneSettings(doors=Doors(tokens=("secret-token",)))
    with running_plane(tmp_path, warm_workers, settings) as plane:
        for sent, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Basic secret-token"}, 401),
            ({"Authorization": "Bearer secret-token"}, 200),
        ):
            browser = Browser(plane.port)
            assert browser.send("GET", "/healthz", headers=sent).status == status


def test_limits_on_size(tmp_path: Path, warm_workers: Workers) -> None:
    limits = Limits(body_bytes=10_000, header_bytes=2_000, rows=10)
    with running_plane(tmp_path, warm_workers, PlaneSettings(limits=limits)) as plane:
        plane.route({deployment_ids(1)[0]: 1.0})
        answer = raw(plane.port, post(b"x" * 10_001))
        assert answer.startswith(b"HTTP/1.1 413")
        endless = (
            b"POST /endpoints/houses/predict HTTP/1.1\r\nHost: localhost\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 3
        )
        assert raw(plane.port, endless).startswith(b"HTTP/1.1 413")
        assert raw(plane.port, post(b"{}", "X-Long: " + "y" * 2_000)).startswith(b"HTTP/1.1 413")
        header = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Endless: " + b"y" * 5_000
        assert raw(plane.port, header).startswith(b"HTTP/1.1 413")
        assert Browser(plane.port).predict([record(n) for n in range(11)]).status == 413
        assert Browser(plane.port).predict([record(n) for n in range(10)]).status == 200


def test_slow_clients_are_let_go(tmp_path: Path, warm_workers: Workers) -> None:
    limits = Limits(header_seconds=1.0, body_seconds=1.0, idle_seconds=1.0)
    with running_plane(tmp_path, warm_workers, PlaneSettings(limits=limits)) as plane:
        plane.route({deployment_ids(1)[0]: 1.0})
        kept = []
        for start in (b"", b"POST /endp", post(b"x" * 100)[:-50]):
            connection = socket.create_connection(("127.0.0.1", plane.port), timeout=10.0)
            connection.sendall(start)
            kept.append(connection)
        slow = socket.create_connection(("127.0.0.1", plane.port), timeout=10.0)
        for byte in b"POST /endpoints/houses/predict HTTP/1.1":
            try:
                slow.sendall(bytes([byte]))
            except OSError:
                break
            time.sleep(0.1)
        assert Browser(plane.port).predict([record(1)]).status == 200
        assert kept[0].recv(100) == b""
        for connection in (kept[1], kept[2]):
            assert b"did not arrive in time" in connection.recv(4096)
        assert eventually(lambda: hung_up(slow), timeout=10.0)
        for connection in (*kept, slow):
            connection.close()


def test_overload_is_refused_with_retry_after(tmp_path: Path, warm_workers: Workers) -> None:
    with running_plane(tmp_path, warm_workers, PlaneSettings(limits=Limits(waiting=3))) as plane:
        plane.route({deployment_ids(1)[0]: 1.0})
        received = raw(plane.port, b"".join(post(records(n, mood="slow")) for n in range(8)))
        answers = received.split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200"] * 3 + [b"429"] * 5
        assert b"Retry-After: 1" in answers[-1]


def test_a_client_that_leaves_harms_nobody(served: RunningPlane) -> None:
    for number in range(20):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(post(records(number, mood="slow" if number == 0 else "calm")))
    assert Browser(served.port).predict([record(1)]).status == 200
    assert eventually(lambda: len(served.logged()) == 21)


def test_shares_follow_the_request_id(plane: RunningPlane) -> None:
    first, second = deployment_ids(2)
    plane.route({first: 0.8, second: 0.2})
    browser = Browser(plane.port)
    chosen = {
        str(n): browser.predict([record(n)], X_Request_Id=str(n)).body["deployment"]
        for n in range(400)
    }
    share = sum(deployment == second for deployment in chosen.values()) / 400
    assert 0.12 < share < 0.28
    for number, deployment in list(chosen.items())[:50]:
        again = browser.predict([record(1)], X_Request_Id=number)
        assert again.body["deployment"] == deployment
    pinned = browser.predict([record(1)], X_Athanor_Deployment=second)
    assert pinned.body["deployment"] == second
    assert browser.predict([record(1)], X_Athanor_Deployment="2").body["deployment"] == second
    assert browser.predict([record(1)], X_Athanor_Deployment="9").status == 404


def test_secrets_are_masked_in_the_log_alone(served: RunningPlane, browser: Browser) -> None:
    mood = "https://me:hunter22@example.org"
    assert browser.predict([{"size": 1.0, "mood": mood}]).status == 200
    assert served.logged()[0]["features"]["mood"] == "https://***@example.org"
    assert b"hunter22" not in b"".join(p.read_bytes() for p in served.predictions.iterdir())


def test_a_restart_keeps_the_usual_port_and_a_taken_one_gives_way(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        usual = int(taken.getsockname()[1])
        settings = PlaneSettings(usual=usual, processes=0)
        other = Planes(settings, tmp_path, tmp_path, tmp_path / "plane.log")
        other.start()
        assert not other.url.endswith(f":{usual}")
        other.stop()
    for _ in range(2):
        again = Planes(settings, tmp_path, tmp_path, tmp_path / "plane.log")
        again.start()
        assert again.url == f"http://127.0.0.1:{usual}"
        chosen = PlaneSettings(port=usual, usual=usual + 1, processes=0)
        with pytest.raises(PortTaken) as refused:
            Planes(chosen, tmp_path, tmp_path, tmp_path / "plane.log").start()
        assert "ATHANOR_SERVING_PORT" in refused.value.hint
        again.stop()


def test_the_plane_loads_no_heavy_library(served: RunningPlane) -> None:
    (pid,) = served.planes.pids
    maps = Path(f"/proc/{pid}/maps").read_text("utf-8")
    for library in ("numpy", "pandas", "pyarrow", "sklearn", "scipy", "duckdb", "lightgbm"):
        assert f"/{library}/" not in maps


def test_an_unwritable_log_answers_nothing(tmp_path: Path, warm_workers: Workers) -> None:
    (tmp_path / "predictions").write_text("a file where the folder should be")
    with running_plane(tmp_path, warm_workers) as plane:
        plane.route({deployment_ids(1)[0]: 1.0})
        answer = Browser(plane.port).predict([record(1)])
        assert answer.status == 503
        assert "prediction log" in answer.body["message"]
