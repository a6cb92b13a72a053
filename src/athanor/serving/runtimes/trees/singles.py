"""Single precision, for generated programs: their text holds this file's."""

import ctypes
from collections.abc import Callable
from math import exp
from struct import Struct
from typing import cast

_SINGLE = Struct("f")


def single(value: float) -> float:
    """The nearest number of single precision."""
    return float(_SINGLE.unpack(_SINGLE.pack(value))[0])


def power(value: float) -> float:
    """exp; infinity where it overflows."""
    try:
        return exp(value)
    except OverflowError:
        return float("inf")


def _of_library() -> Callable[[float], float]:
    try:
        found = ctypes.CDLL(None).expf
    except (OSError, AttributeError):
        return lambda value: single(power(value))
    found.restype, found.argtypes = ctypes.c_float, (ctypes.c_float,)
    return cast("Callable[[float], float]", found)


expf = _of_library()
"""exp in single precision: the C library's, which XGBoost calls."""
