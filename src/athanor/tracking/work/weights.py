"""A logged model's arrays, read without running anything of it.

A pickle is a program. This reads it with every name in it replaced by an inert stand-in, but for
the few that make numpy arrays: no code of the model, of its libraries or of an attacker is called.
A skops file is a zip of plain arrays and a JSON description.
"""

import io
import json
import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from athanor.tracking.work.hdf5 import arrays

_KERAS = "model.weights.h5"
_KERAS_BYTES = 1 << 30
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LAYERS = 64
_POINTS = 5_000
_DEPTH = 6
_INNER = ("best_estimator_", "steps", "estimators_")


def look(path: str) -> dict[str, Any]:
    """What a model's arrays tell: `curve`, `layers`, `priors`; what it has not is left out."""
    data = Path(path).read_bytes()
    try:
        if not zipfile.is_zipfile(path):
            return _told(_of_pickle(data))
        with zipfile.ZipFile(path) as archive:
            if _KERAS in archive.namelist():
                return _of_keras(archive)
        return _told(_of_skops(data))
    except Exception:  # noqa: BLE001 - whatever stands in there: then nothing is known
        return {}


class _Stand:
    """Stands for an object of any class: takes whatever it is given, and does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.state: dict[str, Any] = {}
        self.items: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[0], dict | None):
            state = {**(state[0] or {}), **(state[1] or {})}
        self.state = state if isinstance(state, dict) else {"state": state}

    def __setitem__(self, key: Any, value: Any) -> None:
        self.state[str(key)] = value

    def append(self, item: Any) -> None:
        self.items.append(item)

    def extend(self, items: Any) -> None:
        self.items.extend(items)

    def __call__(self, *_args: Any, **_kwargs: Any) -> "_Stand":
        return _Stand()

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def _scalar(dtype: Any, data: Any = b"") -> Any:
    return np.frombuffer(data, dtype=dtype)[0] if isinstance(data, bytes) and data else _Stand()


def _reconstruct(_kind: Any, _shape: Any, _code: Any) -> Any:
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Any:
    return np.frombuffer(bytes(data), dtype=dtype).reshape(shape, order=order)


_ALLOWED: dict[tuple[str, str], Any] = {
    (module, name): made
    for core in ("numpy.core", "numpy._core")
    for module, name, made in (
        (f"{core}.multiarray", "_reconstruct", _reconstruct),
        (f"{core}.multiarray", "scalar", _scalar),
        (f"{core}.numeric", "_frombuffer", _from_buffer),
    )
} | {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): lambda text, coding="latin1": str(text).encode(str(coding)),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get((module, name))
        if allowed is not None:
            return allowed
        return type(name.rpartition(".")[2] or "Stand", (_Stand,), {"__module__": module})

    def persistent_load(self, _pid: Any) -> Any:
        return _Stand()


def _of_pickle(data: bytes) -> dict[str, Any]:
    return _attributes(_Reader(io.BytesIO(data)).load(), 0)


def _attributes(found: Any, depth: int) -> dict[str, Any]:
    """The attributes of the estimator; of a pipeline, those of its last step that has weights."""
    if not isinstance(found, _Stand):
        return {}
    state = dict(found.state)
    state["_class"] = type(found).__name__
    if depth < _DEPTH and not {"coefs_", "class_prior_", "tree_"} & state.keys():
        inner = [state[name] for name in _INNER if isinstance(state.get(name), list | _Stand)]
        for item in reversed(inner[0] if inner and isinstance(inner[0], list) else inner[:1]):
            step = item[-1] if isinstance(item, tuple) else item
            if isinstance(step, _Stand) and (deeper := _attributes(step, depth + 1)):
                return deeper
    return state


def _of_skops(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))

        def value(node: Any, depth: int = 0) -> Any:
            if not isinstance(node, dict) or depth > 40:
                return None
            if node.get("type") == "numpy":
                return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
            loader, content = node.get("__loader__"), node.get("content")
            if loader == "JsonNode":
                return json.loads(content) if isinstance(content, str) else content
            if isinstance(content, list):
                return [value(item, depth + 1) for item in content]
            if isinstance(content, dict) and "__loader__" in content:
                return value(content, depth + 1)
            if isinstance(content, dict):
                return {key: value(item, depth + 1) for key, item in content.items()}
            return None

        found = value(schema)
    return found if isinstance(found, dict) else {}


def _of_keras(archive: zipfile.ZipFile) -> dict[str, Any]:
    """A Keras model's layers with a matrix of weights, in order."""
    if sum(item.file_size for item in archive.infolist()) > _KERAS_BYTES:
        return {}
    config = json.loads(archive.read("config.json"))["config"]
    found = arrays(archive.read(_KERAS))
    weights: list[Any] = []
    biases: list[Any] = []
    activations: list[str] = []
    counts: dict[str, int] = {}
    for layer in config.get("layers", []):
        # The file names layers by their class and number, not by the user's names.
        kind = _SNAKE.sub("_", layer["class_name"]).lower()
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        place = f"layers/{kind}_{number}" if number else f"layers/{kind}"
        weight, bias = found.get(f"{place}/vars/0"), found.get(f"{place}/vars/1")
        said = layer["config"].get("activation", "")
        if weight is None and kind in {"activation", "re_lu"} and activations:
            activations[-1] = str(said or "relu")
        if weight is not None and weight.ndim == 2:
            weights.append(weight)
            biases.append(np.zeros(weight.shape[1]) if bias is None else bias)
            activations.append(said if isinstance(said, str) else "")
    return {"layers": _layers(weights, biases, activations)} if weights else {}


def _told(state: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    curve = state.get("loss_curve_")
    if isinstance(curve, list) and curve:
        told["curve"] = [float(value) for value in curve[:_POINTS]]
    weights, biases = state.get("coefs_"), state.get("intercepts_")
    if isinstance(weights, list) and isinstance(biases, list):
        activation = str(state.get("activation", ""))
        told["layers"] = _layers(weights, biases, [activation] * len(weights))
    elif isinstance(state.get("coef_"), np.ndarray) and state["coef_"].size:
        told["layers"] = [_linear(state["coef_"])]
    priors = _priors(state)
    if priors:
        told["priors"] = priors
    return told


def _linear(weights: Any) -> dict[str, Any]:
    return {"name": "the linear model", "units": 1, "largest": _largest(weights)}


def _layers(weights: list[Any], biases: list[Any], activations: list[str]) -> list[dict[str, Any]]:
    found = []
    layers = zip(weights, biases, activations, strict=True)
    for number, (weight, bias, activation) in enumerate(layers, 1):
        if not isinstance(weight, np.ndarray) or weight.ndim != 2 or number > _LAYERS:
            continue
        last = number == len(weights)
        found.append(
            {
                "name": "the output layer" if last else f"layer {number}",
                "units": int(weight.shape[1]),
                "largest": _largest(weight),
                "bias": _largest(bias),
                "silent": 0 if last or activation != "relu" else _silent(weight, bias, number),
                "activation": "" if last else activation,
            }
        )
    return found


def _largest(values: Any) -> float:
    if not values.size:
        return 0.0
    found = float(np.abs(values).max())
    return found if not math.isnan(found) else math.nan


def _silent(weight: Any, bias: Any, number: int) -> int:
    """How many ReLU units are zero for any input.

    Of layers behind the first, whose inputs are never negative, those with neither a weight nor a
    bias above zero; of the first, those that three in every (scaled) feature does not wake.
    """
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        return 0
    if number == 1:
        return int((bias + 3 * np.abs(weight).sum(axis=0) <= 0).sum())
    return int(((weight <= 0).all(axis=0) & (bias <= 0)).sum())


def _priors(state: dict[str, Any]) -> list[float]:
    """The classes' shares in the training data, where an estimator keeps them."""
    prior = state.get("class_prior_")
    if isinstance(prior, np.ndarray):
        return [float(value) for value in prior]
    counts = state.get("class_count_")
    if isinstance(counts, np.ndarray) and counts.sum() > 0:
        return [float(value) for value in counts / counts.sum()]
    log_prior = state.get("class_log_prior_")
    if isinstance(log_prior, np.ndarray):
        return [float(value) for value in np.exp(log_prior)]
    tree = state.get("tree_")
    values = tree.state.get("values") if isinstance(tree, _Stand) else None
    classes = state.get("classes_")
    if isinstance(values, np.ndarray) and isinstance(classes, np.ndarray) and values.ndim == 3:
        root = values[0, 0]
        if root.size == classes.size and root.sum() > 0:
            return [float(value) for value in root / root.sum()]
    return []
