"""What a function's type hints say, to its author's process and to a step's."""

import typing
from collections.abc import Callable
from typing import Any

STATUS_CLASSES = {"FinalStatus", "PipelineTaskFinalStatus"}
"""Classes of what an exit task is told; any class of such a name will do."""


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A function's type hints; those that can't be evaluated stay text."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return dict(getattr(function, "__annotations__", {}))
