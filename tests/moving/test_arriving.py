"""Stores come in whole: read without MLflow, taken once, gone on with after a kill."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from athanor.app.moving.errors import BrokenStore, ForeignStore, NoStore, NoSuchExperiments
from athanor.app.moving.mlflow.locations import Locations
from athanor.app.moving.mlflow.opening import open_store
from athanor.client import Client
from athanor.kernel import Transport
from athanor.testing.database import Postgres
from athanor.testing.server import running_server
from athanor.tracking.records import RunRecord, unpacked
from tests.moving.stores import bring_in, file_store, opened


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return file_store(tmp_path_factory.mktemp("store") / "mlruns", 120)


def _everything(client: Client) -> dict[str, RunRecord]:
    runs: dict[str, RunRecord] = {}
    for experiment in client.transfers.give_experiments("default"):
        after = ""
        while batch := client.transfers.give_runs(experiment.id, after=after):
            after = batch[-1].id
            runs |= {run.id: run for run in batch}
    return runs


def test_a_folder_comes_in_whole_and_once(store: Path, workspace: Path) -> None:
    transport = opened(workspace)
    try:
        client = Client(transport)
        source = open_store(str(store))
        tally = bring_in(source, client)
        assert (tally.experiments, tally.runs, tally.runs_new, tally.points) == (1, 120, 120, 600)
        assert (tally.files, tally.missing, tally.refused) == (120, [], [])
        runs = _everything(client)
        assert sorted(runs) == [f"{number:032x}" for number in range(120)]
        seventh = runs[f"{7:032x}"]
        assert (seventh.name, seventh.user, seventh.state) == ("run 7", "ada", "done")
        assert seventh.params == {"lr": "7"}
        assert [list(unpacked(series)) for series in seventh.points] == [
            [(7 + step / 7, step, (1_700_000_000_000 + step) * 1000) for step in range(5)]
        ]
        (file,) = client.transfers.give_files(seventh.id)
        content = b"".join(client.transfers.give_content(seventh.id, file.path))
        assert (file.path, content) == ("deep/a.txt", b"artifact 7")
        events = transport.send("GET", "/events", query={"limit": 1000}).json()
        again = bring_in(source, client)
        assert (again.runs, again.runs_sent, again.points, again.files) == (120, 0, 0, 0)
        assert transport.send("GET", "/events", query={"limit": 1000}).json() == events
        assert _everything(client) == runs
    finally:
        transport.close()


def test_what_has_changed_there_since_comes_and_nothing_else(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 3)
    transport = opened(tmp_path / "workspace")
    try:
        client = Client(transport)
        bring_in(open_store(str(store)), client)
        run = store / "123" / f"{1:032x}"
        with (run / "metrics" / "loss").open("a") as stream:
            stream.write("1700000000009 0.5 9\n")
        (run / "artifacts" / "deep" / "b.txt").write_text("new")
        (run / "tags" / "later").write_text("yes")
        tally = bring_in(open_store(str(store)), client)
        assert (tally.runs_sent, tally.runs_new) == (1, 0)
        kept = _everything(client)[run.name]
        assert kept.tags["later"] == "yes"
        assert len(list(unpacked(kept.points[0]))) == 6
        assert [file.path for file in client.transfers.give_files(run.name)] == [
            "deep/a.txt",
            "deep/b.txt",
        ]
    finally:
        transport.close()


def test_a_dry_run_tells_and_does_nothing(store: Path, workspace: Path) -> None:
    transport = opened(workspace)
    try:
        client = Client(transport)
        tally = bring_in(open_store(str(store)), client, dry_run=True)
        assert (tally.runs, tally.runs_sent, tally.runs_new, tally.points) == (120, 120, 0, 0)
        assert _everything(client) == {}
    finally:
        transport.close()


def test_an_import_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 350)
    workspace = tmp_path / "workspace"
    with running_server(workspace) as server:
        command = [sys.executable, "-m", "athanor.app.cli", "import", "mlflow", str(store)]
        env = os.environ | {"ATHANOR_URL": server.url, "ATHANOR_TOKEN": server.about["token"]}
        client = server.client()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not _everything(client) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        arrived = len(_everything(client))
        assert 0 < arrived < 350
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        runs = _everything(client)
        assert sorted(runs) == [f"{number:032x}" for number in range(350)]
        assert all(len(list(unpacked(run.points[0]))) == 5 for run in runs.values())
        assert all(client.transfers.give_files(run_id) for run_id in runs)
        tally = bring_in(open_store(str(store)), client)
        assert tally.runs_sent == 0


def test_a_push_keeps_ids_times_and_files(store: Path, tmp_path: Path) -> None:
    with running_server(tmp_path / "shared") as server:
        client = server.client()
        tally = bring_in(open_store(str(store)), client, "by hand")
        assert tally.runs_new == 120
        laptop = opened(tmp_path / "laptop")
        try:
            own = Client(laptop)
            bring_in(open_store(str(store)), own)
            here = _everything(own)
        finally:
            laptop.close()
        assert {key: (run.started_at, run.ended_at) for key, run in here.items()} == {
            key: (run.started_at, run.ended_at) for key, run in _everything(client).items()
        }


def test_postgres_keeps_what_arrives_as_sqlite_does(
    store: Path, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = opened(tmp_path / "sqlite")
    try:
        bring_in(open_store(str(store)), Client(transport))
        there = _everything(Client(transport))
    finally:
        transport.close()
    monkeypatch.setenv("ATHANOR_DATABASE_URL", postgres.create("arrivals"))
    transport = opened(tmp_path / "postgres")
    try:
        client = Client(transport)
        assert bring_in(open_store(str(store)), client).runs_new == 120
        assert bring_in(open_store(str(store)), client).runs_sent == 0
        assert _everything(client) == there
    finally:
        transport.close()
        postgres.drop("arrivals")


def test_missing_artifacts_are_told_and_the_rest_comes(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 2)
    meta = store / "123" / f"{0:032x}" / "meta.yaml"
    text = meta.read_text().replace("/elsewhere/mlruns/123", "s3://no-such-bucket/123")
    meta.write_text(text)
    transport = opened(tmp_path / "workspace")
    try:
        tally = bring_in(open_store(str(store)), Client(transport))
    finally:
        transport.close()
    assert (tally.runs_new, tally.files) == (2, 1)
    (missing,) = tally.missing
    assert missing.owner == f"{0:032x}"
    assert "s3" in missing.why


def _refusal(kind: type[Exception], named: Path | str) -> str:
    with pytest.raises(kind) as refused:
        open_store(str(named))
    return str(refused.value)


def test_what_is_no_store_is_told_by_what_it_is(tmp_path: Path) -> None:
    assert "no store" in _refusal(NoStore, tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "no MLflow store" in _refusal(ForeignStore, tmp_path / "empty")
    (tmp_path / "text.db").write_text("hello, this is no database at all" * 40)
    assert "no SQLite database" in _refusal(ForeignStore, tmp_path / "text.db")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE runs (id INTEGER)")
    assert "no table alembic_version" in _refusal(ForeignStore, tmp_path / "other.db")


def test_a_server_of_another_kind_is_told(tmp_path: Path, workspace: Path) -> None:
    with running_server(workspace) as server:
        assert "no MLflow store" in _refusal(ForeignStore, f"{server.url}/studio")


def test_a_broken_part_is_named(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 1)
    metric = store / "123" / f"{0:032x}" / "metrics" / "loss"
    metric.write_text("1 2 3\nthis is nothing\n4 5 6\n")
    source = open_store(str(store))
    (runs,) = source.runs(source.experiments()[0])
    with pytest.raises(BrokenStore, match=r"loss:2"):
        source.points(runs)
    (store / "123" / f"{0:032x}" / "meta.yaml").write_text("{[")
    with pytest.raises(BrokenStore, match=r"meta\.yaml"):
        list(source.runs(source.experiments()[0]))


@pytest.mark.parametrize(
    ("path", "content", "named"),
    [
        ("meta.yaml", None, "123/meta.yaml: there is no such file"),
        ("RUN/meta.yaml", None, "meta.yaml: there is no such file"),
        ("RUN/meta.yaml", "artifact_uri: /elsewhere\nend_time: 17", "no status and no start_time"),
        ("RUN/meta.yaml", "start_time: 1\nstatus: 77\n", "meta.yaml: 77 is no status"),
        ("RUN/meta.yaml", "start_time: 1\nstatus: 3\nuser_id: ad", "not written to its end"),
        ("RUN/meta.yaml", "start_time: noon\nstatus: 3\n", "meta.yaml: invalid literal"),
        ("RUN/metrics/loss", "1 2 99999999999999999999\n", "loss: 9+ is no step"),
        ("RUN/metrics/loss", b"\xff\xfe 1 2\n", "metrics/loss: 'utf-8' codec"),
        ("RUN/inputs/i/meta.yaml", "source_id: a\nsource_type: DATASET\n", "no dataset 'a'"),
        ("models/m-1/meta.yaml", "name: m\nstatus: 9\n", "9 is no status of a logged model"),
        ("../models/churn/tags/a", "b", "churn/meta.yaml: there is no such file"),
        ("../models/churn/aliases/best", "zz", "aliases/best: 'zz' is no version"),
    ],
)
def test_damage_is_named_and_nothing_is_left_out_without_a_word(
    tmp_path: Path, path: str, content: str | bytes | None, named: str
) -> None:
    store = file_store(tmp_path / "mlruns", 1)
    damaged = store / "123" / path.replace("RUN", f"{0:032x}")
    damaged.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content.encode() if isinstance(content, str) else content)
    if "aliases" in path:
        (damaged.parents[1] / "meta.yaml").write_text("name: churn\n")
    with pytest.raises(BrokenStore, match=named):  # noqa: PT012 - whichever of them reads it
        source = open_store(str(store))
        for experiment in source.experiments():
            for runs in source.runs(experiment):
                source.points(runs)
            list(source.logged_models(experiment))
        list(source.models())


def test_folders_of_artifacts_alone_are_no_damage_and_lost_ones_are_told(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 1)
    (store / "7" / "0123" / "artifacts").mkdir(parents=True)
    run = store / "123" / f"{0:032x}"
    source = open_store(str(store))
    (experiment,) = source.experiments()
    (found,) = next(source.runs(experiment))
    assert source.files(found).missing == ""
    lost = replace(found, location="/nope/nowhere")
    assert source.files(lost).missing == "there is no folder /nope/nowhere"
    assert len(source.files(lost).found) == len(list((run / "artifacts").rglob("*.txt")))
    assert "nowhere" in Locations(base=tmp_path).files("/nope/nowhere").missing


def test_a_metric_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    store = file_store(tmp_path / "mlruns", 1)
    metric = store / "123" / f"{0:032x}" / "metrics" / "loss"
    metric.write_text("1 2 3\n4 5.5 6\n7")
    source = open_store(str(store))
    (runs,) = source.runs(source.experiments()[0])
    (series,) = source.points(runs)[f"{0:032x}"]
    assert list(unpacked(series)) == [(2.0, 3, 1000), (5.5, 6, 4000)]


def test_experiments_that_are_not_there_are_named(store: Path, workspace: Path) -> None:
    transport = opened(workspace)
    try:
        with pytest.raises(NoSuchExperiments, match="'by foot'"):
            bring_in(open_store(str(store)), Client(transport), "by foot")
    finally:
        transport.close()


def test_content_that_is_not_what_was_announced_is_refused(workspace: Path, tmp_path: Path) -> None:
    transport: Transport = opened(workspace)
    packed = tmp_path / "packed"
    packed.write_bytes(b'[["sha256:' + b"0" * 64 + b'", 3]]\nabc')
    try:
        with pytest.raises(Exception, match="was announced"):
            transport.send("PUT", "/transfers/content", content=packed)
        packed.write_bytes(b"hello")
        with pytest.raises(Exception, match="no list of digests"):
            transport.send("PUT", "/transfers/content", content=packed)
    finally:
        transport.close()  # type: ignore[attr-defined]
