"""Loading a model folder, and asking the model."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray

from athanor.registry.errors import BadModelFolder, UnsafeModel
from athanor.registry.logic.mlmodel import PICKLED, read_description
from athanor.registry.logic.pickles import FolderFile, scan
from athanor.registry.packaging.frames import as_read, frame_of_records, frame_of_table, labels_of
from athanor.registry.packaging.scoring import probabilities
from athanor.registry.packaging.soundness import unsound
from athanor.registry.packaging.trust import ALLOWED, strangers
from athanor.registry.types import Estimator, InputColumn, Label, ModelDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model ready to answer."""

    estimator: Estimator
    description: ModelDescription
    folder: Path
    """Where it was loaded from."""

    @property
    def signature(self) -> tuple[InputColumn, ...]:
        """The raw columns it reads, in order."""
        return self.description.signature.inputs

    @property
    def classes(self) -> tuple[Label, ...]:
        """Its labels, in the order of the probabilities; empty for regression."""
        return self.description.signature.classes

    @property
    def target(self) -> str:
        """The column it predicts."""
        return self.description.signature.target

    @property
    def task(self) -> str:
        """`binary`, `multiclass` or `regression`."""
        return self.description.signature.task

    @property
    def positive(self) -> Label | None:
        """The class that `score` is the probability of; None unless binary."""
        return self.description.signature.positive

    def predict_records(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer per record, equal to the last bit for one record and for many.

        Each is `{"label", "probabilities": {class: p}, "score"}`; `score` is the probability of
        the positive class (binary), of the label (multi-class) or the value (regression); None
        where the model tells no probabilities.

        Raises: RecordRefused.
        """
        if not records:
            return []
        return self._answers(as_read(self.estimator, frame_of_records(self.signature, records)))

    def predict_table(self, table: pd.DataFrame) -> list[dict[str, Any]]:
        """The same for the rows of a table that holds the raw columns, and maybe others.

        Raises: RecordRefused.
        """
        if not len(table):
            return []
        return self._answers(as_read(self.estimator, frame_of_table(self.signature, table)))

    def predict_encoded(self, matrix: NDArray[np.float64]) -> list[dict[str, Any]]:
        """The same for what the estimator reads as it is, a row each: nothing is looked at."""
        return self._answers(matrix)

    def probabilities(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Class probabilities for the rows of a table, shape (rows, classes).

        Raises: RecordRefused.
        """
        frame = as_read(self.estimator, frame_of_table(self.signature, table))
        return probabilities(self.estimator, frame)

    def _answers(
        self, frame: "NDArray[np.float64] | pd.DataFrame | pd.Series"
    ) -> list[dict[str, Any]]:
        if not self.classes:
            values = np.asarray(self.estimator.predict(frame), dtype=np.float64).tolist()
            return [{"label": value, "probabilities": {}, "score": value} for value in values]
        if not hasattr(self.estimator, "predict_proba"):
            told = [self.classes[self.classes.index(v)] for v in self.estimator.predict(frame)]
            return [{"label": label, "probabilities": {}, "score": None} for label in told]
        chances = probabilities(self.estimator, frame)
        names = [str(label) for label in self.classes]
        best = chances.argmax(axis=1)
        scored = best
        if self.positive is not None:
            scored = np.full(len(best), self.classes.index(self.positive))
        return [
            {
                "label": self.classes[label],
                "probabilities": dict(zip(names, row, strict=True)),
                "score": row[score],
            }
            for row, label, score in zip(chances.tolist(), best, scored, strict=True)
        ]


def load_model(folder: Path, *, pickles: bool = False) -> LoadedModel:
    """Load a model folder whose file holds allowed types only.

    With `pickles`, one that scikit-learn's pickles hold is loaded too, which runs whatever its
    maker put there: in a worker, and where somebody agreed to it. Without, nothing is unpickled.

    Raises: BadModelFolder, UnsafeModel (what would run is named).
    """
    description = read_description(folder)
    if description.serialization in PICKLED and not pickles:
        raise UnsafeModel(f"Model folder {folder.name}", _what_would_run(folder))
    path = folder / description.model_file
    if path.parent != folder or not path.is_file():
        raise BadModelFolder(folder.name, f"its file {description.model_file!r} is not in it")
    if description.serialization in PICKLED:
        return _unpickled(folder, path, description)
    if description.serialization != "skops":
        why = f"models of {description.flavor} are not loaded here yet"
        raise BadModelFolder(folder.name, why)
    try:
        found = skops.io.get_untrusted_types(file=path)
    except Exception as error:
        raise BadModelFolder(folder.name, f"{path.name} is not a skops file ({error})") from error
    if refused := strangers(found):
        raise UnsafeModel(f"Model folder {folder.name}", refused)
    estimator = skops.io.load(path, trusted=sorted(ALLOWED.intersection(found)))
    if problem := unsound(estimator):
        raise BadModelFolder(folder.name, f"{problem}, in {path.name}")
    return _completed(estimator, description, folder)


def _what_would_run(folder: Path) -> list[str]:
    files = [
        FolderFile(
            path=path.relative_to(folder).as_posix(),
            size=path.stat().st_size,
            open=lambda path=path: path.open("rb"),  # type: ignore[misc]
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
    found = scan(files)
    told = [item.call or f"{item.module}.{item.name}" for item in found.findings]
    harmful = [
        item.call or f"{item.module}.{item.name}"
        for item in found.findings
        if item.level != "usual"
    ]
    return [f"a pickle ({', '.join((harmful or told)[:10])})"]


def _unpickled(folder: Path, path: Path, description: ModelDescription) -> LoadedModel:
    """Run the pickle."""
    try:
        with path.open("rb") as stream:
            if description.serialization == "joblib":
                estimator = joblib.load(stream)
            else:
                estimator = pickle.load(stream)  # noqa: S301 - the caller has the consent
    except Exception as error:
        raise BadModelFolder(folder.name, f"{path.name} can't be unpickled ({error})") from error
    return _completed(estimator, description, folder)


def _completed(estimator: Estimator, description: ModelDescription, folder: Path) -> LoadedModel:
    """The model; where its folder names no task, as MLflow's don't, its estimator tells it."""
    said = description.signature
    if said.task:
        return LoadedModel(estimator=estimator, description=description, folder=folder)
    classes = said.classes or labels_of(estimator)
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    positive = classes[1] if task == "binary" and said.positive is None else said.positive
    signature = replace(said, classes=classes, task=task, positive=positive)
    return LoadedModel(
        estimator=estimator, description=replace(description, signature=signature), folder=folder
    )
