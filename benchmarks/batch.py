"""How many rows a second a batch predicts, beside `mlflow models predict`.

    python benchmarks/batch.py [--rows 1000000] [--rounds 1] [--json FILE] [--kill]

The same model (15 mixed columns, logistic regression) and the same CSV file, in turns. Ours is
`athanor batch run` against a server that runs: the command's start, sending the file, predicting,
and the dataset version that comes of it, profiled and checked. MLflow's is its command with
`--env-manager local`. Told are seconds as they pass, and CPU seconds of all processes, which say
more on a busy machine; and each without its start, which is what a run of 1,000 rows takes.

`--kill` has the same file predicted once more, kills the server and its workers when half of the
chunks are done, starts it again and waits: the version that comes of it must have the digest of the
one that nobody disturbed, over every value of every row in their order.

Wanted: at least 5 times MLflow's rows a second. Each ratio says whether it reaches that; the run is
kept where the clock or CPU seconds do, since the clock says little on a busy machine.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from measures.processes import cpu_of, tree

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers" / "serving"
MLFLOW = HERE.parent / ".venvs" / "mlflow" / "bin" / "python"
ATHANOR = [sys.executable, "-m", "athanor.app.cli"]
RATIO = 5.0
FEW = 1_000
CHUNK_ROWS = "250000"
_PATIENCE_SECONDS = 3_600.0


def made(folder: Path, rows: int) -> None:
    """The model, saved by MLflow, and the files."""
    subprocess.run(
        [str(MLFLOW), "prepare_batch.py", str(folder), str(rows), str(FEW)], cwd=PEERS, check=True
    )


def children_cpu() -> float:
    """CPU seconds of processes that this one waited for."""
    spent = os.times()
    return spent.children_user + spent.children_system


class Ours:
    """A server that runs, and the command."""

    name = "athanor"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, "ATHANOR_WORKSPACE": str(folder / "workspace")}
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self._port = str(taken.getsockname()[1])
        self._start()
        self._call("model", "import", "churn", str(folder / "model"))
        self._call("model", "allow-pickle", "churn")
        # The first batch waits for the libraries that a server loads once.
        self.predict("few.csv")

    def predict(self, file: str) -> tuple[float, float]:
        """Seconds, and CPU seconds."""
        before, began = self._cpu(), time.perf_counter()
        path = str(self._folder / file)
        self._call("batch", "run", "churn@1", "--to", "scores", "--file", path,
                   "--only-predictions", "--json")  # fmt: skip
        return time.perf_counter() - began, self._cpu() - before

    def killed(self, file: str, chunks: int) -> dict[str, Any]:
        """The dataset version of a batch whose server is killed after so many chunks.

        Raises: RuntimeError: it failed.
        """
        began = self._told("batch", "run", "churn@1", "--to", "again", "--only-predictions",
                           "--chunk-rows", CHUNK_ROWS, "--file", str(self._folder / file),
                           "--no-wait")  # fmt: skip
        place = self._folder / "workspace" / "work" / "batches" / began["id"]
        while len(done := [*place.glob("chunk-*.parquet")]) < chunks:
            time.sleep(0.005)
        for pid in tree(self._pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        print(f"killed with {len(done)} chunks done")
        time.sleep(1.0)
        self._start()
        end = time.monotonic() + _PATIENCE_SECONDS
        while (found := self._told("batch", "show", began["id"]))["state"] != "done":
            if found["state"] == "failed" or time.monotonic() > end:
                raise RuntimeError(found)
            time.sleep(1.0)
        print(f"{found['rows_done']:,} rows after {found['attempts']} attempts")
        return self.version("again")

    def version(self, dataset: str) -> dict[str, Any]:
        """The latest version of a dataset."""
        found: dict[str, Any] = self._told("data", "show", dataset)["version"]
        return found

    def close(self) -> None:
        """Stop the server."""
        self._call("down")

    def _start(self) -> None:
        self._call("up", "--detach", "--port", self._port)
        self._pid = json.loads((self._folder / "workspace" / "server.json").read_text())["pid"]

    def _told(self, *words: str) -> dict[str, Any]:
        said = subprocess.run(
            [*ATHANOR, *words, "--json"], env=self._environment, check=True, capture_output=True
        )
        told: dict[str, Any] = json.loads(said.stdout)
        return told

    def _cpu(self) -> float:
        # Workers that ended count with the zygote, their parent.
        return children_cpu() + sum(map(cpu_of, tree(self._pid)))

    def _call(self, *words: str) -> None:
        subprocess.run(
            [*ATHANOR, *words], env=self._environment, check=True, stdout=subprocess.DEVNULL
        )


class Mlflow:
    """`mlflow models predict`."""

    name = "mlflow"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def predict(self, file: str) -> tuple[float, float]:
        """Seconds, and CPU seconds."""
        before, began = children_cpu(), time.perf_counter()
        subprocess.run(
            [str(MLFLOW), "-m", "mlflow", "models", "predict", "-m", "model", "-i", file,
             "-t", "csv", "-o", "answers.json", "--env-manager", "local"],
            cwd=self._folder, check=True, capture_output=True,
            env={**os.environ, "PATH": f"{MLFLOW.parent}:{os.environ['PATH']}"},
        )  # fmt: skip
        return time.perf_counter() - began, children_cpu() - before

    def close(self) -> None:
        """Nothing runs."""


def check_killed(ours: Ours, rows: int) -> None:
    """Return if a batch that is killed in its midst makes what an undisturbed one makes.

    Raises: AssertionError.
    """
    made = ours.version("scores")
    again = ours.killed("rows.csv", max(1, rows // int(CHUNK_ROWS) // 2))
    if (again["rows"], again["digest"]) != (rows, made["digest"]):
        raise AssertionError(again, made)
    print(f"killed once: {rows:,} rows, {again['digest']}: every row once, as undisturbed")


def measured(folder: Path, plan: argparse.Namespace) -> dict[str, dict[str, float]]:
    """By subject: seconds and CPU seconds of the whole file and of a few rows."""
    found: dict[str, dict[str, list[float]]] = {}
    ours = Ours(folder)
    subjects: list[Ours | Mlflow] = [ours, Mlflow(folder)]
    try:
        for _ in range(plan.rounds):
            for subject in subjects:
                mine = found.setdefault(subject.name, {})
                for name in ("few", "rows"):
                    seconds, cpu = subject.predict(f"{name}.csv")
                    mine.setdefault(f"{name}_seconds", []).append(seconds)
                    mine.setdefault(f"{name}_cpu", []).append(cpu)
        if plan.kill:
            check_killed(ours, plan.rows)
    finally:
        for subject in subjects:
            subject.close()
    return {
        name: {key: median(values) for key, values in item.items()} for name, item in found.items()
    }


def told(found: dict[str, dict[str, float]], rows: int) -> dict[str, float]:
    """Print the table; the ratios."""
    print(f"{rows:,} rows of CSV      {'rows/s':>12}{'CPU s':>8}   without the start: CPU s")
    for name, item in found.items():
        print(
            f"{name:22}{rows / item['rows_seconds']:12,.0f}{item['rows_cpu']:8.2f}"
            f"{item['rows_cpu'] - item['few_cpu']:12.2f}"
        )
    mine, its = found["athanor"], found["mlflow"]
    return {
        "rows a second": its["rows_seconds"] / mine["rows_seconds"],
        "CPU": its["rows_cpu"] / mine["rows_cpu"],
        "CPU without the start": (its["rows_cpu"] - its["few_cpu"])
        / (mine["rows_cpu"] - mine["few_cpu"]),
    }


def main() -> int:
    """Run; 1 when the promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kill", action="store_true")
    plan = parser.parse_args()
    if not MLFLOW.exists():
        print("left out: MLflow has no environment .venvs/mlflow")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="athanor-batch-benchmark-"))
    try:
        made(folder, plan.rows)
        found: dict[str, Any] = measured(folder, plan)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ratios = told(found, plan.rows)
    for name, ratio in ratios.items():
        reached = "at least" if ratio >= RATIO else "short of"
        print(f"  {name}: {ratio:.1f} times mlflow's, {reached} {RATIO:g}")
    if plan.json:
        plan.json.write_text(json.dumps({"figures": found, "ratios": ratios}, indent=1))
    if max(ratios["rows a second"], ratios["CPU"]) < RATIO:
        print(f"NOT KEPT: {RATIO:g} times mlflow's rows a second")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
