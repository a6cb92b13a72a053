"""A fitted estimator of a script or a notebook as a registered model."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from athanor.client import Client
from athanor.registry import ModelVersion, Signature, Upload
from athanor.registry.packaging import save_model


def keep_model(
    client: Client,
    model: Any,
    name: str,
    *,
    example: pd.DataFrame,
    target: str,
    run_id: str | None,
) -> ModelVersion:
    """Save an estimator as an MLflow model folder and send it as the model's next version.

    Raises: UnsafeModel, BadModelName.
    """
    with TemporaryDirectory(prefix="athanor-model-") as place:
        folder = Path(place) / "model"
        raw = example.drop(columns=[target], errors="ignore") if target else example
        save_model(model, folder, example=raw, signature=Signature(target=target, task=""))
        archive = Path(shutil.make_archive(str(Path(place) / "packed"), "zip", folder))
        return client.models.upload(Upload(model=name, archive=archive, run_id=run_id))
