"""Raw columns to numbers, by public scikit-learn parts alone: any MLflow reads the model."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from athanor.app.gallery.tables import MOST_LEVELS

_NO_TIME = float(np.iinfo(np.int64).min)
"""What NaT becomes as a number."""


def features(table: pd.DataFrame, columns: list[dict[str, str]]) -> pd.DataFrame:
    """The columns of a model in the types that serving gives them: float64, text, UTC times."""
    found: dict[str, Any] = {}
    for column in columns:
        values = table[column["name"]]
        if column["kind"] == "number":
            found[column["name"]] = pd.to_numeric(values).to_numpy(np.float64, na_value=np.nan)
        elif column["kind"] == "date":
            found[column["name"]] = pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
        else:
            found[column["name"]] = values.astype(object).where(values.notna(), np.nan)
    return pd.DataFrame(found, index=table.index)


def encoder(rows: pd.DataFrame, columns: list[dict[str, str]], *, scale: bool) -> ColumnTransformer:
    """An unfitted encoder for these columns.

    Numbers are filled by their median and scaled where `scale` says so, else passed on with gaps.
    Categories become a column per level, the 30 commonest at most; rarer, unknown and missing ones
    have 0 in all of them. Text that holds numbers and dates are parsed inside the model, so that it
    is served on what the table held.
    """
    named: dict[str, list[str]] = {}
    for column in columns:
        named.setdefault(column["kind"], []).append(column["name"])
    parts: list[tuple[str, Any, Any]] = []
    if "number" in named:
        parts.append(("numbers", _numbers() if scale else "passthrough", named["number"]))
    if "category" in named:
        levels = [_levels(rows[name]) for name in named["category"]]
        one_hot = OneHotEncoder(categories=levels, handle_unknown="ignore", sparse_output=False)
        parts.append(("categories", one_hot, named["category"]))
    for index, name in enumerate(named.get("number_text", [])):
        parts.append((f"number_text_{index}", _parsed_numbers(scale=scale), name))
    for kind in ("date", "date_text"):
        for index, name in enumerate(named.get(kind, [])):
            parts.append((f"{kind}_{index}", _parsed_dates(scale=scale), name))
    return ColumnTransformer(parts, sparse_threshold=0, verbose_feature_names_out=True)


def _numbers() -> Pipeline:
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("fill", fill), ("scale", StandardScaler())])


def _levels(column: pd.Series) -> Any:
    counts = column.dropna().value_counts()
    common = sorted(counts.index[:MOST_LEVELS]) if len(counts) else [""]
    return np.array(common, dtype=object)


def _parsed_numbers(*, scale: bool) -> Pipeline:
    steps: list[tuple[str, Any]] = [
        ("parse", FunctionTransformer(pd.to_numeric, kw_args={"errors": "coerce"})),
        ("column", FunctionTransformer(np.reshape, kw_args={"shape": (-1, 1)})),
    ]
    return Pipeline([*steps, *(_numbers().steps if scale else [])])


def _parsed_dates(*, scale: bool) -> Pipeline:
    parse = {"errors": "coerce", "utc": True, "format": "ISO8601"}
    steps: list[tuple[str, Any]] = [
        ("parse", FunctionTransformer(pd.to_datetime, kw_args=parse)),
        ("seconds", FunctionTransformer(np.asarray, kw_args={"dtype": "datetime64[s]"})),
        ("number", FunctionTransformer(np.asarray, kw_args={"dtype": "float64"})),
        ("column", FunctionTransformer(np.reshape, kw_args={"shape": (-1, 1)})),
        ("fill", SimpleImputer(missing_values=_NO_TIME, strategy="median")),
    ]
    return Pipeline([*steps, *([("scale", StandardScaler())] if scale else [])])
