"""What a model said about rows, whatever runtime said it and whatever protocol tells it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class Predicted:
    """A model's answer for rows."""

    ids: list[str]
    """Each row's prediction id."""
    classes: Sequence[Any] = ()
    """Of a classifier: its classes in the order of the probabilities."""
    labels: Sequence[int] = ()
    """Of a classifier: each row's place in `classes`."""
    numbers: Sequence[float] = ()
    """Row after row: probabilities, or values; empty where a model tells labels alone."""
    positive: int = -1
    """The place of the class that a score is the probability of; -1: of the predicted one."""
    outputs: Sequence[str] = ()
    """Of a model that tells several values for a row: their names."""
    values: Sequence[Any] = ()
    """Of a model whose answers are neither classes nor numbers: each row's, as JSON."""
    text: bytes = b""
    """Of a body that a worker read: its answer."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.ids)

    @property
    def width(self) -> int:
        """How many numbers each row has."""
        return len(self.numbers) // len(self.ids)

    def plain(self) -> list[Any]:
        """Each row's label, value, or list of values; what is no finite number is None."""
        if self.values:
            return list(self.values)
        if self.classes:
            return [self.classes[place] for place in self.labels]
        width = self.width
        values = [value if math.isfinite(value) else None for value in self.numbers]
        if width == 1:
            return values
        return [values[start : start + width] for start in range(0, len(values), width)]

    def score(self, row: int) -> float | None:
        """The row's score: a probability, or the (first) value; None where there is none."""
        width = self.width
        if not width:
            return None
        place = 0
        if self.classes:
            place = self.labels[row] if self.positive < 0 else self.positive
        return self.numbers[row * width + place]

    def label(self, row: int) -> Any:
        """The row's class, or its answer where that is no number; None where it is one."""
        if self.values:
            value = self.values[row]
            nested = isinstance(value, dict | list)
            return json.dumps(value, ensure_ascii=False) if nested else value
        return self.classes[self.labels[row]] if self.classes else None

    def probabilities(self, row: int) -> dict[str, float] | None:
        """The row's probability of each class; None where there are none."""
        width = self.width
        if not self.classes or not width:
            return None
        mine = self.numbers[row * width : (row + 1) * width]
        return dict(zip(map(str, self.classes), mine, strict=True))
