"""What monitoring asks of the rooms below it."""

from collections.abc import Mapping
from typing import Protocol

from athanor.kernel import Principal
from athanor.registry import ModelVersion


class PredictionLog(Protocol):
    """Where logged predictions and labels lie at this moment."""

    def sources(self) -> Mapping[str, Mapping[str, list[str]]]:
        """`predictions` and `labels`, each with the paths of its `parquet` and `jsonl` files.

        Rows have the columns of the relations of the same names; each row is in one file.
        """
        ...


class ModelSource(Protocol):
    """The registry, as far as monitoring needs it."""

    def version(self, who: Principal, reference: str) -> ModelVersion:
        """The version behind `model@number`.

        Raises: a NotFound with a hint.
        """
        ...
