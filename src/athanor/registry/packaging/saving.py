"""Writing a model folder."""

import hashlib
import io
import json
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast
from zipfile import ZipFile

import pandas as pd
import skops.io
from skops.io._audit import get_tree
from skops.io._utils import LoadContext, SaveContext, get_state
from skops.io._utils import _get_state as state_of_type

from athanor.registry.errors import UnsafeModel
from athanor.registry.logic.mlmodel import MODEL_FILE, compose
from athanor.registry.packaging.archive import Members, canonical
from athanor.registry.packaging.frames import infer_inputs, inputs_of_estimator, labels_of
from athanor.registry.packaging.trust import strangers
from athanor.registry.types import Estimator, ModelDescription, Signature

EXAMPLE_ROWS = 5
_NEEDED = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")
_ALSO = {"mlflow-skinny": "mlflow", "xgboost": "xgboost-cpu"}
"""Distributions that hold the same package under another name."""
_PYTHON_ENV = """\
python: {python}
build_dependencies:
- pip
- setuptools
- wheel
dependencies:
- -r requirements.txt
"""


def save_model(
    estimator: Estimator,
    folder: Path,
    *,
    example: pd.DataFrame | None = None,
    signature: Signature | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ModelDescription:
    """Write a fitted estimator as an MLflow model folder (python_function and sklearn flavours).

    Args:
        estimator: fitted; a Pipeline that takes the raw columns serves best.
        folder: is made; must be empty or absent.
        example: raw rows as in training; the first five are kept as the input example. The
            columns' types and whether they may be missing are read from all of them where
            `signature` tells no inputs.
        signature: columns, target, task, classes; what is missing in it is read from the estimator.
        metadata: JSON to keep beside the model.

    Raises: UnsafeModel where the estimator holds a type outside the allow list.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schema, members = _dump(estimator)
    types = _untrusted(schema, members)
    if refused := strangers(types):
        raise UnsafeModel("The model", refused)
    archive = canonical(schema, members)
    description = ModelDescription(
        signature=_complete(signature or Signature(task=""), estimator, example),
        flavor="sklearn",
        model_file=MODEL_FILE,
        serialization="skops",
        trusted=types,
        metadata=dict(metadata or {}),
    )
    versions = _versions(types)
    (folder / MODEL_FILE).write_bytes(archive)
    (folder / "requirements.txt").write_text(
        "".join(f"{name}=={number}\n" for name, number in sorted(versions.items()))
    )
    mlmodel = compose(
        description,
        versions=versions,
        content=hashlib.sha256(archive).hexdigest(),
        size=len(archive),
        with_example=example is not None,
    )
    (folder / "MLmodel").write_text(mlmodel)
    (folder / "python_env.yaml").write_text(_PYTHON_ENV.format(python=platform.python_version()))
    if example is not None:
        _write_example(example, folder)
    return description


def _dump(estimator: Estimator) -> tuple[dict[str, Any], Members]:
    """What `skops.io.dumps` writes: its schema, as it is read again, and the other members.

    Packed by it, the schema would be indented by Python's own encoder, written and read three
    times over.
    """
    _tell_of_boosters()
    members = Members()
    context = SaveContext(zip_file=cast("ZipFile", members))
    try:
        state = get_state(estimator, context)
        state["protocol"], state["_skops_version"] = context.protocol, skops.__version__
        schema: dict[str, Any] = json.loads(json.dumps(state))
        context.clear_memo()
    except (
        TypeError,
        ValueError,
        AttributeError,
        skops.io.exceptions.UnsupportedTypeException,
    ) as error:
        raise UnsafeModel("The model", [f"{type(estimator).__qualname__} ({error})"]) from error
    return schema, members


def _tell_of_boosters() -> None:
    """Have the trees of a Booster written once: skops asks twice, the first time only to look."""
    for module in ("lightgbm.basic", "xgboost.core"):
        booster = getattr(sys.modules.get(module), "Booster", None)
        if booster is not None and booster not in state_of_type.registry:
            state_of_type.register(booster)(_state_of_booster)


def _state_of_booster(booster: Any, context: SaveContext) -> dict[str, Any]:
    """What skops tells of any object that has its own way to tell its state."""
    kind = type(booster)
    content = get_state(booster.__getstate__(), context)
    name, module = kind.__name__, kind.__module__
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": "ObjectNode",
        "content": content,
    }


def _untrusted(schema: dict[str, Any], members: Members) -> tuple[str, ...]:
    """The types that skops itself does not trust, as `skops.io.get_untrusted_types` tells."""
    context = LoadContext(src=cast("ZipFile", members), protocol=schema["protocol"])
    return tuple(sorted(get_tree(schema, context, trusted=None).get_unsafe_set()))


def _complete(
    signature: Signature, estimator: Estimator, example: pd.DataFrame | None
) -> Signature:
    """The signature with what the estimator and the example tell."""
    inputs = signature.inputs
    if not inputs and example is not None:
        inputs = infer_inputs(example)
    elif not inputs:
        inputs = inputs_of_estimator(estimator)
    classes = signature.classes or labels_of(estimator)
    task = signature.task
    if not task:
        task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    positive = signature.positive
    if positive is None and task == "binary":
        positive = classes[1]
    return Signature(
        inputs=inputs, target=signature.target, task=task, classes=classes, positive=positive
    )


def _versions(types: tuple[str, ...]) -> dict[str, str]:
    names = [*_NEEDED]
    for module, name in (("lightgbm", "lightgbm"), ("xgboost", "xgboost")):
        if any(item.startswith(f"{module}.") for item in types):
            names.append(name)
    found = {}
    for name in names:
        try:
            found[name] = _known_version(name)
        except PackageNotFoundError:
            found[name] = _version_of(_ALSO.get(name, ""))
    return found


def _version_of(name: str) -> str:
    try:
        return _known_version(name) if name else "0"
    except PackageNotFoundError:
        return "0"


@cache
def _known_version(name: str) -> str:
    return version(name)


def _write_example(example: pd.DataFrame, folder: Path) -> None:
    text = io.StringIO()
    example.head(EXAMPLE_ROWS).to_json(text, orient="split", index=False, date_format="iso")
    split = json.loads(text.getvalue())
    ordered = {"columns": split["columns"], "data": split["data"]}
    (folder / "input_example.json").write_text(json.dumps(ordered, ensure_ascii=False))


# Here, in the zygote: looked for in each step that stores a model, they would take longer than it.
_versions(("lightgbm.",))
