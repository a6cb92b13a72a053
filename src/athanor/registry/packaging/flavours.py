"""Which models this process loads itself: scikit-learn's, LightGBM's and XGBoost's.

All others are MLflow's to load, mostly in an environment of their own.
"""

import importlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from athanor.kernel.documents import read_yaml
from athanor.registry.errors import BadModelFolder
from athanor.registry.logic.mlmodel import loadable, read_description
from athanor.registry.packaging.frames import inputs_of_estimator, labels_of
from athanor.registry.packaging.loading import LoadedModel, load_model
from athanor.registry.types import InputColumn, ModelDescription

_XGBOOST_CLASSES = frozenset({"XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"})


class Boosted:
    """A bare booster, with scikit-learn's `predict`."""

    def __init__(self, wrapped: Any, library: str) -> None:
        self.wrapped = wrapped
        self._library = library

    def predict(self, frame: pd.DataFrame) -> Any:
        """What the booster says about the rows of a frame."""
        if self._library == "lightgbm":
            return self.wrapped.predict(frame.to_numpy(dtype=np.float64))
        matrix = importlib.import_module("xgboost").DMatrix(frame)
        return self.wrapped.predict(matrix)

    @property
    def names(self) -> list[str]:
        """Its columns, where it knows them."""
        told = self.wrapped.feature_name() if self._library == "lightgbm" else None
        return list(told or self.wrapped.feature_names or ())


def opened(folder: Path, *, pickles: bool = False) -> LoadedModel | None:
    """The model in a folder, loaded here; None where that is MLflow's to do.

    Raises: BadModelFolder, UnsafeModel.
    """
    description = read_description(folder)
    if not _predicts(folder):
        return None
    if loadable(description):
        return _named(load_model(folder, pickles=pickles))
    if description.flavor not in {"xgboost", "lightgbm"}:
        return None
    told = read_yaml((folder / "MLmodel").read_text("utf-8"))["flavors"]
    settings = told[description.flavor]
    path = folder / str(settings.get("data", ""))
    if path.parent != folder or not path.is_file():
        raise BadModelFolder(folder.name, f"its file {settings.get('data')!r} is not in it")
    kind = str(settings.get("model_class", "")).rsplit(".", 1)[-1]
    try:
        if description.flavor == "lightgbm":
            booster = importlib.import_module("lightgbm").Booster(model_file=str(path))
            return _named(_loaded(Boosted(booster, "lightgbm"), description, folder))
        library = importlib.import_module("xgboost")
        if kind in _XGBOOST_CLASSES:
            estimator = getattr(library, kind)()
            estimator.load_model(str(path))
        else:
            booster = library.Booster()
            booster.load_model(str(path))
            estimator = Boosted(booster, "xgboost")
    except ImportError:
        return None
    except Exception as error:
        raise BadModelFolder(folder.name, f"{path.name} can't be read ({error})") from error
    return _named(_loaded(estimator, description, folder))


def _predicts(folder: Path) -> bool:
    """Whether what is served is `predict`: MLflow may have been told another of its functions."""
    text = (folder / "MLmodel").read_text("utf-8")
    if "predict_fn" not in text:
        return True
    generic = read_yaml(text)["flavors"].get("python_function") or {}
    return bool(generic.get("predict_fn", "predict") == "predict")


def _loaded(estimator: Any, description: ModelDescription, folder: Path) -> LoadedModel:
    classes = description.signature.classes or labels_of(estimator)
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    signature = replace(description.signature, classes=classes, task=task)
    return LoadedModel(
        estimator=estimator, description=replace(description, signature=signature), folder=folder
    )


def _named(model: LoadedModel) -> LoadedModel:
    """The model with the columns that its estimator knows, where its folder tells none."""
    if model.signature:
        return model
    inputs = columns_of(model.estimator)
    signature = replace(model.description.signature, inputs=inputs)
    return replace(model, description=replace(model.description, signature=signature))


def told_columns(folder: str, *, pickles: bool = False) -> list[dict[str, Any]]:
    """The columns of a folder's model, as plain data; none where they are MLflow's to know.

    Raises: BadModelFolder, UnsafeModel.
    """
    model = opened(Path(folder), pickles=pickles)
    return [] if model is None else [asdict(column) for column in model.signature]


def columns_of(estimator: Any) -> tuple[InputColumn, ...]:
    """What an estimator tells of its columns: their names, else `x0`, `x1` ..., one for each."""
    if isinstance(estimator, Boosted):
        names = estimator.names or [f"x{at}" for at in range(estimator.wrapped.num_features())]
        return tuple(InputColumn(name=name, type="double", required=False) for name in names)
    found = inputs_of_estimator(estimator)
    if found:
        return found
    count = int(getattr(estimator, "n_features_in_", 0))
    return tuple(
        InputColumn(name=f"x{place}", type="double", required=False) for place in range(count)
    )
