"""The `MLmodel` file: MLflow's description of a model folder, written and read without MLflow.

Source of the layout: mlflow 3.17, `mlflow/models/model.py`, `mlflow/sklearn/__init__.py` and
`mlflow/types/schema.py`. Time and random ids are left out of it, so that saving one model twice
gives one text.
"""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from athanor.kernel.documents import read_yaml
from athanor.registry.errors import BadModelFolder
from athanor.registry.types import InputColumn, ModelDescription, Signature

MODEL_FILE = "model.skops"
FORMAT_VERSION = 1
PICKLED = frozenset({"pickle", "cloudpickle", "joblib"})
"""How scikit-learn's flavour of MLflow names files that run code when they are loaded."""
COLUMN_TYPES = frozenset(
    {"double", "float", "long", "integer", "boolean", "string", "datetime", "binary"}
)
NUMBER_TYPES = frozenset({"double", "float", "long", "integer"})

# libyaml where it is there: ten times faster, the same text.
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_GENERIC = "python_function"
_LARGEST_TENSOR = 4_096
"""Numbers of one row."""
_TENSOR_TYPES = (
    ("float", "double"),
    ("int", "long"),
    ("uint", "long"),
    ("bool", "boolean"),
    ("str", "string"),
    ("object", "string"),
)


def compose(
    description: ModelDescription,
    *,
    versions: Mapping[str, str],
    content: str,
    size: int,
    with_example: bool,
) -> str:
    """The text of `MLmodel`.

    Args:
        description: what the folder holds.
        versions: distribution name to version, of what the model needs.
        content: hexadecimal digest of the model file; gives the model's uuid.
        size: bytes of the model file.
        with_example: whether `input_example.json` stands beside it.
    """
    mlmodel: dict[str, Any] = {
        "flavors": {
            "python_function": {
                "env": {"virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.sklearn",
                "model_path": description.model_file,
                "predict_fn": "predict",
                "python_version": platform.python_version(),
            },
            "sklearn": {
                "code": None,
                "pickled_model": description.model_file,
                "serialization_format": description.serialization,
                "sklearn_version": versions["scikit-learn"],
                "skops_trusted_types": list(description.trusted),
            },
        },
        "metadata": {
            **description.metadata,
            "athanor": {
                "format_version": FORMAT_VERSION,
                "target": description.signature.target,
                "task": description.signature.task,
                "classes": list(description.signature.classes),
                "positive": description.signature.positive,
            },
        },
        "mlflow_version": versions["mlflow-skinny"],
        "model_size_bytes": size,
        "model_uuid": content[:32],
        "signature": signature_text(description.signature),
    }
    if with_example:
        mlmodel["saved_input_example_info"] = {
            "artifact_path": "input_example.json",
            "pandas_orient": "split",
            "type": "dataframe",
        }
    return written(mlmodel)


def written(mlmodel: Mapping[str, Any]) -> str:
    """An `MLmodel` as text, equal for equal content."""
    text: str = yaml.dump(dict(mlmodel), Dumper=_DUMPER, sort_keys=True, allow_unicode=True)
    return text


def read_description(folder: Path) -> ModelDescription:
    """What a model folder says about itself; the model is not loaded.

    Raises: BadModelFolder.
    """
    try:
        text = (folder / "MLmodel").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadModelFolder(folder.name, "there is no readable MLmodel in it") from error
    return parse(text, folder.name)


def parse(text: str, where: str) -> ModelDescription:
    """What an `MLmodel` text says; `where` names the folder in failures.

    Raises: BadModelFolder.
    """
    try:
        mlmodel = read_yaml(text)
        flavors = dict(mlmodel["flavors"])
        name = _flavor_of(flavors)
        flavor = dict(flavors[name] or {})
        metadata = dict(mlmodel.get("metadata") or {})
        ours = dict(metadata.pop("athanor", None) or {})
        inputs = _inputs_of((mlmodel.get("signature") or {}).get("inputs") or "[]")
        newer = int(ours.get("format_version", FORMAT_VERSION)) > FORMAT_VERSION
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadModelFolder(where, f"its MLmodel names no readable flavour ({error})") from error
    if newer:
        raise BadModelFolder(where, "a newer Athanor wrote it")
    pickled = "pickle" if name == "sklearn" else name
    classes, positive = tuple(ours.get("classes", ())), ours.get("positive")
    truths = classes in ((0, 1), (1, 0))  # or False and True, which are equal to them
    return ModelDescription(
        signature=Signature(
            inputs=inputs,
            target=str(ours.get("target", "")),
            task=str(ours.get("task", "")),
            classes=classes,
            positive=classes[classes.index(1)] if truths and positive is None else positive,
        ),
        flavor=name,
        model_file=str(flavor.get("pickled_model") or flavor.get("data") or ""),
        serialization=str(flavor.get("serialization_format") or pickled),
        trusted=tuple(flavor.get("skops_trusted_types") or ()),
        metadata=metadata,
    )


def loadable(description: ModelDescription) -> bool:
    """Whether the folder says that it holds an estimator that `load_model` reads.

    LightGBM's flavour keeps scikit-learn's estimators of it so, too; it gives a native booster the
    same format, but a file that is named otherwise.
    """
    said = description.serialization
    if said not in {"skops", *PICKLED} or not description.model_file:
        return False
    suffix = ".skops" if said == "skops" else ".pkl"
    return description.flavor == "sklearn" or description.model_file.endswith(suffix)


def servable(text: str, where: str) -> bool:
    """Whether workers load what an `MLmodel` text describes: MLflow's generic flavour suffices.

    Raises: BadModelFolder.
    """
    if loadable(parse(text, where)):
        return True
    flavors = read_yaml(text)["flavors"]
    return not flavors.keys().isdisjoint({_GENERIC, "lightgbm", "xgboost"})


def _flavor_of(flavors: Mapping[str, Any]) -> str:
    """The flavour of the model's own library; `python_function` where there is no other."""
    own = [name for name in flavors if name != _GENERIC]
    return "sklearn" if "sklearn" in own else own[0] if own else _GENERIC


def _inputs_of(told: str) -> tuple[InputColumn, ...]:
    """The columns; those without a name are `x0`, `x1` ..., and so are the numbers of a tensor.

    None where there are columns of other kinds, or tensors of open or very large shape.
    """
    columns = json.loads(told)
    if any(isinstance(c, dict) and c.get("type") == "tensor" for c in columns):
        return _inputs_of_tensors(columns)
    if not all(c.get("type") in COLUMN_TYPES for c in columns):
        return ()
    return tuple(
        InputColumn(
            name=column["name"] if isinstance(column.get("name"), str) else f"x{place}",
            type=column["type"],
            required=bool(column.get("required", True)),
        )
        for place, column in enumerate(columns)
    )


def _inputs_of_tensors(tensors: Any) -> tuple[InputColumn, ...]:
    made: list[InputColumn] = []
    for tensor in tensors:
        spec = tensor["tensor-spec"]
        shape, dtype = list(spec["shape"]), str(spec["dtype"])
        size = math.prod(shape[1:])
        if not shape or shape[0] != -1 or min(shape[1:], default=1) < 1 or size > _LARGEST_TENSOR:
            return ()
        kind = next((name for start, name in _TENSOR_TYPES if dtype.startswith(start)), "")
        if not kind:
            return ()
        stem = f"{tensor['name']}_" if tensor.get("name") else "x"
        names = [f"{stem}{place}" for place in range(size)]
        if tensor.get("name") and size == 1:
            names = [str(tensor["name"])]
        made += [InputColumn(name=name, type=kind) for name in names]
    return tuple(made)


def signature_text(signature: Signature) -> dict[str, str | None]:
    """A signature as `MLmodel` keeps it: its parts as JSON."""
    said = "double" if signature.task == "regression" else _type_of(signature.classes)
    return {
        "inputs": json.dumps([asdict(column) for column in signature.inputs], ensure_ascii=False),
        "outputs": json.dumps([{"type": said, "name": signature.target, "required": True}]),
        "params": None,
    }


def _type_of(classes: tuple[Any, ...]) -> str:
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double")):
        if classes and all(isinstance(label, kind) for label in classes):
            return name
    return "string"
