"""Models of other libraries: what they answer, and where they are loaded."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from athanor.app.house import House
from athanor.kernel.environments import NoEnvironment
from athanor.kernel.permissions import OWNER
from athanor.registry import Models
from athanor.registry.packaging import opened
from athanor.registry.scans import NewConsent
from athanor.registry.service.safety import Safety
from athanor.registry.types import Upload
from athanor.serving import Deploy, Endpoints
from athanor.serving.runtimes import environments, foreign
from athanor.serving.runtimes.environments import here, pins_of, python_for, search_path
from athanor.serving.runtimes.foreign import ForeignRuntime
from athanor.testing.server import running_server
from athanor.testing.serving import Browser, eventually
from tests.serving.conftest import Trained


class Stub:
    """A loaded MLflow model of two number columns."""

    def __init__(self, says: Any, tensors: list[Any] | None = None) -> None:
        self._says = says
        columns = [SimpleNamespace(name=name, type=SimpleNamespace(name="double")) for name in "ab"]
        self.seen: Any = None
        schema = SimpleNamespace(inputs=tensors or columns, is_tensor_spec=lambda: bool(tensors))
        self.metadata = SimpleNamespace(get_input_schema=lambda: schema)

    def predict(self, rows: Any) -> Any:
        self.seen = rows
        return self._says(rows)


ROWS: list[list[Any]] = [[1.0, 2.0], [3.0, None], [5.0, 6.0]]


def numbers(reply: Any) -> list[float]:
    return list(memoryview(reply.numbers).cast("d"))


def test_one_number_a_row() -> None:
    runtime = ForeignRuntime(Stub(lambda frame: frame["a"].to_numpy() * 2), ROWS)
    assert runtime.hello.outputs == []
    assert runtime.hello.batching == "whole"
    assert numbers(runtime.predict(ROWS)) == [2.0, 6.0, 10.0]


@pytest.mark.parametrize(
    ("says", "bodies"),
    [
        (lambda frame: frame["a"].to_numpy() * 2, "strange"),
        (lambda frame: [f"{value}" for value in frame["a"]], "strange"),
        (lambda frame: frame[["a", "b"]].to_numpy(), "strange"),
        (lambda frame: frame[["a"]].to_numpy(), "every"),
        (lambda frame: frame["a"].to_numpy().astype("int64"), "every"),
        (lambda frame: frame["a"] > 1, "every"),
        (lambda frame: frame[["a"]], "every"),
        (lambda frame: {"a": frame["a"].tolist()}, "every"),
        (lambda _: [1, 2.5, "x"], "every"),
        (lambda _: 7, "every"),
    ],
)
def test_answers_that_mlflow_writes_in_its_own_way_are_left_to_it(says: Any, bodies: str) -> None:
    assert ForeignRuntime(Stub(says), ROWS).hello.bodies == bodies


def test_a_model_that_is_served_by_another_function_than_predict_is_mlflow_s_to_load(
    champion: Trained, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(champion.folder, folder)
    assert opened(folder) is not None
    told = (folder / "MLmodel").read_text("utf-8")
    assert "predict_fn: predict\n" in told
    changed = told.replace("predict_fn: predict\n", "predict_fn: predict_proba\n")
    (folder / "MLmodel").write_text(changed, "utf-8")
    assert opened(folder) is None


def test_several_numbers_a_row_have_names() -> None:
    made = Stub(lambda frame: pd.DataFrame({"low": frame["a"] - 1, "high": frame["a"] + 1}))
    runtime = ForeignRuntime(made, ROWS)
    assert runtime.hello.outputs == ["low", "high"]
    assert numbers(runtime.predict(ROWS[:1])) == [0.0, 2.0]


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (lambda frame: [{"sum": float(v)} for v in frame["a"]], [{"sum": 1.0}, {"sum": 3.0}]),
        (lambda frame: np.array(["x"] * len(frame)), ["x", "x"]),
        (lambda frame: pd.Series(["x"] * len(frame)), ["x", "x"]),
        (lambda frame: pd.DataFrame({"t": ["x"] * len(frame)}), ["x", "x"]),
        (lambda frame: {"t": ["x"] * len(frame)}, [{"t": "x"}, {"t": "x"}]),
    ],
)
def test_other_answers_are_json(says: Any, expected: list[Any]) -> None:
    assert ForeignRuntime(Stub(says), ROWS[:2]).predict(ROWS[:2]).values == expected  # noqa: PD011


def test_an_answer_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="1 answers for 2 rows"):
        ForeignRuntime(Stub(lambda _: ["x"]), []).predict(ROWS[:2])


def test_tensors_have_their_shape() -> None:
    tensors = [SimpleNamespace(name=None, type=np.dtype("float32"), shape=(-1, 2))]
    made = Stub(lambda rows: rows.sum(axis=1), tensors)
    runtime = ForeignRuntime(made, [[0.0, 1.0], [1.0, 2.0]])
    assert numbers(runtime.predict([[1.0, 2.0]])) == [3.0]
    assert made.seen.dtype == np.float32
    assert made.seen.shape == (1, 2)


def test_a_worker_elsewhere_needs_msgspec_alone() -> None:
    code = (
        "import sys; import athanor.serving.runtimes.serving;"
        "heavy = {'sqlalchemy', 'orjson', 'yaml', 'numpy', 'pandas', 'sklearn', 'mlflow'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert told.strip() == "[]"


def requirements(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "requirements.txt").write_text("\n".join(lines))
    return folder


def test_pins_that_suit_stay_here(tmp_path: Path) -> None:
    mine = pins_of(requirements(tmp_path, f"numpy=={np.__version__}", "mlflow==3.1.0 # any"))
    assert here(mine)
    assert not here(mine | {"numpy": "1.2.3"})
    assert not here(mine | {"no-such-library": "1.0"})
    assert not here({})


def test_an_interpreter_that_is_offered_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = requirements(tmp_path / "model", f"numpy=={np.__version__}")
    monkeypatch.setenv(environments.OFFERED, os.pathsep.join(["/no/such", sys.executable]))
    assert python_for(folder, tmp_path / "cache") == Path(sys.executable)


def test_an_environment_that_can_not_be_made_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_uv(*words: str) -> None:
        raise OSError(words[0])

    monkeypatch.setattr("athanor.kernel.environments._uv", no_uv)
    folder = requirements(tmp_path / "model", "--index-url http://evil", "torch==99.0.0")
    with pytest.raises(NoEnvironment, match="can't be made: venv"):
        python_for(folder, tmp_path / "cache")
    assert environments._wanted(folder)[0] == "torch==99.0.0"


def test_the_search_path_holds_ours_alone(tmp_path: Path) -> None:
    place = Path(search_path(tmp_path))
    assert sorted(path.name for path in place.iterdir()) == ["athanor", "msgspec"]
    assert Path(search_path(tmp_path)) == place


def test_it_is_a_module_that_python_runs() -> None:
    assert callable(foreign.main)


PEERS = Path(__file__).resolve().parents[2] / ".venvs"
FLAVOURS = PEERS / "flavours" / "bin" / "python"
_MADE = """
import json, sys, warnings
from importlib.metadata import version
warnings.simplefilter("ignore")
import mlflow, pandas as pd, statsmodels.api as sm
from mlflow.models import infer_signature

frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, 0.1, 0.7, 0.2]})
fitted = sm.OLS([1.0, 2.1, 2.9, 4.2], frame).fit()

out = sys.argv[1]
# Named, for MLflow runs each model in a process of its own to find them out.
needs = [f"{name}=={version(name)}" for name in ("mlflow-skinny", "numpy", "pandas")]
stats = [*needs, f"statsmodels=={version('statsmodels')}"]
signature = infer_signature(frame, fitted.predict(frame))
mlflow.statsmodels.save_model(
    fitted, f"{out}/stats", signature=signature, pip_requirements=stats
)
mlflow.statsmodels.save_model(fitted, f"{out}/bare", pip_requirements=stats)
print(json.dumps([list(fitted.predict(frame)), frame.to_dict("records")]))
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_statsmodels_is_deployed_with_a_signature_and_without(shop: House, tmp_path: Path) -> None:
    if not FLAVOURS.exists():
        pytest.skip("no .venvs/flavours here: uv pip install mlflow-skinny statsmodels into it")
    told = subprocess.run(
        [str(FLAVOURS), "-c", _MADE, str(tmp_path)], check=True, capture_output=True, text=True
    ).stdout
    direct, records = json.loads(told.splitlines()[-1])
    endpoints, browser = shop.services[Endpoints], Browser(int(shop.serving_url().split(":")[-1]))
    for name in ("stats", "bare"):
        archive = shutil.make_archive(str(tmp_path / name), "zip", tmp_path / name)
        shop.services[Models].upload(OWNER, Upload(model=name, archive=Path(archive)))
        shop.services[Safety].allow(OWNER, NewConsent(model=name))
        endpoints.deploy(OWNER, name, Deploy(model=name))
        assert eventually(lambda name=name: endpoints.get(OWNER, name).live is not None, 300.0)  # type: ignore[misc]  # bound now
        body = browser.predict(records, name).body["predictions"]
        assert [item["score"] for item in body] == pytest.approx(direct, rel=1e-9)


_TYPED = {"Content-Type": "application/json"}
_NETS = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow, numpy as np
from importlib.metadata import version
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

rows = np.random.default_rng(3).random((6, 4)).astype(np.float32)
kind, out = sys.argv[1:]
shape = lambda width: Schema([TensorSpec(np.dtype(np.float32), (-1, width))])
needs = [f"{name}=={version(name)}" for name in ("mlflow-skinny", "numpy", "pandas")]
told = {"signature": ModelSignature(shape(4), shape(3)), "pip_requirements": needs}
if kind == "torch":
    import torch
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3), torch.nn.Softmax(1)
    )
    said = net(torch.tensor(rows)).detach().numpy()
    needs.append(f"torch=={version('torch')}")
    mlflow.pytorch.save_model(net, out, serialization_format="pickle", **told)
else:
    import keras
    keras.utils.set_random_seed(0)
    layers = keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")
    net = keras.Sequential([keras.Input((4,)), *layers])
    said = net.predict(rows, verbose=0)
    needs.append(f"tensorflow-cpu=={version('tensorflow-cpu')}")
    mlflow.tensorflow.save_model(net, out, **told)
print(json.dumps([rows.tolist(), said.tolist()]))
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["torch", "tensorflow"])
def test_a_net_of_its_own_flavour_is_deployed(tmp_path: Path, kind: str) -> None:
    python = PEERS / f"flavour-{kind}" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no .venvs/flavour-{kind} here: mlflow-skinny, pandas and {kind} go into it")
    folder = tmp_path / kind
    told = subprocess.run(
        [str(python), "-c", _NETS, kind, str(folder)], check=True, capture_output=True, text=True
    ).stdout
    rows, direct = json.loads(told.splitlines()[-1])
    archive = shutil.make_archive(str(folder), "zip", folder)
    offered = {environments.OFFERED: str(python)}
    with running_server(tmp_path / "workspace", env=offered) as server:
        client = server.client()
        client.models.upload(Upload(model=kind, archive=Path(archive)))
        client.safety.allow(NewConsent(model=kind))
        client.endpoints.deploy(kind, Deploy(model=kind))
        assert eventually(lambda: client.endpoints.get(kind).live is not None, 300.0)
        browser = Browser(int(server.serving_url.rpartition(":")[2]))
        answer = browser.send("POST", f"/endpoints/{kind}/invocations", {"inputs": rows}, _TYPED)
        browser.close()
    assert answer.status == 200, answer.content
    np.testing.assert_allclose(answer.body["predictions"], direct, rtol=1e-5)
