"""Output parameters as their types have them, in the step's process."""

import contextlib
from typing import Any

from athanor.pipelines.errors import BadStep, WrongType
from athanor.pipelines.logic.values import fit, shown, unbounded, unkept

_NESTED = frozenset({"LIST", "STRUCT"})
_SURE = 1 << 62
"""A whole number between minus this and this can be kept."""


def fitted_output(value: Any, kind: str, step: str, name: str) -> Any:
    """What a step gave for an output parameter, as its type has it.

    Raises: BadStep.
    """
    if _fits_plainly(value, kind):
        return value
    where = f"Step {step!r}"
    if (fault := unkept(value)) is not None:
        raise BadStep(
            f"{where} returned {shown(value)} as {name!r}, which can't be kept: {fault}.",
            hint="Return it as a text in another form, or as a file.",
        )
    if kind in _NESTED:
        for place, number in unbounded(value, name):
            with contextlib.suppress(OSError, ValueError):  # the step may have closed it
                print(f"athanor: {place} is {number}, for which JSON has no word: kept as null")  # noqa: T201 - the step's log
    try:
        return fit(value, kind, where, name)
    except WrongType as error:
        raise BadStep(
            f"{where} returned {shown(value)} as {name!r}, which its hint calls otherwise: "
            f"{error.message}",
            hint="Return what the type hint says, or change the hint.",
        ) from None


def _fits_plainly(value: Any, kind: str) -> bool:
    """Whether a value is one of those that most steps return, and that nothing is to do for."""
    given = type(value)
    if given is int:
        return kind == "NUMBER_INTEGER" and -_SURE < value < _SURE
    if given is str:
        return kind == "STRING" and value.isascii()
    return given is bool and kind == "BOOLEAN"
