"""The command line: what its words mean."""

from pathlib import Path
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from athanor.pipelines.client import PipelinesClient
from athanor.pipelines.commands.runs import commands, placed

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
