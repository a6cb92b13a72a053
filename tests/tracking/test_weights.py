"""A model's arrays are read, and nothing of it is run."""

import contextlib
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from athanor.tracking.work.hdf5 import arrays
from athanor.tracking.work.weights import look

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(200, 4))
Y = (X[:, 0] > 1.2).astype(int)


def kept(model: Any, folder: Path) -> str:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return str(path)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_network_shows_its_curve_and_its_layers(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), MLPClassifier((8, 4), max_iter=12, random_state=0))
    model.fit(X, Y)
    seen = look(kept(model, tmp_path))
    assert seen["curve"] == pytest.approx(model[-1].loss_curve_)
    assert [layer["units"] for layer in seen["layers"]] == [8, 4, 1]
    assert seen["layers"][0]["largest"] == pytest.approx(np.abs(model[-1].coefs_[0]).max())
    assert seen["layers"][0]["activation"] == "relu"


def test_dead_units_are_counted(tmp_path: Path) -> None:
    model = MLPClassifier((6, 6), max_iter=1, random_state=0)
    with pytest.warns(match="Stochastic Optimizer"):
        model.fit(X, Y)
    model.intercepts_[0][:4] = -1e3
    model.coefs_[1][:, :] = -np.abs(model.coefs_[1])
    model.intercepts_[1][:] = -1.0
    seen = look(kept(model, tmp_path))
    assert [layer["silent"] for layer in seen["layers"]] == [4, 6, 0]


@pytest.mark.parametrize("model", [GaussianNB(), DecisionTreeClassifier(random_state=0)])
def test_the_classes_shares_are_found(model: Any, tmp_path: Path) -> None:
    seen = look(kept(model.fit(X, Y), tmp_path))
    assert seen["priors"] == pytest.approx([1 - Y.mean(), Y.mean()], abs=1e-3)


def test_a_linear_models_weights_are_seen(tmp_path: Path) -> None:
    model = SGDClassifier(random_state=0).fit(X, Y)
    assert look(kept(model, tmp_path))["layers"][0]["largest"] > 0


class _Evil:
    """What a hostile pickle does: a call of any function, at loading."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._target),))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "was here"
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"coefs_": _Evil(target)}, protocol))
    look(str(path))
    assert not target.exists()


@given(data=st.binary(max_size=300))
def test_any_bytes_are_survived(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model"
    for start in (b"", b"\x80\x04", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n\0"):
        path.write_bytes(start + data)
        assert isinstance(look(str(path)), dict)


@given(data=st.binary(max_size=400))
def test_a_damaged_hdf5_file_ends_in_a_named_error(data: bytes) -> None:
    start = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"
    with contextlib.suppress(ValueError, struct.error, IndexError, MemoryError):
        assert isinstance(arrays(start + data), dict)
