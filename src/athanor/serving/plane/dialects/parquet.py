"""Tables of Parquet in a request's body.

Loaded with the first such request, so that a plane that gets none never loads Arrow.
"""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from io import BytesIO
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from athanor.serving.errors import TooManyRecords
from athanor.serving.errors.protocols import InvocationRefused
from athanor.serving.logic.coercions import NUMPY
from athanor.serving.types import InputColumn, Signature

_BITS = {"double": 64, "float": 32, "long": 64, "integer": 32}
_FLOATS = frozenset({"double", "float"})
_SPREAD = 64
"""How many times as large as its file a table may be."""


def as_split(body: bytes, most: int, signature: Signature) -> bytes:
    """The table as the JSON body that asks the same: `dataframe_split`, times as ISO texts.

    A table tells its types: numbers that do not fit the model's are refused, as MLflow does, where
    JSON's would be cast.

    Raises: InvocationRefused, TooManyRecords.
    """
    try:
        file = pq.ParquetFile(BytesIO(body))
        told = file.metadata
        if told.num_rows > most:
            raise TooManyRecords(told.num_rows, most)
        spread = sum(told.row_group(at).total_byte_size for at in range(told.num_row_groups))
        if spread > _SPREAD * max(len(body), 1 << 16):
            raise _refused(f"its {len(body):,} bytes hold {spread:,}")
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise _refused(str(error).partition("\n")[0]) from None
    for column in signature.columns:
        if column.name in table.column_names:
            _check(column, table[column.name])
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    split = {"dataframe_split": {"columns": table.column_names, "data": rows}}
    if any(map(_endless, table.columns)):  # which orjson makes null
        return json.dumps(split, default=_plain).encode()
    return orjson.dumps(split, default=_plain)


def _endless(values: "pa.ChunkedArray") -> bool:
    """Whether infinity is among them."""
    if not pa.types.is_floating(values.type):
        return False
    return bool(pc.any(pc.is_inf(values.cast(pa.float64()))).as_py())


def _check(column: InputColumn, values: "pa.ChunkedArray") -> None:
    """Return if MLflow converts the values: whole numbers up, floats up, neither down."""
    of_arrow, bits = values.type, _BITS.get(column.type, 0)
    if not bits:
        if column.type == "boolean" and not _is(of_arrow, pa.types.is_boolean):
            raise _incompatible(column, of_arrow)
        return
    if pa.types.is_null(of_arrow) or pa.types.is_decimal(of_arrow):
        fits = column.type == "double"
    elif pa.types.is_floating(of_arrow):
        fits = column.type in _FLOATS and of_arrow.bit_width <= bits
    elif pa.types.is_integer(of_arrow):
        signed = pa.types.is_signed_integer(of_arrow)
        if column.type in _FLOATS:
            small = of_arrow.bit_width < bits or values.null_count > 0
            fits = small and column.type == "double"
            fits = fits or set(values.unique().to_pylist()) <= {0, 1}
        else:
            fits = of_arrow.bit_width < bits or (signed and of_arrow.bit_width == bits)
            fits = fits and not values.null_count
    else:
        fits = False
    if not fits:
        raise _incompatible(column, of_arrow)


def _is(of_arrow: "pa.DataType", kind: Callable[["pa.DataType"], bool]) -> bool:
    return kind(of_arrow) or pa.types.is_null(of_arrow)


def _incompatible(column: InputColumn, of_arrow: "pa.DataType") -> InvocationRefused:
    return InvocationRefused(
        "Failed to predict data. \nError: Failed to enforce schema of data. Error: Incompatible "
        f"input types for column {column.name}. Can not safely convert {of_arrow} to "
        f"{NUMPY[column.type]}.",
        name="INVALID_PARAMETER_VALUE",
        hint="Write the column with the model's type: GET /endpoints/NAME",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else str(value)


def _refused(reason: str) -> InvocationRefused:
    return InvocationRefused(f"Invalid input. The body can't be read as Parquet: {reason}")
