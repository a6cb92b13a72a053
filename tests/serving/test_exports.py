"""Endpoints leave: as folders that serve by themselves, as manifests, as programs."""

import gzip
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from athanor.app.house import House
from athanor.kernel.permissions import OWNER
from athanor.lineage import Lineage
from athanor.registry import PythonCode
from athanor.registry.scans import NewConsent
from athanor.registry.service.safety import Safety
from athanor.serving import Deploy, Endpoints
from athanor.serving.commands.exports import _image
from athanor.serving.errors import EndpointNotFound
from athanor.serving.errors.exports import BadManifest, ExportImpossible, ExportUnknown
from athanor.serving.exporting.closure import closure_of
from athanor.serving.exporting.folder import write
from athanor.serving.logic import exposition
from athanor.serving.logic.dashboard import dashboard
from athanor.serving.logic.examples import example_in, typed_example
from athanor.serving.logic.exposition import Figures
from athanor.serving.logic.tensors import OF_COLUMN
from athanor.serving.service.exports import Exports
from athanor.serving.standalone.settings import Bundle, settings_of
from athanor.serving.types import InputColumn, Signature
from athanor.serving.types.exports import ManifestRequest
from athanor.testing.serving import SIGNATURE, Browser, eventually
from tests.serving.conftest import Trained

BUNDLE = Bundle(
    endpoint="churn", model="churn", version=1, number=1, deployment="d", signature=SIGNATURE
)


def unpacked(shop: House, target: Path, kind: str = "folder", name: str = "churn") -> Path:
    pieces = shop.services[Exports].export(OWNER, name, kind)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(target)
    return target


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of links to the libraries, without the platform: as after `pip install -r`."""
    place = tmp_path / "site"
    place.mkdir()
    for folder in map(Path, sys.path):
        if folder.name != "site-packages":
            continue
        for item in folder.iterdir():
            if "athanor" not in item.name.lower() and item.suffix != ".pth":
                (place / item.name).symlink_to(item)
    return place


def running(folder: Path, bare: Path, **environment: str) -> Iterator[Browser]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(bare), **environment}
    command = [sys.executable, "-S", str(folder / "serve.py"), "--port", str(port)]
    process = subprocess.Popen([*command, "--host", "127.0.0.1"], env=env)
    browser = Browser(port)

    def up() -> bool:
        try:
            return browser.send("GET", "/v2/health/ready").status == 200
        except OSError:
            browser.close()
            assert process.poll() is None
            return False

    try:
        assert eventually(up)
        yield browser
    finally:
        process.terminate()
        assert process.wait(20) == 0


def speaks_every_protocol(browser: Browser, trained: Trained) -> None:
    records = trained.records[:4]
    direct = [item["label"] for item in trained.model.predict_records(records)]
    told = browser.predict(records, name="churn").body["predictions"]
    assert [item["label"] for item in told] == direct
    body: dict[str, Any] = {"dataframe_records": records}
    assert browser.send(
        "POST", "/invocations", body, {"Content-Type": "application/json"}
    ).body == {"predictions": direct}
    instances = browser.send("POST", "/vertex/predict", {"instances": records})
    assert instances.body["predictions"] == direct
    assert browser.send("GET", "/vertex/health").status == 200
    assert browser.send("GET", "/ping").status == 200
    assert browser.send("GET", "/v2/models/churn").body["name"] == "churn"
    refused = browser.send("POST", "/predict", {"records": [{"age": 1}]})
    assert (refused.status, refused.body["error"]) == (400, "column_missing")


_VERTEX = {"AIP_HEALTH_ROUTE": "/vertex/health", "AIP_PREDICT_ROUTE": "/vertex/predict"}


def test_the_folder_serves_without_the_platform(
    shop: House, champion: Trained, tmp_path: Path, bare: Path
) -> None:
    folder = unpacked(shop, tmp_path / "out")
    assert json.loads((folder / "endpoint.json").read_text("utf-8"))["runtime"] == "folded"
    needed = (folder / "requirements.txt").read_text("utf-8")
    assert {line.partition("==")[0] for line in needed.split()} == {
        "httptools",
        "msgspec",
        "orjson",
        "uvloop",
    }
    for browser in running(folder, bare, **_VERTEX):
        speaks_every_protocol(browser, champion)


def test_a_native_model_serves_from_its_folder(
    champion: Trained, tmp_path: Path, bare: Path, shop: House
) -> None:
    live = shop.services[Exports]._endpoint("churn").live
    assert live is not None
    bundle = Bundle(
        endpoint="churn",
        model="churn",
        version=1,
        number=1,
        deployment=live.id,
        signature=live.signature,
    )
    needed = write(tmp_path / "out", bundle, model=champion.folder, runtime=None)
    assert any(line.startswith("scikit-learn==") for line in needed)
    assert not any(line.startswith("mlflow") for line in needed)
    for browser in running(tmp_path / "out", bare, **_VERTEX):
        speaks_every_protocol(browser, champion)


_DECIDES = """
def postprocess(answers):
    return [{"decision": "call" if item["label"] == "left" else "wait"} for item in answers]
"""


@pytest.mark.soak
def test_a_users_own_python_serves_from_its_folder(
    shop: House, champion: Trained, tmp_path: Path, bare: Path
) -> None:
    endpoints = shop.services[Endpoints]
    shop.services[Safety].allow(OWNER, NewConsent(model="churn"))
    code = PythonCode(files={"deciding.py": _DECIDES})
    endpoints.deploy(OWNER, "decides", Deploy(model="churn@1", code=code))
    assert eventually(lambda: endpoints.get(OWNER, "decides").live is not None)
    records = champion.records[:4]
    direct = [
        {"decision": "call" if item["label"] == "left" else "wait"}
        for item in champion.model.predict_records(records)
    ]
    folder = unpacked(shop, tmp_path / "out", name="decides")
    for browser in running(folder, bare, **_VERTEX):
        told = browser.predict(records, name="decides").body["predictions"]
        assert [item["value"] for item in told] == direct
        typed = {"Content-Type": "application/json"}
        answer = browser.send("POST", "/invocations", {"dataframe_records": records}, typed)
        assert answer.body == {"predictions": direct}
        instances = browser.send("POST", "/vertex/predict", {"instances": records})
        assert instances.body["predictions"] == direct
        inputs = [
            {
                "name": column.name,
                "shape": [4],
                "datatype": OF_COLUMN[column.type],
                "data": [record[column.name] for record in records],
            }
            for column in champion.model.signature
        ]
        (output,) = browser.send("GET", "/v2/models/decides").body["outputs"]
        assert output["datatype"] == "BYTES"
        answer = browser.send("POST", "/v2/models/decides/infer", {"inputs": inputs})
        assert [json.loads(item) for item in answer.body["outputs"][0]["data"]] == direct
        refused = browser.send("POST", "/predict", {"records": [{"age": 1}]})
        assert (refused.status, refused.body["error"]) == (400, "column_missing")


_SUMS = """
def predict(records):
    return [record["a"] + record["b"] for record in records]
"""


def test_python_around_no_model_needs_no_library_for_models(tmp_path: Path, bare: Path) -> None:
    model = tmp_path / "model"
    (model / "code").mkdir(parents=True)
    (model / "code" / "sums.py").write_text(_SUMS, "utf-8")
    (model / "code.json").write_text(json.dumps({"entry": "sums.py", "inputs": [
        {"name": name, "type": "double"} for name in "ab"]}), "utf-8")  # fmt: skip
    bundle = Bundle(
        endpoint="sums",
        model="sums",
        version=1,
        number=1,
        deployment="d",
        signature=Signature(columns=tuple(InputColumn(name=name, type="double") for name in "ab")),
        pickles=True,
    )
    needed = write(tmp_path / "out", bundle, model=model, runtime=None)
    names = {line.partition("==")[0] for line in needed}
    assert names & {"scikit-learn", "skops", "mlflow", "onnxruntime", "scipy"} == set()
    for browser in running(tmp_path / "out", bare):
        told = browser.send("POST", "/invocations", {"dataframe_records": [{"a": 1, "b": 2.5}]},
                            {"Content-Type": "application/json"})  # fmt: skip
        assert told.body == {"predictions": [3.5]}


def test_no_module_of_the_platform_goes_along() -> None:
    found = closure_of(
        [
            "athanor.serving.standalone.server",
            "athanor.serving.standalone.worker",
            "athanor.serving.runtimes.native",
            "athanor.serving.runtimes.encoding",
        ]
    )
    strange = {"sqlalchemy", "fastapi", "alembic", "mlflow", "duckdb", "deltalake", "typer"}
    assert strange & set(found.foreign) == set()
    rooms = {file.parts[1] for file in found.files if len(file.parts) > 2}
    assert rooms & {"app", "pipelines", "tracking", "monitoring", "client"} == set()
    # Recipes in front of models work row by row: their logic, and nothing that keeps data.
    data = {file.parts[2] for file in found.files if file.parts[1] == "data"}
    assert data == {"__init__.py", "errors", "logic", "types"}


def test_the_container_has_what_the_hosts_ask_for(shop: House, tmp_path: Path) -> None:
    folder = unpacked(shop, tmp_path / "out", "container")
    text = (folder / "Dockerfile").read_text("utf-8")
    assert 'ENTRYPOINT ["python", "serve.py"]' in text
    assert 'CMD ["serve"]' in text
    assert "com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true" in text
    assert "EXPOSE 8080" in text
    everywhere = str(IPv4Address(0))
    sage = settings_of(BUNDLE, ["serve"], {"SAGEMAKER_BIND_TO_PORT": "9001"})
    assert (sage.host, sage.port) == (everywhere, 9001)
    vertex = settings_of(BUNDLE, [], {"AIP_HTTP_PORT": "9002", **_VERTEX})
    assert (vertex.host, vertex.port) == (everywhere, 9002)
    assert vertex.aliases["/vertex/predict"] == "/endpoints/churn/predict"
    plain = settings_of(BUNDLE, [], {})
    assert (plain.host, plain.port, plain.token) == ("127.0.0.1", 8080, "")
    image = _image(folder)
    assert f"docker build -t {image} ." in (folder / "README.md").read_text("utf-8")
    exports: Exports = shop.services[Exports]
    assert f"image: {image}\n" in exports.manifest(OWNER, "churn", ManifestRequest(kind="kserve"))


@pytest.mark.parametrize(
    ("told", "python"),
    [("python: 3.12.4\n", "3.12"), ("python: 3.8\n", "3.11"), ("[", "3.11"), (None, "3.11")],
)
def test_a_container_has_the_python_that_its_model_asks_for(
    tmp_path: Path, told: str | None, python: str
) -> None:
    model = tmp_path / "model"
    (model / "code").mkdir(parents=True)
    (model / "code.json").write_text('{"entry": "sums.py"}', "utf-8")
    if told is not None:
        (model / "python_env.yaml").write_text(told, "utf-8")
    write(tmp_path / "out", BUNDLE, model=model, runtime=None, container=True)
    assert (tmp_path / "out/Dockerfile").read_text("utf-8").startswith(f"FROM python:{python}-slim")


def test_manifests_name_the_container_once_and_the_ports_agree(shop: House) -> None:
    exports: Exports = shop.services[Exports]
    found = {
        kind: list(
            yaml.safe_load_all(
                exports.manifest(OWNER, "churn", ManifestRequest(kind=kind, image="reg/churn:7"))
            )
        )
        for kind in ("kubernetes", "kserve", "seldon")
    }
    deployment, service, scaler = found["kubernetes"]
    pod = deployment["spec"]["template"]
    assert (
        pod["metadata"]["labels"].items() >= deployment["spec"]["selector"]["matchLabels"].items()
    )
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    container = pod["spec"]["containers"][0]
    assert container["image"] == "reg/churn:7"
    assert container["ports"][0]["containerPort"] == service["spec"]["ports"][0]["targetPort"]
    assert found["kserve"][0]["spec"]["predictor"]["containers"][0]["name"] == "kserve-container"
    seldon = found["seldon"][0]["spec"]["predictors"][0]
    pods = seldon["componentSpecs"][0]["spec"]["containers"]
    assert [item["name"] for item in pods] == [seldon["graph"]["name"]]


_PUBLISHED = Path(__file__).parent / "schemas" / "manifests.json.gz"


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    """By kind: what the publishers of the manifests' formats accept, and nothing beside it."""
    told = json.loads(gzip.decompress(_PUBLISHED.read_bytes()))
    known = {"definitions": told["definitions"]}
    kinds = {
        kind: known | {"$ref": f"#/definitions/{name}"} for kind, name in told["kinds"].items()
    }
    return kinds | {"InferenceService": known | told["kserve"]["schema"]}


@pytest.mark.parametrize(
    "request_", [ManifestRequest(), ManifestRequest(namespace="shop", cpu="2", memory="1.5Gi")]
)
def test_manifests_fit_the_published_schemas(
    shop: House, published: dict[str, Any], request_: ManifestRequest
) -> None:
    exports: Exports = shop.services[Exports]
    seen = set()
    for kind in ("kubernetes", "kserve", "seldon"):
        text = exports.manifest(OWNER, "churn", replace(request_, kind=kind))
        for document in yaml.safe_load_all(text):
            seen.add(document["kind"])
            if kind == "seldon":  # not published under a licence that lets us have it here
                parts = document["spec"]["predictors"][0]["componentSpecs"]
                told = [("PodSpec", part["spec"]) for part in parts]
            else:
                told = [(document["kind"], document)]
            for name, part in told:
                assert not list(jsonschema_rs.validator_for(published[name]).iter_errors(part))
                broken = part | {"nonsense": 1}
                assert list(jsonschema_rs.validator_for(published[name]).iter_errors(broken))
    assert len(seen) == 5


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    page = exposition.render(Figures(), {})
    plane = Path(exposition.__file__).parents[1] / "plane"
    source = "".join(file.read_text("utf-8") for file in plane.rglob("*.py"))
    text = json.dumps(dashboard("churn"))
    for name in set(re.findall(r"athanor_[a-z_]+", text)):
        bare = name.removesuffix("_bucket")
        assert bare in page or bare in source, name


@pytest.mark.parametrize("language", ["curl", "python", "node"])
def test_snippets_ask_with_a_row_of_the_training(
    shop: House, champion: Trained, language: str
) -> None:
    exports: Exports = shop.services[Exports]
    told = exports.example(OWNER, "churn")
    kept = json.loads((champion.folder / "input_example.json").read_text("utf-8"))
    assert told.source == "model"
    assert told.record == dict(zip(kept["columns"], kept["data"][0], strict=True))
    exports._store.change_endpoint("churn", {"key": "customer"})
    assert exports.example(OWNER, "churn").record == {**told.record, "customer": "1"}
    program = exports.snippet(OWNER, "churn", language)
    exports._store.change_endpoint("churn", {"key": ""})
    assert "customer" in program
    command = {
        "curl": ["bash", "-c", program],
        "python": [sys.executable, "-c", program],
        "node": ["node", "--input-type=module", "-e", program],
    }[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search("left|stayed", done.stdout)


def test_what_can_not_be_exported_is_refused(shop: House) -> None:
    exports: Exports = shop.services[Exports]
    assert shop.services[Lineage] is not None
    with pytest.raises(EndpointNotFound):
        exports.export(OWNER, "nope")
    with pytest.raises(ExportUnknown):
        exports.export(OWNER, "churn", "zip")
    with pytest.raises(ExportImpossible):
        exports.export(OWNER, "churn", number=99)
    with pytest.raises(ExportUnknown):
        exports.snippet(OWNER, "churn", "cobol")
    for bad in (
        ManifestRequest(cpu="many"),
        ManifestRequest(min_replicas=5, max_replicas=2),
        ManifestRequest(min_replicas=0),
        ManifestRequest(namespace="A B"),
    ):
        with pytest.raises(BadManifest):
            exports.manifest(OWNER, "churn", bad)


def test_examples_are_read_in_every_form_of_mlflow() -> None:
    names = ("a", "b")
    wanted = {"a": 1, "b": None}
    for kept in (
        {"columns": ["b", "a"], "data": [[None, 1]]},
        {"dataframe_split": {"columns": ["a", "b", "c"], "data": [[1, None, 3]]}},
        {"dataframe_records": [{"a": 1, "b": None}]},
        [{"a": 1, "b": None}],
        {"inputs": {"a": [1, 2], "b": [None, 3]}},
    ):
        assert example_in(kept, names) == wanted
    for other in (None, 5, [], [[1, 2]], {"columns": ["a"], "data": [[1]]}, {"a": 1}):
        assert example_in(other, names) is None
    assert typed_example(SIGNATURE.columns) == {"size": 1.0, "rooms": 1, "mood": "a"}
