"""Models that other libraries logged by their own MLflow flavour: online, and for whole tables."""

import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
import xgboost
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from athanor.app.house import House
from athanor.kernel.permissions import OWNER
from athanor.registry import Models
from athanor.registry.scans import NewConsent
from athanor.registry.service.safety import Safety
from athanor.registry.types import Upload
from athanor.serving import Deploy, Endpoints
from athanor.serving.errors.batches import InputColumnsMissing
from athanor.serving.service.batches import Batches
from athanor.serving.types.batches import NewBatch
from athanor.testing.serving import Browser, eventually
from tests.serving.test_batches import ended, result, sent_file

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own, of its hints and of versions


def table(rows: int = 40) -> pd.DataFrame:
    source = np.random.default_rng(5)
    return pd.DataFrame({name: source.normal(size=rows) for name in "abc"})


FRAME = table()
NEEDS = [f"{name}=={version(name)}" for name in ("mlflow-skinny", "numpy", "pandas")]
"""Named, for MLflow runs each model in a process of its own to find them out."""
GOAL = FRAME.a * 2 - FRAME.b + (FRAME.c > 0)


def xgboost_booster(folder: Path) -> list[Any]:
    told = xgboost.train({"max_depth": 3}, xgboost.DMatrix(FRAME, GOAL), 5)
    found = told.predict(xgboost.DMatrix(FRAME))
    mlflow.xgboost.save_model(
        told, folder, signature=infer_signature(FRAME, found), pip_requirements=NEEDS
    )
    return list(map(float, found))


def lightgbm_booster(folder: Path) -> list[Any]:
    settings = {"objective": "regression", "verbose": -1, "min_data_in_leaf": 2, "num_threads": 1}
    told = lightgbm.train(settings, lightgbm.Dataset(FRAME, GOAL), 5)
    found = told.predict(FRAME)
    mlflow.lightgbm.save_model(
        told, folder, signature=infer_signature(FRAME, found), pip_requirements=NEEDS
    )
    return list(map(float, found))


def pickled_class(folder: Path) -> list[Any]:
    """Texts, by a class that is pickled with the model since no module has it."""

    class Words(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def __init__(self, limit: float) -> None:
            self._limit = limit

        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[str]:
            del context, params
            return ["high" if total > self._limit else "low" for total in model_input.sum(axis=1)]

    told = Words(0.25)
    found = told.predict(None, FRAME)
    signature = infer_signature(FRAME, found)
    mlflow.pyfunc.save_model(folder, python_model=told, signature=signature, pip_requirements=NEEDS)
    return found


def onnx_graph(folder: Path) -> list[Any]:
    helper, kind = onnx.helper, onnx.TensorProto.DOUBLE
    weights = np.array([[2.0], [-1.0], [0.5]])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["rows", "weights"], ["score"])],
        "sums",
        [helper.make_tensor_value_info("rows", kind, [None, 3])],
        [helper.make_tensor_value_info("score", kind, [None, 1])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    found = (FRAME.to_numpy() @ weights)[:, 0]
    rows = FRAME.to_numpy()
    mlflow.onnx.save_model(
        made, folder, signature=infer_signature(rows, found), pip_requirements=NEEDS
    )
    return list(map(float, found))


MADE: dict[str, Callable[[Path], list[Any]]] = {
    "xgb-booster": xgboost_booster,
    "lgb-booster": lightgbm_booster,
    "pickled": pickled_class,
    "onnx-graph": onnx_graph,
}


def rows_for(name: str) -> pd.DataFrame:
    """The rows; the columns of a tensor are numbered."""
    return FRAME.set_axis(["x0", "x1", "x2"], axis=1) if name == "onnx-graph" else FRAME


def uploaded(house: House, name: str, folder: Path) -> None:
    archive = shutil.make_archive(str(folder), "zip", folder)
    house.services[Models].upload(OWNER, Upload(model=name, archive=Path(archive)))
    house.services[Safety].allow(OWNER, NewConsent(model=name, level="dangerous"))


def in_batch(house: House, name: str, frame: pd.DataFrame, folder: Path) -> list[Any]:
    path = folder / f"{name}.csv"
    frame.to_csv(path, index=False)
    batches: Batches = house.services[Batches]
    new = NewBatch(model=name, to=f"scores-{name}", files=(sent_file(batches, path),), keep=())
    batch = ended(house, batches.submit(OWNER, new))
    assert batch.state == "done", batch.error
    found: list[Any] = result(house, batch)["prediction"].tolist()
    return found


def same(found: list[Any], direct: list[Any]) -> bool:
    if isinstance(direct[0], str):
        return found == direct
    return found == pytest.approx(direct, rel=1e-6, abs=1e-9)


def test_texts_of_a_pickled_class_are_predicted_for_a_table(shop: House, tmp_path: Path) -> None:
    a_flavour_predicts_a_table(shop, tmp_path, "pickled")


@pytest.mark.soak
@pytest.mark.parametrize("name", MADE)
def test_a_flavour_predicts_a_table(shop: House, tmp_path: Path, name: str) -> None:
    a_flavour_predicts_a_table(shop, tmp_path, name)


def a_flavour_predicts_a_table(shop: House, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    direct = MADE[name](folder)
    uploaded(shop, name, folder)
    assert same(in_batch(shop, name, rows_for(name), tmp_path), direct)


def test_a_table_without_the_columns_that_an_estimator_tells_is_refused_unscored(
    shop: House, tmp_path: Path
) -> None:
    """A model without a signature says of no column that it is required."""
    estimator = LinearRegression().fit(FRAME, GOAL)
    mlflow.sklearn.save_model(estimator, tmp_path / "model", pip_requirements=NEEDS)
    uploaded(shop, "unsigned", tmp_path / "model")
    batches: Batches = shop.services[Batches]
    lacks = "lacks the columns 'b', 'c', which the model reads"
    with pytest.raises(InputColumnsMissing, match=lacks):
        batches.submit(OWNER, NewBatch(model="unsigned", to="none", sql="SELECT 1.5 AS a"))
    path = tmp_path / "short.csv"
    path.write_text("a,d\n1.5,2.5\n")
    sent = sent_file(batches, path)
    batch = ended(shop, batches.submit(OWNER, NewBatch(model="unsigned", to="none", files=(sent,))))
    assert lacks in (batch.error or {})["message"]
    found = in_batch(shop, "unsigned", FRAME, tmp_path)
    assert same(found, list(estimator.predict(FRAME)))


@pytest.mark.soak
@pytest.mark.parametrize("name", MADE)
def test_a_flavour_is_deployed(shop: House, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    direct = MADE[name](folder)
    uploaded(shop, name, folder)
    endpoints, browser = shop.services[Endpoints], Browser(int(shop.serving_url().split(":")[-1]))
    endpoints.deploy(OWNER, name, Deploy(model=name))
    assert eventually(lambda: endpoints.get(OWNER, name).live is not None, 120.0)
    records: Any = rows_for(name).to_dict("records")
    body = browser.predict(records, name).body["predictions"]
    told = browser.send("GET", f"/v2/models/{name}").body["outputs"][0]["datatype"]
    assert told == ("BYTES" if name == "pickled" else "FP64")
    kind = "label" if name == "pickled" else "score"
    assert same([item[kind] for item in body], direct), body[:2]
