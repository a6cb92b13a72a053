"""What a request for one prediction costs here, at peers' servers, and without any model.

    python benchmarks/serving.py [--models pipeline,lightgbm,xgboost] [--connections 1,8,32]
        [--seconds 2] [--rounds 2] [--subjects NAME,...] [--peers NAME,...] [--json FILE]

Subjects take turns in one run: our endpoint (token checked, every prediction logged) on the runtime
that passed the proof and on the native one, the peers that have an environment `.venvs/NAME` (see
peers/serving/; the others are named and left out), and two echoes: a raw asyncio protocol that logs
the same bytes, and uvicorn. Each server has one process. Told is the server's CPU in microseconds a
request, requests a second, and the 99th percentile in ms; the machine may be busy, so that
ratios count.

With `--json`, figures are kept after each model, and a run that finds them there goes on after
them: models whose subjects are all there are not measured again, and those of other subjects are
measured and put beside (`--peers ray`, say: ours, the echoes, and that peer).

Wanted: folded at most 2 times the raw echo's CPU; trees at least 20 times, native at 32 connections
at least 15 times the throughput of the best peer, and at 1 no less; p99 below every peer's.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from athanor.kernel.ids import new_id
from athanor.kernel.zygote import HEAVY_MODULES, choose_workers
from athanor.registry import Signature as Trained
from athanor.registry import TrainedModel
from athanor.registry.packaging import load_model
from athanor.registry.packaging.materializer import ModelMaterializer
from athanor.serving.logic.doors import Doors
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.runtimes.compiling import compile_model
from athanor.serving.supervisor import PlaneSettings
from athanor.serving.supervisor.crew import Crew, Post
from athanor.serving.supervisor.planes import Planes
from athanor.serving.types import InputColumn, Signature
from measures.processes import cpu_of, tree
from measures.verdicts import PEER_NAMES, kept
from peers.serving.models import fitted, records, table

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers" / "serving"
ENVIRONMENTS = HERE.parent / ".venvs"
TOKEN = "a-token-that-is-checked"  # noqa: S105 - of a benchmark
START_SECONDS = 240.0
"""After which a peer that does not answer is left out."""
JSON = {"Content-Type": "application/json"}


@dataclass
class Subject:
    """A server under load."""

    name: str
    pid: int
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))
    bodies: list[str] = field(default_factory=list)
    expect: str = '"predict'


@dataclass
class Figures:
    """Of one subject at one number of connections."""

    cpu_us: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    wrong: int = 0


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def bodies_of(kind: str, form: str) -> list[str]:
    """Single-row bodies."""
    rows = records(kind)
    if form == "inputs":
        return [json.dumps({"inputs": [_tensor(*item) for item in row.items()]}) for row in rows]
    return [json.dumps({form: [row]}, separators=(",", ":")) for row in rows]


def _tensor(name: str, value: Any) -> dict[str, Any]:
    text = isinstance(value, str)
    parameters = {"content_type": "str"} if text else {}
    datatype = "BYTES" if text else "FP64"
    return {
        "name": name, "shape": [1], "datatype": datatype, "data": [value], "parameters": parameters
    }  # fmt: skip


@contextmanager
def ours(kind: str, *, compiled: bool) -> Iterator[Subject]:
    """Our plane on a compiled or a native model."""
    workers = choose_workers(preload=HEAVY_MODULES)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frame, _ = table(kind)
        trained = TrainedModel(
            estimator=fitted(kind), example=frame, signature=Trained(target="label", task="")
        )
        ModelMaterializer().save(trained, folder / "model")
        loaded = load_model(folder / "model")
        runtime = {}
        if compiled:
            (folder / "compiled").mkdir()
            report = compile_model(str(folder / "model"), str(folder / "compiled"))
            if report["kind"] == "native":
                raise SystemExit(f"{kind} was not compiled: {report['why_not']}")
            runtime = {"kind": report["kind"], "folder": str(folder / "compiled")}
        signature = Signature(
            columns=tuple(
                InputColumn(name=item.name, type=item.type, required=item.required)
                for item in loaded.signature
            ),
            classes=tuple(loaded.classes),
            target="label",
        )
        settings = PlaneSettings(doors=Doors(tokens=(TOKEN,)))
        planes = Planes(settings, folder, folder / "predictions", folder / "plane.log")
        crew = Crew(workers, folder, folder / "logs", lambda: None)
        planes.start()
        deployment = new_id()
        try:
            if not compiled:
                crew.staff(
                    {deployment: Post(deployment=deployment, folder=lambda: folder / "model")}
                )
                wait_for(lambda: crew.ready(deployment), 300.0)
            target = Target(
                id=deployment, number=1, model="churn", version=1, weight=1.0,
                sockets=[] if compiled else crew.sockets(deployment),
                signature=signature, runtime=runtime,
            )  # fmt: skip
            planes.publish(Table(revision=1, routes=[Route(name="churn", targets=[target])]))
            name = f"athanor {runtime['kind']}" if compiled else "athanor native"
            headers = {"Authorization": f"Bearer {TOKEN}", **JSON}
            port = int(planes.url.rpartition(":")[2])
            subject = Subject(name, 0, port, "/endpoints/churn/predict", headers)
            subject.bodies = bodies_of(kind, "records")
            subject.pid = planes.pids[0]
            subject.expect = '"label"'
            subject.extra = crew.pids(deployment)  # type: ignore[attr-defined]
            yield subject
        finally:
            planes.stop()
            crew.stop()
            workers.close()


@contextmanager
def process(name: str, command: list[str], port: int, **more: Any) -> Iterator[Subject]:
    """A peer's server."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **more.pop("environment", {})}
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
    child = subprocess.Popen(
        command, cwd=PEERS, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    subject = Subject(name, child.pid, port, **more)
    try:
        wait_for(lambda: answers(subject) or child.poll() is not None, START_SECONDS)
        if child.poll() is not None:
            log.seek(0)
            raise RuntimeError(log.read().decode(errors="replace")[-800:])
        yield subject
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        log.close()


def answers(subject: Subject) -> bool:
    """Whether the server answers one request well."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{subject.port}{subject.path}",
        data=subject.bodies[0].encode(),
        headers=subject.headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - of this machine
            return subject.expect.encode() in answer.read()
    except OSError:
        return False


def wait_for(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Return once it is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


def compiled_once(python: Path) -> None:
    """Keep the bytecode of an environment's modules.

    Where PYTHONDONTWRITEBYTECODE is set, or the environment was made without it, each process of a
    peer would compile all that it imports: Ray's and MLServer's take minutes, and are given up.
    """
    if python.exists() and not any(python.parents[1].glob("lib/*/site-packages/*/__pycache__")):
        told = "import sysconfig; print(sysconfig.get_path('purelib'))"
        place = subprocess.run([python, "-c", told], capture_output=True, text=True, check=True)
        command = [str(python), "-m", "compileall", "-q", place.stdout.strip()]
        subprocess.run(command, capture_output=True, check=False)  # some are templates, no modules


def peer(name: str, kind: str) -> contextlib.AbstractContextManager[Subject]:
    """A peer, or an echo."""
    port = free_port()
    python = str(ENVIRONMENTS / name / "bin" / "python")
    compiled_once(Path(python))
    body = bodies_of(kind, "records")
    if name in {"raw echo", "uvicorn echo"}:
        log = str(Path(tempfile.mkdtemp()) / "log")
        command = [sys.executable, "limits.py", name.split(maxsplit=1)[0], str(port), log]
        headers = {"Authorization": f"Bearer {TOKEN}", **JSON}
        return process(name, command, port, path="/predict", bodies=body, headers=headers)
    if name == "mlflow":
        body = bodies_of(kind, "dataframe_records")
        command = [python, "app_mlflow.py", kind, str(port)]
        return process(name, command, port, path="/invocations", bodies=body)
    if name == "mlserver":
        body = bodies_of(kind, "inputs")
        command = [python, "app_mlserver.py", kind, str(port)]
        return process(name, command, port, path="/v2/models/churn/infer", bodies=body)
    if name == "bentoml":
        command = [python, "-m", "bentoml", "serve", "app_bentoml:Churn", "--port", str(port)]
        environment = {"BENCHMARK_KIND": kind, "BENTOML_DO_NOT_TRACK": "1"}
        return process(name, command, port, path="/predict", bodies=body, environment=environment)
    command = [python, f"app_{name}.py", kind, str(port)]
    # Ray asks for a token of its own where it is not told otherwise.
    environment = {"RAY_AUTH_MODE": "disabled"} if name == "ray" else {}
    return process(name, command, port, path="/predict", bodies=body, environment=environment)


def measured(subject: Subject, connections: int, seconds: float, into: Figures) -> None:
    """Put a load on it once."""
    plan = {
        "host": "127.0.0.1", "port": subject.port, "path": subject.path,
        "headers": subject.headers, "bodies": subject.bodies, "connections": connections,
        "seconds": seconds, "expect": subject.expect,
    }  # fmt: skip
    pids = [*tree(subject.pid), *getattr(subject, "extra", [])]
    before = sum(map(cpu_of, pids))
    done = subprocess.run(
        [sys.executable, str(HERE / "measures" / "load.py"), json.dumps(plan)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    spent = sum(map(cpu_of, pids)) - before
    told = json.loads(done.stdout)
    into.wrong += told["wrong"]
    if told["requests"]:
        into.cpu_us.append(spent / told["requests"] * 1e6)
        into.rate.append(told["requests"] / told["seconds"])
        into.p99.append(told["p99"])


def compared(kind: str, names: list[str], plan: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Every subject's figures for one model: by name, then by connections."""
    found: dict[str, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        subjects = []
        for name in names:
            try:
                subjects.append(stack.enter_context(started(name, kind)))
            except (RuntimeError, TimeoutError, OSError) as error:
                print(f"  {name} left out: {str(error).splitlines()[-1:]}", flush=True)
        figures = {s.name: {c: Figures() for c in plan.connections} for s in subjects}
        for _ in range(plan.rounds):
            for connections in plan.connections:
                for subject in subjects:
                    measured(subject, connections, plan.seconds, figures[subject.name][connections])
    for name, by_connections in figures.items():
        found[name] = {str(count): _median(item) for count, item in by_connections.items()}
    return found


def started(name: str, kind: str) -> contextlib.AbstractContextManager[Subject]:
    """The subject of this name."""
    if name in {"compiled", "native"}:
        return ours(kind, compiled=name == "compiled")
    return peer(name, kind)


def measured_before(name: str, found: dict[str, Any]) -> bool:
    """Whether a subject's figures are among these."""
    if name == "compiled":
        return any(item.startswith("athanor ") and item != "athanor native" for item in found)
    return (f"athanor {name}" if name == "native" else name) in found


def _median(item: Figures) -> dict[str, float]:
    return {
        name: statistics.median(values) if values else float("nan")
        for name, values in asdict(item).items()
        if name != "wrong"
    } | {"wrong": item.wrong}


def told(kind: str, found: dict[str, dict[str, Any]]) -> None:
    """Print a table."""
    counts = list(next(iter(found.values())))
    print(f"\n{kind}, single rows, at {'/'.join(counts)} connections")
    print(f"{'':18}{'CPU us a request':>26}{'requests/s':>26}{'p99 ms':>24}  wrong")
    for name, by in found.items():
        cells = [
            "/".join(f"{by[count][column]:.{digits}f}" for count in counts)
            for column, digits in (("cpu_us", 0), ("rate", 0), ("p99", 1))
        ]
        wrong = sum(by[count]["wrong"] for count in counts)
        print(f"{name:18}{cells[0]:>26}{cells[1]:>26}{cells[2]:>24}  {wrong}", flush=True)


def main() -> int:
    """Run; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="pipeline,lightgbm,xgboost")
    parser.add_argument("--connections", default="1,8,32")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--subjects", default="")
    parser.add_argument("--peers", default=",".join(PEER_NAMES))
    parser.add_argument("--json", type=Path)
    plan = parser.parse_args()
    plan.connections = [int(item) for item in plan.connections.split(",")]
    present = [name for name in PEER_NAMES if (ENVIRONMENTS / name / "bin" / "python").exists()]
    for name in sorted(set(PEER_NAMES) - set(present)):
        print(f"{name} left out: it has no environment .venvs/{name}")
    asked = [name for name in present if name in plan.peers.split(",")]
    usual = ["compiled", "native", "raw echo", "uvicorn echo", *asked]
    names = plan.subjects.split(",") if plan.subjects else usual
    everything: dict[str, dict[str, Any]] = {}
    if plan.json and plan.json.exists():
        everything = json.loads(plan.json.read_text())
    broken = []
    for kind in plan.models.split(","):
        found = everything.setdefault(kind, {})
        if any(not measured_before(name, found) for name in names):
            found |= compared(kind, names, plan)
            if plan.json:
                plan.json.write_text(json.dumps(everything, indent=1))
        told(kind, found)
        broken += [f"{kind}: {item}" for item in kept(found)]
    for item in broken:
        print(f"NOT KEPT: {item}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
