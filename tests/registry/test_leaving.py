"""Whole models leave in an archive and arrive from one; commands of scans, gates and cards."""

import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.client import Client
from athanor.kernel.errors import AthanorError
from athanor.registry import BadModelFolder, Upload
from athanor.registry.errors import AliasProtected, PickleNotAllowed, UploadTooLarge
from athanor.registry.protection import NewProtection
from athanor.registry.scans import NewConsent
from athanor.serving import Deploy
from athanor.serving.errors import FlavorNotServed
from athanor.testing.server import RunningServer, running_server

MLMODEL = """\
flavors:
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle, sklearn_version: "1"}
  python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}
signature:
  inputs: '[{"name": "x", "type": "double", "required": true}]'
"""
SIGNATURE = MLMODEL.partition("signature:")[2]


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("owned",))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("leaving") / "workspace") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Client:
    return server.client()


def upload(client: Client, tmp_path: Path, name: str, value: object) -> Any:
    path = tmp_path / "up.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MLmodel", MLMODEL)
        archive.writestr("model.pkl", pickle.dumps(value))
    return client.models.upload(Upload(model=name, archive=path))


def athanor(server: RunningServer, *args: str, code: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "athanor.app.cli", "--workspace", str(server.workspace), *args],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if "--json" in args and not code else done.stdout + done.stderr


def whole(client: Client, tmp_path: Path, name: str) -> Path:
    path = tmp_path / f"{name}.zip"
    path.write_bytes(b"".join(client.exchange.give_whole(name)))
    return path


def test_a_whole_model_comes_back_as_it_was(client: Client, tmp_path: Path) -> None:
    for number in range(2):
        upload(client, tmp_path, "churn", {"n": number})
    client.models.set_alias("churn", "champion", 2)
    client.catalog.tag_model("churn", "team", "growth")
    client.catalog.tag_version("churn", 1, "kind", "first")
    client.cards.write_section("churn@2", "Limits", "None known.")
    path = whole(client, tmp_path, "churn")
    assert path.read_bytes() == b"".join(client.exchange.give_whole("churn"))
    again = client.exchange.take_whole(path)
    assert (again.new, again.added, again.refused) == (False, [], {})
    before = client.models.versions("churn")
    client.catalog.delete_model("churn")
    arrived = client.exchange.take_whole(path)
    assert (arrived.new, arrived.added) == (True, [1, 2])
    after = client.models.versions("churn")
    assert [(v.number, v.digest, v.tags, v.created_at) for v in after] == [
        (v.number, v.digest, v.tags, v.created_at) for v in before
    ]
    assert client.models.model("churn").aliases == {"champion": 2}
    assert client.models.model("churn").tags == {"team": "growth"}
    assert [section.title for section in client.cards.card("churn@2").sections] == ["Limits"]
    assert client.safety.scan("churn@1").scan.level == "usual"
    other = client.exchange.take_whole(path, name="copy")
    assert other.added == [1, 2]
    assert client.models.version("copy@2").digest == before[0].digest


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"a": b"x"}, BadModelFolder),
        ({"model.json": b"{}"}, BadModelFolder),
        ({"model.json": b'{"format_version": 99, "model": {"name": "x"}}'}, BadModelFolder),
        ({"../model.json": b"{}"}, BadModelFolder),
        (
            {
                "model.json": b'{"format_version": 1, "model": {"name": "x", "versions": '
                b'[{"number": 1}, {"number": 1}]}}'
            },
            BadModelFolder,
        ),
        ({"model.json": b'{"format_version": 1, "model": {"name": "../x"}}'}, AthanorError),
        ({"zeros": bytes(20_000_000)}, UploadTooLarge),
    ],
)
def test_bad_archives_are_refused(
    client: Client, tmp_path: Path, files: dict[str, bytes], error: type[Exception]
) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    before = len(client.models.models())
    with pytest.raises(error):
        client.exchange.take_whole(path)
    assert len(client.models.models()) == before


def test_files_that_are_not_those_of_the_index_are_refused(client: Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "swapped", {"n": 1})
    path, bad = whole(client, tmp_path, "swapped"), tmp_path / "bad.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, pickle.dumps(Evil()) if name.endswith(".pkl") else content)
    with pytest.raises(BadModelFolder, match="not those of the index"):
        client.exchange.take_whole(bad)


def test_an_arriving_alias_keeps_to_the_rules(client: Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "guarded", {"n": 1})
    client.models.set_alias("guarded", "prod", 1)
    path = whole(client, tmp_path, "guarded")
    client.catalog.delete_model("guarded")
    client.promotions.protect_alias(NewProtection(alias="prod", gates=("roc_auc>=0.9",)))
    try:
        assert client.exchange.take_whole(path).added == [1]
        assert client.models.model("guarded").aliases == {}
    finally:
        client.promotions.unprotect_alias("prod")


def test_serving_asks_for_consent_by_name(client: Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "served", Evil())
    with pytest.raises(PickleNotAllowed, match=r"print\('owned'\)"):
        client.endpoints.deploy("served", Deploy(model="served@1"))
    client.safety.allow(NewConsent(level="dangerous"))
    try:
        with pytest.raises(PickleNotAllowed, match="by its name"):
            client.endpoints.deploy("served", Deploy(model="served@1"))
    finally:
        client.safety.withdraw()


@pytest.mark.parametrize(
    ("flavor", "file", "served"),
    [
        ("lightgbm: {data: model.lgb, serialization_format: skops}", "model.lgb", True),
        ("xgboost: {data: model.ubj, model_format: ubj}", "model.ubj", True),
        ("python_function: {python_model: python_model.pkl}", "python_model.pkl", True),
        ("onnx: {data: model.onnx}", "model.onnx", False),
        ("pytorch: {model_data: data, serialization_format: pickle}", "data/model.pth", False),
        ("lightgbm: {data: model.skops, serialization_format: skops}", "model.skops", True),
    ],
)
def test_what_no_worker_loads_gets_no_endpoint(
    client: Client, tmp_path: Path, flavor: str, file: str, *, served: bool
) -> None:
    path, name = tmp_path / "up.zip", flavor.partition(":")[0]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MLmodel", f"flavors: {{{flavor}}}\nsignature:{SIGNATURE}")
        archive.writestr(file, b"trees")
    reference = client.models.upload(Upload(model="native", archive=path)).reference
    if served:
        client.endpoints.deploy("native", Deploy(model=reference))
        client.endpoints.remove("native")
        return
    with pytest.raises(FlavorNotServed, match=name) as refused:
        client.endpoints.deploy("native", Deploy(model=reference))
    assert "scikit-learn" in refused.value.hint
    assert "native" not in [item.name for item in client.endpoints.list()]


def test_commands_of_scans_and_gates(server: RunningServer, client: Client, tmp_path: Path) -> None:
    upload(client, tmp_path, "shop", {"n": 1})
    upload(client, tmp_path, "shop", Evil())
    assert "print('owned')" in athanor(server, "model", "scan", "shop@2")
    refused = athanor(server, "model", "allow-pickle", "shop", "--protected")
    assert "shop@latest is not loaded even so" in refused
    told = athanor(server, "model", "allow-pickle", "shop", "--dangerous")
    assert "may be loaded" in told
    assert "level" not in told
    athanor(server, "model", "allow-pickle", "shop", "--protected")
    assert client.safety.consents()[0].model == "shop"
    told = ("--model", "shop", "--gate", "schema", "--approvals", "1")
    athanor(server, "model", "protect-alias", "champion", *told)
    assert "schema, 1 approval" in athanor(server, "model", "protections", "shop")
    asked = athanor(server, "model", "promote", "shop@1", code=3)
    (request,) = athanor(server, "model", "requests", "--model", "shop", "--json")
    assert "Asked for, and not moved yet." in asked
    assert "1 more must agree" in asked
    assert f"athanor model approve {request['id']}" in asked
    again = athanor(server, "model", "alias", "shop", "champion", "1", "--json", code=3)
    assert request["id"] in again
    assert "version 1 " in athanor(server, "model", "requests")
    listed = athanor(server, "model", "judgements", "shop")
    assert "schema" in listed.partition("passed")[2]
    assert athanor(server, "model", "approve", request["id"], "--json")["state"] == "used"
    assert "It may not take the alias" in athanor(server, "model", "judge", "shop@2")
    with pytest.raises(AliasProtected):
        client.models.promote("shop@2")
    assert len(client.promotions.judgements("shop")) == 4


def test_commands_of_cards_and_archives(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    upload(client, tmp_path, "store", {"n": 1})
    card, folder, kept = (tmp_path / name for name in ("card.md", "folder", "store"))
    athanor(server, "model", "card", "store@1", "--set", "Limits", "**few**", "--to", str(card))
    card.write_text(card.read_text().replace("**few**", "none"))
    shown = athanor(server, "model", "card", "store@1", "--edit", str(card), "--json")
    assert shown["sections"][0]["text"] == "none"
    athanor(server, "model", "export", "store@1", str(folder))
    assert (folder / "MLmodel").read_text() == MLMODEL
    digest = athanor(server, "model", "import", "store", str(folder), "--json")["digest"]
    assert digest == client.models.version("store@1").digest
    athanor(server, "model", "export", "store", "--whole", str(kept))
    assert athanor(server, "model", "import", str(kept), "--json")["added"] == []
    assert athanor(server, "model", "import", "store2", str(kept), "--json")["added"] == [1, 2]
    found = athanor(server, "model", "list", "--filter", "name LIKE 'store%'", "--json")
    assert [model["name"] for model in found] == ["store", "store2"]
