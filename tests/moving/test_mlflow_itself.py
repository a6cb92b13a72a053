"""A store that MLflow made comes in equal, and leaves equal, as MLflow's own client sees it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from athanor.app.moving.journey import Journey, Route
from athanor.app.moving.mlflow.opening import open_store
from athanor.app.moving.mlflow.writing import MlflowExport
from athanor.app.moving.own import OwnStore
from athanor.client import Client
from athanor.testing.server import RunningServer, running_server
from tests.moving.stores import bring_in, mlflow, seen


@pytest.fixture(scope="module", params=["few", pytest.param("many", marks=pytest.mark.soak)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with 20 runs and 8 versions, or with 1,000 and 50."""
    folder = tmp_path_factory.mktemp("made-by-mlflow")
    runs, versions = ("20", "8") if request.param == "few" else ("1000", "50")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow("make_store.py", uri, runs, versions, str(folder / "artifacts"))
    return folder


@pytest.fixture(scope="module")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("arrived") / "workspace") as running:
        source = open_store(str(store))
        tally = bring_in(source, running.client())
        assert (tally.runs_new, tally.missing, tally.refused) == (tally.runs, [], [])
        yield running


@pytest.fixture(scope="module")
def there(store: Path) -> dict[str, Any]:
    return seen(f"sqlite:///{store / 'mlflow.db'}")


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """Over HTTP MLflow's client tells what has no description as an empty one."""
    for model in told["models"].values():
        model["description"] = model["description"] or ""
    return told


@pytest.mark.timeout(1800)
def test_what_arrived_is_equal_to_what_was_there(
    server: RunningServer, there: dict[str, Any]
) -> None:
    here = _plain(seen(server.url, token=server.about["token"]))
    there = _plain(there)
    assert len(there["runs"]) >= 21
    for kind, things in there.items():
        assert sorted(here[kind]) == sorted(things)
        for key, thing in things.items():
            assert here[kind][key] == thing, (kind, key)


@pytest.mark.timeout(1800)
def test_a_second_import_changes_nothing(server: RunningServer, store: Path) -> None:
    client = server.client()
    last = server.transport().send("GET", "/events", query={"after": 0, "limit": 1000}).json()
    tally = bring_in(open_store(str(store)), client)
    sent = (tally.runs_sent, tally.logged_models_sent, tally.models_changed, tally.bytes_sent)
    assert sent == (0, 0, 0, 0)
    assert tally.runs > 20
    assert (
        server.transport().send("GET", "/events", query={"after": 0, "limit": 1000}).json() == last
    )


@pytest.mark.timeout(1800)
def test_what_leaves_is_equal_to_what_came(
    server: RunningServer, there: dict[str, Any], tmp_path: Path
) -> None:
    with MlflowExport(tmp_path / "out") as target:
        own = OwnStore(server.client(), "here")
        Journey(own, target, told=lambda _tally: None).go(Route())
    out = _plain(seen(f"sqlite:///{tmp_path / 'out' / 'mlflow.db'}"))
    for kind, things in _plain(there).items():
        assert sorted(out[kind]) == sorted(things)
        for key, thing in things.items():
            assert out[kind][key] == thing, (kind, key)
    with MlflowExport(tmp_path / "out") as target:
        again = Journey(own, target, told=lambda _tally: None).go(Route())
    assert (again.runs_sent, again.models_changed) == (0, 0)


@pytest.mark.timeout(1800)
def test_a_server_is_read_as_its_database_is(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.about["token"])
    with running_server(tmp_path / "other") as other:
        with closing(open_store(server.url)) as source:
            tally = bring_in(source, other.client())
        assert (tally.missing, tally.refused) == ([], [])
        given, taken = (
            {
                run.id: (run.name, run.state, run.params, run.tags, run.points, run.used)
                for experiment in client.transfers.give_experiments("default")
                for run in client.transfers.give_runs(experiment.id)
            }
            for client in (Client(server.transport()), Client(other.transport()))
        )
        assert taken == given


@pytest.mark.timeout(600)
def test_a_file_store_of_mlflow_comes_in_equal(tmp_path: Path) -> None:
    folder = tmp_path / "mlruns"
    mlflow("make_store.py", str(folder), "10", "6")
    with running_server(tmp_path / "workspace") as running:
        tally = bring_in(open_store(str(folder)), running.client())
        assert (tally.runs_new, tally.missing, tally.refused) == (12, [], [])
        here = _plain(seen(running.url, token=running.about["token"]))
    there = _plain(seen(str(folder)))
    largest = "1.7976931348623157e+308"
    for run in there["runs"].values():
        for points in run["history"].values():
            for point in points:
                point[2] = point[2].replace("inf", largest)
            points.sort()
        run["latest"] = {key: value.replace("inf", largest) for key, value in run["latest"].items()}
    for told in (here, there):
        for run in told["runs"].values():
            # MLflow's file store forgets the step of a point that was measured on a dataset.
            for point in run["history"].get("auc", ()):
                point[1] = 0
    for kind, things in there.items():
        assert sorted(here[kind]) == sorted(things)
        for key, thing in things.items():
            assert here[kind][key] == thing, (kind, key)
