"""What strangers write with Kubeflow's newest SDK gives what its backend would give."""

import json
import subprocess
from pathlib import Path

import pytest

from athanor.kernel import OWNER
from athanor.pipelines import Submission
from athanor.testing.pipelines import Room


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_pipelines_of_strangers_give_what_they_must(room: Room, tmp_path: Path) -> None:
    python = Path(__file__).parents[2] / ".venvs" / "kfp" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Kubeflow's SDK is not installed in {python.parents[1]}")
    source = Path(__file__).parent / "strangers" / "pipelines.py"
    subprocess.run([str(python), "-W", "ignore", str(source), str(tmp_path)], check=True)
    cases = json.loads((tmp_path / "cases.json").read_text("utf-8"))
    found = {}
    for name, case in cases.items():
        text = (tmp_path / f"{name}.yaml").read_text("utf-8")
        submission = Submission(yaml=text, parameters=case["given"], cache=False)
        done = room.finished(room.pipelines.submit(OWNER, submission), 200)
        found[name] = done.outputs if done.state == "done" else done.error
    assert found == {name: case["want"] for name, case in cases.items()}
