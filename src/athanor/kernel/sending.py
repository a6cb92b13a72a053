"""What users hand to a client as JSON: DataFrames by the row, values of NumPy and pandas plain."""

import importlib
from collections.abc import Mapping, Sequence
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


def json_of(value: object) -> bytes:
    """A value as JSON; missing ones, NaN among them, are null. Raises: CannotSend."""
    return msgspec.json.encode(value, enc_hook=_plain)


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
