"""Serving for tests: a runtime without libraries, running planes and workers, browsers."""

import http.client
import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from athanor.kernel.ids import new_id
from athanor.kernel.workers import Workers
from athanor.serving.errors import ModelUnloadable
from athanor.serving.logic.frames import Hello, Reply
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.logic.signature import Row
from athanor.serving.runtimes.serving import serve
from athanor.serving.store import EndpointStore
from athanor.serving.supervisor import (
    PlaneSettings,
)
from athanor.serving.supervisor.crew import Crew, Post
from athanor.serving.supervisor.planes import Planes
from athanor.serving.types import (
    Canary,
    CanaryPlan,
    CanaryStep,
    Deployment,
    Endpoint,
    InputColumn,
    Signature,
)

SIGNATURE = Signature(
    columns=(
        InputColumn(name="size", type="double"),
        InputColumn(name="rooms", type="long", required=False),
        InputColumn(name="mood", type="string"),
    ),
    classes=("no", "yes"),
    target="sold",
    positive=1,
)
"""What the stub reads."""
STUB_DESCRIPTION = {
    "flavor": "stub",
    "inputs": [
        {"name": item.name, "type": item.type, "required": item.required}
        for item in SIGNATURE.columns
    ],
    "classes": list(SIGNATURE.classes),
    "target": SIGNATURE.target,
    "positive": "yes",
    "task": "classification",
}
"""What a stub's folder is registered with."""
STUB = "athanor.testing.serving:stub_main"
_READY_SECONDS = 60.0
_WHEN = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


class StubRuntime:
    """Answers by a formula. A mood of `raise` fails, `die` ends the process, `slow` takes 0.2 s."""

    def __init__(self, bias: float) -> None:
        self.hello = Hello(["no", "yes"], "whole")
        self._bias = bias

    def predict(self, rows: list[Row]) -> Reply:
        """The formula for each row.

        Raises: ValueError where a mood says so.
        """
        labels, numbers = [], []
        for size, rooms, mood in rows:
            if mood == "raise":
                message = "this row can't be predicted"
                raise ValueError(message)
            if mood == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if mood == "slow":
                time.sleep(0.2)
            chance = formula(size, rooms, self._bias)
            labels.append(int(chance > 0.5))
            numbers += [1.0 - chance, chance]
        return Reply(labels, np.asarray(numbers, "<f8").tobytes())


def formula(size: float | None, rooms: int | None, bias: float = 0.0) -> float:
    """What the stub answers as the probability of `yes`."""
    return 1.0 / (1.0 + math.exp(-(0.1 * (size or 0.0) - 0.3 * (rooms or 0) + bias)))


def stub_main(folder: str, path: str) -> None:
    """A worker of the stub; `folder` holds a file `bias` or is empty.

    Raises: ModelUnloadable where it holds a file `refuse`, for the reason in it; RuntimeError where
    it holds a file `fail`.
    """
    if (Path(folder) / "fail").exists():
        message = "its library is too old"
        raise RuntimeError(message)
    bias, refused = Path(folder) / "bias", Path(folder) / "refuse"
    if refused.exists():
        raise ModelUnloadable(Path(folder).name, refused.read_text("utf-8"))
    serve(StubRuntime(float(bias.read_text("utf-8")) if bias.exists() else 0.0), path)


def record(number: int, mood: str = "calm") -> dict[str, Any]:
    """The stub's input of this number."""
    return {"size": number * 0.37 - 20.0, "rooms": number % 7, "mood": mood}


@dataclass(slots=True)
class RunningPlane:
    """A plane with stub workers, without a database."""

    planes: Planes
    crew: Crew
    folder: Path
    predictions: Path
    revision: int = 0
    posts: dict[str, Post] = field(default_factory=dict)
    biases: dict[str, float] = field(default_factory=dict)
    """What each deployment adds in its formula."""

    @property
    def port(self) -> int:
        """The plane's TCP port on loopback."""
        return int(self.planes.url.rpartition(":")[2])

    def route(
        self,
        shares: Mapping[str, float],
        *,
        key: str = "",
        name: str = "houses",
        version: int = 0,
    ) -> None:
        """Serve the endpoint from these deployments (id to share); their workers are up.

        All are of this version of the model; of 1, 2, 3 ... where it is 0.
        """
        posts = {
            item: Post(deployment=item, folder=partial(self._model, item), target=STUB)
            for item in shares
        }
        # Those that leave are staffed until the planes know of it.
        self.crew.staff(posts | self.posts)
        assert eventually(lambda: all(self.crew.ready(item) for item in shares))
        self.revision += 1
        targets = [
            Target(
                id=item,
                number=place + 1,
                model="stub",
                version=version or place + 1,
                weight=share,
                sockets=self.crew.sockets(item),
                signature=SIGNATURE,
            )
            for place, (item, share) in enumerate(shares.items())
        ]
        routes = [Route(name=name, targets=targets, key=key)]
        self.planes.publish(Table(revision=self.revision, routes=routes))
        self.posts = posts
        self.crew.staff(posts)

    def _model(self, deployment: str) -> Path:
        folder = self.folder / "models" / deployment
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bias").write_text(str(self.biases.get(deployment, 0.0)), "utf-8")
        return folder

    def tend(self) -> None:
        """What the supervisor does on each look."""
        self.planes.tend()
        self.crew.tend()

    def logged(self) -> list[dict[str, Any]]:
        """Every whole row of the log."""
        return [
            json.loads(line)
            for path in sorted(self.predictions.glob("*.jsonl"))
            for line in path.read_bytes().split(b"\n")[:-1]
        ]


@contextmanager
def running_plane(
    folder: Path, workers: Workers, settings: PlaneSettings | None = None
) -> Iterator[RunningPlane]:
    """A plane and stub workers; both end with the block."""
    predictions = folder / "predictions"
    planes = Planes(settings or PlaneSettings(), folder, predictions, folder / "plane.log")
    crew = Crew(workers, folder, folder / "logs", lambda: None)
    planes.start()
    try:
        yield RunningPlane(planes, crew, folder, predictions)
    finally:
        planes.stop()
        crew.stop()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the plane answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The content as JSON."""
        return json.loads(self.content)


class Browser:
    """A keep-alive connection to a plane."""

    opened: ClassVar[list["Browser"]] = []
    """Every one of this process, for a fixture that closes them."""

    def __init__(self, port: int, timeout: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.opened.append(self)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send one request; a body that is no bytes goes as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        self._connection.request(method, path, data, dict(headers or {}))
        answer = self._connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return HttpAnswer(answer.status, told, answer.read())

    def predict(
        self, records: Sequence[Mapping[str, Any]], name: str = "houses", **headers: str
    ) -> HttpAnswer:
        """Ask for predictions; headers are given with _ for -."""
        named = {header.replace("_", "-"): value for header, value in headers.items()}
        return self.send("POST", f"/endpoints/{name}/predict", {"records": [*records]}, named)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def eventually(condition: Callable[[], bool], timeout: float = _READY_SECONDS) -> bool:
    """Whether the condition comes true in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def deployment_ids(count: int) -> list[str]:
    """Ids for deployments."""
    return [new_id() for _ in range(count)]


class EndpointStoreContract:
    """What every `EndpointStore` must do. Subclass it with a fixture `store`."""

    def endpoint(self, name: str = "churn") -> Endpoint:
        """An endpoint to be added."""
        return Endpoint(name=name, key="id", created_by="owner", created_at=_WHEN)

    def deployment(self, endpoint: str = "churn", **changes: Any) -> Deployment:
        """A deployment to be added."""
        plain = Deployment(
            id=new_id(),
            endpoint=endpoint,
            number=0,
            model="churn",
            version=3,
            artifact=new_id(),
            digest="sha256:" + "0" * 64,
            signature=SIGNATURE,
            canary=Canary(
                plan=CanaryPlan(),
                history=(CanaryStep(share=0.1, action="wait", reason="early", at=_WHEN),),
            ),
            created_at=_WHEN,
        )
        return replace(plain, **changes)

    def test_what_is_added_is_found(self, store: EndpointStore) -> None:
        store.add_endpoint(self.endpoint())
        added = store.add_deployment(self.deployment())
        assert added.number == 1
        found = store.find("churn")
        assert found is not None
        assert found == replace(self.endpoint(), deployments=(added,))
        assert store.deployment(added.id) == added
        assert store.find("other") is None
        assert store.deployment(new_id()) is None

    def test_numbers_count_within_an_endpoint(self, store: EndpointStore) -> None:
        for name in ("churn", "fraud"):
            store.add_endpoint(self.endpoint(name))
        numbers = [
            store.add_deployment(self.deployment(name)).number
            for name in ("churn", "fraud", "churn", "churn")
        ]
        assert numbers == [1, 1, 2, 3]
        assert [item.name for item in store.all()] == ["churn", "fraud"]
        assert [item.number for item in store.all()[0].deployments] == [3, 2, 1]

    def test_a_key_finds_what_it_made(self, store: EndpointStore) -> None:
        store.add_endpoint(self.endpoint())
        made = store.add_deployment(self.deployment(), "once")
        assert store.by_key("churn", "once") == made
        assert store.by_key("churn", "twice") is None
        assert store.by_key("fraud", "once") is None

    def test_changes_are_kept_and_counted(self, store: EndpointStore) -> None:
        store.add_endpoint(self.endpoint())
        made = store.add_deployment(self.deployment())
        store.change_deployment(made.id, {"state": "live", "share": 1.0, "canary": None})
        store.change_endpoint("churn", {"follow": "churn@champion"})
        store.change_endpoint("churn", {})
        found = store.find("churn")
        assert found is not None
        assert (found.follow, found.revision) == ("churn@champion", 2)
        assert found.live == replace(made, state="live", share=1.0, canary=None)

    def test_what_is_removed_is_gone(self, store: EndpointStore) -> None:
        store.add_endpoint(self.endpoint())
        store.add_deployment(self.deployment())
        store.remove("churn")
        assert store.find("churn") is None
        assert store.all() == []
        store.add_endpoint(self.endpoint())
