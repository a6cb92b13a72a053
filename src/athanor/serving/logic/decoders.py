"""JSON decoders generated from a signature: strict, in C, and tried before the lenient readers.

What they take is what the lenient readers would take without a change; anything else they leave to
them, so that coercions and messages are made in one place.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from athanor.serving.types import InputColumn, Signature

Decode: TypeAlias = Callable[[bytes], Any]
"""A body whose `records` are structs; raises one of `UNDECODED` where only the lenient reader can
say what it is."""
UNDECODED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_LONG = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_INTEGER = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
_TYPES: Mapping[str, Any] = {
    "double": float | None,
    "float": float | None,
    "long": _LONG | None,
    "integer": _INTEGER | None,
    "string": str | None,
    "boolean": bool | None,
}
"""By a column's type: what it reads unchanged. Times need a second look."""
_NEVER_NULL: Mapping[str, Any] = {
    "double": float | None,
    "long": _LONG,
    "integer": _INTEGER,
    "string": str | None,
    "boolean": bool,
}
"""The same for data frames of MLflow, whose whole numbers and booleans are never missing, and whose
floats are rounded."""


def records(signature: Signature, key: str, *, name: str = "records") -> Decode | None:
    """A decoder of {name: [{column: value}]}; None where a column's type needs a second look.

    Its records have the signature's columns in their order, then `key` where that is no column.
    """
    return _decoder(signature, key, name, _TYPES)


def frame_records(signature: Signature, key: str) -> Decode | None:
    """A decoder of MLflow's {"dataframe_records": [{column: value}]}, alone in its body."""
    return _decoder(signature, key, "dataframe_records", _NEVER_NULL, alone=True)


def _decoder(
    signature: Signature,
    key: str,
    name: str,
    types: Mapping[str, Any],
    *,
    alone: bool = False,
) -> Decode | None:
    if not signature.columns or any(column.type not in types for column in signature.columns):
        return None
    columns = list(signature.columns)
    fields = [_field(place, column, types, whole=alone) for place, column in enumerate(columns)]
    names = {f"f{place}": column.name for place, column in enumerate(columns)}
    if key and key not in signature.names:
        fields.append(("key", Any, msgspec.UNSET))
        names["key"] = key
    record = msgspec.defstruct(
        "Record", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False
    )
    body = msgspec.defstruct(
        "Body",
        [("records", list[record])],  # type: ignore[valid-type]  # made above
        rename={"records": name},
        forbid_unknown_fields=alone,
        gc=False,
    )
    return msgspec.json.Decoder(body).decode


def _field(
    place: int, column: InputColumn, types: Mapping[str, Any], *, whole: bool
) -> tuple[str, Any] | tuple[str, Any, Any]:
    name, type_ = f"f{place}", types[column.type]
    return (name, type_) if column.required or whole else (name, type_, None)
