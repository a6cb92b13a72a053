"""The command line: what its words mean."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from typer.testing import CliRunner

from athanor.app.commands import status
from athanor.app.inprocess import InProcessTransport
from athanor.kernel import OWNER
from athanor.kernel.permissions import OwnerAccess
from athanor.kernel.settings import load_settings
from athanor.pipelines import PipelineRun, Workbench
from athanor.pipelines.authoring.loading import load_document
from athanor.pipelines.authoring.settings import StepSettings
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands import debugging, runs, showing
from athanor.pipelines.commands.runs import commands, placed
from athanor.pipelines.commands.showing import left_well
from athanor.pipelines.commands.submitting import submission_of
from athanor.pipelines.errors import BadPipeline, NobodyGoesOn
from athanor.pipelines.types import StepOrder
from athanor.testing.pipelines import Room
from tests.pipelines import flows

FLOW = """
from athanor import pipeline, step

@step
def clean(rows: int = 3) -> int:
    return rows

@step
def fit(rows: int) -> float:
    return rows / 2

@pipeline
def churn() -> float:
    return fit(clean())
"""
RUN = "01a2018a705b7000a5d91037958e6f33"


@pytest.mark.parametrize(
    "words", [(RUN, "train", None), (None, f"{RUN}/train", None), (None, RUN, "train")]
)
def test_a_task_is_named_with_its_run_in_any_form(words: Any) -> None:
    client = PipelinesClient(cast("Any", None))  # which nobody asks
    assert placed(client, *words) == (RUN, "train")


@pytest.fixture
def here(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """`athanor pipeline ...` over a room of the test's own."""
    bench = Workbench(room.pipelines, room.engine, OwnerAccess(), room.lineage)

    class Here(PipelinesClient):
        def __init__(self, _: Any = None) -> None:
            pass

        def runs(self, **query: Any) -> list[PipelineRun]:
            return room.pipelines.runs(OWNER, limit=query["limit"])

        def run(self, run_id: str, **_: Any) -> PipelineRun:
            return room.pipelines.run(OWNER, run_id)

        def logs(self, run_id: str, task: str) -> str:
            return room.pipelines.logs(OWNER, run_id, task)

        def order(self, run_id: str, task: str) -> StepOrder:
            return bench.order(OWNER, run_id, task)

    for module in (runs, debugging):
        monkeypatch.setattr(module, "PipelinesClient", Here)
        monkeypatch.setattr(module, "transport", lambda: None)
    monkeypatch.setattr(showing, "_metrics_of", lambda *_: {})

    def call(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(commands, list(words))
        told = f"{done.exception} {getattr(done.exception, 'hint', '')}" if done.exception else ""
        return done.exit_code, done.output + told

    return call


def test_a_run_may_be_the_latest_and_a_task_one_of_the_last_run(
    room: Room, here: Callable[..., tuple[int, str]]
) -> None:
    first, last = room.run(flows.kinds), room.run(flows.kinds)
    assert last.id in here("show", "latest")[1]
    told = [here("logs", *words) for words in (["shout"], ["shout", "--run", first.id])]
    told += [here("logs", "latest", "shout"), here("logs", f"{first.id}/shout")]
    # The last run's was cached: only the first one's process wrote anything.
    assert told == [(0, ""), (0, "shouting hello\n"), (0, ""), (0, "shouting hello\n")]
    assert "shouting hello" in here("logs", first.id)[1]
    code, said = here("debug", "shout")
    assert code == 1
    assert f"athanor pipeline debug {first.id} shout" in said


def test_the_steps_of_a_file_are_named_where_none_is_chosen(tmp_path: Path) -> None:
    file = tmp_path / "churn.py"
    file.write_text(FLOW)
    told = CliRunner().invoke(commands, ["image", str(file)]).exception
    assert isinstance(told, BadPipeline)
    assert "clean, fit" in told.message
    assert told.hint.endswith(f"athanor pipeline image {file}:clean")


def test_status_says_that_it_counts_runs_of_pipelines(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHANOR_WORKSPACE", str(workspace))
    with closing(InProcessTransport(load_settings({"workspace": workspace})[0])) as way:
        monkeypatch.setattr("athanor.app.commands.transport", lambda: way)
        app = typer.Typer()
        app.command()(status)
        said = CliRunner().invoke(app, []).output
    assert "pipeline runs" in said
    assert "\npipelines " not in said


@pytest.mark.parametrize("form", ["kubeflow", "airflow"])
def test_what_is_compiled_for_elsewhere_names_no_place_on_this_machine(
    form: str, tmp_path: Path
) -> None:
    file = tmp_path / "churn.py"
    file.write_text(FLOW)
    written = CliRunner().invoke(commands, ["compile", str(file), "--to", form])
    assert written.exit_code == 0, written.output
    assert "churn.py" in written.output
    assert str(tmp_path) not in written.output


TYPED = """
from athanor import pipeline, step

@step
def told(code: str, rows: int, note: str | None) -> str:
    return f"{code} {rows} {note}"

@pipeline
def typed(code: str, rows: int = 1, note: str | None = "none"):
    return told(code, rows, note)
"""


def test_a_text_is_what_was_typed(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(TYPED)
    given = ["code=01067", "rows=3", "note=null"]
    assert submission_of(str(file), given, []).parameters == {
        "code": "01067",
        "rows": 3,
        "note": None,
    }
    for typed, kept in (("7", "7"), ("true", "true"), ('"7"', "7"), ("NaN", "NaN"), ("a=b", "a=b")):
        assert submission_of(str(file), [f"code={typed}"], []).parameters == {"code": kept}
    told = submission_of(str(file), ["code=7"], [], args={"code": "8", "rows": 2}).parameters
    assert told == {"code": "7", "rows": 2}


class Interrupted:
    """Pipelines of which one is waited for until Ctrl-C."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def cancel(self, run_id: str) -> None:
        self.cancelled.append(run_id)

    def wait(self, _: str, *, timeout: float | None = None) -> Any:
        if timeout is None:
            raise KeyboardInterrupt
        return SimpleNamespace(state="stopped")


@pytest.mark.parametrize("served", [True, False])
def test_after_ctrl_c_a_run_does_not_stand_still_unsaid(
    served: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    way = SimpleNamespace() if served else SimpleNamespace(ends_with_process=True)
    monkeypatch.setattr(showing, "transport", lambda: way)
    client = Interrupted()
    with pytest.raises(KeyboardInterrupt), left_well(cast("Any", client), RUN):
        client.wait(RUN)
    said = capsys.readouterr().err
    assert client.cancelled == ([] if served else [RUN])
    assert (f"athanor pipeline cancel {RUN}" in said) == served
    assert (f"athanor pipeline resume {RUN}" in said) != served


def test_nobody_is_left_to_go_on_with_a_run_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert InProcessTransport.ends_with_process
    way = SimpleNamespace(ends_with_process=True)
    for module in (runs, showing):
        monkeypatch.setattr(module, "transport", lambda: way)
    file = tmp_path / "churn.py"
    file.write_text(FLOW)
    told = CliRunner().invoke(commands, ["run", str(file), "--no-wait"]).exception
    assert isinstance(told, NobodyGoesOn)
    assert "athanor up" in told.hint


def test_the_page_on_pipelines_is_true(tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2].joinpath("docs", "pipelines.md").read_text("utf-8")
    written = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        file = tmp_path / block.splitlines()[0].removeprefix("# ")
        file.write_text(block)
        if "@pipeline" in block:
            written[file.stem] = load_document(str(file)).spec.pipeline_info.name
    assert written == {"churn": "churn", "controlled": "controlled"}
    assert {name for name in StepSettings.__annotations__ if f"{name}=" not in page} == set()
