"""What was recorded without a server leaves whole: to a shared one, to MLflow, to TensorBoard."""

import io
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import athanor
from athanor.app import cli, connect
from athanor.app.moving.boards import NoScalars
from athanor.app.moving.errors import PlaceTaken
from athanor.app.moving.mlflow.writing import MlflowExport
from athanor.client import Client
from athanor.lineage import RunFilter
from athanor.testing.server import RunningServer, running_server
from athanor.tracking import Batch, Metric, NewMetric, NewTrackedRun
from athanor.tracking.logic.boards.events import Scalar, event_file, read_scalars


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A workspace without a server, with a run of a script and the model that it registered."""
    monkeypatch.setenv("ATHANOR_WORKSPACE", str(tmp_path / "laptop"))
    rows = pd.DataFrame({"age": [20, 30, 40, 50], "visits": [1, 2, 3, 4]})
    with athanor.start_run("first try", labels={"team": "risk"}):
        athanor.log_param("depth", 3)
        athanor.log_metric("loss", 0.1, step=1)
        athanor.log_metric("loss", float("nan"), step=2)
        model = LogisticRegression().fit(rows, [0, 0, 1, 1])
        athanor.register_model(model, "churn", example=rows)
    yield athanor.connect()
    connect.close_all()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "shared") as server:
        yield server


def _files(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_push_takes_runs_and_their_models_to_a_shared_server(
    laptop: Client, shared: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = laptop.runs.runs(RunFilter(kind="script"))
    mine = laptop.models.version("churn@1")
    archive = b"".join(laptop.models.download("churn@1"))
    token = shared.about["token"]
    assert cli.call("push", shared.url, "--token", token) == 0
    told = capsys.readouterr().out
    assert "this workspace" in told
    there = shared.client()
    theirs = there.runs.run(run.id)
    assert (theirs.name, theirs.kind, theirs.labels) == (run.name, run.kind, run.labels)
    assert (theirs.started_at, theirs.ended_at) == (run.started_at, run.ended_at)
    assert [param.value for param in there.tracking.params(run.id)] == ["3"]
    assert [point.step for point in there.tracking.history(run.id, "loss")] == [1, 2]
    version = there.models.version("churn@1")
    assert (version.digest, version.run_id) == (mine.digest, run.id)
    assert version.signature == mine.signature
    assert _files(b"".join(there.models.download("churn@1"))) == _files(archive)
    assert any(node.id == run.id for node in there.runs.trace(version.artifact_id or "").nodes)
    assert cli.call("push", shared.url, "--token", token, "--json") == 0
    assert '"runs_sent": 0' in capsys.readouterr().out


def test_a_server_is_not_pushed_to_itself(
    shared: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHANOR_URL", shared.url)
    monkeypatch.setenv("ATHANOR_TOKEN", shared.about["token"])
    with pytest.raises(athanor.AthanorError, match="kept by"):
        cli.call("push", shared.url)
    connect.close_all()


def test_an_export_carries_a_model_that_was_handed_over(laptop: Client, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.call("export", "mlflow", str(out)) == 0
    with sqlite3.connect(out / "mlflow.db") as database:
        ((source, run_id),) = database.execute(
            "SELECT source, run_id FROM model_versions WHERE name = 'churn'"
        ).fetchall()
        ((key, value, nan),) = database.execute(
            "SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ?", (run_id,)
        ).fetchall()
    assert (Path(source) / "MLmodel").is_file()
    assert (key, value, nan) == ("loss", 0.0, 1)


def test_an_export_does_not_mix_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(PlaceTaken):
        MlflowExport(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_event_files_show_as_metrics_and_leave_as_they_came(
    shared: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = shared.client()
    run_id = client.tracking.start(NewTrackedRun(name="board")).info.id
    client.tracking.log(run_id, Batch(metrics=[NewMetric(key="own", value=0.1, step=7)]))
    scalars = [
        Scalar(tag="epoch_loss", value=step / 3, step=step, at=1_700_000_000_000_000 + step)
        for step in range(1200)
    ]
    folder = tmp_path / "logs" / "train"
    folder.mkdir(parents=True)
    name = "events.out.tfevents.1700000000.here"
    whole = b"".join(event_file(scalars, started=1.7e9))
    (folder / name).write_bytes(whole[: len(whole) // 2])
    monkeypatch.setenv("ATHANOR_URL", shared.url)
    monkeypatch.setenv("ATHANOR_TOKEN", shared.about["token"])
    try:
        assert cli.call("run", "import-tensorboard", run_id, str(tmp_path / "logs")) == 0
        _wait_for(client, run_id, "train/epoch_loss", 500)
        (folder / name).write_bytes(whole)
        assert cli.call("run", "import-tensorboard", run_id, str(tmp_path / "logs")) == 0
        points = _wait_for(client, run_id, "train/epoch_loss", 1200)
        assert [(point.value, point.step) for point in points] == [
            (scalar.value, scalar.step) for scalar in scalars
        ]
        out = tmp_path / "out"
        assert cli.call("run", "export-tensorboard", run_id, str(out)) == 0
        # What is told of one run alone has no folder in its names: they come back equal.
        other = client.tracking.start(NewTrackedRun(name="back")).info.id
        assert cli.call("run", "import-tensorboard", other, str(out)) == 0
        _wait_for(client, other, "train/epoch_loss", 1200)
        assert _wait_for(client, other, "own", 1)[0].step == 7
        alone = str(folder / name)
        assert cli.call("run", "import-tensorboard", other, alone) == 0
        (folder / name).write_bytes(b"no record at all")
        with pytest.raises(NoScalars):
            cli.call("run", "import-tensorboard", other, alone)
    finally:
        connect.close_all()
    (file,) = (out / run_id).iterdir()
    with file.open("rb") as stream:
        found = list(read_scalars(stream))
    assert {(one.value, one.step, one.at) for one in found if one.tag == "train/epoch_loss"} == {
        (one.value, one.step, one.at) for one in scalars
    }
    assert [(one.value, one.step) for one in found if one.tag == "own"] == [(0.1, 7)]


def _wait_for(client: Client, run_id: str, key: str, count: int) -> list[Metric]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        points = client.tracking.history(run_id, key)
        if len(points) >= count:
            return points
        time.sleep(0.1)
    raise AssertionError(f"{key}: {len(points)} points of {count}")
