"""From an empty folder and one's own CSV or file to an answer, with what the README says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.customers import ID, TARGET, asked, customers, write
from tests.e2e.terminal import Terminal, post, predict, until

pytestmark = pytest.mark.timeout(300)

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def own_csv(folder: Path) -> Path:
    """The README's table: `churned` is 0 or 1, so that a model may learn it as it stands."""
    rows = customers(800, seed=11)
    numbered = [row | {TARGET: int(row[TARGET] == "yes")} for row in rows]
    return write(folder / "customers.csv", numbered)


def row(visits: int) -> dict[str, int]:
    return {"age": 40, "visits": visits}


@pytest.fixture(scope="module")
def shop(open_terminal: Callable[[str], Terminal]) -> Terminal:
    """A server on an empty folder with the dataset `customers` and the README's train.py."""
    terminal = open_terminal("shop")
    own_csv(terminal.folder)
    train = next(block for block in blocks("python") if block.startswith("# train.py"))
    (terminal.folder / "train.py").write_text(train)
    terminal.up()
    terminal.says("data", "add", "customers", "customers.csv", "--target", TARGET, "--id", ID)
    return terminal


def test_five_commands_lead_to_an_answer(terminal: Terminal) -> None:
    own_csv(terminal.folder)
    (block,) = [block for block in blocks("sh") if "# 5" in block]
    assert re.findall(r"# (\d)\b", block) == list("12345")
    commands = [line.partition("#")[0].split()[1:] for line in block.splitlines()[:4]]
    assert [words[0] for words in commands] == ["up", "data", "train", "deploy"]
    terminal.says(*commands[0], "--port", 0)
    said = [terminal.says(*words) for words in commands[1:]]
    # The curl line that `deploy` printed, run as it stands.
    curl = next(line for line in said[-1].splitlines() if line.startswith("curl "))
    answer = subprocess.run(["sh", "-c", curl], check=True, capture_output=True, text=True)
    assert '"label"' in answer.stdout
    url = terminal.json("endpoint", "show", "customers")["url"]
    (told,) = predict(url, asked(customers(1, seed=12)))
    assert 0 <= told["score"] <= 1
    terminal.says("data", "profile", "customers")
    terminal.says("report", "show", "latest")
    query = "select label, count(*) as n from predictions group by all"
    assert sum(row["n"] for row in terminal.json("sql", query)["rows"]) == 2
    terminal.says("lineage", "trace", f"prediction:{told['id']}")
    terminal.says("down")
    assert "athanor up" in terminal.refused("down")


def test_a_plain_function_becomes_a_run_a_model_and_an_endpoint(shop: Terminal) -> None:
    said = shop.says("run", "train.py")
    assert "Registered train@1" in said
    assert "Registered train@2" in shop.says("run", "train.py", "--param", "strength=0.5")
    run = shop.json("run", "train.py")
    assert {task["state"] for task in run["tasks"] if task["kind"] == "step"} == {"cached"}
    made = shop.json("deploy", "train@1", "--endpoint", "churn")
    answers = predict(made["url"], [row(2), row(12)])
    assert [answer["label"] for answer in answers] == [1, 0]


def test_the_same_file_runs_by_the_clock(shop: Terminal) -> None:
    shutil.copy(shop.folder / "train.py", shop.folder / "nightly.py")
    assert "runs next at" in shop.says("run", "nightly.py", "--schedule", "0 3 * * *")
    (trigger,) = shop.json("pipeline", "trigger", "list")
    assert (trigger["kind"], trigger["cron"]) == ("cron", "0 3 * * *")
    fired = shop.json("pipeline", "trigger", "fire", trigger["name"])
    assert fired["run"]
    told = shop.refused("run", "nightly.py", "--schedule", "61 3 * * *")
    assert "61" in told


def test_a_file_without_such_a_function_is_run_as_the_script_that_it_is(shop: Terminal) -> None:
    (shop.folder / "hello.py").write_text(
        "import athanor\nathanor.log_metric('answer', 42)\nprint('hello')\n"
    )
    assert "hello" in shop.says("run", "hello.py")
    run = next(run for run in shop.json("run", "list") if run["name"] == "hello")
    assert (run["kind"], run["state"]) == ("script", "done")
    (shop.folder / "broken.py").write_text("raise SystemExit('no such thing')\n")
    shop.refused("run", "broken.py")
    failed = next(run for run in shop.json("run", "list") if run["name"] == "broken")
    assert failed["state"] == "failed"
    (shop.folder / "wrong.py").write_text("def train(:\n")
    assert "line 1" in shop.refused("run", "wrong.py")
    (shop.folder / "figures.py").write_text("def train(size):\n    return {'n': size}\n")
    told = shop.says("run", "figures.py", "--param", "size=3")
    assert "No model is registered" in told
    assert "no file 'missing.py'" in shop.refused("run", "missing.py")


NOTEBOOK = """
import athanor
import pandas as pd
from sklearn.linear_model import LogisticRegression

table = pd.read_csv("customers.csv")
rows = table[["age", "visits"]]
model = LogisticRegression().fit(rows, table["churned"])
with athanor.start_run("first try"):
    athanor.log_params({"strength": 0.5})
    athanor.log_metric("roc_auc", 0.91)
    version = athanor.register_model(model, "notebook", example=rows)
print(version.model, version.number)
"""


def notebook(terminal: Terminal) -> None:
    """What a notebook does, in a plain interpreter."""
    (terminal.folder / "notebook.py").write_text(NOTEBOOK)
    ended = subprocess.run(
        [sys.executable, "notebook.py"],
        check=False, capture_output=True, text=True, cwd=terminal.folder,
    )  # fmt: skip
    assert ended.stdout.strip() == "notebook 1", ended.stderr
    run = next(run for run in terminal.json("run", "list") if run["name"] == "first try")
    assert run["state"] == "done"
    shown = terminal.json("model", "show", "notebook@1")["version"]
    assert shown["run_id"] == run["id"]


def test_a_notebooks_model_is_registered_and_served(shop: Terminal) -> None:
    notebook(shop)
    made = shop.json("deploy", "notebook@1", "--endpoint", "notebook")
    (answer,) = predict(made["url"], [row(2)])
    assert answer["label"] in {0, 1}


def test_without_a_server_the_same_commands_work_in_their_own_process(terminal: Terminal) -> None:
    own_csv(terminal.folder)
    train = next(block for block in blocks("python") if block.startswith("# train.py"))
    (terminal.folder / "train.py").write_text(train)
    terminal.says("data", "add", "customers", "customers.csv", "--target", TARGET, "--id", ID)
    assert "Registered train@1" in terminal.says("run", "train.py")
    notebook(terminal)
    said = terminal.says("deploy", "train@1", "--endpoint", "churn")
    assert "athanor up" in said
    terminal.up()
    url, body = terminal.json("endpoint", "show", "churn")["url"], {"records": [row(2)]}
    until("the endpoint", lambda: post(url, body)[0] == 200)
    assert [answer["label"] for answer in predict(url, [row(2), row(12)])] == [1, 0]
