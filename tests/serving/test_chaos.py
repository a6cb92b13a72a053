"""Processes killed under load: no wrong answer, nothing acknowledged lost, nothing doubled."""

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from athanor.kernel.database import Database
from athanor.kernel.ids import new_id
from athanor.kernel.permissions import OWNER
from athanor.kernel.storage import Storage
from athanor.kernel.workers import WorkerDied, Workers
from athanor.serving.log import ServingLog
from athanor.serving.logic.rows import PredictionRow, line
from athanor.serving.segments import SUFFIX, Segment
from athanor.serving.types import Deploy, PredictionQuery
from athanor.testing.serving import (
    Browser,
    RunningPlane,
    deployment_ids,
    eventually,
    formula,
    record,
)
from athanor.testing.serving_room import serving_room
from tests.serving.conftest import Trained, described

CLIENTS = 8


@dataclass
class Load:
    """Clients that ask without a pause, and what they got."""

    plane: RunningPlane
    acknowledged: list[str] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)
    refused: list[bytes] = field(default_factory=list)
    broken: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def client(self, seed: int) -> None:
        source = random.Random(seed)
        browser = Browser(self.plane.port)
        while not self.stop.is_set():
            numbers = [source.randrange(1000) for _ in range(source.choice([1, 1, 1, 5]))]
            try:
                answer = browser.predict([record(number) for number in numbers])
            except (OSError, http.client.HTTPException):
                self.broken += 1
                browser.close()
                continue
            if answer.status != 200:
                self.refused.append(answer.content)
                continue
            found = answer.body["predictions"]
            bias = self.plane.biases.get(answer.body["deployment"], 0.0)
            asked = [record(number) for number in numbers]
            expected = [formula(item["size"], item["rooms"], bias) for item in asked]
            if [item["score"] for item in found] != expected:
                self.wrong.append((expected, found))
            self.acknowledged += [item["id"] for item in found]
        browser.close()

    def check_log(self) -> None:
        logged = Counter(row["id"] for row in self.plane.logged())
        assert max(logged.values()) == 1
        assert set(self.acknowledged) - set(logged) == set()
        assert len(self.acknowledged) == len(set(self.acknowledged)) > 20


@contextmanager
def under_load(plane: RunningPlane) -> Iterator[Load]:
    """Clients and a supervisor's care, until the block ends."""
    load = Load(plane)

    def tend() -> None:
        while not load.stop.wait(0.02):
            plane.tend()

    threads = [threading.Thread(target=load.client, args=(seed,)) for seed in range(CLIENTS)]
    threads.append(threading.Thread(target=tend))
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()


def more(load: Load, count: int) -> None:
    """Wait until so many more rows were acknowledged."""
    goal = len(load.acknowledged) + count
    assert eventually(lambda: len(load.acknowledged) >= goal)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_killed_workers_cost_nobody_an_answer(plane: RunningPlane) -> None:
    (deployment,) = deployment_ids(1)
    plane.route({deployment: 1.0})
    with under_load(plane) as load:
        for _ in range(5):
            more(load, 100)
            kill(plane.crew.pids(deployment)[0])
            more(load, 100)
    assert load.wrong == []
    assert load.refused == []
    assert load.broken == 0
    load.check_log()
    assert len(plane.logged()) == len(load.acknowledged)


def test_a_killed_plane_costs_its_connections_alone(plane: RunningPlane) -> None:
    plane.route({deployment_ids(1)[0]: 1.0})
    with under_load(plane) as load:
        for _ in range(4):
            more(load, 100)
            (pid,) = plane.planes.pids
            kill(pid)
            assert eventually(lambda old=pid: plane.planes.pids not in ([], [old]))  # type: ignore[misc]
            more(load, 50)
    assert load.wrong == []
    assert load.refused == []
    assert 0 < load.broken <= 4 * CLIENTS
    load.check_log()


def test_versions_change_under_load_and_nothing_is_dropped(plane: RunningPlane) -> None:
    first, second, third = deployment_ids(3)
    plane.biases = {first: 0.0, second: 1.0, third: -1.0}
    plane.route({first: 1.0})
    with under_load(plane) as load:
        for shares in (
            {first: 0.9, second: 0.1},
            {first: 0.5, second: 0.5},
            {second: 1.0},
            {second: 0.5, third: 0.5},
            {third: 1.0},
            {first: 1.0},
        ):
            plane.route(shares)
            more(load, 100)
    assert load.wrong == []
    assert load.refused == []
    assert load.broken == 0
    load.check_log()
    assert {row["deployment"] for row in plane.logged()} == {first, second, third}


def test_the_supervisor_restarts_what_is_killed(
    tmp_path: Path, sqlite: Database, warm_workers: Workers, champion: Trained
) -> None:
    with serving_room(tmp_path, sqlite, warm_workers) as room:
        room.register(champion.folder, "churn", described(champion))
        deployment = room.endpoints.deploy(OWNER, "churn", Deploy(model="churn"))
        room.wait_for("churn", 1, "live")
        port = int(room.supervisor.url().rpartition(":")[2])
        expected = champion.model.predict_records(champion.records[:1])[0]["score"]
        acknowledged = set()
        for kind in (deployment.id, "plane", deployment.id):
            kill(room.supervisor.pids[kind][0])
            answer = Browser(port).predict(champion.records[:1], "churn")
            assert answer.status == 200
            assert answer.body["predictions"][0]["score"] == expected
            acknowledged.add(answer.body["predictions"][0]["id"])
        logged = room.endpoints.predictions(OWNER, "churn", PredictionQuery())
        assert {row.id for row in logged} == acknowledged


def row(number: int, endpoint: str = "houses") -> PredictionRow:
    return PredictionRow(
        id=f"{number:032x}",
        request=new_id(),
        predicted_at=datetime.now(UTC),
        endpoint=endpoint,
        deployment="d" * 32,
        model="stub",
        version=1,
        latency=0.001,
        key=str(number),
        features={"size": float(number)},
        label="yes",
        score=0.7,
        probabilities={"no": 0.3, "yes": 0.7},
    )


def write_segment(folder: Path, numbers: range, *, torn: bool = False) -> None:
    """A sealed segment; with `torn`, as a killed writer would leave it."""
    segment = Segment(folder)
    segment.append(b"".join(line(row(number)) for number in numbers))
    if torn:
        segment.append(line(row(999_999))[:-20])
    segment.seal()


def kill_while_compacting(workers: Workers, log: ServingLog, uri: str, wait: float) -> None:
    child = workers.spawn(
        "athanor.serving.compaction:compact",
        {"kind": "predictions", "uri": uri, "folder": str(log.predictions_folder)},
    )
    time.sleep(wait)
    kill(child.pid)
    with suppress(WorkerDied):
        child.result()


def all_rows(log: ServingLog) -> list[int]:
    found = log.query("houses", PredictionQuery(limit=100_000))
    return sorted(int(item.id, 16) for item in found)


def compaction(tmp_path: Path, workers: Workers, seed: int, longest: Callable[[], float]) -> None:
    source = random.Random(seed)
    storage = Storage(str(tmp_path / "storage"), reserve_bytes=0)
    log = ServingLog(tmp_path, storage, workers)
    uri = storage.table_uri("serving_predictions")
    count = 0
    for _ in range(3):
        for _ in range(source.randrange(1, 4)):
            size = source.randrange(1, 300)
            write_segment(
                log.predictions_folder, range(count, count + size), torn=source.random() < 0.3
            )
            count += size
        kill_while_compacting(workers, log, uri, source.random() * longest())
        assert all_rows(log) == list(range(count))
    log.compact()
    assert all_rows(log) == list(range(count))
    assert log.sources()["predictions"]["jsonl"] == []
    assert log.compact() == 0
    for path in log.predictions_folder.glob(f"*{SUFFIX}"):
        os.utime(path, (0, 0))
    log.compact()
    assert list(log.predictions_folder.glob(f"*{SUFFIX}")) == []
    assert all_rows(log) == list(range(count))


@pytest.fixture(scope="session")
def compaction_seconds(tmp_path_factory: pytest.TempPathFactory, warm_workers: Workers) -> float:
    """How long an undisturbed move takes here."""
    folder = tmp_path_factory.mktemp("timing")
    log = ServingLog(folder, Storage(str(folder / "storage"), reserve_bytes=0), warm_workers)
    write_segment(log.predictions_folder, range(300))
    for _ in range(100):
        began = time.monotonic()
        if moved := log.compact():
            assert moved == 300
            return time.monotonic() - began
        time.sleep(0.1)  # a process that was forked while it was written holds it for a moment
    raise AssertionError("the segment was never free")


@pytest.mark.parametrize("seed", range(3))
def test_segments_move_exactly_once_though_the_mover_is_killed(
    tmp_path: Path, warm_workers: Workers, compaction_seconds: float, seed: int
) -> None:
    compaction(tmp_path, warm_workers, seed, lambda: compaction_seconds * 1.2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3, 40))
def test_segments_move_exactly_once_soak(
    tmp_path: Path, warm_workers: Workers, compaction_seconds: float, seed: int
) -> None:
    compaction(tmp_path, warm_workers, seed, lambda: compaction_seconds * 1.2)


def test_two_movers_at_once_move_once(tmp_path: Path, warm_workers: Workers) -> None:
    storage = Storage(str(tmp_path / "storage"), reserve_bytes=0)
    log = ServingLog(tmp_path, storage, warm_workers)
    for start in range(0, 500, 50):
        write_segment(log.predictions_folder, range(start, start + 50))
    moved: list[int] = []
    threads = [threading.Thread(target=lambda: moved.append(log.compact())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moved) == 500
    assert all_rows(log) == list(range(500))
