"""A user's own Python around a model, or in the place of one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from athanor.app.house import House
from athanor.data import Datasets
from athanor.kernel.permissions import OWNER
from athanor.lineage import Lineage
from athanor.registry import BadCode, Models, ModelVersion, NewCode, PythonCode, read_code
from athanor.registry.errors import PickleNotAllowed
from athanor.registry.logic.code import checked
from athanor.registry.scans import NewConsent
from athanor.registry.service.exchange import Exchange
from athanor.registry.service.safety import Safety
from athanor.registry.types import InputColumn
from athanor.serving import Deploy, Endpoints, PredictionQuery
from athanor.serving.errors.deployments import CodeFollowsNothing
from athanor.serving.runtimes import foreign
from athanor.serving.service import Deployments
from athanor.serving.service.batches import Batches
from athanor.serving.types.batches import NewBatch
from athanor.testing.serving import Browser, eventually
from tests.serving.conftest import Trained
from tests.serving.test_batches import sent_file

AROUND = """
import pandas as pd

print("imported")

def preprocess(records):
    for record in records:
        record["age"] = max(18, record["age"])
    return pd.DataFrame(records)

def postprocess(answers):
    told = []
    for item in answers:
        left = item["probabilities"]["left"]
        told.append({"decision": "call" if left > 0.3 else "wait", "was": item["label"]})
    return told
"""
ALONE = """
from pathlib import Path

class Model:
    def load(self, folder):
        self.factor = float((Path(folder) / "factor.txt").read_text())

    def predict(self, frame):
        if (frame["x"] < 0).any():
            raise ValueError("x is below zero")
        return frame["x"] * self.factor
"""


def taken(house: House, new: NewCode) -> str:
    version: ModelVersion = house.services[Exchange].take_code(OWNER, new)
    house.services[Safety].allow(OWNER, NewConsent(model=version.model))
    return version.reference


def live(house: House, endpoint: str, number: int) -> None:
    endpoints: Endpoints = house.services[Endpoints]

    def there() -> bool:
        first = endpoints.get(OWNER, endpoint).deployments[0]
        assert first.state != "failed", first.reason
        return first.number == number and first.state == "live"

    assert eventually(there)


@pytest.fixture
def browser(shop: House) -> Browser:
    return Browser(int(shop.serving_url().rpartition(":")[2]))


def predicted(
    house: House, records: list[dict[str, Any]], folder: Path, new: NewBatch
) -> list[dict[str, Any]]:
    """The rows that a batch makes of records."""
    batches: Batches = house.services[Batches]
    path = folder / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    sent = sent_file(batches, path)
    made = batches.submit(OWNER, replace(new, files=(sent,)))
    assert eventually(lambda: batches.get(OWNER, made.id).ended, 120.0)
    ended = batches.get(OWNER, made.id)
    assert ended.state == "done", ended.error
    datasets: Datasets = house.services[Datasets]
    return datasets.rows(OWNER, new.to, limit=len(records))


def test_code_stands_around_a_registered_model(
    shop: House, champion: Trained, browser: Browser, tmp_path: Path
) -> None:
    endpoints: Endpoints = shop.services[Endpoints]
    code = PythonCode(files={"calling.py": AROUND})
    asked = Deploy(model="churn@1", code=code)
    with pytest.raises(PickleNotAllowed, match=r"calling"):
        endpoints.deploy(OWNER, "calls", asked)
    assert "calls" not in [item.name for item in endpoints.list(OWNER)]
    shop.services[Safety].allow(OWNER, NewConsent(model="churn"))
    with pytest.raises(CodeFollowsNothing):
        endpoints.deploy(OWNER, "calls", replace(asked, model="churn@latest", follow=True))
    made = endpoints.deploy(OWNER, "calls", asked)
    assert (made.model, made.version) == ("churn", 2)
    live(shop, "calls", 1)
    records = champion.records[:20]
    records[3]["age"] = 3
    told = browser.predict(records, "calls").body["predictions"]
    direct = champion.model.predict_records([r | {"age": max(18, r["age"])} for r in records])
    assert [item["value"] for item in told] == [
        {
            "decision": "call" if item["probabilities"]["left"] > 0.3 else "wait",
            "was": item["label"],
        }
        for item in direct
    ]
    (output,) = browser.send("GET", "/v2/models/calls").body["outputs"]
    assert (output["name"], output["datatype"]) == ("predict", "BYTES")
    batch = predicted(shop, records, tmp_path, NewBatch(model="churn@2", to="called", keep=()))
    assert [json.loads(row["prediction"]) for row in batch] == [item["value"] for item in told]
    again = endpoints.deploy(OWNER, "calls", asked)
    assert (again.version, again.number) == (2, 2)
    lineage = shop.services[Lineage]
    names = {node.name for node in lineage.trace(OWNER, made.artifact, "up").nodes}
    assert {"churn", "churn-code"} <= names
    (logged, *_) = endpoints.predictions(OWNER, "calls", PredictionQuery(limit=1))
    assert json.loads(logged.label or "")["decision"] in {"call", "wait"}
    refused = browser.predict([records[0] | {"age": None}], "calls")
    assert refused.status == 422
    assert "calling.py, line 8, in preprocess: TypeError" in refused.body["message"]
    assert "(in record 0)" in refused.body["message"]
    assert "athanor endpoint output" in refused.body["hint"]
    told = [shop.services[Deployments].output(OWNER, "calls", number).lines for number in (1, 2)]
    assert "imported" in told[0]
    assert any("Traceback" in line for lines in told for line in lines)


def test_code_before_a_classifier_leaves_its_answers_in_a_batch_too(
    shop: House, champion: Trained, tmp_path: Path
) -> None:
    code = PythonCode(files={"old.py": "def preprocess(records):\n    return records\n"})
    reference = taken(shop, NewCode(model="churn", code=code, around="churn@1"))
    records = champion.records[:50]
    rows = predicted(shop, records, tmp_path, NewBatch(model=reference, to="old", keep=()))
    direct = champion.model.predict_records(records)
    assert [row["prediction"] for row in rows] == [item["label"] for item in direct]
    assert [row["score"] for row in rows] == [item["score"] for item in direct]
    assert [row["probability_left"] for row in rows] == [
        item["probabilities"]["left"] for item in direct
    ]


def test_code_alone_is_a_model_and_gets_records_as_they_are_sent(
    shop: House, browser: Browser
) -> None:
    endpoints: Endpoints = shop.services[Endpoints]
    code = PythonCode(files={"pkg/__init__.py": ALONE, "factor.txt": "2.5"})
    column = InputColumn(name="x", type="double")
    new = NewCode(model="factor", code=code, inputs=(column,))
    reference = taken(shop, new)
    assert taken(shop, new) == reference == "factor@1"
    endpoints.deploy(OWNER, "factor", Deploy(model=reference))
    live(shop, "factor", 1)
    told = browser.predict([{"x": 1.0}, {"x": 4}], "factor").body["predictions"]
    assert [item["score"] for item in told] == [2.5, 10.0]
    folder = shop.settings.workspace / "cache" / "models"
    (mine,) = [path for path in folder.iterdir() if (path / "code" / "factor.txt").exists()]
    runtime = foreign.load(mine)  # what batches ask
    assert runtime.predict([[1.0], [4.0]]).numbers == np.array([2.5, 10.0]).tobytes()
    refused = browser.predict([{"x": 1.0}, {"x": -1}, {"x": 2}], "factor")
    assert refused.status == 422
    assert "line 10, in predict: ValueError: x is below zero (in record 1)" in str(refused.body)
    assert browser.predict([{"y": 1}], "factor").status == 400

    echo = PythonCode(files={"echo.py": "def predict(model, records):\n    return records\n"})
    assert taken(shop, NewCode(model="factor", code=echo)) == "factor@2"
    endpoints.deploy(OWNER, "factor", Deploy(model="factor@2", shadow=1.0))
    assert eventually(lambda: endpoints.get(OWNER, "factor").deployments[0].state == "shadow")
    assert browser.predict([{"x": 3.0}], "factor").status == 200
    endpoints.promote(OWNER, "factor")
    live(shop, "factor", 2)
    sent = [{"any": "thing", "token": [1, {"a": None}]}]
    told = browser.predict(sent, "factor").body["predictions"]
    assert [item["value"] for item in told] == sent
    for body in ({"inputs": [[1, 2]]}, {"instances": [1]}, {"dataframe_records": [{"a": 1}]}):
        answer = browser.send("POST", "/endpoints/factor/invocations", json.dumps(body).encode())
        assert answer.status == (200 if "dataframe_records" in body else 400), answer.body


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (PythonCode(files={}), "it has 0 files"),
        (PythonCode(files={"a.py": "def predict(:\n"}), "a.py, line 1 can't"),
        (PythonCode(files={"a.py": "x = 1\n"}), "defines none of load"),
        (PythonCode(files={"a.py": "def load(folder): ...\n"}), "needs a predict"),
        (PythonCode(files={"../a.py": "def predict(m, d): ...\n"}), "path is none of"),
        (PythonCode(files={"/a.py": "def predict(m, d): ...\n"}), "path is none of"),
        (PythonCode(files={"a.py": "", "b.py": ""}), "name the file that begins"),
        (PythonCode(files={"a.py": ""}, entry="b.py"), "not among the files"),
        (PythonCode(files={"a.py": "x=1"}, requirements=("-r evil.txt",)), "The requirement"),
        (PythonCode(files={"a.py": "x = 1\0"}), "it is no Python"),
        (PythonCode(files={"a.py": "(" * 100_000}), "it is no Python"),
    ],
)
def test_code_that_can_be_no_model_is_refused_and_named(
    shop: House, code: PythonCode, why: str
) -> None:
    with pytest.raises(BadCode, match=why):
        shop.services[Exchange].take_code(OWNER, NewCode(model="never", code=code))
    assert "never" not in [item.name for item in shop.services[Models].models(OWNER)]


@pytest.mark.soak
def test_mlflow_loads_the_folder(shop: House, tmp_path: Path) -> None:
    code = PythonCode(files={"m.py": ALONE, "factor.txt": "2.0"})
    column = InputColumn(name="x", type="double")
    version = shop.services[Exchange].take_code(
        OWNER, NewCode(model="loaded", code=code, inputs=(column,))
    )
    artifact = shop.services[Lineage].artifact(OWNER, version.artifact_id or "")
    folder = shop.storage.fetch_folder(str(artifact.metadata["blob"]), tmp_path / "model")
    frame = pd.DataFrame({"x": [1.0, 4.0]})
    assert list(foreign.loaded(folder).predict(frame)) == [2.0, 8.0]


def test_code_is_read_from_a_file_a_package_or_a_folder(tmp_path: Path) -> None:
    package = tmp_path / "words"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "x.py").write_text("broken(")
    (package / "__init__.py").write_text("from .parts import predict\n")
    (package / "parts.py").write_text("def predict(model, data): ...\n")
    assert sorted(read_code(package).files) == ["words/__init__.py", "words/parts.py"]
    assert checked(read_code(package)) == ("words/__init__.py", frozenset({"predict"}))
    assert list(read_code(package / "parts.py", ["a==1"]).files) == ["parts.py"]
    (tmp_path / "weights.bin").write_bytes(b"\xff\x00")
    for path, why in ((tmp_path, "it is no text"), (tmp_path / "none", "no such file")):
        with pytest.raises(BadCode, match=why):
            read_code(path)
