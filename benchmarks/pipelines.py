"""Pipelines beside others: a chain of 20 trivial steps, a fan-out of 100, and 20 cached steps.

    python benchmarks/pipelines.py [--many 10000] [--peers .venvs]

CPU is that of the whole process tree, by Linux' own counts, the server's other threads included;
every step of Athanor's is a process of its own with its inputs, outputs, log and lineage written
down. "Above its fork" is what a step takes beyond a fork that only returns: of a zygote with the
same libraries as the steps' own (none, since these are functions of numbers), asked for in the
same way, its parent's work for it and its end included, just before the steps and just after. What
a run costs by itself is taken off: that of a run of one step, done just before; a peer's is the
lesser of two. Linux counts whole hundredths of a second, and other work comes and goes, so each is
done by turns several times. On a busy machine, compare with the CPU of `python -c pass`: it is
12.5 ms on the quiet one that the limits are for. On ext4 without a journal, which some virtual
machines have, each file costs up to half a millisecond while inodes that were freed in the last
minutes are passed over: put TMPDIR elsewhere.

Peers run where `.venvs/<name>` holds them: kfp (`kfp.local`, without a venv a task), metaflow,
prefect and dagster, each by a script in `peers/pipelines/`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import athanor
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.pipelines import Collected, ParallelFor, Pipeline, Submission, pipeline, step
from athanor.pipelines.engines.local import PRELOAD
from athanor.pipelines.ir.text import submitted
from measures.processes import cpu_of, cpu_of_children, tree

HERE = Path(__file__).resolve().parent
ATHANOR = str(Path(sys.executable).with_name("athanor"))
CHAIN, FAN = 20, 100
TURNS, PEERS_TURNS = 5, 2
SETTLE_SECONDS, QUIET_SECONDS = 120.0, 0.1
STEP_MILLISECONDS, WALL_MILLISECONDS, CACHED_SECONDS = 3.0, 20.0, 0.3
ALONE_SECONDS = 1.0
ALONE = """from athanor import pipeline, step


@step
def one(value: int) -> int:
    return value + 1


@pipeline
def alone() -> int:
    return one(1)
"""
_PEERS_SETTINGS = {
    "USERNAME": "bench",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # it gives up on a busy machine
}
PEERS = ("kfp", "metaflow", "prefect", "dagster")


@step
def one(value: int) -> int:
    """One more."""
    return value + 1


@step
def total(values: list[int]) -> int:
    """The sum."""
    return sum(values)


@pipeline
def empty() -> int:
    """One step, to see what a run costs by itself."""
    return one(0)


@pipeline
def chain() -> int:
    """Steps one behind the other."""
    value = one(0)
    for _ in range(CHAIN - 1):
        value = one(value)
    return value


@pipeline
def fan() -> int:
    """Steps side by side."""
    with ParallelFor(list(range(FAN))) as item:
        made = one(item)
    return total(Collected(made))


def fan_of(count: int) -> Pipeline[[], int]:
    """A fan-out of so many tasks."""

    def many() -> int:
        with ParallelFor(list(range(count))) as item:
            made = one(item)
        return total(Collected(made))

    return pipeline(many)


class Server:
    """A server of our own with its processes."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        words = [ATHANOR, "up", "--workspace", str(workspace), "--port", "0", "--detach"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        self.pid = int(json.loads((workspace / "server.json").read_text())["pid"])
        self.client = athanor.connect(workspace=workspace)
        self._settle()

    def _settle(self) -> None:
        """Wait until what it does at its start is done: the heavy libraries load behind it."""
        before, until = -1.0, time.monotonic() + SETTLE_SECONDS
        while (now := self.cpu()) - before > QUIET_SECONDS and time.monotonic() < until:
            before = now
            time.sleep(2.0)

    def cpu(self) -> float:
        """CPU seconds of the server and of all that it started."""
        return sum(cpu_of(pid) for pid in tree(self.pid))

    def run(self, found: Pipeline[Any, Any], *, cache: bool) -> tuple[float, float]:
        """CPU and wall seconds of one run."""
        submission = Submission(**submitted(found.compile()), cache=cache)
        cpu, began = self.cpu(), time.monotonic()
        run = self.client.pipelines.wait(self.client.pipelines.submit(submission).id)
        wall = time.monotonic() - began
        if run.state != "done":
            raise SystemExit(f"{found.name} is {run.state}: {run.error}")
        return self.cpu() - cpu, wall

    def watch(self, found: Pipeline[Any, Any], count: int) -> None:
        """Run many tasks; print what the parts of the run cost each task, and what its page took.

        The page is asked for twice a second, as an open one would be.
        """
        run = self.client.pipelines.submit(Submission(**submitted(found.compile()), cache=False))
        done, cpu, pages = 0, self.cpu(), [0.0]
        began = time.monotonic()
        while run.state in {"waiting", "running"}:
            time.sleep(0.5)
            asked = time.monotonic()
            run = self.client.pipelines.run(run.id, limit=100)
            pages.append(time.monotonic() - asked)
            now = run.counts.get("done", 0)
            if now - done >= count // 5:
                each, cpu = (self.cpu() - cpu) / (now - done) * 1000, self.cpu()
                page = sorted(pages)[len(pages) // 2] * 1000
                passed = time.monotonic() - began
                print(
                    f"athanor {now:>6} tasks done    {each:8.1f} CPU-ms each, page {page:.0f} ms, "
                    f"{passed:.0f} s"
                )
                done, pages = now, [0.0]
        if run.state != "done":
            raise SystemExit(f"{found.name} is {run.state}: {run.error}")

    def close(self) -> None:
        """End it."""
        subprocess.run([ATHANOR, "down", "--workspace", str(self.workspace)], check=False)


def fork_milliseconds(*, light: bool, count: int = 50) -> float:
    """CPU milliseconds of a warm fork that returns at once, the zygote's share included."""
    workers = choose_workers((*HEAVY_MODULES, *PRELOAD))
    target = "athanor.pipelines.engines.local.child:nothing"
    workers.call(target, {}, light=light)
    before = sum(cpu_of(pid) for pid in tree(os.getpid())[1:])
    for _ in range(count):
        workers.spawn(target, {}, light=light, silent=True).wait()
    spent = sum(cpu_of(pid) for pid in tree(os.getpid())[1:]) - before
    workers.close()
    return spent / count * 1000


def step_milliseconds(
    server: Server, found: Pipeline[Any, Any], count: int
) -> tuple[float, float, float]:
    """CPU milliseconds of a step and of a fork, and the step's wall milliseconds."""
    steps = forks = walls = 0.0
    for _ in range(TURNS):
        alone, _ = server.run(empty, cache=False)  # has one step, too
        before = fork_milliseconds(light=True, count=25)
        cpu, wall = server.run(found, cache=False)
        forks += (before + fork_milliseconds(light=True, count=25)) / 2
        steps += (cpu - alone) / (count - 1) * 1000
        walls += wall / count * 1000
    return steps / TURNS, forks / TURNS, walls / TURNS


def spawn_milliseconds(count: int = 20) -> float:
    """CPU milliseconds of `python -c pass`."""
    before = cpu_of_children()
    for _ in range(count):
        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    return (cpu_of_children() - before) / count * 1000


def alone_seconds(folder: Path) -> float:
    """CPU seconds of `athanor pipeline run` of one step without a server, all of it."""
    file = folder / "alone.py"
    file.write_text(ALONE)
    words = [ATHANOR, "--workspace", str(folder / "alone"), "pipeline", "run", str(file)]
    spent = []
    for _ in range(TURNS + 1):  # the first makes the workspace
        before = cpu_of_children()
        subprocess.run([*words, "--no-cache", "--wait", "--json"], check=True, capture_output=True)
        spent.append(cpu_of_children() - before)
    return sorted(spent[1:])[TURNS // 2]


def peer(python: Path, script: Path, shape: str, folder: Path) -> tuple[float, float] | None:
    """CPU and wall seconds of a peer's whole process for one shape; None where it fails."""
    before, began = cpu_of_children(), time.monotonic()
    words = [str(python), "-P", str(script), shape]
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | _PEERS_SETTINGS | {"HOME": str(folder), "PATH": path}
    done = subprocess.run(words, check=False, capture_output=True, cwd=folder, env=env)
    spent = cpu_of_children() - before
    return (spent, time.monotonic() - began) if done.returncode == 0 else None


def measure(many: int) -> bool:
    """Print Athanor's figures; whether they keep what is promised."""
    folder = Path(tempfile.mkdtemp(prefix="athanor-pipelines-"))
    server = Server(folder / "workspace")
    try:
        server.run(empty, cache=False)  # the zygote is warm from here on
        print(f"python -c pass                {spawn_milliseconds():8.1f} CPU-ms")
        print(f"a fork with heavy libraries   {fork_milliseconds(light=False):8.1f} CPU-ms")
        kept = True
        for found, count in ((chain, CHAIN), (fan, FAN + 1)):
            each, fork, walls = step_milliseconds(server, found, count)
            print(
                f"athanor {found.name:<6} {count:>4} steps     {each:8.1f} CPU-ms a step "
                f"({each - fork:.1f} above its fork, which takes {fork:.1f}), {walls:.1f} ms wall"
            )
            kept &= each - fork <= STEP_MILLISECONDS and walls <= WALL_MILLISECONDS
        server.run(chain, cache=True)
        server.run(empty, cache=True)
        bare, _ = server.run(empty, cache=True)
        cached, _ = server.run(chain, cache=True)
        print(f"athanor {CHAIN} cached steps       {cached - bare:8.2f} CPU-s above an empty one")
        kept &= cached - bare <= CACHED_SECONDS
        spent = alone_seconds(folder)
        print(f"athanor    1 step, no server   {spent:7.2f} CPU-s, from the command to its end")
        kept &= spent <= ALONE_SECONDS
        if many:
            server.watch(fan_of(many), many)
        return kept
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def beside(places: Path) -> None:
    """Print the peers' figures."""
    for name in PEERS:
        python, script = (
            places / name / "bin" / "python",
            HERE / "peers" / "pipelines" / f"with_{name}.py",
        )
        if not python.exists():
            print(f"{name:<29} is not in {places / name}")
            continue
        for shape, count in (("chain", CHAIN), ("fan", FAN)):
            with tempfile.TemporaryDirectory() as folder:
                peer(python, script, "one", Path(folder))  # what only the first start does
                turns = [
                    (
                        peer(python, script, "one", Path(folder)),
                        peer(python, script, shape, Path(folder)),
                    )
                    for _ in range(PEERS_TURNS)
                ]
            alone = [fixed for fixed, _ in turns if fixed is not None]
            whole = [found for _, found in turns if found is not None]
            if not alone or not whole:
                print(f"{name} {shape:<22} failed")
                continue
            fixed, found = min(alone), min(whole)
            each = (found[0] - fixed[0]) / (count - 1) * 1000
            walls = (found[1] - fixed[1]) / (count - 1) * 1000
            print(
                f"{name} {shape:<8} {count:>4} steps {each:15.1f} CPU-ms a step, "
                f"{walls:.0f} ms wall, {fixed[0]:.1f} CPU-s to start"
            )


def main() -> int:
    """Measure; 1 where Athanor does not keep its promise."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    words.add_argument("--many", type=int, default=0, help="a run of so many tasks, too")
    words.add_argument("--peers", type=Path, default=HERE.parent / ".venvs")
    given = words.parse_args()
    kept = measure(given.many)
    beside(given.peers)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
