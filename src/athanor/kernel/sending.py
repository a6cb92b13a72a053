"""What users hand to a client as JSON: DataFrames by the row, values of NumPy and pandas plain."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import msgspec

from athanor.kernel.errors import Invalid


class CannotSend(Invalid):
    """A value that JSON knows nothing like."""

    def __init__(self, value: object) -> None:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        super().__init__(
            f"A value of type {kind} can't be sent: {str(value)[:60]!r}.",
            hint="Give numbers, texts, truth values, times, None, or lists and dicts of them.",
        )


class NoUnicode(Invalid):
    """A text that no encoding of Unicode has, such as half of a surrogate pair."""

    def __init__(self, error: UnicodeEncodeError, where: str) -> None:
        shown = error.object[max(error.start - 20, 0) : error.end + 20]
        super().__init__(
            f"{where or 'A text'} is no valid Unicode: {shown!r}.",
            hint="Take the broken signs out: text.encode('utf-8', 'replace').decode()",
        )


def json_of(value: object) -> bytes:
    """A value as JSON; missing ones, NaN among them, are null. Raises: CannotSend, NoUnicode."""
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError as error:
        raise no_unicode(error, value) from None


def no_unicode(error: UnicodeEncodeError, given: object) -> NoUnicode:
    """The failure that tells the row and the column of the first such text."""
    if hasattr(given, "columns"):
        given = rows_of(given)
    return NoUnicode(error, ", ".join(_to_broken(given) or []))


def _to_broken(value: object, *, in_list: bool = False) -> list[str] | None:
    """The way to the first text within that is no valid Unicode; None where all are."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return []
        return None
    parts: Iterable[tuple[str, object]] = ()
    if isinstance(value, Mapping):
        told = [(f"column {name!a}" if in_list else f"{name!a}", name) for name in value]
        parts = [*told, *((step, value[name]) for step, name in told)]
    elif isinstance(value, list | tuple):
        parts = ((f"row {place}", part) for place, part in enumerate(value, start=1))
    elif is_dataclass(value):
        parts = ((item.name, getattr(value, item.name)) for item in fields(value))
    for step, part in parts:
        way = _to_broken(part, in_list=isinstance(value, list | tuple))
        if way is not None:
            return [step, *way]
    return None


def rows_of(given: Any) -> list[Any]:
    """The rows of a DataFrame of any library, of a list, or the one row that a dict is."""
    if isinstance(given, Mapping):
        return [given]
    if isinstance(given, Sequence) or not hasattr(given, "columns"):
        return list(given)
    frame = importlib.import_module("narwhals").from_native(given)
    frame = frame.collect() if hasattr(frame, "collect") else frame
    return list(frame.rows(named=True))


def _plain(value: Any) -> Any:
    """A value that is no plain one, by what it can do: neither NumPy nor pandas is loaded here."""
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, datetime):  # pandas.Timestamp
        return value.isoformat()
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind == "M":
        return value.astype("datetime64[us]").tolist()
    if kind and kind in "biufOU":
        return value.tolist()
    raise CannotSend(value)
