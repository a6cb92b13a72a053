"""kill -9 under writing clients: what was acknowledged is there, once."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from athanor.testing.server import RunningServer, start_server

API = "/api/2.0/mlflow"
CLIENTS = 8
MODEL = "churn"


class Connection:
    """One client's own connection."""

    def __init__(self, url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The answer's JSON; OSError or HTTPException once the server is gone."""
        content = None if body is None else json.dumps(body)
        self._http.request(method, API + path, content, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        read = answer.read()
        assert answer.status == 200, (path, answer.status, read[:500])
        return dict(json.loads(read))

    def close(self) -> None:
        self._http.close()


@dataclass(slots=True)
class Written:
    """What one client sent; `sure` was acknowledged, `asked` may be there or not."""

    sure: dict[str, set[Any]] = field(default_factory=dict)
    asked: dict[str, set[Any]] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    failure: BaseException | None = None

    def begin(self, kind: str, *things: Any) -> None:
        self.asked.setdefault(kind, set()).update(things)

    def done(self, kind: str, *things: Any) -> None:
        self.sure.setdefault(kind, set()).update(things)


def write_on(url: str, experiment: str, dice: random.Random, written: Written) -> None:
    """Write runs, points, params, tags and versions until the server is gone."""
    client = Connection(url)
    number = 0
    try:
        while True:
            number += 1
            if not written.runs or dice.random() < 0.05:
                made = client.ask("POST", "/runs/create", {"experiment_id": experiment})
                written.runs.append(made["run"]["info"]["run_id"])
                written.done("run", written.runs[-1])
            run, kind = dice.choice(written.runs), dice.random()
            if kind < 0.5:
                write_points(client, run, number, 1, written)
            elif kind < 0.65:
                write_points(client, run, number, 20, written)
            elif kind < 0.8:
                setting = (run, f"p{number}", f"v{number}")
                written.begin("param", setting)
                body = {"run_id": run, "key": setting[1], "value": setting[2]}
                client.ask("POST", "/runs/log-parameter", body)
                written.done("param", setting)
            elif kind < 0.9:
                tag = (run, f"t{number}", f"w{number}")
                written.begin("tag", tag)
                client.ask("POST", "/runs/set-tag", {"run_id": run, "key": tag[1], "value": tag[2]})
                written.done("tag", tag)
            else:
                body = {"name": MODEL, "source": f"s3://models/{run}/{number}"}
                made = client.ask("POST", "/model-versions/create", body)["model_version"]
                written.done("version", (int(made["version"]), body["source"]))
    except (OSError, http.client.HTTPException):
        pass
    except BaseException as error:  # noqa: BLE001 - told by the test
        written.failure = error
    finally:
        client.close()


def write_points(client: Connection, run: str, number: int, count: int, to: Written) -> None:
    steps = [number * 100 + place for place in range(count)]
    things = [(run, "loss", step, step / 7) for step in steps]
    to.begin("point", *things)
    points = [
        {"key": "loss", "value": step / 7, "timestamp": 1_700_000_000_000 + step, "step": step}
        for step in steps
    ]
    if count == 1:
        client.ask("POST", "/runs/log-metric", points[0] | {"run_id": run})
    else:
        client.ask("POST", "/runs/log-batch", {"run_id": run, "metrics": points})
    to.done("point", *things)


def kill_amid_writes(server: RunningServer, experiment: str, dice: random.Random) -> list[Written]:
    """Let eight clients write, kill the server at some moment; what they know."""
    written = [Written() for _ in range(CLIENTS)]
    threads = [
        threading.Thread(
            target=write_on, args=(server.url, experiment, random.Random(dice.random()), client)
        )
        for client in written
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not any(client.sure.get("point") for client in written):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(dice.uniform(0, 1.5))
    server.kill()
    for thread in threads:
        thread.join(60)
    for client in written:
        if client.failure is not None:
            raise client.failure
    return written


def found_in(client: Connection, experiment: str) -> dict[str, Counter[Any]]:
    """All that the server holds, and how often."""
    found: dict[str, Counter[Any]] = {
        kind: Counter() for kind in ("run", "point", "param", "tag", "version")
    }
    token = ""
    while True:
        page = client.ask(
            "POST",
            "/runs/search",
            {"experiment_ids": [experiment], "max_results": 500, "page_token": token},
        )
        for run in page.get("runs", []):
            id_ = run["info"]["run_id"]
            found["run"][id_] += 1
            for kind, name in (("param", "params"), ("tag", "tags")):
                for item in run["data"].get(name, []):
                    found[kind][id_, item["key"], item["value"]] += 1
            if run["data"].get("metrics"):
                history = client.ask(
                    "GET", f"/metrics/get-history?run_id={id_}&metric_key=loss&max_results=25000"
                )
                for point in history["metrics"]:
                    found["point"][id_, "loss", point["step"], point["value"]] += 1
        token = page.get("next_page_token", "")
        if not token:
            break
    wanted = quote(f"name = '{MODEL}'")
    path = f"/model-versions/search?max_results=10000&filter={wanted}"
    for version in client.ask("GET", path).get("model_versions", []):
        found["version"][int(version["version"]), version["source"]] += 1
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.soak)])
def test_what_was_acknowledged_is_there_once(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, kills: int
) -> None:
    dice = random.Random(20261121)
    env: dict[str, str] = {}
    if kind == "postgres":
        env["ATHANOR_DATABASE_URL"] = request.getfixturevalue("postgres").create(f"kills_{kills}")
    server = start_server(tmp_path / "workspace", env=env)
    everything: list[Written] = []
    try:
        client = Connection(server.url)
        experiment = client.ask("POST", "/experiments/create", {"name": "kills"})["experiment_id"]
        client.ask("POST", "/registered-models/create", {"name": MODEL})
        client.close()
        for _ in range(kills):
            everything += kill_amid_writes(server, experiment, dice)
            server = start_server(tmp_path / "workspace", env=env)
            client = Connection(server.url)
            check(found_in(client, experiment), everything)
            client.close()
    finally:
        server.kill()


def check(found: dict[str, Counter[Any]], everything: list[Written]) -> None:
    counted = {
        kind: set().union(*(client.sure.get(kind, set()) for client in everything))
        for kind in found
    }
    assert counted["point"]
    assert counted["run"]
    for kind, there in found.items():
        lost = counted[kind] - set(there)
        assert not lost, f"{len(lost)} acknowledged {kind}s are gone, such as {next(iter(lost))}"
        twice = [thing for thing, times in there.items() if times > 1]
        assert not twice, f"{kind} twice: {twice[:3]}"
    # What nobody sent is not there either.
    for kind in ("point", "param"):
        asked = set().union(*(client.asked.get(kind, set()) for client in everything))
        assert set(found[kind]) <= asked
    # A run or a version that was not acknowledged was under way when the server died: one a client.
    for kind in ("run", "version"):
        assert len(found[kind]) <= len(counted[kind]) + len(everything)
    numbers = [number for number, _ in found["version"]]
    assert len(numbers) == len(set(numbers))
