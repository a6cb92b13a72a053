"""Tables of Parquet in a request's body.

Loaded with the first such request, so that a plane that gets none never loads Arrow.
"""

import base64
from decimal import Decimal
from io import BytesIO
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from athanor.serving.errors import TooManyRecords
from athanor.serving.errors.protocols import InvocationRefused

_SPREAD = 64
"""How many times as large as its file a table may be."""


def as_split(body: bytes, most: int) -> bytes:
    """The table as the JSON body that asks the same: `dataframe_split`, times as ISO texts.

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
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    split = {"columns": table.column_names, "data": rows}
    return orjson.dumps({"dataframe_split": split}, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return float(value) if isinstance(value, Decimal) else str(value)


def _refused(reason: str) -> InvocationRefused:
    return InvocationRefused(f"Invalid input. The body can't be read as Parquet: {reason}")
