"""What a registered version takes and gives, in the words of serving."""

from athanor.serving.ports import RegisteredVersion
from athanor.serving.types import InputColumn, Signature


def signature_of(version: RegisteredVersion) -> Signature:
    """The signature that its registration told."""
    told = version.signature
    positive = -1
    if told.positive is not None and told.positive in told.classes:
        positive = told.classes.index(told.positive)
    return Signature(
        columns=tuple(
            InputColumn(name=item.name, type=item.type, required=item.required)
            for item in told.inputs
        ),
        classes=tuple(told.classes),
        target=told.target,
        positive=positive,
    )
