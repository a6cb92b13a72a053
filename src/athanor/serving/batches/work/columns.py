"""Between Arrow columns and what a model reads: the check once a batch, the frames of a chunk.

A column's dtype follows from the signature alone, as in `athanor.registry.packaging.frames`, so
that a row is encoded in a batch as it is online.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from athanor.serving.errors.batches import InputColumnsMissing, InputColumnUnfit
from athanor.serving.logic.signature import lacking
from athanor.serving.types import InputColumn, Signature

NUMBERS = frozenset({"double", "float", "long", "integer"})
_EXPECTED = {
    "double": "numbers",
    "float": "numbers",
    "long": "whole numbers",
    "integer": "whole numbers",
    "string": "text",
    "boolean": "true or false",
    "datetime": "times",
}


def input_types(plain: Mapping[str, Any]) -> Signature:
    """A signature out of plain data."""
    return Signature(
        columns=tuple(
            InputColumn(name=item["name"], type=item["type"], required=item["required"])
            for item in plain["columns"]
        ),
        classes=tuple(plain.get("classes", ())),
        target=plain.get("target", ""),
        positive=plain.get("positive", -1),
    )


def check_inputs(signature: Signature, schema: pa.Schema, where: str) -> None:
    """Return if a table with this schema holds what the model reads.

    Raises: InputColumnsMissing, InputColumnUnfit.
    """
    if missing := lacking(signature, schema.names):
        raise InputColumnsMissing(missing, schema.names, where)
    for column in signature.columns:
        place = schema.get_field_index(column.name)
        if place >= 0 and not _fits(column.type, schema.field(place).type):
            found = str(schema.field(place).type)
            raise InputColumnUnfit(column.name, found, _EXPECTED.get(column.type, ""), where)


def _fits(kind: str, found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if kind in NUMBERS:
        numeric = pa.types.is_integer(found) or pa.types.is_floating(found)
        return bool(numeric or pa.types.is_decimal(found) or pa.types.is_boolean(found))
    if kind == "boolean":
        return bool(pa.types.is_boolean(found) or pa.types.is_integer(found))
    if kind == "string":
        return _is_text(found)
    if kind == "datetime":
        return bool(pa.types.is_temporal(found)) or _is_text(found)
    return True


def _is_text(kind: pa.DataType) -> bool:
    view = getattr(pa.types, "is_string_view", lambda _: False)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or view(kind))


def frame(signature: Signature, batch: pa.RecordBatch) -> pd.DataFrame:
    """The model's columns of a batch, in their order and with their dtypes; absent ones are null.

    Shape (rows, columns). Nulls are NaN in numbers and text, NaT in times.
    """
    columns = {}
    for column in signature.columns:
        place = batch.schema.get_field_index(column.name)
        values = batch.column(place) if place >= 0 else pa.nulls(batch.num_rows)
        columns[column.name] = _values(column.type, values)
    return pd.DataFrame(columns, index=pd.RangeIndex(batch.num_rows), copy=False)


def numbers_of(values: pa.Array) -> NDArray[np.float64]:
    """A column of numbers or booleans, shape (rows,); NaN where one is missing."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.type != pa.float64():
        if pa.types.is_boolean(values.type):
            values = values.cast(pa.uint8())
        values = values.cast(pa.float64(), safe=False)
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return found


def words_of(values: pa.Array) -> tuple[list[str | None], NDArray[np.intp]]:
    """A text column's distinct words, and each row's place in them.

    The place of a missing text is behind the last word.
    """
    if pa.types.is_null(values.type):
        return [], np.zeros(len(values), np.intp)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    words = encoded.dictionary.to_pylist()
    places = encoded.indices
    if places.null_count:
        places = places.cast(pa.int64()).fill_null(len(words))
    return words, places.to_numpy(zero_copy_only=False).astype(np.intp)


def _values(kind: str, values: pa.Array) -> Any:
    if kind in NUMBERS or kind == "boolean":
        return numbers_of(values)
    if kind == "datetime":
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if _is_text(values.type):
            return pd.Series(pd.to_datetime(values.to_pandas(), utc=True, format="ISO8601")).astype(
                "datetime64[us, UTC]"
            )
        aware = pa.types.is_timestamp(values.type) and values.type.tz is not None
        moments = values.cast(pa.timestamp("us", "UTC") if aware else pa.timestamp("us"))
        moments = moments if aware else pc.assume_timezone(moments, "UTC")
        return moments.to_pandas().astype("datetime64[us, UTC]")
    words, places = words_of(values)
    # One object a distinct value; NaN where it is missing.
    known = [np.nan if word is None else word for word in words]
    return pd.Series(np.array([*known, np.nan], dtype=object)[places], dtype=object)
