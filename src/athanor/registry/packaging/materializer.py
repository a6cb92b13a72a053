"""Models as artifacts of steps."""

import builtins
import importlib
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from athanor.registry.packaging.loading import LoadedModel, load_model
from athanor.registry.packaging.saving import save_model
from athanor.registry.types import ModelDescription, TrainedModel


class ModelMaterializer:
    """Keeps estimators and `TrainedModel`s as MLflow model folders by skops."""

    type: str = "model"

    def handles(self, python_type: builtins.type[Any]) -> bool:
        """Whether it is an estimator of scikit-learn's kind, or one with its description."""
        return issubclass(python_type, (BaseEstimator, TrainedModel, LoadedModel))

    def save(self, value: object, folder: Path) -> dict[str, Any]:
        """Write the model folder; returns its signature, flavour and metadata.

        Raises: UnsafeModel.
        """
        if isinstance(value, LoadedModel):
            shutil.copytree(value.folder, folder, dirs_exist_ok=True)
            return _told(value.description)
        trained = value if isinstance(value, TrainedModel) else TrainedModel(estimator=value)
        description = save_model(
            trained.estimator,
            folder,
            example=trained.example,
            signature=trained.signature,
            metadata=trained.metadata,
        )
        return _told(description)

    def load(
        self,
        folder: Path,
        metadata: dict[str, Any],  # noqa: ARG002 - the port hands it on; the folder knows it
        python_type: builtins.type[Any],
    ) -> object:
        """The model as a `LoadedModel`, a `TrainedModel` (without its example) or an estimator.

        Raises: BadModelFolder, UnsafeModel.
        """
        loaded = load_model(folder)
        if issubclass(python_type, LoadedModel):
            return loaded
        if issubclass(python_type, TrainedModel):
            return TrainedModel(
                estimator=loaded.estimator,
                signature=loaded.description.signature,
                metadata=loaded.description.metadata,
            )
        return loaded.estimator

    def digest(self, folder: Path) -> str:
        """The canonical digest of a model folder."""
        # Lineage's digests need Arrow, so that they are no part of its front door: by name.
        digests = importlib.import_module("athanor.lineage.logic.digests")
        return str(digests.model_digest(folder))


def _told(description: ModelDescription) -> dict[str, Any]:
    """The artifact's metadata."""
    return {
        **asdict(description.signature),
        "flavor": description.flavor,
        "metadata": description.metadata,
    }
