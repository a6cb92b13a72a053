"""The open protocols of the data plane, with a stub for a model."""

import gzip
import importlib.util
import json
import socket
import struct
import subprocess
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.kernel.workers import Workers
from athanor.serving.supervisor import PlaneSettings
from athanor.testing.serving import (
    Browser,
    RunningPlane,
    deployment_ids,
    eventually,
    formula,
    record,
    running_plane,
)

REPOSITORY = Path(__file__).parents[2]
INFER = "/v2/models/houses/infer"
PARQUET = "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, warm_workers: Workers
) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("plane"), warm_workers) as running:
        running.route({deployment_ids(1)[0]: 1.0}, key="house")
        yield running


@pytest.fixture
def browser(shared: RunningPlane) -> Browser:
    return Browser(shared.port)


def tensor(name: str, datatype: str, data: list[Any], *shape: int, **more: Any) -> dict[str, Any]:
    told = {"name": name, "datatype": datatype, "shape": list(shape or (len(data),))}
    return told | {"data": data} | more


def inputs(*numbers: int) -> list[dict[str, Any]]:
    rows = [record(number) for number in numbers]
    return [
        tensor("size", "FP64", [row["size"] for row in rows]),
        tensor("rooms", "INT64", [row["rooms"] for row in rows]),
        tensor("mood", "BYTES", [row["mood"] for row in rows]),
    ]


def scores(*numbers: int) -> list[float]:
    return [formula(record(n)["size"], record(n)["rooms"]) for n in numbers]


def infer(browser: Browser, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.send("POST", INFER, content, headers=named)


def test_metadata_and_health(browser: Browser) -> None:
    told = browser.send("GET", "/v2/models/houses").body
    assert told == {
        "name": "houses",
        "versions": ["1"],
        "platform": "athanor",
        "inputs": [
            {"name": "size", "datatype": "FP64", "shape": [-1]},
            {"name": "rooms", "datatype": "INT64", "shape": [-1]},
            {"name": "mood", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [-1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }
    assert browser.send("GET", "/v2").body["name"] == "athanor"
    assert browser.send("GET", "/v2/health/live").body == {"live": True}
    assert eventually(lambda: browser.send("GET", "/v2/health/ready").body == {"ready": True})
    for prefix in ("", "/endpoints/houses"):
        path = f"{prefix}/v2/models/houses"
        assert browser.send("GET", f"{path}/ready").body == {"name": "houses", "ready": True}
        assert browser.send("GET", f"{path}/versions/1").body == told
        assert browser.send("GET", f"{path}/versions/7").status == 404
    index = browser.send("POST", "/v2/repository/index", b"").body
    assert index == [{"name": "houses", "version": "1", "state": "READY", "reason": ""}]
    for path in ("/ping", "/health", "/version", "/endpoints/houses/ping"):
        assert browser.send("GET", path).status == 200
    assert browser.send("GET", "/endpoints/horses/ping").status == 404


def test_versions_are_those_of_the_model(plane: RunningPlane) -> None:
    plane.route(dict.fromkeys(deployment_ids(2), 0.5), version=5)
    browser = Browser(plane.port)
    assert eventually(lambda: browser.send("GET", "/v2/health/ready").body == {"ready": True})
    assert browser.send("GET", "/v2/models/houses").body["versions"] == ["5"]
    index = browser.send("POST", "/v2/repository/index", b"").body
    assert [(item["name"], item["version"]) for item in index] == [("houses", "5")]
    answer = browser.send("POST", "/v2/models/houses/versions/5/infer", {"inputs": inputs(1)}).body
    assert answer["model_version"] == "5"
    # Two is the number of a deployment, and no version that is served.
    missing = browser.send("POST", "/v2/models/houses/versions/2/infer", {"inputs": inputs(1)})
    assert missing.status == 404
    assert "Served: 5." in missing.body["error"]
    counted = browser.send("GET", "/v2/models/houses/stats").body["model_stats"]
    assert [(item["version"], item["inference_count"]) for item in counted] == [("5", 1)]


def test_inference_in_json(browser: Browser) -> None:
    answer = infer(browser, {"id": "a7", "inputs": inputs(1, 50)})
    assert answer.status == 200
    body = answer.body
    assert (body["model_name"], body["model_version"], body["id"]) == ("houses", "1", "a7")
    label, chances = body["outputs"]
    assert label == {"name": "predict", "datatype": "BYTES", "shape": [2], "data": ["no", "no"]}
    assert chances["shape"] == [2, 2]
    assert chances["data"][1::2] == scores(1, 50)
    assert "id" not in infer(browser, {"inputs": inputs(1)}).body
    nested = inputs(1, 2)
    for item in nested:
        item["data"] = [[value] for value in item["data"]]
        item["shape"] = [2, 1]
    wanted = {"inputs": nested, "outputs": [{"name": "predict_proba"}]}
    (only,) = infer(browser, wanted).body["outputs"]
    assert only["data"][1::2] == scores(1, 2)
    without = infer(browser, {"inputs": [*inputs(1)[::2], tensor("house", "BYTES", ["h9"])]})
    assert without.body["outputs"][1]["data"][1] == formula(record(1)["size"], None)


def binary(*numbers: int) -> tuple[dict[str, Any], bytes]:
    told, raw = inputs(*numbers), b""
    for item in told:
        data = item.pop("data")
        if item["datatype"] == "BYTES":
            texts = [text.encode() for text in data]
            part = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        else:
            part = struct.pack(f"<{len(data)}{'d' if item['datatype'] == 'FP64' else 'q'}", *data)
        item["parameters"] = {"binary_data_size": len(part)}
        raw += part
    return {"inputs": told, "parameters": {"binary_data_output": True}}, raw


def two_members(body: bytes) -> bytes:
    return gzip.compress(body[:40]) + gzip.compress(body[40:])


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_inference_in_raw_bytes(browser: Browser, encoding: str) -> None:
    told, raw = binary(*range(90))
    head = json.dumps(told).encode()
    squeeze: Any = {"": bytes, "gzip": two_members, "deflate": zlib.compress}[encoding]
    whole = squeeze(head + raw)
    headers = {"Inference_Header_Content_Length": str(len(head))}
    if encoding:
        headers |= {"Content_Encoding": encoding, "Accept_Encoding": encoding}
    answer = infer(browser, whole, **headers)
    assert answer.status == 200
    assert answer.headers.get("content-encoding", "") == encoding
    plain: Any = {"": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}[encoding]
    content = plain(answer.content)
    length = int(answer.headers["inference-header-content-length"])
    label, chances = json.loads(content[:length])["outputs"]
    rest = content[length:]
    sizes = [item["parameters"]["binary_data_size"] for item in (label, chances)]
    assert sum(sizes) == len(rest)
    found = struct.unpack("<180d", rest[sizes[0] :])
    assert list(found[1::2]) == scores(*range(90))


def changed(place: int, **changes: Any) -> dict[str, Any]:
    made = inputs(1, 2)
    made[place] |= changes
    return {"inputs": made}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "no valid JSON"),
        (b"", "no valid JSON"),
        (b"[]", "Expected `object`"),
        ({}, "`inputs`"),
        ({"inputs": []}, "empty"),
        ({"inputs": inputs(1)[:2]}, "lacks the input 'mood'"),
        ({"inputs": inputs(1) * 2}, "came twice"),
        ({"inputs": [*inputs(1), tensor("garden", "BOOL", [True])]}, "'garden'"),
        (changed(0, shape=[3]), "3 elements and its data 2"),
        (changed(0, shape=[-2]), "negative"),
        (changed(0, shape=["2"]), "shape"),
        (changed(0, shape=[2, 2], data=[1.0] * 4), "[rows]"),
        (changed(0, shape=[1], data=[1.0]), "it has 2 rows and those before it 1"),
        (changed(0, datatype="FP65"), "'FP65'"),
        (changed(0, datatype="BYTES", data=["1", "2"]), "datatype is BYTES"),
        (changed(0, data=[1.0, "x"]), "element 1 is 'x', no FP64"),
        (changed(0, data=[[1.0], 2.0]), "mixes"),
        (changed(0, datatype="FP16"), "no form in JSON"),
        (changed(1, data=[1, 1 << 63]), "element 1"),
        (changed(1, datatype="INT8", data=[1, 300]), "no INT8"),
        (changed(1, datatype="FP64", data=[1.0, 2.5]), "'rooms' of record 1"),
        (changed(2, data=["a", 5]), "element 1 is 5"),
        (changed(0, parameters={"binary_data_size": 16}), "both"),
        (changed(0, parameters=[1]), "parameters"),
        ({"inputs": inputs(1), "outputs": [{"name": "x"}]}, "no output 'x'"),
        ({"inputs": inputs(1), "id": 7}, "id"),
    ],
)
def test_bad_inference_is_named(browser: Browser, body: Any, said: str) -> None:
    answer = infer(browser, body)
    assert answer.status == 400
    assert set(answer.body) == {"error"}
    assert said in answer.body["error"]


def test_bad_bytes_are_named(browser: Browser) -> None:
    told, raw = binary(1, 2)
    head = json.dumps(told).encode()
    length = {"Inference_Header_Content_Length": str(len(head))}
    for body, headers, said in (
        (head + raw[:-1], length, "are left"),
        (head + raw + b"x", length, "1 bytes are left"),
        (head, length, "0 are left"),
        (head + raw, {"Inference_Header_Content_Length": "99999"}, "99999"),
        (head + raw, {"Inference_Header_Content_Length": "-1"}, "no number of bytes"),
        (head + raw, {}, "no valid JSON"),
        (raw, {"Inference_Header_Content_Length": "0"}, "needs a model of one input"),
        (gzip.compress(b"{}") + b"rest", length | {"Content_Encoding": "gzip"}, "no whole gzip"),
        (b"\x1f\x8b\x08", length | {"Content_Encoding": "gzip"}, "no whole gzip"),
        (b"\xff" * 9, length | {"Content_Encoding": "deflate"}, "no whole deflate"),
        (gzip.compress(b" " * (17 << 20)), {"Content_Encoding": "gzip"}, "decompressed"),
        (head, {"Content_Encoding": "br"}, "'br'"),
    ):
        answer = infer(browser, body, **headers)
        assert 400 <= answer.status < 500
        assert said in answer.body["error"]
    assert infer(browser, head + raw, **length).status == 200


def test_who_sends_too_much_is_told_so(shared: RunningPlane) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), 10) as client:
        head = f"POST {INFER} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {20 << 20}\r\n\r\n"
        client.sendall(head.encode() + b"x" * (20 << 20))  # whoever hangs up early breaks this
        told = b"".join(iter(lambda: client.recv(65_536), b""))
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"bytes" in told.partition(b"\r\n\r\n")[2]


@pytest.mark.skipif(
    not (REPOSITORY / ".venvs/triton/bin/python").exists(), reason="no environment .venvs/triton"
)
def test_tritonclient_and_kserve_s_client(tmp_path: Path, warm_workers: Workers) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    grpc = importlib.util.find_spec("grpc") is not None
    settings = PlaneSettings(grpc_port=port if grpc else 0)
    with running_plane(tmp_path, warm_workers, settings) as plane:
        plane.route({deployment_ids(1)[0]: 1.0})
        browser = Browser(plane.port)
        assert eventually(lambda: browser.send("GET", "/v2/health/ready").status == 200)
        script = str(Path(__file__).with_name("oracle_triton.py"))
        for address in [plane.planes.url, f"127.0.0.1:{port}"][: 1 + grpc]:
            done = subprocess.run(
                [str(REPOSITORY / ".venvs/triton/bin/python"), script, address],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr


def invoke(browser: Browser, body: Any, type_: str = "application/json", path: str = "") -> Any:
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    content, headers = body, {"Content-Type": type_}
    return browser.send("POST", f"{path}/invocations", content, headers=headers)


def test_invocations(shared: RunningPlane, browser: Browser) -> None:
    rows = [record(1), record(400)]
    split = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for body in (
        {"dataframe_records": rows},
        {"dataframe_split": split, "params": {"a": 1}},
        {"instances": rows},
        {"inputs": columns},
    ):
        for path in ("", "/endpoints/houses"):
            answer = invoke(browser, body, path=path)
            assert (answer.status, answer.body) == (200, {"predictions": ["no", "yes"]})
    table = "house,mood,rooms,size\nh1,calm,1,-19.63\nh2,calm,1,128.0\n"
    answer = invoke(browser, table, "text/csv")
    assert answer.body == {"predictions": ["no", "yes"]}
    logged = {row["id"]: row for row in shared.logged()}
    assert logged[answer.headers["x-prediction-id"]]["key"] == "h1"
    stored = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stored)
    answer = invoke(browser, stored.getvalue(), PARQUET)
    assert answer.body == {"predictions": ["no", "yes"]}
    torn = invoke(browser, stored.getvalue()[:-9], PARQUET)
    assert (torn.status, torn.body["error_code"]) == (400, "BAD_REQUEST")
    refused = invoke(browser, {"dataframe_records": [record(1, "raise")]})
    assert refused.status == 400
    assert refused.body["error_code"] == "BAD_REQUEST"
    assert "unexpected error" in refused.body["message"]
    missing = invoke(browser, {"dataframe_records": [{"size": 1.0}]})
    assert (missing.status, missing.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "['mood']" in missing.body["message"]
    for kind in ("image/png", ""):
        strange = invoke(browser, table, kind)
        assert (strange.status, f"Got '{kind}'.".encode() in strange.content) == (415, True)
        assert strange.headers["content-type"].startswith("text/plain")


def test_vertex_s_instances(browser: Browser) -> None:
    rows = [record(1), record(400)]
    for instances in (rows, [list(row.values()) for row in rows]):
        body = json.dumps({"instances": instances, "parameters": {}}).encode()
        answer = browser.send("POST", "/endpoints/houses/predict", body)
        assert answer.body["predictions"] == ["no", "yes"]
        assert answer.body["deployedModelId"]
    short = json.dumps({"instances": [[1, 2]]}).encode()
    refused = browser.send("POST", "/predict", short)
    assert refused.status == 400
    assert "Instance 0 has 2 values" in refused.body["message"]


def test_an_address_without_a_name_needs_one_endpoint(
    tmp_path: Path, warm_workers: Workers
) -> None:
    with running_plane(tmp_path, warm_workers) as plane:
        browser = Browser(plane.port)
        body = {"dataframe_records": [record(1)]}
        assert invoke(browser, body).status == 404
        plane.route({deployment_ids(1)[0]: 1.0})
        assert invoke(browser, body).status == 200
        named = {"X-Athanor-Endpoint": "houses", "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        assert browser.send("POST", "/invocations", content, headers=named).status == 200
        named["X-Athanor-Endpoint"] = "horses"
        unknown = browser.send("POST", "/invocations", content, headers=named)
        assert (unknown.status, unknown.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "broken": b'{"records": [{"size": 1',
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "no text": b"\xff\xfe\x00",
    "a huge whole number": b'{"records": [{"size": 1, "rooms": 1%s}]}' % (b"0" * 4_000),
    "a huge number": b'{"records": [{"size": 1e99999, "rooms": 1, "mood": "calm"}]}',
    "infinity": b'{"records": [{"size": Infinity, "rooms": 1, "mood": "calm"}]}',
    "a list for a value": b'{"records": [{"size": [1], "rooms": 1, "mood": "calm"}]}',
    "no records": b'{"records": []}',
    "records that are none": b'{"records": [1, null]}',
    "a million rows": b'{"records": [' + b"{}," * 999_999 + b"{}]}",
}


AS_MLFLOW = {"a huge number", "infinity"}
"""What MLflow takes as infinite, and so does `/invocations`."""


@pytest.mark.parametrize("path", ["/endpoints/houses/predict", "/invocations", INFER])
def test_hostile_bodies_are_refused_and_the_endpoint_goes_on(browser: Browser, path: str) -> None:
    for name, body in HOSTILE.items():
        if path == "/invocations" and name in AS_MLFLOW:
            continue
        for sent in (body, body.replace(b'"records"', b'"dataframe_records"')):
            answer = browser.send("POST", path, sent, {"Content-Type": "application/json"})
            assert 400 <= answer.status < 500, (name, answer.status, answer.content[:200])
            assert b"Traceback" not in answer.content
            assert {"error", "error_code"} & answer.body.keys(), (name, answer.content[:200])
    assert browser.predict([record(1)]).status == 200


@pytest.mark.parametrize("body", [b'"ready"', b'{"ready": tru', b"x", b"\xff"])
def test_the_index_refuses_what_is_no_json(browser: Browser, body: bytes) -> None:
    answer = browser.send("POST", "/v2/repository/index", body)
    assert answer.status in {200, 400}
    assert answer.status == 200 or "no valid JSON" in answer.body["error"]


def test_what_the_protocol_lacks_is_told_in_its_words(browser: Browser) -> None:
    answer = browser.send("GET", "/v2/models/houses/versions")
    assert (answer.status, list(answer.body)) == (404, ["error"])
    assert "/v2/models/houses/versions" in answer.body["error"]
