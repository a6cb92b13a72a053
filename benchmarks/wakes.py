"""What the first request costs after an endpoint went to sleep.

    python benchmarks/wakes.py [--times 5] [--json FILE]

A server that runs, two endpoints that sleep after a second without a request: a pipeline that is
compiled (it is loaded inside the data plane, and no process of its own is ever there) and a
scikit-learn model that stays native (its worker is forked from the zygote). Each is left alone
until nothing of it is there, and asked once: the request is held until the model answers. Told are
milliseconds until the answer, what of them was waking, and CPU milliseconds of all the server's
processes meanwhile, those of the new worker among them; the median of all times.

Wanted: the compiled one awake within 20 ms, the native one within 100 ms of CPU, and no request
refused.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

from sklearn.naive_bayes import GaussianNB

import athanor
from athanor.registry import Signature, TrainedModel
from athanor.registry.packaging.materializer import ModelMaterializer
from measures.processes import exact_cpu_of, tree
from peers.serving.models import fitted, records, table

ATHANOR = [sys.executable, "-m", "athanor.app.cli"]
COMPILED_MS, NATIVE_CPU_MS = 20.0, 100.0
KINDS = {"compiled": "pipeline", "native": "numbers"}


def trained(kind: str) -> TrainedModel:
    """A pipeline that folds, or a model that nothing compiles."""
    frame, labels = table(kind)
    estimator = fitted(kind) if kind == "pipeline" else GaussianNB().fit(frame, labels)
    return TrainedModel(
        estimator=estimator, example=frame, signature=Signature(target="label", task="")
    )


class Server:
    """A server with both endpoints."""

    def __init__(self, folder: Path) -> None:
        self._environment = {**os.environ, "ATHANOR_WORKSPACE": str(folder / "workspace")}
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
        self._call("up", "--detach", "--port", port)
        told = json.loads((folder / "workspace" / "server.json").read_text())
        self.pid = told["pid"]
        self._token = told.get("token", "")
        self.address = ""
        self.client = athanor.connect(workspace=folder / "workspace")

    def deploy(self, folder: Path) -> None:
        """Have both endpoints."""
        for name, kind in KINDS.items():
            ModelMaterializer().save(trained(kind), folder / name)
            self._call("model", "import", name, str(folder / name))
            self._call("deploy", name, "--endpoint", name, "--workers", "0..1", "--idle", "1")
        self.address = self.client.endpoints.list()[0].url.rpartition("/endpoints/")[0]

    def status(self, name: str) -> Any:
        """What runs of an endpoint's only deployment."""
        return self.client.deployments.status(name).deployments[0]

    def asked(self, name: str) -> tuple[int, float, float]:
        """Status of the answer to one request, milliseconds, CPU milliseconds."""
        body = json.dumps({"records": records(KINDS[name], 1)}).encode()
        request = urllib.request.Request(  # noqa: S310 - this machine
            f"{self.address}/endpoints/{name}/predict",
            data=body,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        before, began = self._cpu(), time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                answer.read()
                code = int(answer.status)
        except urllib.error.HTTPError as error:
            code = error.code
        passed = (time.perf_counter() - began) * 1e3
        return code, passed, (self._cpu() - before) * 1e3

    def close(self) -> None:
        """Stop it."""
        self._call("down")

    def _cpu(self) -> float:
        return sum(map(exact_cpu_of, tree(self.pid)))

    def _call(self, *words: str) -> None:
        subprocess.run(
            [*ATHANOR, *words], env=self._environment, check=True, stdout=subprocess.DEVNULL
        )


def wait_until(true: Any, seconds: float = 120.0) -> None:
    """Return once it is true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def measured(times: int) -> dict[str, dict[str, Any]]:
    """By endpoint: medians, and how many were refused."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="athanor-wakes-") as folder:
        server = Server(Path(folder))
        try:
            server.deploy(Path(folder))
            for name in KINDS:
                wait_until(lambda name=name: server.client.deployments.status(name).ready)
                told = []
                for _ in range(times):
                    wait_until(lambda name=name: server.status(name).asleep)
                    code, passed, cpu = server.asked(name)
                    status = server.status(name)
                    told.append((code, passed, cpu, (status.cold_start.last_seconds or 0.0) * 1e3))
                found[name] = {
                    "runtime": server.status(name).runtime,
                    "refused": sum(item[0] != 200 for item in told),
                    "answer_ms": median(item[1] for item in told),
                    "cpu_ms": median(item[2] for item in told),
                    "waking_ms": median(item[3] for item in told),
                }
        finally:
            server.close()
    return found


def main() -> int:
    """Run; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", type=Path)
    plan = parser.parse_args()
    found = measured(plan.times)
    for name, item in found.items():
        print(
            f"{name} ({item['runtime']}): answered after {item['answer_ms']:.0f} ms, "
            f"{item['waking_ms']:.1f} ms of them waking; {item['cpu_ms']:.0f} ms of CPU; "
            f"{item['refused']:.0f} refused"
        )
    if plan.json:
        plan.json.write_text(json.dumps(found, indent=1))
    broken = [f"{name}: requests were refused" for name, item in found.items() if item["refused"]]
    if found["compiled"]["waking_ms"] > COMPILED_MS:
        broken.append(f"a compiled model is awake within {COMPILED_MS:g} ms")
    if found["native"]["cpu_ms"] > NATIVE_CPU_MS:
        broken.append(f"a native model is awake within {NATIVE_CPU_MS:g} ms of CPU")
    for line in broken:
        print(f"NOT KEPT: {line}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
