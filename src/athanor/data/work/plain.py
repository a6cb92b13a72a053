"""Values of any column as JSON knows them."""

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_SMALLEST, _LARGEST = -(1 << 63), (1 << 63) - 1


def plain_value(value: Any) -> Any:
    """A value as JSON-able data: times as ISO 8601, bytes as hex, NaN and infinities as text.

    So are whole numbers beyond 64 bits, which MessagePack and most readers of JSON do not hold, and
    decimals of more digits than a double has.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, UUID):
        return str(value)
    return str(value)


def _decimal(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value():
        return _whole(int(value))
    return float(value) if Decimal(repr(float(value))) == value else f"{value:f}"


def _whole(value: int) -> int | str:
    return value if _SMALLEST <= value <= _LARGEST else str(value)
