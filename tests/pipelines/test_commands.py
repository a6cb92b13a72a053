"""The command line: what its words mean."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
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
from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands import debugging, runs, showing
from athanor.pipelines.commands.runs import commands, placed
from athanor.pipelines.errors import BadPipeline
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
