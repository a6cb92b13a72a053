"""The same random requests to a folded model, a native one and its quick way: the same answers.

The plane runs in this process, without sockets; what answers behind it is exchanged.
"""

import asyncio
import json
import math
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from athanor.registry.packaging import opened
from athanor.serving.logic.doors import Doors
from athanor.serving.logic.frames import Reply
from athanor.serving.logic.routing import Route, Table, Target
from athanor.serving.logic.signature import Row
from athanor.serving.plane.app import Plane
from athanor.serving.plane.http import Connection, Limits
from athanor.serving.plane.log import PredictionLog
from athanor.serving.runtimes import compiled, compiling, native
from athanor.serving.runtimes.encoded import Encoded
from athanor.serving.runtimes.native import NativeRuntime
from athanor.serving.types import InputColumn, Signature
from tests.serving.test_compiling import packaged

SOURCE = np.random.default_rng(5)
NAMES = ["a", "b", "é c", "d"]
FRAME = pd.DataFrame(
    {
        "a": SOURCE.normal(size=80),
        "b": SOURCE.normal(size=80),
        "é c": SOURCE.choice([*"xyz"], 80),
        "d": SOURCE.choice(["one", "two"], 80),
    }
)
FRAME.loc[::9, "b"] = math.nan
GOOD: list[dict[str, Any]] = [
    {"a": 0.5, "b": None, "é c": "x", "d": "two"},
    {"a": -3, "b": 1e-9, "é c": "y", "d": "one"},
]
pytestmark = pytest.mark.filterwarnings("ignore")  # what overflows is answered all the same
ODD: list[Any] = [
    None, math.nan, math.inf, 10**400, 10**25, -(2**63), 1e308, -0.0, True, 7,
    "", "1.5", "never", "\0", "\ud800", "é" * 50, [], {}, [1], {"a": 1},
]  # fmt: skip


class Wire:
    """Where a connection writes."""

    def __init__(self) -> None:
        self.sent = b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    pause_reading = resume_reading = abort = close


class Worker:
    """A native runtime, whose failures are told as a worker tells them."""

    def __init__(self, runtime: NativeRuntime | Encoded) -> None:
        self.runtime = runtime
        self.hello = runtime.hello

    def predict(self, rows: list[Row]) -> Reply:
        try:
            return self.runtime.predict(rows)
        except Exception as error:  # noqa: BLE001 - as the worker's loop
            return Reply([], b"", f"{type(error).__name__}: {error}")


class Requests:
    """Draws requests, most of them wrong in some way."""

    def __init__(self, seed: int) -> None:
        self.source = random.Random(seed)

    def draw(self) -> bytes:
        source = self.source
        rows = [self._row() for _ in range(source.choice([1, 1, 1, 2, 3, 0, 60]))]
        form = source.choice(["records", "instances", "frame", "split", "csv", "infer", "binary"])
        drawn: tuple[str, str, str, bytes] = getattr(self, f"_{form}")(rows)
        path, kind, more, body = drawn
        if source.random() < 0.05:
            body = body[: source.randrange(len(body))]
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _row(self) -> dict[str, Any]:
        source = self.source
        row: dict[str, Any] = dict(source.choice(GOOD))
        for _ in range(source.choice([0, 0, 1, 1, 2])):
            match source.randrange(5):
                case 0 | 1:
                    row[source.choice(NAMES)] = source.choice(ODD)
                case 2:
                    row.pop(source.choice(NAMES), None)
                case 3:
                    row["beyond"] = source.choice(ODD)
                case 4:
                    row = dict(source.sample(list(row.items()), len(row)))
        return row

    def _records(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        return "/endpoints/e/predict", "application/json", "", told({"records": rows})

    def _instances(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        listed = [[row.get(name) for name in NAMES] for row in rows]
        asked = rows if self.source.random() < 0.5 else listed
        return "/predict", "application/json", "", told({"instances": asked})

    def _frame(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        return "/invocations", "application/json", "", told({"dataframe_records": texted(rows)})

    def _split(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        names = self.source.sample(NAMES, len(NAMES))
        data = [[row.get(name) for name in names] for row in texted(rows)]
        body = told({"dataframe_split": {"columns": names, "data": data}})
        return "/invocations", "application/json", "", body

    def _csv(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        lines = [",".join("" if row.get(n) is None else str(row[n]) for n in NAMES) for row in rows]
        return (
            "/invocations",
            "text/csv",
            "",
            "\n".join([",".join(NAMES), *lines]).encode("utf-8", "replace"),
        )

    def _infer(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        inputs = [
            {
                "name": name,
                "shape": [len(rows) + (self.source.random() < 0.05)],
                "datatype": "BYTES" if place > 1 else self.source.choice(["FP64", "FP32"]),
                "data": [row.get(name) for row in rows],
            }
            for place, name in enumerate(NAMES)
        ]
        self.source.shuffle(inputs)
        if self.source.random() < 0.1:
            inputs.append(inputs.pop(0) | {"name": "other"})
        return "/v2/models/e/infer", "application/json", "", told({"inputs": inputs})

    def _binary(self, rows: list[Any]) -> tuple[str, str, str, bytes]:
        inputs, raw = [], b""
        for place, name in enumerate(NAMES):
            part = b"".join(packed(row.get(name), text=place > 1) for row in rows)
            part = part[: len(part) - (self.source.random() < 0.05)]
            inputs.append(
                {
                    "name": name,
                    "shape": [len(rows)],
                    "datatype": "BYTES" if place > 1 else "FP64",
                    "parameters": {"binary_data_size": len(part)},
                }
            )
            raw += part
        head = told({"inputs": inputs})
        more = f"Inference-Header-Content-Length: {len(head)}\r\n"
        return "/v2/models/e/infer", "application/octet-stream", more, head + raw


def told(body: object) -> bytes:
    return json.dumps(body).encode()


def texted(rows: list[Any]) -> list[Any]:
    """Without values of other types where text belongs: MLflow hands them to the model as they are,
    and what a model makes of them is its own."""
    return [
        {
            name: value if name in {"a", "b"} or isinstance(value, str) else "x"
            for name, value in row.items()
        }
        for row in rows
    ]


def packed(value: Any, *, text: bool) -> bytes:
    if text:
        content = str(value).encode("utf-8", "surrogatepass")
        return struct.pack("<I", len(content)) + content
    number = isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**300)
    return struct.pack("<d", float(value) if number else math.nan)


def meaning(wire: bytes) -> tuple[str, str]:
    """The status, and the answer without ids; of a refusal its kind."""
    head, _, body = wire.partition(b"\r\n\r\n")
    status = head.split(b" ")[1].decode()
    content = json.loads(body)
    if status != "200":
        kind = content.get("error_code", content["error"] if "hint" in content else "")
        return status, kind
    return status, json.dumps(cleaned(content), sort_keys=True)


def cleaned(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 9)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {k: cleaned(v) for k, v in value.items() if k not in {"id", "prediction_id"}}
    return value


async def answered(plane: Plane, wire: bytes) -> bytes:
    connection, transport = Connection(plane), Wire()
    connection.connection_made(transport)  # type: ignore[arg-type]
    connection.data_received(wire)
    for _ in range(100):
        if not transport.sent:
            await asyncio.sleep(0)
    return transport.sent


async def compared(folder: Path, target: Target, runtimes: list[Any], count: int) -> None:
    planes = []
    for place, runtime in enumerate(runtimes):
        plane = Plane(Limits(rows=50), Doors(), PredictionLog(folder / f"log{place}"))
        plane.apply(Table(revision=1, routes=[Route(name="e", targets=[target])]))
        (served,) = plane._served.values()
        assert served._loading is not None
        await served._loading
        served.compiled, served.batched = runtime, place > 0
        planes.append(plane)
    requests = Requests(count)
    statuses = set()
    for _ in range(count):
        wire = requests.draw()
        found = [meaning(await answered(plane, wire)) for plane in planes]
        assert len(set(found)) == 1, (wire, found)
        statuses.add(found[0][0])
    assert {"200", "400", "413"} <= statuses <= {"200", "400", "413", "422"}


@pytest.fixture(scope="module")
def runtimes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Target, list[Any]]:
    folder = tmp_path_factory.mktemp("agree")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore")
    made = make_column_transformer((numbers, ["a", "b"]), (encoder, ["é c", "d"]))
    estimator = make_pipeline(made, LogisticRegression())
    model = opened(packaged(folder, estimator.fit(FRAME, FRAME.a > 0.1), FRAME))
    assert model is not None
    (folder / "compiled").mkdir()
    report = compiling.compile_model(str(folder / "model"), str(folder / "compiled"))
    assert report["kind"] == "folded"
    quick = native._runtime(model, folder / "note")
    assert isinstance(quick, Encoded)
    columns = tuple(
        InputColumn(name=item.name, type=item.type, required=item.required)
        for item in model.signature
    )
    target = Target(
        id="0" * 32, number=1, model="m", version=1, weight=1.0, sockets=[],
        signature=Signature(columns=columns, classes=tuple(model.classes), target="t"),
        runtime={"kind": "folded", "folder": str(folder / "compiled")},
    )  # fmt: skip
    slow = NativeRuntime(model, quick.hello.batching)
    return folder, target, [compiled.load(folder / "compiled"), Worker(slow), Worker(quick)]


def test_every_runtime_gives_the_same_answers_and_refusals(
    runtimes: tuple[Path, Target, list[Any]],
) -> None:
    asyncio.run(compared(*runtimes, 80))


@pytest.mark.soak
@pytest.mark.parametrize("count", [4_001, 4_002])
def test_every_runtime_gives_the_same_answers_soak(
    runtimes: tuple[Path, Target, list[Any]], count: int
) -> None:
    asyncio.run(compared(*runtimes, count))
