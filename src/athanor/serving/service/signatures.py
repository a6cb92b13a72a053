"""What a registered version takes and gives, in the words of serving."""

from collections.abc import Sequence

from athanor.registry import InputColumn as RegisteredColumn
from athanor.serving.ports import RegisteredVersion
from athanor.serving.types import InputColumn, Signature


def signature_of(version: RegisteredVersion, columns: Sequence[RegisteredColumn] = ()) -> Signature:
    """The signature that its registration told; `columns` where it told none."""
    told = version.signature
    positive = -1
    if told.positive is not None and told.positive in told.classes:
        positive = told.classes.index(told.positive)
    return Signature(
        columns=tuple(
            InputColumn(name=item.name, type=item.type, required=item.required)
            for item in told.inputs or columns
        ),
        classes=tuple(told.classes),
        target=told.target,
        positive=positive,
    )
