"""`kill -9` of server or steps at any moment: nothing is lost, and nothing finished is redone."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from athanor.pipelines.engines.local.exchange import read_result
from athanor.pipelines.engines.local.leftovers import descendants
from athanor.testing.pipelines import Room, yaml_of
from tests.pipelines import flows

ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 90
LINES = {"first", "second", "table 5", "table 6", "joined"}


def _serve(folder: Path, action: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.pipelines.serving_process", str(folder), action],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )


def _line(server: "subprocess.Popen[str]") -> list[str]:
    assert server.stdout is not None
    return server.stdout.readline().split()


def _kill(server: "subprocess.Popen[str]") -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def _kill_a_step(server: "subprocess.Popen[str]", folder: Path) -> None:
    """End one of the processes in which steps run; there may be none at this moment."""
    for pid in descendants(server.pid):
        try:
            place = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            continue
        if place.is_relative_to(folder / "work"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return


def _killed_and_finished(folder: Path, seed: int) -> str:
    """Run the pipeline with two kills at random moments; its output's digest."""
    (folder / "pipeline.yaml").write_text(yaml_of(flows.long_work))
    moments = random.Random(seed)
    server = _serve(folder, "submit")
    assert _line(server)[0] == "up"
    told: list[str] = []
    for _ in range(2):
        time.sleep(moments.uniform(0.0, 2.2))
        if seed % 3 == 2:
            _kill_a_step(server, folder)
            continue
        _kill(server)
        server = _serve(folder, "go-on")
        told = _line(server)
        if told[0] == "over":
            break
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and told[:1] != ["over"]:
        told = _line(server)
    assert told[:2] == ["over", "done"]
    server.wait(30)
    assert server.stdout is not None
    server.stdout.close()
    return told[2]


@pytest.fixture(scope="module")
def undisturbed() -> list[str]:
    """The digest of a run that nobody disturbs, once it is known."""
    return []


def _check(folder: Path, seed: int, room: Room, undisturbed: list[str]) -> None:
    if not undisturbed:
        run = room.run(flows.long_work, folder=str(room.folder), seconds=0.0)
        undisturbed.append(run.outputs["Output"]["digest"])
    place = folder / "killed"
    place.mkdir()
    assert _killed_and_finished(place, seed) == undisturbed[0]
    assert set((place / "done").read_text().splitlines()) == LINES
    folders = sorted((place / "work").glob("*/[0-9]*/*"), key=lambda path: int(path.parts[-2]))
    for task in {folder.name for folder in folders}:
        attempts = [folder for folder in folders if folder.name == task]
        finished = [read_result(attempt) is not None for attempt in attempts]
        assert finished == [False] * (len(attempts) - 1) + [True], task


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_what_was_killed_goes_on_where_it_was(
    room: Room, tmp_path: Path, seed: int, undisturbed: list[str]
) -> None:
    _check(tmp_path, seed, room, undisturbed)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3, 18))
def test_what_is_killed_at_thirty_moments_goes_on(
    room: Room, tmp_path: Path, seed: int, undisturbed: list[str]
) -> None:
    _check(tmp_path, seed, room, undisturbed)
