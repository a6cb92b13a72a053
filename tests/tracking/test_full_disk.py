"""On a nearly full disk MLflow's clients may read, and are told why they can't write."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from athanor.testing.server import running_server

RESERVE = 60
V2 = "/api/2.0/mlflow"
TREE = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path, left: int) -> Path:
    """Write a file that leaves so many bytes free."""
    ballast = place / "ballast"
    with ballast.open("wb") as stream:
        while (free := shutil.disk_usage(place).free) > left:
            stream.write(b"\0" * min(1 << 20, free - left))
            stream.flush()
    time.sleep(1.2)  # free space is looked at once a second
    return ballast


def test_reads_go_on_and_writes_are_refused_with_the_reason(small_disk: Path) -> None:
    environ = {"ATHANOR_RESERVE_MB": str(RESERVE)}
    with (
        running_server(small_disk / "workspace", env=environ) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        started = http.post(f"{V2}/runs/create", json={"experiment_id": "0"}).json()
        run = started["run"]["info"]["run_id"]

        def log(key: str) -> httpx.Response:
            body = {"run_id": run, "key": key, "value": 0.5, "timestamp": 1, "step": 0}
            return http.post(f"{V2}/runs/log-metric", json=body)

        assert log("before").status_code == 200
        path = f"{TREE}/0/{run}/artifacts/model/weights.bin"
        assert http.put(path, content=b"weights" * 1000).status_code == 200
        ballast = fill(small_disk, (RESERVE - 10) * 1_000_000)

        def refused(answer: httpx.Response) -> None:
            said: dict[str, Any] = answer.json()
            assert answer.status_code == 507, said
            assert "MB are free" in said["message"], said

        refused(log("meanwhile"))
        refused(http.post(f"{V2}/runs/create", json={"experiment_id": "0"}))
        refused(http.post(f"{V2}/experiments/create", json={"name": "another"}))
        refused(http.post(f"{V2}/registered-models/create", json={"name": "another"}))
        refused(http.put(f"{TREE}/0/{run}/artifacts/more.bin", content=b"x" * 10))
        refused(http.post("/ajax-api/2.0/mlflow/runs/create", json={"experiment_id": "0"}))
        # Reads go on, those that are asked by POST among them.
        got = http.get(f"{V2}/runs/get", params={"run_id": run}).json()["run"]
        assert [metric["key"] for metric in got["data"]["metrics"]] == ["before"]
        found = http.post(f"{V2}/runs/search", json={"experiment_ids": ["0"], "max_results": 10})
        assert [item["info"]["run_id"] for item in found.json()["runs"]] == [run]
        asked = http.post(f"{V2}/experiments/search", json={"max_results": 10})
        assert asked.status_code == 200
        assert http.get(path).content == b"weights" * 1000
        told = http.post("/api/v1/clean", json={"dry_run": True})
        assert told.status_code == 200, told.text
        # And so do writes, once there is room again.
        ballast.unlink()
        time.sleep(1.2)
        assert log("after").status_code == 200
