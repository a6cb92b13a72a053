"""Files, logged models and inputs on a live server, as MLflow's clients send them."""

import hashlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from athanor.data import NewVersion
from athanor.testing.server import RunningServer, running_server
from athanor.tracking import (
    ArtifactFileNotFound,
    BadArtifactPath,
    DatasetInfo,
    DatasetInput,
    MeasuredOn,
    ModelMetric,
    ModelOutput,
    NewLoggedModel,
)
from athanor.tracking.errors import (
    BadLoggedModel,
    BadParts,
    LoggedModelNotFound,
    UploadNotFound,
)

PROXY = "/api/2.0/mlflow-artifacts"
API = "/api/2.0/mlflow"
MLMODEL = b"""artifact_path: x
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
run_id: %s
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}]'
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("artifacts") / "workspace") as running:
        yield running


def ask(
    server: RunningServer, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request(method, path, sent, {n.replace("_", "-"): v for n, v in headers.items()})
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, answer.read(), told
    finally:
        connection.close()


def told(server: RunningServer, method: str, path: str, body: Any = None, **headers: str) -> Any:
    status, content, _ = ask(server, method, path, body, **headers)
    assert status == 200, content
    return json.loads(content)


def put(server: RunningServer, path: str, content: bytes) -> None:
    assert ask(server, "PUT", f"{PROXY}/artifacts/{quote(path)}", content)[0] == 200


def a_run(server: RunningServer) -> dict[str, Any]:
    made = told(server, "POST", f"{API}/runs/create", {"experiment_id": "0"})
    info: dict[str, Any] = made["run"]["info"]
    return info


def log_model(server: RunningServer, run_id: str, name: str = "clf") -> dict[str, Any]:
    """What a client of MLflow 3 does to log a model."""
    body = {"experiment_id": "0", "name": name, "source_run_id": run_id}
    info = told(server, "POST", f"{API}/logged-models", body)["model"]["info"]
    outputs = {"run_id": run_id, "models": [{"model_id": info["model_id"], "step": 0}]}
    told(server, "POST", f"{API}/runs/outputs", outputs)
    place = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put(server, f"{place}/MLmodel", MLMODEL % run_id.encode())
    put(server, f"{place}/model.pkl", b"weights")
    done = told(
        server, "PATCH", f"{API}/logged-models/{info['model_id']}", {"status": "LOGGED_MODEL_READY"}
    )
    found: dict[str, Any] = done["model"]["info"]
    return found


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "..%2Fx",
        "%252e%252e%252fx",
        "a/../../x",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "C:%5Cx",
        "..%5Cx",
        "a%23b",
        "file:%2F%2F%2Fetc%2Fpasswd",
        "a%00b",
        "x" * 10_000,
    ],
)
def test_no_path_leads_out(server: RunningServer, path: str) -> None:
    for method in ("PUT", "GET", "DELETE"):
        body = b"x" if method == "PUT" else None
        status, content, _ = ask(server, method, f"{PROXY}/artifacts/{path}", body)
        assert status == 400, (method, content)
        assert json.loads(content)["error_code"] == "INVALID_PARAMETER_VALUE"
        assert json.loads(content)["message"].startswith("Invalid path")
    run = a_run(server)
    for place in (
        f"{PROXY}/artifacts?path={path}",
        f"{API}/artifacts/list?run_id={run['run_id']}&path={path}",
        f"/get-artifact?run_id={run['run_id']}&path={path}",
        f"/model-versions/get-artifact?name=x&version=1&path={path}",
        f"//model-versions/get-artifact?name=x&version=1&path={path}",
    ):
        assert ask(server, "GET", place)[0] == 400, place


def test_a_file_comes_back_whole_and_in_parts(server: RunningServer) -> None:
    put(server, "t/page ä.html", b"<script>0123456789")
    status, content, headers = ask(server, "GET", f"{PROXY}/artifacts/{quote('t/page ä.html')}")
    assert (status, content) == (200, b"<script>0123456789")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox")
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''page%20%C3%A4.html"
    assert headers["content-length"] == "18"
    place = f"{PROXY}/artifacts/{quote('t/page ä.html')}"
    status, content, headers = ask(server, "GET", place, range="bytes=8-11")
    assert (status, content, headers["content-range"]) == (206, b"0123", "bytes 8-11/18")
    assert ask(server, "GET", place, range="bytes=99-")[0] == 416
    assert ask(server, "GET", place, if_none_match=headers["etag"])[0] == 304
    status, content, headers = ask(server, "HEAD", place)
    assert (status, content, headers["content-length"]) == (200, b"", "18")


def test_a_listing_is_one_folder(server: RunningServer) -> None:
    run = a_run(server)
    place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    for name in ("b.txt", "d/e/f.txt", "empty"):
        put(server, f"{place}/{name}", b"" if name == "empty" else name.encode())
    files = told(server, "GET", f"{API}/artifacts/list?run_id={run['run_id']}")
    assert files["root_uri"] == run["artifact_uri"]
    assert files["files"] == [
        {"path": "b.txt", "is_dir": False, "file_size": 5},
        {"path": "d", "is_dir": True},
        {"path": "empty", "is_dir": False, "file_size": 0},
    ]
    deep = told(server, "GET", f"{API}/artifacts/list?run_id={run['run_id']}&path=d/e")
    assert deep["files"] == [{"path": "d/e/f.txt", "is_dir": False, "file_size": 9}]
    assert "files" not in told(
        server, "GET", f"{API}/artifacts/list?run_id={run['run_id']}&path=b.txt"
    )
    assert told(server, "GET", f"{PROXY}/artifacts?path={place}/d")["files"] == [
        {"path": "e", "is_dir": True}
    ]
    assert told(server, "DELETE", f"{PROXY}/artifacts/{place}/d") == {}
    assert told(server, "DELETE", f"{PROXY}/artifacts/{place}/none") == {}
    status, content, _ = ask(server, "GET", f"{PROXY}/artifacts/{place}/d/e/f.txt")
    assert (status, json.loads(content)["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert ask(server, "DELETE", f"{PROXY}/artifacts/")[0] == 400


def test_a_folder_and_a_file_do_not_take_each_others_place(server: RunningServer) -> None:
    put(server, "k/file", b"1")
    for path in ("k", "k/file/below"):
        status, content, _ = ask(server, "PUT", f"{PROXY}/artifacts/{path}", b"2")
        assert (status, json.loads(content)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert ask(server, "GET", f"{PROXY}/artifacts/k")[0] == 400
    assert ask(server, "GET", f"{PROXY}/artifacts/k/file")[1] == b"1"


def _memory(pid: int) -> int:
    """The most memory that a process has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def test_a_large_file_passes_through_at_constant_memory(server: RunningServer) -> None:
    put(server, "large/warm", b"x" * 3_000_000)
    before, pieces = _memory(server.process.pid), 200
    block = os.urandom(1 << 20)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    connection.request("PUT", f"{PROXY}/artifacts/large/file", (block for _ in range(pieces)))
    assert connection.getresponse().status == 200
    connection.close()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    connection.request("GET", f"{PROXY}/artifacts/large/file")
    answer, found, size = connection.getresponse(), hashlib.sha256(), 0
    while piece := answer.read(1 << 20):
        found.update(piece)
        size += len(piece)
    connection.close()
    assert (size, found.hexdigest()) == (
        pieces << 20,
        hashlib.sha256(block * pieces).hexdigest(),
    )
    assert _memory(server.process.pid) - before < 40


def _left(server: RunningServer) -> list[Path]:
    storage = server.workspace / "storage"
    return [path for path in storage.rglob("*.incoming") if path.is_file()]


def test_a_client_that_leaves_in_its_upload_leaves_nothing(server: RunningServer) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"PUT {PROXY}/artifacts/left/file HTTP/1.1\r\nhost: {address.netloc}\r\n"
        connection.sendall(f"{head}content-length: 9000000\r\n\r\n".encode() + b"x" * 5_000_000)
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while _left(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _left(server) == []
    assert ask(server, "GET", f"{PROXY}/artifacts/left/file")[0] == 404


def test_an_upload_in_parts_is_one_file(server: RunningServer) -> None:
    body = {"path": "/home/ann/model.bin", "num_parts": 3}
    made = told(server, "POST", f"{PROXY}/mpu/create/parts", body, authorization="Bearer none")
    parts = []
    for credential in made["credentials"]:
        assert credential["headers"] == {"Authorization": "Bearer none"}
        number = credential["part_number"]
        path = urlsplit(credential["url"]).path
        status, _, headers = ask(server, "PUT", path, str(number).encode() * 4)
        assert status == 200
        parts.append({"part_number": number, "etag": headers["etag"], "url": credential["url"]})
    done = {"path": "model.bin", "upload_id": made["upload_id"]}
    status, content, _ = ask(
        server, "POST", f"{PROXY}/mpu/complete/parts", done | {"parts": parts[:2]}
    )
    assert (status, "2 of its 3 parts" in content.decode()) == (400, True)
    told(server, "POST", f"{PROXY}/mpu/complete/parts", done | {"parts": parts[::-1]})
    assert ask(server, "GET", f"{PROXY}/artifacts/parts/model.bin")[1] == b"111122223333"
    assert ask(server, "POST", f"{PROXY}/mpu/abort/parts", done)[0] == 404
    other = told(server, "POST", f"{PROXY}/mpu/create", body)
    told(server, "POST", f"{PROXY}/mpu/abort", {"path": "x", "upload_id": other["upload_id"]})
    assert list((server.workspace / "storage" / "uploads").iterdir()) == []


def test_presigned_addresses_are_told_to_be_unsupported(server: RunningServer) -> None:
    run = a_run(server)
    asked = {"run_id": run["run_id"], "path": "x"}
    for name in ("upload", "download"):
        status, content, _ = ask(server, "POST", f"{API}/artifacts/presigned-{name}-url", asked)
        assert (status, "proxied artifact storage" in content.decode()) == (400, True)
    assert ask(server, "GET", f"{PROXY}/presigned/x")[0] == 501


def test_small_uploads_of_the_page_are_taken(server: RunningServer) -> None:
    run = a_run(server)
    place = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run['run_id']}"
    assert ask(server, "POST", f"{place}&path=a/b.txt", b"content")[0] == 200
    got = ask(server, "GET", f"/get-artifact?run_uuid={run['run_id']}&path=a/b.txt")
    assert got[:2] == (200, b"content")
    assert ask(server, "POST", place, b"content")[0] == 400
    assert ask(server, "POST", f"{place}&path=x", b"")[0] == 400
    assert ask(server, "POST", f"{place}&path=x", b"x" * (10 * 1024 * 1024 + 1))[0] == 400


def test_what_lies_elsewhere_is_not_read(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for location in (tmp_path.as_uri(), str(tmp_path), "s3://bucket/x"):
        body = {"name": f"elsewhere {location}", "artifact_location": location}
        made = told(server, "POST", f"{API}/experiments/create", body)
        run = told(server, "POST", f"{API}/runs/create", made)["run"]["info"]
        for path in (
            f"{API}/artifacts/list?run_id={run['run_id']}",
            f"/get-artifact?run_id={run['run_id']}&path=secret",
        ):
            status, content, _ = ask(server, "GET", path)
            assert (status, "does not read" in content.decode()) == (400, True), content


def test_a_logged_model_shows_its_data_its_run_and_its_content(server: RunningServer) -> None:
    client = server.client()
    run = a_run(server)
    given = {
        "dataset": {
            "name": "train",
            "digest": "d1",
            "source_type": "local",
            "source": '{"uri": "train.csv"}',
            "schema": "{}",
        },
        "tags": [{"key": "mlflow.data.context", "value": "training"}],
    }
    for _ in range(2):
        told(
            server,
            "POST",
            f"{API}/runs/log-inputs",
            {"run_id": run["run_id"], "datasets": [given]},
        )
    info = log_model(server, run["run_id"])
    shown = told(server, "GET", f"{API}/runs/get?run_id={run['run_id']}")["run"]
    assert shown["inputs"]["dataset_inputs"] == [given]
    assert shown["outputs"]["model_outputs"] == [{"model_id": info["model_id"], "step": 0}]
    kept = client.logged_models.get(info["model_id"])
    assert kept.artifact_id is not None
    artifact = client.runs.artifact(kept.artifact_id)
    assert (artifact.type, artifact.name) == ("model", "clf")
    assert artifact.metadata["flavor"] == "sklearn"
    assert artifact.metadata["inputs"] == [{"name": "age", "type": "double", "required": True}]
    graph = client.runs.trace(kept.artifact_id)
    assert [(node.type, node.name) for node in graph.nodes] == [
        ("model", "clf"),
        ("mlflow", run["run_name"]),
        ("dataset", "train"),
    ]
    assert {link.as_ for link in graph.edges} == {"training", "clf"}
    again = log_model(server, run["run_id"], "again")
    same = client.runs.artifact(client.logged_models.get(again["model_id"]).artifact_id or "")
    assert (same.digest, same.id != artifact.id) == (artifact.digest, True)
    summaries = told(
        server, "POST", f"{API}/experiments/search-datasets", {"experiment_ids": ["0"]}
    )
    assert {"experiment_id": "0", "name": "train", "digest": "d1", "context": "training"} in (
        summaries["dataset_summaries"]
    )


def test_a_registered_model_is_that_artifact_and_its_files_are_found(
    server: RunningServer,
) -> None:
    run = a_run(server)
    info = log_model(server, run["run_id"], "to_register")
    told(server, "POST", f"{API}/registered-models/create", {"name": "bought"})
    source = f"models:/{info['model_id']}"
    body = {"name": "bought", "source": source, "run_id": run["run_id"]}
    told(server, "POST", f"{API}/model-versions/create", body)
    client = server.client()
    kept = client.logged_models.get(info["model_id"])
    assert client.models.version("bought@1").artifact_id == kept.artifact_id
    status, content, _ = ask(
        server, "GET", "/model-versions/get-artifact?name=bought&version=1&path=model.pkl"
    )
    assert (status, content) == (200, b"weights")
    shelf = f"registry/{kept.artifact_id}"
    assert told(server, "GET", f"{PROXY}/artifacts?path={shelf}")["files"] == [
        {"path": "MLmodel", "is_dir": False, "file_size": len(MLMODEL % run["run_id"].encode())},
        {"path": "model.pkl", "is_dir": False, "file_size": 7},
    ]
    assert ask(server, "GET", f"{PROXY}/artifacts/{shelf}/model.pkl")[1] == b"weights"
    assert ask(server, "PUT", f"{PROXY}/artifacts/{shelf}/model.pkl", b"other")[0] == 400
    assert ask(server, "DELETE", f"{PROXY}/artifacts/{shelf}")[0] == 400


def test_a_platforms_own_dataset_is_that_very_artifact(
    server: RunningServer, tmp_path: Path
) -> None:
    file = tmp_path / "customers.csv"
    file.write_text("age,left\n" + "\n".join(f"{n},{n % 2}" for n in range(50)))
    client = server.client()
    version = client.data.add("customers", NewVersion(path=file))
    run = a_run(server)
    table = f"{server.workspace}/storage/tables/default/customers"
    for number, source in enumerate(
        (
            '{"uri": "dataset:customers@1"}',
            json.dumps({"path": table, "delta_table_version": version.delta_version}),
        )
    ):
        dataset = {"name": f"n{number}", "digest": "d", "source_type": "x", "source": source}
        body = {"run_id": run["run_id"], "datasets": [{"dataset": dataset}]}
        told(server, "POST", f"{API}/runs/log-inputs", body)
    used = {edge.as_: artifact.id for edge, artifact in client.runs.edges(run["run_id"])}
    assert used == {"n0": version.artifact_id, "n1": version.artifact_id}


def test_old_clients_models_are_artifacts_too(server: RunningServer) -> None:
    run = a_run(server)
    place = run["artifact_uri"].removeprefix("mlflow-artifacts:/")
    put(server, f"{place}/model/MLmodel", MLMODEL % b"x")
    put(server, f"{place}/model/model.pkl", b"weights")
    model = {
        "artifact_path": "model",
        "run_id": run["run_id"],
        "utc_time_created": "2026-01-02",
        "flavors": {"sklearn": {"config": {"a": 1}, "k": "v"}},
    }
    body = {"run_id": run["run_id"], "model_json": json.dumps(model)}
    for _ in range(2):
        told(server, "POST", f"{API}/runs/log-model", body)
    tags = told(server, "GET", f"{API}/runs/get?run_id={run['run_id']}")["run"]["data"]["tags"]
    (history,) = (tag["value"] for tag in tags if tag["key"] == "mlflow.log-model.history")
    assert [each["flavors"] for each in json.loads(history)] == [{"sklearn": {"k": "v"}}] * 2
    edges = server.client().runs.edges(run["run_id"])
    [(edge, artifact)] = edges
    assert (edge.relation, edge.as_, artifact.type) == ("produced", "model", "model")
    assert artifact.name == f"{run['run_name']}/model"  # told apart from others of that name
    for wrong in ("not json", '{"flavors": {}}', "[]"):
        body = {"run_id": run["run_id"], "model_json": wrong}
        assert ask(server, "POST", f"{API}/runs/log-model", body)[0] == 400


def test_pages_of_logged_models_are_bound_to_their_search(server: RunningServer) -> None:
    made = told(server, "POST", f"{API}/experiments/create", {"name": "pages"})["experiment_id"]
    for number in range(3):
        body = {"experiment_id": made, "name": f"m{number}"}
        told(server, "POST", f"{API}/logged-models", body)
    asked = {"experiment_ids": [made], "max_results": 2}
    first = told(server, "POST", f"{API}/logged-models/search", asked)
    token = {"page_token": first["next_page_token"]}
    last = told(server, "POST", f"{API}/logged-models/search", asked | token)
    names = [each["info"]["name"] for page in (first, last) for each in page["models"]]
    assert sorted(names) == ["m0", "m1", "m2"]
    assert "next_page_token" not in last
    assert told(server, "POST", f"{API}/logged-models/search", {"experiment_ids": []}) == {}
    other = asked | token | {"filter": "name = 'm1'"}
    status, content, _ = ask(server, "POST", f"{API}/logged-models/search", other)
    assert (status, "Filter string in the page token" in content.decode()) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "logged-models", {}, 400),
        ("POST", "logged-models", {"experiment_id": "404"}, 404),
        ("POST", "logged-models", {"experiment_id": "0", "name": "a/b"}, 400),
        ("POST", "logged-models", {"experiment_id": "0", "name": "x" * 10_000}, 400),
        ("GET", "logged-models/m-none", None, 404),
        ("PATCH", "logged-models/m-none", {"status": 2}, 404),
        ("PATCH", "logged-models/m-none", {"status": "whatever"}, 400),
        ("DELETE", "logged-models/m-none", None, 404),
        ("POST", "logged-models/m-none/params", {"params": []}, 404),
        ("PATCH", "logged-models/m-none/tags", {"tags": []}, 404),
        ("DELETE", "logged-models/m-none/tags/k", None, 404),
        ("POST", "logged-models/search", {}, 400),
        ("POST", "logged-models/search", {"experiment_ids": ["0"], "filter": "x ="}, 400),
        ("POST", "logged-models/search", {"experiment_ids": ["x"]}, 400),
        ("POST", "runs/log-inputs", {}, 400),
        ("POST", "runs/log-inputs", {"run_id": "none"}, 404),
        ("POST", "runs/log-inputs", {"run_id": "none", "models": [{"model_id": "m" * 99}]}, 400),
        ("POST", "runs/outputs", {"run_id": "none", "models": [{"model_id": "m"}]}, 404),
        ("POST", "experiments/search-datasets", {}, 400),
        ("POST", "experiments/search-datasets", {"experiment_ids": ["0"] * 21}, 400),
    ],
)
def test_what_is_wrong_is_told(
    server: RunningServer, method: str, path: str, body: Any, status: int
) -> None:
    got, content, _ = ask(server, method, f"{API}/{path}", body)
    assert got == status, content
    assert json.loads(content)["message"]


def test_the_sdk_does_the_same(server: RunningServer) -> None:
    client = server.client()
    files, models, run = client.files, client.logged_models, a_run(server)
    kept = files.put("sdk/a.bin", b"content")
    assert files.file("sdk/a.bin") == kept
    assert b"".join(files.read("sdk/a.bin")) == b"content"
    upload = files.begin_upload("sdk/deep/b.bin", 2)
    parts = [files.receive_part(upload.id, number, b"%d" % number) for number in (2, 1)]
    with pytest.raises(BadParts):
        files.complete_upload(upload.id, parts[:1])
    files.complete_upload(upload.id, parts)
    with pytest.raises(UploadNotFound):
        files.abort_upload(upload.id)
    assert [entry.path for entry in files.listing("sdk")] == ["sdk/a.bin", "sdk/deep"]
    assert [entry.path for entry in files.tree("sdk")] == ["sdk/a.bin", "sdk/deep/b.bin"]
    assert files.delete("sdk") == 2
    with pytest.raises(ArtifactFileNotFound):
        files.file("sdk/a.bin")
    with pytest.raises(BadArtifactPath):
        files.put("%2e%2e/x", b"")
    made = models.create(NewLoggedModel(experiment="0", name="sdk", run=run["run_id"]))
    for _ in range(2):
        models.log_params(made.id, {"lr": "1"})
    with pytest.raises(BadLoggedModel, match="not allowed"):
        models.log_params(made.id, {"more": "1", "lr": "2"})
    models.set_tags(made.id, {"k": "v", "gone": "1"})
    models.delete_tag(made.id, "gone")
    points = [
        ModelMetric(
            model=made.id, key="acc", value=value, at=made.created_at, run="r", dataset_name="d"
        )
        for value in (0.5, float("inf"), float("nan"))
    ]
    models.measure(points)
    assert models.finalize(made.id, "failed").status == "failed"
    found = models.get(made.id)
    assert (found.params, found.tags) == ({"lr": "1"}, {"k": "v"})
    assert sorted(str(point.value) for point in found.metrics) == ["0.5", "inf", "nan"]
    asked = models.search(["0"], "params.lr = '1'", datasets=[MeasuredOn(name="d")])
    assert [model.id for model in asked] == [made.id]
    assert models.artifact(f"models:/{made.id}") is None
    info = DatasetInfo(name="n", digest="d", source_type="local", source="x")
    client.inputs.log_inputs(run["run_id"], [DatasetInput(dataset=info)], [made.id])
    client.inputs.log_outputs(run["run_id"], [ModelOutput(model_id=made.id, step=1)])
    told_of = client.inputs.inputs(run["run_id"])
    assert told_of.datasets == [DatasetInput(dataset=info)]
    assert (told_of.models, told_of.outputs) == ([made.id], [ModelOutput(model_id=made.id, step=1)])
    assert "n" in {each.name for each in client.inputs.search_datasets(["0"])}
    models.delete(made.id)
    with pytest.raises(LoggedModelNotFound):
        models.get(made.id)
    assert models.get(made.id, deleted=True).deleted


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "files/x/y?project=..", b"1", 400),
        ("PUT", "files/", b"1", 400),
        ("GET", "files?path=../x", None, 400),
        ("POST", "uploads", {"path": "x", "parts": 10**12}, 400),
        ("PUT", f"uploads/{'0' * 32}/1", b"1", 404),
        ("PUT", "uploads/%2e%2e/1", b"1", 404),
        ("POST", "logged-models/search", {"experiments": ["0"], "limit": 10**30}, 400),
        ("POST", "logged-models", {"experiment": "0", "type": "x" * 501}, 400),
        ("POST", "logged-models/{model}/metrics", [{"key": "k", "value": 1, "at": "x"}], 400),
        (
            "POST",
            "logged-models/{model}/metrics",
            [{"key": "k", "value": 1, "at": "2026-01-02T03:04:05"}],
            204,
        ),
        (
            "POST",
            "logged-models/{model}/metrics",
            [{"key": "k", "value": 1, "step": 1 << 63, "at": "2026-01-02T03:04:05Z"}],
            400,
        ),
        (
            "POST",
            "logged-models/{model}/metrics",
            [{"key": "k" * 251, "value": 1, "at": "2026-01-02T03:04:05Z"}],
            400,
        ),
    ],
)
def test_odd_requests_to_the_api_are_told_apart(
    server: RunningServer, method: str, path: str, body: Any, status: int
) -> None:
    if "{model}" in path:
        made = told(server, "POST", f"{API}/logged-models", {"experiment_id": "0"})
        path = path.format(model=made["model"]["info"]["model_id"])
    headers = {} if isinstance(body, bytes) else {"content_type": "application/json"}
    got, content, _ = ask(server, method, f"/api/v1/{path}", body, **headers)
    assert got == status, content


def test_a_workspace_of_mlflow_is_a_project_of_its_own(server: RunningServer) -> None:
    headers = {"x_mlflow_workspace": "team"}
    path = f"{PROXY}/artifacts/own/file"
    assert ask(server, "PUT", path, b"theirs", **headers)[0] == 200
    assert ask(server, "GET", path, **headers)[1] == b"theirs"
    assert ask(server, "GET", path)[0] == 404
    assert ask(server, "GET", f"{PROXY}/artifacts/workspaces/team/own/file")[0] == 400
    body = {"experiment_id": "0", "name": "theirs"}
    made = told(server, "POST", f"{API}/logged-models", body, **headers)["model"]["info"]
    place = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert ask(server, "PUT", f"{PROXY}/artifacts/{place}/MLmodel", MLMODEL, **headers)[0] == 200
    path = f"{API}/logged-models/{made['model_id']}/artifacts/directories"
    assert [file["path"] for file in told(server, "GET", path, **headers)["files"]] == ["MLmodel"]
    asked = {"experiment_ids": ["0"], "filter": "name = 'theirs'"}
    found = told(server, "POST", f"{API}/logged-models/search", asked, **headers)
    assert [model["info"]["model_id"] for model in found["models"]] == [made["model_id"]]
    assert told(server, "POST", f"{API}/logged-models/search", asked) == {}
