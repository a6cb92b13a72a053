"""What a model takes and says, between rows of plain values and the arrays of its library.

Read by the Python of any environment: needs numpy and pandas alone.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

_DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}


def column_of(kind: str, values: list[Any]) -> Any:
    """One column of a frame, whose dtype follows from MLflow's name of its type."""
    if kind == "datetime":
        return pd.to_datetime(pd.Series(values, dtype=object))
    dtype = _DTYPES.get(kind)
    if dtype is None:
        return pd.Series(values, dtype=object)
    if None in values:
        if kind in {"long", "integer", "boolean"}:
            return pd.Series(values, dtype="float64" if kind != "boolean" else object)
        values = [math.nan if value is None else value for value in values]
    return np.array(values).astype(dtype)


def numbers_of(found: Any, count: int) -> Any:
    """The answers as numbers, shape (rows,) or (rows, outputs); None where they are none."""
    if isinstance(found, pd.DataFrame | pd.Series):
        array = found.to_numpy()
        if array.dtype == object:
            return None
    elif isinstance(found, Mapping):
        parts = [numbers_of(part, count) for part in found.values()]
        if not parts or any(part is None for part in parts):
            return None
        return np.concatenate([part.reshape(count, -1) for part in parts], axis=1)
    else:
        found = found.detach().cpu().numpy() if hasattr(found, "detach") else found
        try:
            array = np.asarray(found)
        except ValueError:  # lists of several lengths
            return None
    if array.dtype.kind not in "biuf" or array.ndim == 0 or array.shape[0] != count:
        return None
    array = array.astype(np.float64)
    flat = array.reshape(count, -1)
    return flat[:, 0] if flat.shape[1] == 1 else flat


def values_of(found: Any, count: int) -> list[Any]:
    """Each row's answer as JSON."""
    if isinstance(found, pd.DataFrame):
        told: list[Any] = json.loads(found.to_json(orient="records", date_format="iso"))
        if len(found.columns) == 1:
            told = [next(iter(row.values())) for row in told]
    elif isinstance(found, pd.Series | np.ndarray):
        told = [_plain(item) for item in found.tolist()]
    elif isinstance(found, Mapping):
        parts = {name: values_of(part, count) for name, part in found.items()}
        told = [{name: part[place] for name, part in parts.items()} for place in range(count)]
    elif isinstance(found, list | tuple):
        told = [_plain(item) for item in found]
    else:
        told = [_plain(found)]
    if len(told) != count:
        text = f"it gave {len(told)} answers for {count} rows"
        raise ValueError(text)
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    known = value is None or isinstance(value, str | int | float | bool)
    return value if known else str(value)
