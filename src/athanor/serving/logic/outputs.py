"""The columns that predictions make in a table."""

from collections.abc import Sequence
from typing import Any

PREDICTION = "prediction"
SCORE = "score"
_MOST_CLASSES = 100


def class_column(label: object) -> str:
    """The column of a class's probability."""
    return f"probability_{label}"


def shown_classes(classes: Sequence[Any]) -> Sequence[Any]:
    """The classes whose probabilities get a column: all of them, or none where they are many."""
    return classes if len(classes) <= _MOST_CLASSES else ()


def made_columns(classes: Sequence[Any], *, reasons: bool) -> list[str]:
    """The names of all columns that predictions may make.

    A classifier makes `prediction` (the class), `score` (the probability of the positive class of
    two, else of the predicted one) and a `probability_<class>` each; a regressor `prediction`. With
    `reasons`, `error` says why the model refused a row.
    """
    made = [PREDICTION]
    if classes:
        made += [SCORE, *map(class_column, shown_classes(classes))]
    return [*made, "error"] if reasons else made
