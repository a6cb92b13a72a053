"""The demo, once; then what it summed up is held against the server that it left running."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.terminal import Terminal, live

pytestmark = pytest.mark.timeout(420)
_DEMO_SECONDS = 400.0


@dataclass(frozen=True, slots=True)
class Played:
    terminal: Terminal
    summary: dict[str, Any]
    printed: str


def play(terminal: Terminal, *flags: object) -> Played:
    ended = terminal.run("demo", "--port", 0, "--json", "summary.json", *flags,
                         seconds=_DEMO_SECONDS)  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    summary = json.loads((terminal.folder / "summary.json").read_text("utf-8"))
    return Played(terminal, summary, ended.stdout)


@pytest.fixture(scope="module")
def played(open_terminal: Callable[[str], Terminal]) -> Played:
    return play(open_terminal("demo"))


def test_every_answer_equals_the_models_and_is_in_the_log(played: Played) -> None:
    assert played.summary["predictions"] == {"sent": 1000, "equal": 1000, "logged": 1000}
    question = "select count(*) as n, count(distinct id) as ids from predictions where version = 1"
    found = played.terminal.json("sql", question)["rows"][0]
    assert found["n"] == found["ids"] >= 1000


def test_bad_rows_are_kept_out(played: Played) -> None:
    refused = played.summary["dataset"]["refused"]
    assert refused["state"] == "quarantined"
    assert any(check["rows"] for check in refused["checks"])


def test_the_alert_names_the_shifted_columns_and_no_other(played: Played) -> None:
    truth = set(played.summary["truth"]["columns"])
    assert [set(alert["columns"]) for alert in played.summary["alerts"]] == [truth]
    alerts = played.terminal.json("alert", "list", "--all")
    drift = [alert for alert in alerts if alert["kind"] == "drift"]
    assert {name for alert in drift for name in alert["columns"]} == truth
    assert all("stay below" in alert["explanation"] for alert in drift)


def test_the_event_and_nothing_else_started_the_retraining(played: Played) -> None:
    runs = played.terminal.json("pipeline", "list", "--pipeline", "classification")
    by_trigger = [run for run in runs if run["trigger"] is not None]
    assert [run["id"] for run in by_trigger] == [played.summary["retraining"]["run"]]
    others = {run["id"] for run in runs} - {run["id"] for run in by_trigger}
    assert played.summary["shuffled"]["run"] in others
    assert len(others) == 2  # the first training, and the shuffled one
    events = events_of(played.terminal)
    (fired,) = [event for event in events if event["action"] == "pipelines.trigger.fired"]
    assert fired["detail"]["run"] == by_trigger[0]["id"]
    cause = fired["detail"]["event"]
    assert (cause["action"], cause["kind"]) == ("monitoring.alert.raised", "drift")
    assert cause["alert"] == played.summary["alerts"][0]["id"]


def test_the_challenger_took_over_through_the_canary(played: Played) -> None:
    told = played.summary["retraining"]
    assert told["took_over"], told["reason"]
    assert played.summary["champion"]["version"] == told["version"] == 2
    assert len(told["canary"]) >= 2, told["canary"]
    assert [step for step in told["canary"] if step.startswith("20%")]
    assert "better" in told["reason"]


def test_the_shuffled_challenger_was_refused_with_the_reason(played: Played) -> None:
    told = played.summary["shuffled"]
    assert told["registered"] is False
    assert "worse" in told["reason"]
    versions = played.terminal.json("model", "show", played.summary["champion"]["model"])
    assert sorted(item["number"] for item in versions["versions"]) == [1, 2]


def test_a_prediction_leads_back_to_the_raw_file(played: Played) -> None:
    digest = played.summary["dataset"]["file_digest"]
    assert digest in {node["digest"] for node in played.summary["lineage"]}
    ends = max(node["depth"] for node in played.summary["lineage"])
    last = [node["digest"] for node in played.summary["lineage"] if node["depth"] == ends]
    assert digest in last


def test_the_champions_figures_are_told(played: Played) -> None:
    for model in (played.summary["champion"], played.summary["first_champion"]):
        assert 0.8 < model["metrics"]["roc_auc"] <= 1.0
    assert played.summary["timings"]
    assert "What happened" in played.printed


def test_rollback_brings_back_the_first_champion(played: Played) -> None:
    name = played.summary["endpoint"]
    assert live(played.terminal.json("endpoint", "show", name))["version"] == 2
    back = played.terminal.json("endpoint", "rollback", name)
    assert live(back)["version"] == played.summary["first_champion"]["version"] == 1


def events_of(terminal: Terminal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while more := terminal.json(
        "event", "--limit", 1000, "--after", found[-1]["seq"] if found else 0
    ):
        found += more
    return found


def on_a_table(terminal: Terminal, file: Path, *flags: str) -> Played:
    shown = play(terminal, "--data", str(file), *flags)
    predictions = shown.summary["predictions"]
    assert predictions == {"sent": 1000, "equal": 1000, "logged": 1000}
    (column,) = shown.summary["truth"]["columns"]
    # A table's own later rows may differ in other columns, too: only the shifted one is certain.
    assert column in shown.summary["alerts"][0]["columns"]
    assert "simulated" in shown.printed
    return shown


def test_bank_churners(terminal: Terminal, data_folder: Path) -> None:
    file = data_folder / "bank_churners" / "BankChurners.csv"
    flags = ("--target", "Attrition_Flag", "--id", "CLIENTNUM")
    shown = on_a_table(terminal, file, *flags)
    assert shown.summary["champion"]["metrics"]["roc_auc"] >= 0.985
    with file.open(encoding="utf-8") as stream:
        bayes = {name for name in next(csv.reader(stream)) if name.startswith("Naive_Bayes")}
    assert len(bayes) == 2
    assert set(shown.summary["dataset"]["left_out"]) >= bayes
    assert all(name in shown.printed.replace("\n", "") for name in bayes)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("file", "target"),
    [("adult/adult_train.csv.gz", "income"), ("german_credit/german_credit.csv", "credit_risk")],
)
def test_other_tables(terminal: Terminal, data_folder: Path, file: str, target: str) -> None:
    shown = on_a_table(terminal, data_folder / file, "--target", target)
    assert shown.summary["champion"]["metrics"]["roc_auc"] > 0.7
