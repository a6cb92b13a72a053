"""What loading a model's files would run is told without loading them."""

import bz2
import collections
import datetime as dt
import functools
import gzip
import io
import lzma
import os
import pickle
import subprocess
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from athanor.registry.logic.pickles import FolderFile, scan
from athanor.registry.logic.pickles.names import level_of
from athanor.registry.scans import Scan


def scanned(data: bytes, name: str = "model.pkl") -> Scan:
    return scan([FolderFile(path=name, size=len(data), open=lambda: io.BytesIO(data))])


class Runs:
    """Something that would run a call when it is unpickled."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


def joblib_bytes(value: Any, compress: Any = 0) -> bytes:
    stream = io.BytesIO()
    joblib.dump(value, stream, compress=compress)
    return stream.getvalue()


EVIL = Runs(os.system, "touch /tmp/owned")
ROWS = np.random.default_rng(0).random((80, 3))
LABELS = np.where(ROWS[:, 0] > 0.5, "yes", "no")
MODELS = [
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(3),
    GradientBoostingClassifier(n_estimators=3),
    KNeighborsClassifier(),
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["model.pkl", "model.txt", "weights"])
def test_a_call_is_found_in_every_protocol_under_every_name(protocol: int, name: str) -> None:
    found = scanned(pickle.dumps({"a": [1, EVIL]}, protocol), name)
    assert found.level == "dangerous"
    assert found.findings[0].call == "posix.system('touch /tmp/owned')"
    assert found.findings[0].runs


@pytest.mark.parametrize(
    "call",
    [
        Runs(subprocess.Popen, ["rm", "-rf", "/"]),
        Runs(eval, "1+1"),
        Runs(exec, "x = 1"),
        Runs(__import__, "os"),
        Runs(getattr, "x", "y"),
        Runs(open, "/etc/passwd"),
        Runs(functools.partial(os.system, "id").func, "id"),
        Runs(np.load, "x.npy"),
        Runs(pickle.loads, b"x"),
        Runs(joblib.load, "x"),
    ],
)
def test_dangerous_names(call: Runs) -> None:
    assert scanned(pickle.dumps(call)).level == "dangerous"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("compress", [None, 0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_models_of_known_libraries_are_usual(model: Any, compress: Any) -> None:
    fitted = model.fit(ROWS, LABELS)
    dumps = (
        [pickle.dumps(fitted), cloudpickle.dumps(fitted)]
        if compress is None
        else [joblib_bytes(fitted, compress)]
    )
    for data in dumps:
        found = scanned(data)
        assert [item for item in found.findings if item.level != "usual"] == []
        assert [file.problem for file in found.files] == [""]
        assert found.level == "usual"


def test_what_stands_behind_arrays_is_found() -> None:
    for compress in (0, 3):
        data = joblib_bytes(
            {"a": np.arange(1000.0), "t": np.array(["x", "yy"]), "z": EVIL}, compress
        )
        assert scanned(data).level == "dangerous"
    assert scanned(joblib_bytes(np.array([EVIL, 1], dtype=object))).level == "dangerous"
    stream = io.BytesIO()
    np.save(stream, np.array([EVIL], dtype=object), allow_pickle=True)
    assert scanned(stream.getvalue(), "a.npy").level == "dangerous"
    stream = io.BytesIO()
    np.save(stream, np.arange(10))
    assert scanned(stream.getvalue(), "a.npy").level == "safe"


def test_archives_are_looked_into() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(EVIL))
        archive.writestr("archive/data/0", bytes(100))
    found = scanned(stream.getvalue(), "model.pt")
    assert found.level == "dangerous"
    assert {file.format for file in found.files} == {"torch", "pickle"}
    assert found.findings[0].file == "model.pt!archive/data.pkl"


def test_skops_text_and_native_models_are_safe() -> None:
    fitted = MODELS[0].fit(ROWS, LABELS)
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(ROWS, ROWS[:, 0]), 2)
    files = {
        "model.skops": skops.io.dumps(fitted),
        "model.lgb": booster.model_to_string().encode(),
        "model.xgb": b'{"learner":{"attributes":{}}}',
        "model.ubj": b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{",
        "model.onnx": b"\x08\x08\x12\x07skl2onnx\x1a\x061.18.0",
        "conda.yaml": b"channels:\n- conda-forge\n",
        "requirements.txt": b"mlflow==3\n",
        "MLmodel": b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n",
        "empty": b"",
    }
    for name, data in files.items():
        assert scanned(data, name) == Scan(level="safe"), name


def test_unknown_code_is_told() -> None:
    found = scanned(cloudpickle.dumps(lambda x: x + 1))
    assert found.level == "unknown"
    evil = "def g(x):\n import os\n os.system('id')"
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(evil, space)  # noqa: S102 - the function under test must travel by value
    found = scanned(cloudpickle.dumps(space["g"]))
    assert found.level == "dangerous"
    assert "system" in found.findings[0].call
    transformer = FunctionTransformer(np.log1p)
    assert scanned(pickle.dumps(transformer)).level in {"usual", "unknown"}
    assert scanned(b"import os", "code/own.py").level == "unknown"
    assert (
        scanned(b"flavors: {python_function: {loader_module: own}}", "MLmodel").level == "unknown"
    )
    assert (
        scanned(b"flavors: {python_function: {loader_module: os}}", "MLmodel").level == "dangerous"
    )


def test_what_is_cut_off_is_dangerous() -> None:
    data = pickle.dumps({"a": list(range(500))})
    found = scanned(data[:200])
    assert found.level == "dangerous"
    assert found.files[0].problem
    packed = gzip.compress(data)
    assert scanned(packed[: len(packed) // 2]).level == "dangerous"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_packed_pickles(pack: Any) -> None:
    assert scanned(pack(pickle.dumps(EVIL))).level == "dangerous"
    assert scanned(pack(pickle.dumps([1, 2]))).level == "usual"


def test_names_that_are_put_together_are_dangerous() -> None:
    # GLOBAL by a name that is itself made by a call: nobody can tell what it will be.
    hidden = (
        b"\x80\x04\x8c\x08builtins\x8c\x03str\x93\x8c\x02os\x85R\x8c\x06system\x93\x8c\x02id\x85R."
    )
    found = scanned(hidden)
    assert found.level == "dangerous"


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.joblib"
    joblib.dump({"a": np.zeros(8_000_000), "b": b"x" * 30_000_000, "e": EVIL}, path)
    tracemalloc.start()
    found = scan([FolderFile(path=path.name, size=1, open=lambda: path.open("rb"))])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.level == "dangerous"
    assert peak < 8_000_000


def test_a_bomb_is_not_unpacked() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(50_000_000))
    packed = stream.getvalue()
    assert len(packed) < 60_000
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number}.zip", packed)
    assert scanned(stream.getvalue(), "x.zip").level in {"safe", "dangerous"}


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.decimals(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
        | st.frozensets(st.text())
    ),
    max_leaves=30,
)


@given(value=_VALUES, protocol=st.integers(0, 5))
def test_every_plain_pickle_is_read_to_its_end(value: Any, protocol: int) -> None:
    found = scanned(pickle.dumps(collections.OrderedDict(v=value), protocol))
    assert [file.problem for file in found.files] == [""]
    assert {item.level for item in found.findings} <= {"usual"}


@given(st.binary(max_size=300))
def test_noise_is_no_failure(data: bytes) -> None:
    scanned(data)
    scanned(b"\x80\x04" + data)


@pytest.mark.parametrize(
    ("module", "name", "level"),
    [
        ("sklearn.linear_model._logistic", "LogisticRegression", "usual"),
        ("numpy.core.multiarray", "_reconstruct", "usual"),
        ("numpy._core.multiarray", "scalar", "usual"),
        ("numpy", "float64", "usual"),
        ("pandas", "DataFrame", "usual"),
        ("pandas", "eval", "dangerous"),
        ("numpy.testing._private.utils", "runstring", "dangerous"),
        ("os.path", "join", "dangerous"),
        ("builtins", "getattr", "dangerous"),
        ("sklearn.utils", "Foo.bar", "unknown"),
        ("mypackage.models", "Net", "unknown"),
        ("torch._utils", "_rebuild_tensor_v2", "usual"),
        ("torch", "FloatStorage", "usual"),
        ("torch", "load", "dangerous"),
        ("datetime", "date", "usual"),
    ],
)
def test_levels(module: str, name: str, level: str) -> None:
    assert level_of(module, name) == level


def test_a_frame_is_usual() -> None:
    frame = pd.DataFrame({"x": [1, 2], "when": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)] * 2})
    found = scanned(pickle.dumps(frame))
    assert [item for item in found.findings if item.level == "dangerous"] == []
