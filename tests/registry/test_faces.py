"""The registry and its neighbours over HTTP and by commands: one real server for all."""

import io
import json
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from athanor.app import cli
from athanor.app.gallery.commands import champion_for
from athanor.app.gallery.errors import OtherTarget
from athanor.app.notebook_models import keep_model
from athanor.client import Client
from athanor.lineage import NewRun
from athanor.registry import (
    IS_PROMPT,
    BadModelFolder,
    ModelNotFound,
    ModelVersionNotFound,
    NewModel,
    NothingToRollBack,
    Upload,
)
from athanor.registry.packaging import load_model
from athanor.responsible import ReportNotFound
from athanor.testing.server import RunningServer, running_server
from athanor.tracking import Batch, NewTrackedRun
from athanor.tracking.logic.boards.events import Scalar, event_file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("served") / "workspace") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Client:
    return server.client()


def kept(client: Client, name: str = "churn", turned: bool = False) -> Any:  # noqa: FBT002
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40) > 20})
    model = LogisticRegression().fit(frame[["x"]], frame["y"] ^ turned)
    run = client.runs.start_run(NewRun(kind="script", name="train.py"))
    version = keep_model(client, model, name, example=frame, target="y", run_id=run.id)
    client.runs.finish_run(run.id)
    return version


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


def test_a_champion_for_another_target_is_told_before_training(client: Client) -> None:
    assert champion_for(client.models, "sought", "y") == ""
    kept(client, "sought")
    client.models.promote("sought@1")
    assert champion_for(client.models, "sought", "y") == "model:sought@champion"
    with pytest.raises(OtherTarget, match=r"'sought' predicts 'y', .* predict 'flag'"):
        champion_for(client.models, "sought", "flag")


def test_a_notebooks_model_is_registered_and_comes_back(client: Client, tmp_path: Path) -> None:
    version = kept(client, "notebook")
    assert (version.number, version.signature.target) == (1, "y")
    assert [column.name for column in version.signature.inputs] == ["x"]
    packed = b"".join(client.models.download("notebook@1"))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(tmp_path / "m")
    model = load_model(tmp_path / "m")
    assert model.classes == (False, True)
    assert model.predict_records([{"x": 39}])[0]["label"] is True
    assert "script train.py" in client.cards.card("notebook").text
    trace = client.runs.trace("model:notebook@latest")
    assert {node.kind for node in trace.nodes} == {"run", "artifact"}


def test_every_verb_over_http(client: Client) -> None:
    first, second = kept(client), kept(client, turned=True)
    models = client.models
    assert [version.number for version in models.versions("churn")] == [2, 1]
    assert models.promote("churn@1").aliases == ["champion"]
    assert models.set_alias("churn", "shadow", 2).aliases == ["shadow"]
    assert models.promote("churn@2", reason="better").aliases == ["champion", "shadow"]
    assert models.version("churn").number == 2
    assert models.rollback("churn").number == first.number
    with pytest.raises(NothingToRollBack):
        models.rollback("churn")
    models.remove_alias("churn", "shadow")
    assert models.model("churn").aliases == {"champion": 1}
    assert [move.kind for move in models.history("churn")][-2:] == ["rollback", "removed"]
    assert models.protect("churn", protected=True).protected
    compared = models.compare("churn", ["1", str(second.number)])
    assert [version.number for version in compared.versions] == [1, 2]
    assert "churn" in {model.name for model in models.models()}
    with pytest.raises(ModelVersionNotFound):
        models.version("churn@7")
    with pytest.raises(ModelNotFound):
        models.model("nothing")


def packed(tmp_path: Path, files: dict[str, str]) -> Path:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"MLmodel": "flavors: {sklearn: {pickled_model: model.pkl}}"}, BadModelFolder),
        ({"data.csv": "a,b"}, BadModelFolder),
        ({"../MLmodel": "x"}, BadModelFolder),
        ({"/etc/MLmodel": "x"}, BadModelFolder),
    ],
)
def test_a_bad_upload_is_refused(
    client: Client, tmp_path: Path, files: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.models.upload(Upload(model="bad", archive=packed(tmp_path, files)))
    assert "bad" not in {model.name for model in client.models.models()}


def test_what_is_no_archive_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(BadModelFolder):
        client.models.upload(Upload(model="bad", archive=path))


def test_commands(server: RunningServer, client: Client, tmp_path: Path) -> None:
    kept(client, "shop")
    kept(client, "shop", turned=True)
    assert athanor(server, "model", "promote", "shop@1", "--json")["number"] == 1
    athanor(server, "model", "promote", "shop@2")
    assert "version 1" in athanor(server, "model", "rollback", "shop")
    assert athanor(server, "model", "show", "shop@champion", "--json")["version"]["number"] == 1
    shown = athanor(server, "model", "show", "shop", "--json")
    assert [version["number"] for version in shown["versions"]] == [2, 1]
    assert "accuracy" not in athanor(server, "model", "show", "shop")
    assert "shop" in athanor(server, "model", "list")
    target = tmp_path / "out.zip"
    athanor(server, "model", "export", "shop", "--to", str(target))
    shutil.unpack_archive(target, tmp_path / "m")
    assert load_model(tmp_path / "m").target == "y"
    imported = athanor(server, "model", "import", "copy", str(tmp_path / "m"), "--json")
    assert imported["number"] == 1
    assert "# shop, version 1" in athanor(server, "model", "card", "shop")
    refused = athanor(server, "model", "show", "shpo", code=1)
    assert "Did you mean 'shop'" in refused
    assert athanor(server, "report", "list", "--json") == []
    assert len(athanor(server, "report", "explain", "--json")) > 15


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console as in a pipe, whatever terminal the tests before left in this process."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("athanor.kernel.console._consoles", [])


@pytest.mark.usefixtures("wide")
def test_what_runs_told_is_shown_in_short(
    server: RunningServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*args: str) -> str:
        assert cli.call("--workspace", str(server.workspace), *args) == 0
        return capsys.readouterr().out

    runs = [client.tracking.start(NewTrackedRun(name=f"r{number}")).info for number in range(2)]
    for run, letter in zip(runs, "xy", strict=True):
        batch = Batch(params={"p": letter * 5_000, "unset": "None"}, tags={"t": letter * 5_000})
        client.tracking.log(run.id, batch)
    events = tmp_path / "logs" / "events.out.tfevents.1.here"
    events.parent.mkdir()
    scalar = Scalar(tag="loss", value=0.5, step=1, at=1_700_000_000_000_000)
    events.write_bytes(b"".join(event_file([scalar], started=1.0)))
    begun = runs[0].id[:-4]
    assert f"with run {runs[0].id}" in told("run", "import-tensorboard", begun, str(events.parent))
    shown = told("run", "show", runs[0].id)
    assert f"{'x' * 200}… (5,000 characters)" in shown
    assert "tensorboard/" in shown
    assert "It told no metric." in told("run", "show", runs[1].id)
    found = told("run", "list", "--filter", "params.p LIKE 'x%'")
    assert "params.p" in found
    assert "unset" not in found
    for listed in (told("run", "compare", *(run.id for run in runs)), found):
        assert f"{'x' * 40}… (5,000 characters)" in listed
        assert "x" * 41 not in listed
    assert "x" * 5_000 in told("run", "show", runs[0].id, "--json")


def test_a_prompt_of_mlflow_is_listed_as_no_model(client: Client) -> None:
    client.catalog.create_model(NewModel(name="greeting", tags={IS_PROMPT: "true"}))
    assert "greeting" not in {model.name for model in client.models.models()}
    assert "greeting" in {model.name for model in client.models.models(prompts=True)}


def test_reports_that_are_not_there(client: Client) -> None:
    for ask in (client.reports.report, client.reports.page):
        with pytest.raises(ReportNotFound):
            ask("latest")
    assert client.reports.reports() == []
    assert client.reports.indicators()


def test_a_download_is_an_attachment(server: RunningServer, client: Client) -> None:
    kept(client, "headers")
    url = f"{server.url}/api/v1/models/headers/versions/1/download"
    request = urllib.request.Request(url)  # noqa: S310 - loopback
    token = server.about.get("token", "")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_events_are_told_newest_last_and_sought(server: RunningServer, client: Client) -> None:
    kept(client, "eventful")
    client.models.promote("eventful@1", reason="it is the first")
    (moved,) = athanor(server, "event", "--subject", "eventful@champion", "--json")
    assert moved["action"] == "registry.alias.moved"
    found = athanor(server, "event", "--subject", "eventful", "--action", "registry", "--json")
    assert [event["action"] for event in found][-2:] == [
        "registry.version.created",
        "registry.alias.moved",
    ]
    newest = athanor(server, "event", "--limit", "1", "--json")
    assert newest[0]["seq"] >= moved["seq"]
    behind = athanor(server, "event", "--after", str(moved["seq"] - 1), "--limit", "1", "--json")
    assert [event["seq"] for event in behind] == [moved["seq"]]
    assert "it is the first" in athanor(server, "event", "--subject", "eventful@champion")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "athanor.app.cli", "--workspace", str(server.workspace)),
            *("event", "--subject", "eventful", "--follow", "--limit", "1"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None
        try:
            until(following.stdout, "registry.alias.moved")
            client.catalog.tag_model("eventful", "colour", "blue")
            assert "key=colour, value=blue" in until(following.stdout, "registry.model.tagged")
        finally:
            following.kill()


def until(stream: IO[str], word: str) -> str:
    """The first line with a word."""
    return next(line for line in stream if word in line)


def test_commands_name_what_exists_and_what_comes_next(
    server: RunningServer, client: Client, tmp_path: Path
) -> None:
    told = athanor(server, "run", "list", "--experiment", "nosuch", code=1)
    assert "There are: Default" in told
    file = tmp_path / "mine.py"
    file.write_text("def predict(model, data):\n    return [1 for _ in data]\n")
    told = athanor(server, "model", "register", "own code", "--code", str(file))
    assert "athanor model allow-pickle 'own code'" in told
    assert "athanor deploy 'own code@1' --endpoint" in told
    kept(client, "bare")
    told = athanor(server, "model", "compare", "bare")
    assert "None of them has figures" in told
    assert "measured on" not in told
