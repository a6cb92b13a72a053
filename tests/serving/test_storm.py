"""A thousand requests a second while workers and planes are killed and versions change."""

import asyncio
import json
import os
import random
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from athanor.kernel.database import Database
from athanor.kernel.permissions import OWNER
from athanor.kernel.workers import Workers
from athanor.serving.types import Deploy
from athanor.testing.serving import (
    STUB_DESCRIPTION,
    RunningPlane,
    deployment_ids,
    eventually,
    formula,
    record,
)
from athanor.testing.serving_room import ServingRoom, stub_room

BIASES = {1: 0.0, 2: 1.0, 3: -1.0}
CONNECTIONS = 32
RATE = 1000.0
"""Requests a second, as far as this machine can send them."""


@pytest.fixture
def stubs(tmp_path: Path, sqlite: Database, warm_workers: Workers) -> Iterator[ServingRoom]:
    with stub_room(tmp_path, sqlite, warm_workers) as room:
        for version, bias in BIASES.items():
            folder = tmp_path / f"model{version}"
            folder.mkdir()
            (folder / "bias").write_text(str(bias), "utf-8")
            room.register(folder, "houses", STUB_DESCRIPTION)
        yield room


@dataclass
class Storm:
    """Connections that ask at a steady rate, and what they got."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[str] = field(default_factory=list)
    versions: Counter[int] = field(default_factory=Counter)
    wrong: list[object] = field(default_factory=list)
    refused: list[object] = field(default_factory=list)
    broken: int = 0
    """Requests whose connection went away."""
    reached: int = 0
    """Connections that were made."""

    def run(self) -> None:
        asyncio.run(self._all())

    async def _all(self) -> None:
        await asyncio.gather(*(self._connection(number) for number in range(CONNECTIONS)))

    async def _connection(self, number: int) -> None:
        source = random.Random(number)
        pause = CONNECTIONS / RATE
        while not self.stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.01)
                continue
            self.reached += 1
            due = time.monotonic() + source.random() * pause
            try:
                while not self.stop.is_set():
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    due = max(due + pause, time.monotonic() - pause)
                    await self._ask(reader, writer, source.randrange(1000))
            except (OSError, asyncio.IncompleteReadError):
                self.broken += 1
            finally:
                writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        asked = record(number)
        body = json.dumps({"records": [asked]}).encode()
        head = (
            f"POST /endpoints/houses/predict HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        told = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.partition(":")[2])
            for line in told.split("\r\n")
            if line.lower().startswith("content-length:")
        )
        content = json.loads(await reader.readexactly(length))
        if not told.startswith("HTTP/1.1 200"):
            self.refused.append((told.split("\r\n")[0], content))
            return
        (found,) = content["predictions"]
        version = content["version"]
        if found["score"] != formula(asked["size"], asked["rooms"], BIASES[version]):
            self.wrong.append((asked, content))
        self.acknowledged.append(found["id"])
        self.versions[version] += 1


def kill(pids: list[int], source: random.Random) -> None:
    if pids:
        with suppress(ProcessLookupError):
            os.kill(source.choice(pids), signal.SIGKILL)


def storm(room: ServingRoom, seed: int, rounds: int, pause: Callable[[], float]) -> Storm:
    """Three version changes (or more), with kills between and during them."""
    source = random.Random(seed)
    first = room.endpoints.deploy(OWNER, "houses", Deploy(model="houses@1", replicas=2))
    room.wait_for("houses", 1, "live")
    load = Storm(int(room.supervisor.url().rpartition(":")[2]))
    thread = threading.Thread(target=load.run)
    thread.start()
    killed = 0
    try:
        current = first.id
        for turn in range(rounds):
            version = (2, 3, 1)[turn % 3]
            asked = Deploy(model=f"houses@{version}", replicas=2)
            made = room.endpoints.deploy(OWNER, "houses", asked)
            for victim in source.sample(["worker", "worker", "plane"], 3):
                time.sleep(pause())
                if victim == "plane":
                    kill(room.supervisor.pids["plane"], source)
                    killed += 1
                else:
                    kill(room.supervisor.pids.get(current, []), source)
            room.wait_for("houses", made.number, "live")
            current, before = made.id, load.versions[version]
            assert eventually(lambda v=version, b=before: load.versions[v] > b + 50)  # type: ignore[misc]  # bound now
        time.sleep(pause())
    finally:
        load.stop.set()
        thread.join()
    assert load.wrong == []
    assert load.refused == []
    assert load.broken <= killed * CONNECTIONS
    assert set(load.versions) == {1, 2, 3}
    logged = Counter(
        json.loads(line)["id"]
        for path in room.log.predictions_folder.glob("*.jsonl")
        for line in path.read_bytes().split(b"\n")[:-1]
    )
    assert max(logged.values()) == 1
    assert set(load.acknowledged) - set(logged) == set()
    assert len(set(load.acknowledged)) == len(load.acknowledged)
    assert len(logged) - len(load.acknowledged) <= load.broken
    return load


def test_kills_and_new_versions_cost_no_answer_and_no_row(stubs: ServingRoom) -> None:
    load = storm(stubs, 0, 3, lambda: 0.05)
    assert len(load.acknowledged) > 100


def test_both_ways_of_one_tick_give_ids_and_times_of_now(plane: RunningPlane) -> None:
    plane.route({deployment_ids(1)[0]: 1.0})
    body = json.dumps({"records": [record(1)]}).encode()
    head = f"POST /endpoints/houses/predict HTTP/1.1\r\nHost: 127.0.0.1:{plane.port}\r\n"
    asked = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", plane.port), 30) as client:
        client.sendall(asked * 20)  # the first one is not known yet and takes the long way
        assert eventually(lambda: len(plane.logged()) == 20)
    rows = plane.logged()
    assert {len(row["id"]) for row in rows} == {32}
    assert len({row["id"] for row in rows}) == 20
    assert all(
        abs(datetime.now(UTC) - datetime.fromisoformat(row["predicted_at"])) < timedelta(minutes=5)
        for row in rows
    )


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 8))
def test_kills_and_new_versions_soak(stubs: ServingRoom, seed: int) -> None:
    source = random.Random(seed)
    load = storm(stubs, seed, 9, lambda: source.uniform(0.1, 2.0))
    assert len(load.acknowledged) > 5_000
