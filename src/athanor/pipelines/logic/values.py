"""Parameter values: their types, and whether a value fits one."""

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import orjson
from msgspec import UNSET

from athanor.pipelines.errors import BadLoop, WrongType
from athanor.pipelines.ir.spec import InputParameter, OutputParameter

WORDS = {
    "STRING": "a text (str)",
    "NUMBER_INTEGER": "a whole number (int)",
    "NUMBER_DOUBLE": "a number (float)",
    "BOOLEAN": "true or false (bool)",
    "LIST": "a list",
    "STRUCT": "a mapping (dict)",
}
_FAULTS = {
    "64-bit": "whole numbers have 64 bits at most",
    "surrogates": "it holds what is no valid Unicode text",
    "Recursion": "its parts lie too deep in each other",
}
"""What can't be kept, by a word of orjson's about it."""
_OLD = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}


def type_of(definition: InputParameter | OutputParameter) -> str:
    """The parameter type of a definition, its deprecated form included; "" if it has none."""
    if definition.parameter_type is not None:
        return definition.parameter_type
    return _OLD.get(definition.type or "", "")


def fit(value: Any, kind: str, where: str, name: str) -> Any:
    """The value as the parameter type has it.

    Whole numbers written as 5.0 become 5 and 5 becomes 5.0 where a float is wanted; nothing else
    is converted, and nothing inside of lists and mappings. None passes everywhere.

    Raises: WrongType.
    """
    checker = _CHECKS.get(kind)
    if value is None or checker is None:
        return value
    fitted = checker(value)
    if fitted is UNSET:
        raise WrongType(where, name, WORDS[kind], f"{shown(value)} ({type(value).__name__})")
    if (fault := unkept(fitted)) is not None:
        raise WrongType(where, name, f"{WORDS[kind]} that can be kept", f"{shown(value)}: {fault}")
    return fitted


def unkept(value: Any) -> str | None:
    """Why a value can't be kept as JSON, if so: its whole numbers, its texts, or its depth."""
    if isinstance(value, bool | float):
        return None
    try:
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError as error:
        cause = str(error)
    else:
        return None
    return next((told for word, told in _FAULTS.items() if word in cause), None)


def unbounded(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """The numbers inside of a value that JSON has no word for, and where they stand."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from unbounded(item, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from unbounded(item, f"{place}[{number}]")


def converted(value: Any, kind: str) -> Any:
    """A value of another type, as Kubeflow's driver hands it to a container; UNSET if it can't be.

    What is no text becomes one as JSON; a text becomes the number, truth, list or mapping that it
    spells.
    """
    if kind == "STRING":
        return as_text(value)
    checker = _CHECKS.get(kind)
    if checker is None or not isinstance(value, str):
        return UNSET
    text = value.strip()
    try:
        parsed = json.loads(text.lower() if kind == "BOOLEAN" else text)
    except ValueError:
        return UNSET
    return checker(parsed)


def listed(value: Any, where: str) -> list[Any]:
    """What a loop goes through: a list, or the JSON of one. Raises: BadLoop."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise BadLoop(where, shown(value)) from None
    if not isinstance(value, list):
        raise BadLoop(where, shown(value))
    return value


def shown(value: Any, limit: int = 80) -> str:
    """A value as short text."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 3] + "..."


def as_text(value: Any) -> str:
    """A value as it stands in a command line or in another text.

    As Kubeflow's launcher writes it: whole numbers that are held as doubles lose their ".0", small
    ones have no exponent, nothing is an empty text; lists and mappings are JSON.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    return json.dumps(value, ensure_ascii=False)


def _string(value: Any) -> Any:
    return value if isinstance(value, str) else UNSET


def _integer(value: Any) -> Any:
    if isinstance(value, bool):
        return UNSET
    if isinstance(value, float):
        return int(value) if value.is_integer() else UNSET
    return value if isinstance(value, int) else UNSET


def _double(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNSET
    number = float(value)
    return number if math.isfinite(number) else UNSET


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else UNSET


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else UNSET


def _struct(value: Any) -> Any:
    return value if isinstance(value, dict) else UNSET


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "STRING": _string,
    "NUMBER_INTEGER": _integer,
    "NUMBER_DOUBLE": _double,
    "BOOLEAN": _boolean,
    "LIST": _list,
    "STRUCT": _struct,
}
