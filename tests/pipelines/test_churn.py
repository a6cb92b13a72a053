"""One pipeline in three forms: the bank's customers give the same tables, model and number."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER, Database
from athanor.kernel.workers import Workers
from athanor.pipelines import Submission
from athanor.testing.pipelines import Room, pipelines_room, yaml_of
from tests.pipelines.churn.flow import churn

FORM = Path(__file__).parent / "churn" / "kubeflow_form.yaml"
MODELS = "athanor.registry.packaging.materializer:ModelMaterializer"


@pytest.fixture
def room(sqlite: Database, workers: Workers, tmp_path: Path) -> Iterator[Room]:
    with pipelines_room(sqlite, tmp_path, workers, materializers=(MODELS,)) as found:
        yield found


def given(room: Room, text: str, path: str) -> dict[str, Any]:
    """What a form gives: values, and artifacts by type and digest."""
    submission = Submission(yaml=text, parameters={"path": path}, cache=False)
    done = room.finished(room.pipelines.submit(OWNER, submission), 120)
    assert done.state == "done", done.error
    return {
        name: (value["type"], value["digest"]) if isinstance(value, dict) else value
        for name, value in done.outputs.items()
    }


def test_all_forms_give_the_same_digests(room: Room, data_folder: Path) -> None:
    path = str(data_folder / "bank_churners" / "BankChurners.csv")
    ours, theirs = given(room, yaml_of(churn), path), given(room, FORM.read_text("utf-8"), path)
    assert ours == theirs
    assert {name: value[0] for name, value in ours.items() if name != "accuracy"} == {
        "model": "model",
        "test": "table",
        "train": "table",
    }
    assert 0.8 < ours["accuracy"] < 1.0


@pytest.mark.soak
def test_the_compiled_form_is_what_kubeflows_compiler_writes(tmp_path: Path) -> None:
    python = Path(__file__).parents[2] / ".venvs" / "kfp" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Kubeflow's SDK is not installed in {python.parents[1]}")
    source = shutil.copy(FORM.with_suffix(".py"), tmp_path)
    subprocess.run([str(python), "-W", "ignore", source], check=True)
    assert (tmp_path / FORM.name).read_text("utf-8") == FORM.read_text("utf-8")
