"""Artifacts as a component's code sees them: where they lie, and what is known of them."""

from pathlib import Path
from typing import Any, ClassVar

CONTAINER_TASK_ROOT = ""
"""Where this task's outputs lie; set by the executor."""

_MOUNTS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "oci://": "/oci/"}


class Artifact:
    """Something that a component reads or makes: a file or a folder with metadata."""

    schema_title: ClassVar[str] = "system.Artifact"
    schema_version: ClassVar[str] = "0.0.1"

    def __init__(
        self,
        name: str | None = None,
        uri: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.name = name or ""
        self.uri = uri or ""
        self.metadata = metadata or {}
        self.custom_path = ""
        self.copies: dict[str, str] = {}
        """Where this step has a copy of its own, by address."""

    @property
    def path(self) -> str:
        """Where the content lies on this machine."""
        return self._local()

    @path.setter
    def path(self, path: str) -> None:
        for remote, mount in _MOUNTS.items():
            if path.startswith(mount):
                self.uri = remote + path[len(mount) :]
                return
        self.uri = path

    def set_path(self, path: str) -> None:
        """Say that the content lies elsewhere than where it was expected."""
        self.custom_path = path

    def _local(self) -> str:
        if self.custom_path:
            return self.custom_path
        if self.uri in self.copies:
            return self.copies[self.uri]
        for remote, mount in _MOUNTS.items():
            if self.uri.startswith(remote):
                return mount + self.uri[len(remote) :]
        return self.uri

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, uri={self.uri!r})"


class Model(Artifact):
    """A model."""

    schema_title = "system.Model"

    @property
    def framework(self) -> str:
        """The library that it was made with."""
        return str(self.metadata.get("framework", ""))

    @framework.setter
    def framework(self, framework: str) -> None:
        self.metadata["framework"] = framework


class Dataset(Artifact):
    """Data."""

    schema_title = "system.Dataset"


class Metrics(Artifact):
    """Numbers by name."""

    schema_title = "system.Metrics"

    def log_metric(self, metric: str, value: float) -> None:
        """Keep a number under a name."""
        self.metadata[metric] = value


class ClassificationMetrics(Artifact):
    """An ROC curve and a confusion matrix."""

    schema_title = "system.ClassificationMetrics"

    def log_roc_data_point(self, fpr: float, tpr: float, threshold: float) -> None:
        """Keep one point of the curve."""
        point = {"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr}
        self.metadata.setdefault("confidenceMetrics", []).append(point)

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None:
        """Keep a whole curve, given as three lists of one length.

        Raises: ValueError where the lengths differ.
        """
        if not len(fpr) == len(tpr) == len(threshold):
            sizes = f"{len(fpr)}, {len(tpr)} and {len(threshold)}"
            raise ValueError(f"fpr, tpr and threshold must have one length; they have {sizes}.")
        for point in zip(fpr, tpr, threshold, strict=True):
            self.log_roc_data_point(*point)

    def set_confusion_matrix_categories(self, categories: list[str]) -> None:
        """Name the classes; the matrix begins with zeros."""
        self.metadata["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": name} for name in categories],
            "rows": [{"row": [0] * len(categories)} for _ in categories],
        }

    def log_confusion_matrix_row(self, row_category: str, row: list[float]) -> None:
        """Set one row.

        Raises: ValueError for an unknown class, or a row of another length.
        """
        names = self._categories()
        if len(row) != len(names):
            raise ValueError(f"The row has {len(row)} numbers; there are {len(names)} categories.")
        self.metadata["confusionMatrix"]["rows"][_place(names, row_category)] = {"row": list(row)}

    def log_confusion_matrix_cell(self, row_category: str, col_category: str, value: int) -> None:
        """Set one number.

        Raises: ValueError for an unknown class.
        """
        names = self._categories()
        row = self.metadata["confusionMatrix"]["rows"][_place(names, row_category)]
        row["row"][_place(names, col_category)] = value

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Set the whole matrix.

        Raises: ValueError where it is not square with as many rows as classes.
        """
        self.set_confusion_matrix_categories(categories)
        if len(matrix) != len(categories):
            raise ValueError(f"Invalid matrix: {matrix} passed for categories: {categories}")
        for name, row in zip(categories, matrix, strict=True):
            self.log_confusion_matrix_row(name, list(row))

    def _categories(self) -> list[str]:
        specs = self.metadata.get("confusionMatrix", {}).get("annotationSpecs", [])
        return [spec["displayName"] for spec in specs]


class SlicedClassificationMetrics(Artifact):
    """Classification metrics of parts of the data."""

    schema_title = "system.SlicedClassificationMetrics"

    def __init__(
        self,
        name: str | None = None,
        uri: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(name, uri, metadata)
        self._parts: dict[str, ClassificationMetrics] = {}

    def log_roc_reading(self, slice: str, threshold: float, tpr: float, fpr: float) -> None:  # noqa: A002
        """Keep one point of a slice's curve."""
        self._of(slice).log_roc_data_point(fpr, tpr, threshold)
        self._note()

    def load_roc_readings(self, slice: str, readings: list[list[float]]) -> None:  # noqa: A002
        """Keep a slice's curve: rows of threshold, tpr, fpr."""
        for threshold, tpr, fpr in readings:
            self._of(slice).log_roc_data_point(fpr, tpr, threshold)
        self._note()

    def set_confusion_matrix_categories(self, slice: str, categories: list[str]) -> None:  # noqa: A002
        """Name a slice's classes."""
        self._of(slice).set_confusion_matrix_categories(categories)
        self._note()

    def log_confusion_matrix_row(self, slice: str, row_category: str, row: list[int]) -> None:  # noqa: A002
        """Set one row of a slice's matrix."""
        self._of(slice).log_confusion_matrix_row(row_category, list(row))
        self._note()

    def log_confusion_matrix_cell(
        self,
        slice: str,  # noqa: A002
        row_category: str,
        col_category: str,
        value: int,
    ) -> None:
        """Set one number of a slice's matrix."""
        self._of(slice).log_confusion_matrix_cell(row_category, col_category, value)
        self._note()

    def load_confusion_matrix(
        self,
        slice: str,  # noqa: A002
        categories: list[str],
        matrix: list[list[int]],
    ) -> None:
        """Set a slice's whole matrix."""
        self._of(slice).log_confusion_matrix(categories, matrix)
        self._note()

    def _of(self, part: str) -> ClassificationMetrics:
        return self._parts.setdefault(part, ClassificationMetrics())

    def _note(self) -> None:
        self.metadata["evaluationSlices"] = [
            {"slice": name, "sliceClassificationMetrics": part.metadata}
            for name, part in self._parts.items()
        ]


class HTML(Artifact):
    """A page."""

    schema_title = "system.HTML"


class Markdown(Artifact):
    """A text in Markdown."""

    schema_title = "system.Markdown"


KINDS: dict[str, type[Artifact]] = {
    kind.schema_title: kind
    for kind in (
        Artifact,
        Model,
        Dataset,
        Metrics,
        ClassificationMetrics,
        SlicedClassificationMetrics,
        HTML,
        Markdown,
    )
}
"""The classes by the title of their schema."""


def get_uri(suffix: str = "Output") -> str:
    """A place for an output that the component makes as an artifact object of its own."""
    return str(Path(CONTAINER_TASK_ROOT, suffix)) if CONTAINER_TASK_ROOT else ""


def _place(names: list[str], name: str) -> int:
    if name not in names:
        raise ValueError(f"Invalid category: {name}. Expected one of: {names}.")
    return names.index(name)
