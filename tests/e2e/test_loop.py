"""The whole loop by public commands and HTTP, without the demo; then the server is left alone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.customers import ID, TARGET, asked, customers, write
from tests.e2e.terminal import Terminal, live, predict, until

pytestmark = pytest.mark.timeout(420)

WINDOW = 300
_ON_ITS_WAY = {"starting", "canary"}


@pytest.fixture(scope="module")
def served(open_terminal: Callable[[str], Terminal]) -> Terminal:
    """A server with a dataset, a champion and its endpoint `shop`, made by five commands."""
    terminal = open_terminal("loop")
    write(terminal.folder / "first.csv", customers(1500, seed=1))
    terminal.up()
    terminal.json("data", "add", "shop", "first.csv", "--target", TARGET, "--id", ID)
    terminal.json("train", "shop", "--target", TARGET, "--id", ID)
    made = terminal.json("deploy", "shop@champion", "--endpoint", "shop", "--key", ID)
    assert made["deployment"]["state"] == "live"
    return terminal


def retraining(*more: str) -> list[str]:
    return [
        *("--artifact", "data=dataset:shop@latest", "--artifact", "champion=model:shop@champion"),
        *("--param", f"target={TARGET}", "--param", "name=shop", "--param", f"id={ID}"),
        *("--param", "endpoint=shop", *more),
    ]


def label(terminal: Terminal, rows: list[dict[str, Any]]) -> None:
    truth = [{"key": row[ID], "label": row[TARGET]} for row in rows]
    write(terminal.folder / "labels.csv", truth)
    assert terminal.json("endpoint", "label", "shop", "labels.csv")["count"] == len(rows)


def settled(terminal: Terminal, run: str, traffic: Callable[[], Any]) -> dict[str, Any]:
    """The run and the canary that it may have begun are over; traffic goes on meanwhile."""

    def look() -> dict[str, Any] | None:
        traffic()
        ended: dict[str, Any] = terminal.get(f"/pipelines/runs/{run}")
        if ended["state"] in {"waiting", "running"}:
            return None
        endpoint = terminal.get("/endpoints/shop")
        moving = any(item["state"] in _ON_ITS_WAY for item in endpoint["deployments"])
        return None if moving else ended

    ended = until("the end of the retraining", look)
    assert ended["state"] == "done", ended["error"]
    return ended


def test_drift_starts_a_retraining_that_takes_over_and_can_be_undone(served: Terminal) -> None:
    url = served.json("endpoint", "show", "shop")["url"]
    served.says("monitor", "set", "shop", "--window-rows", WINDOW, "--minimum-rows", 100)
    served.says(
        *("pipeline", "trigger", "add", "retrain", "classification"),
        *("--on", "monitoring.alert.raised", "--match", "kind=drift", "--match", "endpoint=shop"),
        *retraining("--artifact", "fresh=labelled:shop"),
        *("--param", "canary=20", "--param", "patience=2"),
    )
    healthy = customers(WINDOW, seed=2, first_id=10_001)
    predict(url, asked(healthy))
    until("the look at healthy traffic", lambda: served.get("/monitors/shop/windows"))
    assert served.json("alert", "list") == []
    assert served.json("pipeline", "list", "--trigger", "retrain") == []

    drifted = customers(4 * WINDOW, seed=3, first_id=20_001, later=True)
    predict(url, asked(drifted[: WINDOW - 20]))
    label(served, drifted[: WINDOW - 20])
    predict(url, asked(drifted[WINDOW - 20 : WINDOW]))
    until("the alert", lambda: served.get("/alerts?kind=drift"))
    (alert,) = [found for found in served.json("alert", "list") if found["kind"] == "drift"]
    assert (alert["subject"], alert["columns"]) == ("shop", ["spend"])
    started = until("the run", lambda: served.get("/pipelines/runs?trigger=retrain"))
    rest = asked(drifted[WINDOW:])
    settled(served, started[0]["id"], lambda: [predict(url, [row]) for row in rest[:100]])
    assert len(served.json("pipeline", "list", "--trigger", "retrain")) == 1

    endpoint = served.json("endpoint", "show", "shop")
    assert live(endpoint)["version"] == 2, endpoint["deployments"]
    assert served.json("model", "show", "shop@champion")["version"]["number"] == 2
    answer = predict(url, rest[:1])[0]
    back = served.json("endpoint", "rollback", "shop")
    assert live(back)["version"] == 1
    traced = served.json("lineage", "trace", f"prediction:{answer['id']}")["nodes"]
    raw = served.json("data", "show", "shop@1")["version"]["source"]["digest"]
    assert raw in {node["digest"] for node in traced}
    assert complaints(served) == []


def test_a_server_left_alone_takes_new_rows_to_a_new_model_and_stops_corrupted_ones(
    open_terminal: Callable[[str], Terminal],
) -> None:
    alone = open_terminal("alone")
    incoming = alone.folder / "incoming"
    incoming.mkdir()
    # The first rows are few and a quarter of the labels are wrong, so that more rows can help.
    few = customers(400, seed=4)
    for row in few[::4]:
        row[TARGET] = "no" if row[TARGET] == "yes" else "yes"
    write(alone.folder / "first.csv", few)
    alone.up()
    roles = ("--target", TARGET, "--id", ID)
    alone.says("data", "add", "shop", "first.csv", *roles, "--watch", "incoming")
    alone.says("train", "shop", *roles)
    made = alone.json("deploy", "shop@champion", "--endpoint", "shop")
    alone.says(
        *("pipeline", "trigger", "add", "fresh", "classification"),
        *("--on", "data.version.created", "--match", "dataset=shop"),
        *retraining(),
    )
    arrive(incoming, "monday.csv", customers(3000, seed=5, first_id=50_001))
    started = until("the run", lambda: alone.get("/pipelines/runs?trigger=fresh"))
    settled(alone, started[0]["id"], lambda: None)
    versions = alone.json("data", "versions", "shop")
    assert {(item["number"], item["state"]) for item in versions} == {(1, "ready"), (2, "ready")}
    assert live(alone.json("endpoint", "show", "shop"))["version"] == 2
    assert predict(made["url"], asked(customers(3, seed=6)))

    broken = customers(200, seed=7, first_id=90_001)
    for place, row in enumerate(broken):
        row["age"] = "#!?" if place % 2 else -(10**9)
    arrive(incoming, "tuesday.csv", broken)
    until("the alert", lambda: alone.get("/alerts?kind=data"))
    alert = [found for found in alone.json("alert", "list") if found["kind"] == "data"]
    assert alert[0]["subject"] == "shop"
    assert "age" in alert[0]["explanation"]
    latest = max(alone.json("data", "versions", "shop"), key=lambda item: item["number"])
    assert latest["number"] == 2 or latest["state"] == "quarantined"
    assert len(alone.json("pipeline", "list", "--trigger", "fresh")) == 1
    assert [model["latest"] for model in alone.json("model", "list")] == [2]
    assert live(alone.json("endpoint", "show", "shop"))["version"] == 2
    assert complaints(alone) == []


def complaints(terminal: Terminal) -> list[str]:
    """What the server's log holds beside the usual."""
    lines = (terminal.workspace / "logs" / "server.jsonl").read_text("utf-8").splitlines()
    return [line for line in lines if json.loads(line)["level"] == "error"]


def arrive(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Put a file there as a careful sender does: whole."""
    written = write(folder.parent / name, rows)
    shutil.move(written, folder / f".{name}")
    (folder / f".{name}").rename(folder / name)
