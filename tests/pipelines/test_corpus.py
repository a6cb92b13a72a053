"""The corpus: each pipeline gives what it must, here and in Kubeflow's local runner."""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER
from athanor.pipelines import Submission
from athanor.testing.pipelines import Room, yaml_of
from tests.pipelines.corpus import CASES
from tests.pipelines.corpus.cases import Case


def check(room: Room, case: Case) -> None:
    """Run a case and compare."""
    submission = Submission(yaml=yaml_of(case.pipeline), parameters=dict(case.given), cache=False)
    run = room.finished(room.pipelines.submit(OWNER, submission))
    assert run.state == case.state, run.error
    states = {task.name: task.state for task in run.tasks}
    assert {name: states.get(name) for name in case.states} == dict(case.states)
    assert {name: run.outputs.get(name) for name in case.gives} == dict(case.gives)


def handful() -> list[Case]:
    """Some cases that are always run."""
    return random.Random(5).sample(CASES, 8)


@pytest.mark.parametrize("case", handful(), ids=lambda case: case.name)
def test_a_handful_of_the_corpus_gives_what_it_must(room: Room, case: Case) -> None:
    check(room, case)


@pytest.mark.soak
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_all_of_the_corpus_gives_what_it_must(room: Room, case: Case) -> None:
    check(room, case)


class LocalRunner:
    """`kfp.local` in an environment of its own."""

    def __init__(self, python: Path) -> None:
        script = Path(__file__).parent / "corpus" / "local_runner.py"
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            [str(python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PATH": path},
        )

    def outputs(self, case: Case, folder: Path) -> dict[str, Any]:
        """What a case gives there."""
        order = {
            "yaml": yaml_of(case.pipeline),
            "parameters": dict(case.given),
            "folder": str(folder),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "outputs" in answer, answer
        found: dict[str, Any] = answer["outputs"]
        return found

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def local() -> Iterator[LocalRunner]:
    python = Path(__file__).parents[2] / ".venvs" / "kfp" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"Kubeflow's SDK is not installed in {python.parents[1]}")
    runner = LocalRunner(python)
    yield runner
    runner.close()


@pytest.mark.soak
@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.state == "done" and not case.why_not_local],
    ids=lambda case: case.name,
)
def test_kubeflows_own_runner_gives_the_same(
    local: LocalRunner, case: Case, tmp_path: Path
) -> None:
    found = local.outputs(case, tmp_path)
    assert {name: found.get(name) for name in case.gives} == dict(case.gives)
