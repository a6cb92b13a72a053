"""The columns that predictions of a class make, whoever predicted."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from athanor.serving.logic.outputs import PREDICTION, SCORE, class_column, shown_classes
from athanor.serving.logic.signature import scored
from athanor.serving.types import Signature

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]


def made_schema(classes: Sequence[Any], *, chances: bool) -> pa.Schema:
    """The columns that predictions make."""
    if not classes:
        return pa.schema([(PREDICTION, pa.float64())])
    fields = [pa.field(PREDICTION, pa.array(list(classes)).type)]
    if chances:
        fields.append(pa.field(SCORE, pa.float64()))
        fields += [pa.field(class_column(item), pa.float64()) for item in shown_classes(classes)]
    return pa.schema(fields)


def class_arrays(
    signature: Signature, classes: Sequence[Any], best: Places, chances: Floats | None
) -> list[pa.Array]:
    """Their values: the predicted classes' places, and probabilities (rows, classes) if told."""
    labels = pa.array(list(classes)).take(pa.array(best))
    if chances is None:
        return [labels]
    positive = scored(signature, classes)
    score = chances[np.arange(len(best)), best] if positive < 0 else chances[:, positive]
    shown = [list(classes).index(item) for item in shown_classes(classes)]
    return [
        labels,
        pa.array(np.ascontiguousarray(score)),
        *(pa.array(np.ascontiguousarray(chances[:, place])) for place in shown),
    ]
