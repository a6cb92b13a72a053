"""Bodies of `/invocations` that a worker reads as MLflow does: nested, tensors, parameters."""

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array

from athanor.app.house import House
from athanor.kernel.permissions import OWNER
from athanor.serving import Deploy, Endpoints
from athanor.serving.logic.frames import TOO_MANY, Body, Hello, Reply
from athanor.serving.plane.links import Call, Pool
from athanor.serving.runtimes import foreign
from athanor.serving.runtimes.foreign import ForeignRuntime
from athanor.serving.types import PredictionQuery
from athanor.testing.serving import Browser, eventually
from tests.serving.test_flavours import NEEDS, uploaded

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, of its hints

NESTED = Schema([ColSpec(Array("double"), "v"), ColSpec("string", "s", required=False)])
OPEN = Schema([TensorSpec(np.dtype("float32"), (-1, -1))])
FLAT = Schema([ColSpec("long", "n"), ColSpec("string", "s")])
PARAMETERS = ParamSchema([ParamSpec("times", "long", 2)])


def saved(folder: Path, inputs: Schema) -> Path:
    """A model that says what it was given."""

    class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> list[str]:
            del context
            rows = model_input if not hasattr(model_input, "columns") else model_input.to_numpy()
            return [f"{type(row).__name__} {list(row)} {params}" for row in rows]

    signature = ModelSignature(inputs=inputs, params=PARAMETERS)
    mlflow.pyfunc.save_model(
        folder, python_model=Echo(), signature=signature, pip_requirements=NEEDS
    )
    return folder


def asked(runtime: Any, body: object, names: list[str], type_: str = "application/json") -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return runtime.answer(Body(content, type_, 2, names))


@pytest.mark.soak
def test_a_worker_says_which_bodies_it_reads_and_what_they_held(tmp_path: Path) -> None:
    runtime: Any = foreign.load(saved(tmp_path / "nested", NESTED))
    assert isinstance(runtime, ForeignRuntime)
    assert runtime.hello.bodies == "every"
    told = asked(runtime, {"inputs": [{"v": [1, 2.5]}], "params": {"times": 5}}, [])
    (answer,) = json.loads(told.text)["predictions"]
    assert "{'times': 5}" in answer
    assert told.rows == [[{"v": [1, 2.5]}]]
    assert asked(runtime, {"inputs": [{"v": "x"}]}, []).code == "BAD_REQUEST"
    assert asked(runtime, {"inputs": [{"v": [1]}] * 3}, []).code == TOO_MANY
    assert asked(runtime, b"{", []).code == "BAD_REQUEST"


@pytest.mark.soak
def test_what_no_log_holds_is_answered_and_kept_as_text(tmp_path: Path) -> None:
    columns = Schema([ColSpec("binary", "x"), ColSpec("string", "s")])
    runtime: Any = foreign.load(saved(tmp_path / "binary", columns))
    told = asked(runtime, {"dataframe_records": [{"x": "Trueq+4=", "s": "t"}]}, ["x", "s"])
    assert (told.error, told.rows) == ("", [["Trueq+4=", "t"]])


def test_who_reads_a_body_is_asked_of_a_worker_before_its_first_request() -> None:
    told: list[Any] = []
    pool = Pool([])
    pool.submit(Call([], lambda *said: told.append(said), time.monotonic() + 9))
    assert (told, pool.in_flight) == ([], 1)
    hello = Hello([], "none", bodies="every")
    link: Any = SimpleNamespace(ready=True, hello=hello, calls={})  # sends nothing
    pool._links = [link]
    pool.linked()
    assert told == [(Reply([], b""), hello)]
    assert pool.in_flight == 0


def test_tensors_of_open_shape_are_read_from_records() -> None:
    seen: list[Any] = []
    columns = SimpleNamespace(inputs=OPEN.inputs, is_tensor_spec=lambda: True)
    metadata = SimpleNamespace(get_input_schema=lambda: columns)

    def predict(rows: Any) -> list[int]:
        seen.append(rows)
        return [1, 2]

    model = SimpleNamespace(metadata=metadata, predict=predict)
    runtime = ForeignRuntime(model, [])
    assert runtime.hello.bodies == "every"
    runtime.predict([[{"value": [1.0, 2.0]}], [{"value": [4.0, 5.0]}]])
    assert (seen[0].dtype, seen[0].tolist()) == (np.float32, [[1.0, 2.0], [4.0, 5.0]])


def test_parameters_parquet_and_what_is_strange_come_to_the_model(
    shop: House, tmp_path: Path
) -> None:
    uploaded(shop, "echo", saved(tmp_path / "flat", FLAT))
    endpoints, browser = shop.services[Endpoints], Browser(int(shop.serving_url().split(":")[-1]))
    endpoints.deploy(OWNER, "echo", Deploy(model="echo", key="s"))
    assert eventually(lambda: endpoints.get(OWNER, "echo").live is not None, 120.0)

    def told(body: object, type_: str = "application/json") -> tuple[int, Any]:
        path = "/endpoints/echo/invocations"
        answer = browser.send("POST", path, body, {"Content-Type": type_})
        return answer.status, answer.content if answer.status == 415 else answer.body

    records = [{"n": 7, "s": "é"}]

    def said(times: int) -> tuple[int, Any]:
        return 200, {"predictions": [f"ndarray [7, 'é'] {{'times': {times}}}"]}

    assert told({"dataframe_records": records}) == said(2)
    assert told({"dataframe_records": records, "params": {"times": 3}}) == said(3)
    status, answer = told({"dataframe_records": records, "params": {"times": "x"}})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, answer = told({"dataframe_records": [*records, {"n": None, "s": "b"}]})
    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert "column n to type 'int64' in row 1" in answer["message"]
    table = io.BytesIO()
    pd.DataFrame(records).to_parquet(table)
    kind = "application/vnd.apache.parquet"
    assert told(table.getvalue(), kind) == said(2)
    assert told(table.getvalue()[:50], kind)[0] == 400
    assert told({"dataframe_records": records}, "text/plain; format=x")[0] == 415
    (kept,) = endpoints.predictions(OWNER, "echo", PredictionQuery(limit=1))
    assert (kept.key, kept.features) == ("é", {"n": 7, "s": "é"})
