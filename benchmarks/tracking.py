"""Tracking beside MLflow's own server: the same requests to both, in turns, in one run.

    python benchmarks/tracking.py [--mlflow .venvs/mlflow] [--rounds 3] [--seconds 4] [--many 50000]

Both keep SQLite, each by its defaults; Athanor answers a write once it survives a power cut (WAL,
synchronous FULL). The two stand side by side, and are asked one after the other in each round; of
the rounds the median counts. The load comes from a process of its own with raw sockets
(peers/load.py). Where no environment with MLflow is, the figures are Athanor's alone, and nothing
is judged but the 50,000 runs.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from measures.processes import cpu_of, megabytes_of, tree

HERE = Path(__file__).resolve().parent
ATHANOR = str(Path(sys.executable).with_name("athanor"))
API = "/api/2.0/mlflow"
PATIENCE_SECONDS = 600
POINTS = 50_000
MODELS = ("gbm", "linear", "mlp")
CREATE = '{"experiment_id": "%s", "start_time": 1700000000000}'
NEXT_PAGE = re.compile(rb'"next_page_token": *"([^"]+)"')
MANY_MILLISECONDS = 300


@dataclass(slots=True)
class Peer:
    """A server under measurement."""

    name: Literal["athanor", "mlflow"]
    port: int
    process: subprocess.Popen[bytes]
    start: dict[str, float]
    experiments: dict[str, str] = field(default_factory=dict)
    """By name: `small` with those that are searched, `scratch` for what is written."""
    run: str = ""
    """The run that points go to."""
    history: str = ""
    steps: int = 0

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """One request on a connection of its own; the answer's bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            return asked(connection, method, path, body)

    def load(self, **order: Any) -> dict[str, Any]:
        """Have the load's own process carry an order out."""
        done = subprocess.run(
            [sys.executable, str(HERE / "peers" / "load.py")],
            input=json.dumps({"host": "127.0.0.1", "port": self.port} | order),
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE_SECONDS * 2,
        )
        if done.returncode:
            message = f"{self.name}: {done.stderr[-2000:]}"
            raise RuntimeError(message)
        return dict(json.loads(done.stdout))


@dataclass(frozen=True, slots=True)
class Figure:
    """What is measured, and how many times better it is wanted to be."""

    name: str
    unit: Literal["requests/s", "ms", "CPU s", "MB", "processes"]
    wanted: float | None
    measure: Callable[[Peer, float], float]

    def ratio(self, ours: float, theirs: float) -> float:
        """How many times better ours is."""
        return ours / theirs if self.unit == "requests/s" else theirs / ours


def main() -> int:
    """Measure, tell; 1 when something wanted was not reached."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description="Measure tracking beside MLflow's server.")
    parser.add_argument("--mlflow", type=Path, default=HERE.parent / ".venvs" / "mlflow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--runs", type=int, default=5_000, help="runs that are searched")
    parser.add_argument("--many", type=int, default=50_000, help="runs in the big experiment")
    parser.add_argument("--alone", action="store_true", help="without MLflow's server")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="athanor-tracking-") as folder:
        compared = not given.alone and (given.mlflow / "bin" / "mlflow").exists()
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(athanor(Path(folder), given.runs))]
            if compared:
                peers.append(stack.enter_context(mlflow(Path(folder), given.mlflow, given.runs)))
            else:
                print(f"no MLflow server at {given.mlflow}: Athanor's figures alone")
            missed = tell(peers, given.rounds, given.seconds)
            return int(missed | tell_many(peers[0], given.many))


def tell(peers: list[Peer], rounds: int, seconds: float) -> bool:
    """Measure and print each figure; whether one was missed."""
    missed = False
    for figure in FIGURES:
        values: dict[str, list[float]] = {peer.name: [] for peer in peers}
        for turn in range(rounds):
            for peer in peers if turn % 2 == 0 else reversed(peers):
                values[peer.name].append(figure.measure(peer, seconds))
        medians = {name: statistics.median(found) for name, found in values.items()}
        line = ", ".join(f"{name} {value:,.1f}" for name, value in medians.items())
        spread = ", ".join(
            f"{name} {min(found):,.1f} to {max(found):,.1f}" for name, found in values.items()
        )
        if len(peers) > 1:
            ratio = figure.ratio(medians["athanor"], medians["mlflow"])
            fell_short = figure.wanted is not None and ratio < figure.wanted
            missed |= fell_short
            line += f": {ratio:,.1f} times better"
            if figure.wanted is not None:
                line += f", wanted {figure.wanted:g}" + (" (NOT REACHED)" if fell_short else "")
        print(f"{figure.name} [{figure.unit}]: {line} ({spread})", flush=True)
    return missed


def tell_many(peer: Peer, count: int) -> bool:
    """The first filtered page among many runs; whether it took too long."""
    if not count:
        return False
    experiment = created_experiment(peer, "many")
    took = fill(peer, experiment, made_runs(count, seed=3))
    found = searched(peer, experiment, **FILTERED, repeat=5)
    line = f"athanor {found:,.1f}, wanted {MANY_MILLISECONDS}"
    late = found > MANY_MILLISECONDS
    print(f"first filtered page among {count:,} runs [ms]: {line}" + " (NOT REACHED)" * late)
    print(f"(those runs with 3 metrics, 4 params, 2 tags each were written in {took:,.1f} s)")
    return late


# --- what is measured ----------------------------------------------------------------------------


def log_metric(peer: Peer, seconds: float, *, clients: int = 4) -> float:
    """Single points a second; each is there afterwards."""
    if not peer.run:
        peer.run = created_run(peer)
    key = f"loss_{peer.steps}"
    peer.steps += 1
    body = f'{{"run_id": "{peer.run}", "key": "{key}", "value": 0.5, "timestamp": 17, "step": @n}}'
    done = peer.load(path=f"{API}/runs/log-metric", body=body, clients=clients, seconds=seconds)
    kept = history_of(peer, peer.run, key)
    assert kept == done["done"], f"{peer.name} answered {done['done']} points and kept {kept}"
    return float(done["done"] / done["seconds"])


def log_metric_alone(peer: Peer, seconds: float) -> float:
    """The same by one client."""
    return log_metric(peer, seconds, clients=1)


def log_batch(peer: Peer, seconds: float) -> float:
    """Milliseconds of a batch of 1,000 points."""
    del seconds
    if not peer.history:
        peer.history = created_run(peer)
    took = []
    for batch in range(5):
        took += batches(peer, created_run(peer), f"m{batch}_", points=1_000)
    return statistics.median(took)


def create_run(peer: Peer, seconds: float) -> float:
    """Runs a second by 4 clients."""
    body = CREATE % peer.experiments["scratch"]
    done = peer.load(path=f"{API}/runs/create", body=body, clients=4, seconds=seconds)
    return float(done["done"] / done["seconds"])


def search_newest(peer: Peer, seconds: float) -> float:
    """Milliseconds of the newest 100 runs."""
    del seconds
    return searched(peer, peer.experiments["small"], max_results=100)


def search_filtered(peer: Peer, seconds: float) -> float:
    """Milliseconds of 100 runs, filtered and ordered."""
    del seconds
    return searched(peer, peer.experiments["small"], **FILTERED)


def search_page(peer: Peer, seconds: float) -> float:
    """Milliseconds of an ordered page of 1,000 runs."""
    del seconds
    return searched(
        peer, peer.experiments["small"], order_by=["metrics.acc DESC"], max_results=1_000
    )


def history(peer: Peer, seconds: float) -> float:
    """Milliseconds of 50,000 points, page by page as clients ask for them."""
    del seconds
    if not peer.history:
        peer.history = created_run(peer)
    if history_of(peer, peer.history, "long") < POINTS:
        batches(peer, peer.history, "long", points=POINTS)
    began = time.perf_counter()
    assert history_of(peer, peer.history, "long") == POINTS
    return (time.perf_counter() - began) * 1000


FILTERED: dict[str, Any] = {
    "filter": "metrics.acc > 0.5 AND params.model = 'gbm'",
    "order_by": ["metrics.acc DESC"],
    "max_results": 100,
}
FIGURES = (
    Figure("log-metric, 4 clients", "requests/s", 30, log_metric),
    Figure("log-metric, 1 client", "requests/s", None, log_metric_alone),
    Figure("log-batch of 1,000 metrics", "ms", 20, log_batch),
    Figure("create-run, 4 clients", "requests/s", 20, create_run),
    Figure("newest 100 runs", "ms", None, search_newest),
    Figure("filtered and ordered 100 runs", "ms", 20, search_filtered),
    Figure("ordered page of 1,000 runs", "ms", 20, search_page),
    Figure("history of 50,000 points", "ms", 10, history),
    Figure("start until idle", "CPU s", 5, lambda peer, _: peer.start["cpu"]),
    Figure("memory once idle (PSS)", "MB", 5, lambda peer, _: peer.start["memory"]),
    Figure("processes", "processes", None, lambda peer, _: peer.start["processes"]),
)


# --- requests ------------------------------------------------------------------------------------


def asked(connection: http.client.HTTPConnection, method: str, path: str, body: Any) -> bytes:
    """One request on a connection that stays; the answer's bytes. A text is sent as it is."""
    content = body if body is None or isinstance(body, str) else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    read = answer.read()
    if answer.status != 200:
        message = f"{method} {path}: {answer.status} {read[:500]!r}"
        raise RuntimeError(message)
    return read


def created_experiment(peer: Peer, name: str) -> str:
    """A new experiment's id."""
    made = peer.ask("POST", f"{API}/experiments/create", {"name": name})
    return str(json.loads(made)["experiment_id"])


def created_run(peer: Peer) -> str:
    """A new run's id."""
    made = peer.ask("POST", f"{API}/runs/create", {"experiment_id": peer.experiments["scratch"]})
    return str(json.loads(made)["run"]["info"]["run_id"])


def batches(peer: Peer, run: str, key: str, *, points: int) -> list[float]:
    """Log points of one key, 1,000 a request; the milliseconds that each took."""
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        for first in range(0, points, 1_000):
            metrics = [
                {"key": key, "value": step / 7, "timestamp": 1700000000000 + step, "step": step}
                for step in range(first, first + 1_000)
            ]
            content = json.dumps({"run_id": run, "metrics": metrics})
            began = time.perf_counter()
            asked(connection, "POST", f"{API}/runs/log-batch", content)
            took.append((time.perf_counter() - began) * 1000)
    return took


def history_of(peer: Peer, run: str, key: str) -> int:
    """Read a metric's points, 25,000 a page; how many there were."""
    path = f"{API}/metrics/get-history?run_id={run}&metric_key={key}&max_results=25000"
    token, count = "", 0
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        while True:
            page = asked(connection, "GET", f"{path}&page_token={token}" if token else path, None)
            count += page.count(b'"timestamp"')
            found = NEXT_PAGE.search(page)
            if found is None:
                return count
            token = found[1].decode()


def searched(peer: Peer, experiment: str, *, repeat: int = 5, **asks: Any) -> float:
    """The median milliseconds of a search that finds a full page."""
    body = {"experiment_ids": [experiment]} | asks
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        for _ in range(repeat):
            began = time.perf_counter()
            page = asked(connection, "POST", f"{API}/runs/search", body)
            took.append((time.perf_counter() - began) * 1000)
    found = len(json.loads(page)["runs"])
    assert found == asks["max_results"], f"{peer.name} found {found} runs"
    return statistics.median(took)


def made_runs(count: int, *, seed: int) -> list[dict[str, Any]]:
    """Runs as a search for settings leaves them, by a fixed seed."""
    dice = random.Random(seed)
    return [
        {
            "run_id": f"{dice.getrandbits(128):032x}",
            "start_time": 1700000000000 + number * 1000,
            "metrics": {name: dice.random() for name in ("acc", "loss", "f1")},
            "params": {
                "model": dice.choice(MODELS),
                "lr": str(dice.choice([0.1, 0.01, 0.001])),
                "depth": str(dice.randrange(2, 12)),
                "seed": str(number),
            },
            "tags": {"team": dice.choice(["red", "blue"]), "mlflow.runName": f"run-{number}"},
        }
        for number in range(count)
    ]


def fill(peer: Peer, experiment: str, runs: list[dict[str, Any]]) -> float:
    """Write runs through the API; the seconds that it took."""
    bodies = []
    for run in runs:
        batch: dict[str, Any] = {"run_id": "@run"}
        batch["metrics"] = [
            {"key": key, "value": value, "timestamp": run["start_time"], "step": 0}
            for key, value in run["metrics"].items()
        ]
        for kind in ("params", "tags"):
            batch[kind] = [{"key": key, "value": value} for key, value in run[kind].items()]
        create = {"experiment_id": experiment, "start_time": run["start_time"]}
        bodies.append((json.dumps(create), json.dumps(batch)))
    done = peer.load(
        clients=8, create=f"{API}/runs/create", batch=f"{API}/runs/log-batch", runs=bodies
    )
    return float(done["seconds"])


# --- servers -------------------------------------------------------------------------------------


@contextlib.contextmanager
def athanor(folder: Path, runs: int) -> Iterator[Peer]:
    """Ours on a fresh workspace, with runs to search."""
    port = free_port()
    workspace = folder / "workspace"
    command = [ATHANOR, "up", "--port", str(port), "--workspace", str(workspace)]
    with served("athanor", command, port, folder) as peer:
        peer.experiments["small"] = created_experiment(peer, "small")
        fill(peer, peer.experiments["small"], made_runs(runs, seed=1))
        yield peer


@contextlib.contextmanager
def mlflow(folder: Path, environment: Path, runs: int) -> Iterator[Peer]:
    """MLflow's server by its defaults, its database filled with the same runs."""
    port = free_port()
    url = f"sqlite:///{folder}/mlflow.db"
    made = subprocess.run(
        [str(environment / "bin" / "python"), str(HERE / "peers" / "mlflow_store.py"), url],
        input=json.dumps([{"name": "small", "runs": made_runs(runs, seed=1)}]),
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
        cwd=folder,
    )
    if made.returncode:
        raise RuntimeError(made.stderr[-2000:])
    command = [str(environment / "bin" / "mlflow"), "server", "--port", str(port)]
    command += ["--backend-store-uri", url]
    with served("mlflow", command, port, folder) as peer:
        peer.experiments |= json.loads(made.stdout)
        yield peer


@contextlib.contextmanager
def served(
    name: Literal["athanor", "mlflow"], command: list[str], port: int, folder: Path
) -> Iterator[Peer]:
    """A server from its start until the block ends."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        start = settled(process, port)
        peer = Peer(name=name, port=port, process=process, start=start)
        peer.experiments["scratch"] = created_experiment(peer, "scratch")
        yield peer
    except (RuntimeError, OSError):
        print((folder / f"{name}.log").read_text(errors="replace")[-3000:], file=sys.stderr)
        raise
    finally:
        processes = tree(process.pid)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        for pid in processes:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder / "workspace", ignore_errors=True)


def settled(process: subprocess.Popen[bytes], port: int) -> dict[str, float]:
    """CPU seconds and memory of all processes, once the server answers and is quiet."""
    began = time.monotonic()
    healthy, quiet, before = False, 0, 0.0
    while quiet < 3:
        if process.poll() is not None or time.monotonic() - began > PATIENCE_SECONDS:
            message = f"the server on port {port} did not come up"
            raise RuntimeError(message)
        time.sleep(1)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.closing(connection):
                connection.request("GET", "/health")
                healthy |= connection.getresponse().status == 200
        now = sum(map(cpu_of, tree(process.pid)))
        quiet = quiet + 1 if healthy and now - before < 0.1 else 0
        before = now
    processes = tree(process.pid)
    return {
        "cpu": sum(map(cpu_of, processes)),
        "memory": sum(map(megabytes_of, processes)),
        "processes": len(processes),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
