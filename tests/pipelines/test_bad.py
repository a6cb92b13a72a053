"""Pipelines that misbehave: the error says what and where, nothing hangs, nothing is left."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from athanor.kernel import OWNER
from athanor.pipelines import Submission, pipeline, step
from athanor.pipelines.errors import BadPipeline, PipelineCycle, UnknownPlaceholder
from athanor.testing.pipelines import Room, yaml_of
from tests.pipelines import kubeflow


@step(cache=False)
def talks(lines: int) -> int:
    text = "x" * 1023
    for _ in range(lines):
        print(text)
    return lines


@pipeline
def talking(lines: int) -> int:
    return talks(lines)


@step(cache=False)
def leaves_processes(folder: str) -> int:
    words = ["import os, time; os.setsid(); time.sleep(300)"]
    child = subprocess.Popen([sys.executable, "-c", *words], cwd=folder)
    Path(folder, "pid").write_text(str(child.pid))
    return child.pid


@pipeline
def leaving(folder: str) -> int:
    return leaves_processes(folder)


@step(cache=False)
def deaf(folder: str) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    words = ["import os, time; os.setsid(); time.sleep(300)"]
    child = subprocess.Popen([sys.executable, "-c", *words], cwd=folder)
    Path(folder, "pid").write_text(f"{os.getpid()} {child.pid}")
    time.sleep(300)
    return 1


@pipeline
def deaf_ones(folder: str) -> int:
    found = deaf(folder)
    found.set_timeout(0.7)  # type: ignore[attr-defined]
    return found


@step(cache=False, memory="150M")
def greedy(size: int) -> int:
    held = bytearray(size)
    return len(held)


@pipeline
def greed(size: int) -> int:
    return greedy(size)


@step(memory="900T")
def huge() -> int:
    return 1


@pipeline
def never_fits() -> int:
    return huge()


def _gone(pid: int, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_step_that_prints_too_much_keeps_the_ends_of_its_log(room: Room) -> None:
    run = room.run(talking, lines=80 * 1024)
    assert run.state == "done"
    log = room.pipelines.logs(OWNER, run.id, "talks")
    assert len(log) < 20 << 20
    assert "MB left out" in log


def test_what_a_step_leaves_behind_is_ended(room: Room) -> None:
    run = room.run(leaving, folder=str(room.folder))
    assert run.state == "done", run.error
    assert _gone(int((room.folder / "pid").read_text()))


def test_a_step_that_ignores_the_signal_is_ended_with_all_that_it_started(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("athanor.pipelines.engines.local.guarding._GRACE_SECONDS", 0.5)
    run = room.run(deaf_ones, folder=str(room.folder))
    assert run.state == "failed"
    assert "time limit of 0.7 s" in run.error["message"]  # type: ignore[index]
    for pid in (room.folder / "pid").read_text().split():
        assert _gone(int(pid))


def test_a_step_that_wants_more_memory_than_it_may_take_is_told_so(room: Room) -> None:
    assert room.run(greed, size=10_000_000).outputs == {"Output": 10_000_000}
    run = room.run(greed, size=1_000_000_000)
    assert run.state == "failed"
    assert "MemoryError" in run.error["message"]  # type: ignore[index]
    assert "memory='4G'" in run.error["hint"]  # type: ignore[index]


def test_a_step_that_no_machine_can_hold_is_refused(room: Room) -> None:
    run = room.run(never_fits)
    assert run.state == "failed"
    assert "900000.0 GB of memory" in run.error["message"]  # type: ignore[index]


def test_tasks_that_wait_for_each_other_are_named() -> None:
    def ring() -> None:
        first, second = talks(1), talks(2)
        first.after(second)  # type: ignore[attr-defined]
        second.after(first)  # type: ignore[attr-defined]

    with pytest.raises(PipelineCycle, match="talks -> talks-2 -> talks"):
        pipeline(ring).compile()


@pytest.mark.parametrize("mark", ["inputs.parameters['wurd']", "inputs.wurd", "pipeline_wurd"])
@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_placeholder_for_nothing_is_refused_before_anything_runs(
    room: Room, kind: str, mark: str
) -> None:
    executor = kubeflow.command("echo")
    if kind == "function":
        executor = kubeflow.function("echo", "def echo(word: str):\n    print('{{$.inputs.own}}')")
    executor["container"]["args"].append(f"{{{{$.{mark}}}}}")
    text = kubeflow.document(
        kubeflow.dag({"echo": kubeflow.task("echo", wired={"word": kubeflow.constant("a")})}),
        {"echo": kubeflow.component("echo", inputs={"word": "STRING"})},
        {"echo": executor},
    )
    with pytest.raises(UnknownPlaceholder, match="wurd"):
        room.pipelines.submit(OWNER, Submission(yaml=text))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"triggerPolicy": {"condition": "'a'b' == 'c'"}}, "condition .* can't be worked out"),
        ({"parameterIterator": {"itemInput": "word", "items": {"raw": "no"}}}, "is no list"),
        ({"parameterIterator": {"itemInput": "word", "items": {"raw": "[" * 9999}}}, "is no list"),
    ],
)
def test_what_no_run_could_read_is_refused_before_anything_runs(
    room: Room, fields: dict[str, Any], said: str
) -> None:
    text = kubeflow.document(
        kubeflow.dag(
            {"echo": kubeflow.task("echo", wired={"word": kubeflow.constant("a")}, **fields)}
        ),
        {"echo": kubeflow.component("echo", inputs={"word": "STRING"})},
        {"echo": kubeflow.command("echo")},
    )
    with pytest.raises(BadPipeline, match=said):
        room.pipelines.submit(OWNER, Submission(yaml=text))


def test_a_step_may_run_in_an_environment_of_its_own(room: Room) -> None:
    submission = Submission(yaml=yaml_of(apart), parameters={"word": "a"}, cache=False)
    run = room.finished(room.pipelines.submit(OWNER, submission), 120)
    assert run.state == "failed"
    assert "can't be made" in run.error["message"]  # type: ignore[index]
    assert "no-such-package" in run.error["message"]  # type: ignore[index]


@step(packages=["./no-such-package"])
def alone(word: str) -> str:
    return word


@pipeline
def apart(word: str) -> str:
    return alone(word)


@step(cache=False)
def too_large() -> int:
    return 2**70


@step(cache=False)
def half_a_character(inside: int = 0) -> str:
    if inside:
        raise ValueError("\ud800")
    return "\ud800"


@step(cache=False)
def interrupts() -> int:
    raise KeyboardInterrupt


class Speechless(Exception):
    def __str__(self) -> str:
        raise ValueError


@step(cache=False)
def speechless() -> int:
    raise Speechless


@step(cache=False)
def closes_its_output() -> int:
    sys.stdout.close()
    return 5


@step(cache=False)
def removes_its_folder() -> int:
    shutil.rmtree(Path.cwd())
    return 6


@step(cache=False)
def lies_too_deep() -> list:  # type: ignore[type-arg]
    found: list[object] = []
    found.append(found)
    return found


@step(cache=False)
def says_too_much() -> str:
    return "x" * (65 << 20)


@step(cache=False)
def forgets_its_file() -> Path:
    return Path("forgotten.csv")


@step(cache=False)
def keeps_größe_ß() -> dict[str, list[float]]:  # noqa: PLC2401 - such names are the case
    return {"loss": [0.5, float("nan")]}


@step
def gives_two():  # type: ignore[no-untyped-def]  # noqa: ANN201 - what it is for
    return Path("model.txt"), {"auc": 0.9}


@step
def mixes_in_a_dict():  # type: ignore[no-untyped-def]  # noqa: ANN201 - as above
    return {"model": Path("model.txt"), "auc": 0.9}


@pipeline
def odd_ends() -> int:
    removes_its_folder()
    gives_two()
    mixes_in_a_dict()
    lies_too_deep()
    says_too_much()
    forgets_its_file()
    keeps_größe_ß()
    too_large()
    half_a_character()
    half_a_character(inside=1)
    interrupts()
    speechless()
    return closes_its_output()


def test_odd_ends_of_steps_are_told_by_step_and_line(room: Room) -> None:
    submission = Submission(yaml=yaml_of(odd_ends), cache=False)
    run = room.finished(room.pipelines.submit(OWNER, submission))
    ends = {task.name: (task.error or {}).get("message", task.state) for task in run.tasks}
    assert "which can't be kept: whole numbers have 64 bits" in ends["too-large"]
    assert "no valid Unicode" in ends["half-a-character"]
    assert f"failed at {__file__}:" in ends["half-a-character-2"]
    assert "KeyboardInterrupt" in ends["interrupts"]
    assert "Speechless" in ends["speechless"]
    assert ends["closes-its-output"] == "done"
    assert ends["removes-its-folder"] == "done"
    assert "step 'lies-too-deep' returned can't be kept" in ends["lies-too-deep"]
    assert "65 MB, most of it in 'Output'" in ends["says-too-much"]
    assert "'Output' of step 'forgets-its-file'" in ends["forgets-its-file"]
    two = next(task for task in run.tasks if task.name == "gives-two").error or {}
    assert "returned 2 values (PosixPath, dict) as one output" in two["message"]
    assert "-> tuple[PosixPath, dict]" in two["hint"]
    assert "NamedTuple" in two["hint"]
    mixed = next(task for task in run.tasks if task.name == "mixes-in-a-dict").error or {}
    assert "class Made(NamedTuple): model: PosixPath; auc: float" in mixed["hint"]
    assert "return Made(model=..., auc=...)" in mixed["hint"]
    tolerant = next(task for task in run.tasks if task.name == "keeps-größe-ß")
    assert tolerant.outputs == {"Output": {"loss": [0.5, None]}}
    assert "Output.loss[1] is nan" in room.pipelines.logs(OWNER, run.id, tolerant.name)
