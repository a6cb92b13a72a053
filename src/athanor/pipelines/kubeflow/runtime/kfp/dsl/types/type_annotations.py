"""How a component's parameters are marked: inputs, outputs, and paths of either."""

import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from .artifact_types import Artifact

T = TypeVar("T")


class InputAnnotation:
    """Marks an input artifact."""


class OutputAnnotation:
    """Marks an output artifact."""


class EmbeddedAnnotation:
    """Marks files that came with the component."""


Input = Annotated[T, InputAnnotation]
Output = Annotated[T, OutputAnnotation]
EmbeddedInput = Annotated[T, EmbeddedAnnotation]


class _Marked:
    """A path whose kind is said in brackets."""

    def __init__(self, type: Any = None) -> None:
        self.type = type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Marked) and type(self) is type(other) and self.type == other.type

    def __hash__(self) -> int:
        return hash((type(self), str(self.type)))


class InputPath(_Marked):
    """The path of an input artifact."""


class OutputPath(_Marked):
    """The path at which an output parameter or artifact is written."""


def without_none(annotation: Any) -> Any:
    """`X` of `Optional[X]` and `X | None`; anything else as it is."""
    if get_origin(annotation) in {Union, types.UnionType}:
        rest = [item for item in get_args(annotation) if item is not type(None)]
        if len(rest) == 1:
            return rest[0]
    return annotation


def mark_of(annotation: Any) -> Any:
    """InputAnnotation, OutputAnnotation, EmbeddedAnnotation, or None."""
    marks = getattr(annotation, "__metadata__", ())
    return marks[0] if marks else None


def inside(annotation: Any) -> Any:
    """What a mark is around, and of lists the kind of their items."""
    while mark_of(annotation) is not None or get_origin(annotation) is list:
        found = get_args(annotation)
        if not found:
            return None
        annotation = without_none(found[0])
    return annotation


def is_artifact_class(kind: Any) -> bool:
    """Whether a class is an artifact's, also one that is not ours."""
    return isinstance(kind, type) and (
        issubclass(kind, Artifact)
        or (hasattr(kind, "schema_title") and hasattr(kind, "schema_version"))
    )


def is_artifact_list(annotation: Any) -> bool:
    """Whether an annotation is a list of artifacts, marked or not."""
    if mark_of(annotation) is not None:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) is list and is_artifact_class(inside(annotation))
