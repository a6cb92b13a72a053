"""Records and tables to the frame that an estimator reads, one dtype per declared type.

The dtype of a column follows from the signature alone, never from the rows at hand, so that one
row is encoded as it would be among a thousand.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import FeatureUnion, Pipeline

from athanor.registry.errors import RecordRefused
from athanor.registry.logic.mlmodel import NUMBER_TYPES
from athanor.registry.types import Estimator, InputColumn, Label

_ABSENT = object()
_DTYPES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (pd.api.types.is_bool_dtype, "boolean"),
    (pd.api.types.is_integer_dtype, "long"),
    (pd.api.types.is_numeric_dtype, "double"),
    (pd.api.types.is_datetime64_any_dtype, "datetime"),
)


def infer_inputs(frame: pd.DataFrame) -> tuple[InputColumn, ...]:
    """The raw columns of a table with their MLflow types; those with a missing value are optional.

    Numbers with missing values are `double`, since MLflow has no missing integers.
    """
    return tuple(
        InputColumn(
            name=str(name),
            type=_type_of(frame[name]),
            required=not bool(frame[name].isna().any()),
        )
        for name in frame.columns
    )


def inputs_of_estimator(estimator: Estimator) -> tuple[InputColumn, ...]:
    """What a fitted estimator tells of its raw columns; all optional, numbers as `double`.

    Text is what a fitted encoder of a ColumnTransformer keeps categories of text for. One that
    counts words has one column, `text`. Empty where the estimator was not fitted on named columns.
    """
    if _counts_words(estimator):
        return (InputColumn(name="text", type="string"),)
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    texts: set[str] = set()
    first = estimator[0] if isinstance(estimator, Pipeline) else estimator
    for _, part, columns in getattr(first, "transformers_", ()):
        steps = [step for _, step in part.steps] if isinstance(part, Pipeline) else [part]
        for categories in (step.categories_ for step in steps if hasattr(step, "categories_")):
            named = [columns] if isinstance(columns, str) else list(columns)
            texts.update(
                str(name)
                for name, known in zip(named, categories, strict=False)
                if any(isinstance(value, str) for value in known)
            )
    return tuple(
        InputColumn(name=name, type="string" if name in texts else "double", required=False)
        for name in names
    )


def frame_of_records(
    inputs: Sequence[InputColumn], records: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """A frame with the declared columns in their order; keys beyond them are left out.

    Raises: RecordRefused, naming the record (from 0) and the column, where a required column is
    absent or a value has another type. None is taken in every column.
    """
    if not inputs:
        return pd.DataFrame.from_records(list(records))
    columns = {}
    for column in inputs:
        values = [record.get(column.name, _ABSENT) for record in records]
        if _ABSENT in values:
            if column.required:
                row = values.index(_ABSENT)
                raise RecordRefused(row, column.name, f"is required ({column.type}) and absent.")
            values = [None if value is _ABSENT else value for value in values]
        columns[column.name] = _converted(column, values)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(records)))


def frame_of_table(inputs: Sequence[InputColumn], table: pd.DataFrame) -> pd.DataFrame:
    """The declared columns of a table in the dtypes that `frame_of_records` gives.

    Raises: RecordRefused where a required column is absent or a value has another type.
    """
    if not inputs:
        return table
    columns = {}
    for column in inputs:
        if column.name not in table.columns:
            if column.required:
                raise RecordRefused(0, column.name, f"is required ({column.type}) and absent.")
            columns[column.name] = _converted(column, [None] * len(table))
        elif column.type in NUMBER_TYPES | {"boolean"} and table[column.name].dtype.kind in "biuf":
            columns[column.name] = table[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            values = table[column.name].astype(object)
            columns[column.name] = _converted(column, values.where(values.notna(), None).tolist())
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)))


def labels_of(estimator: Estimator) -> tuple[Label, ...]:
    """A classifier's labels; none of a regressor, or of one that tells several labels a row."""
    labels = [
        label.item() if isinstance(label, np.generic) else label
        for label in getattr(estimator, "classes_", ())
    ]
    return () if any(isinstance(label, np.ndarray) for label in labels) else tuple(labels)


def as_read(estimator: Estimator, frame: pd.DataFrame) -> pd.DataFrame | pd.Series:
    """The frame as the estimator reads it.

    One that counts words wants the texts themselves: over a frame it would go by its columns'
    names, and count the words of those. Boosted trees that were fitted on pandas' categories want
    the same ones; a text that is none of them is missing to them.
    """
    if len(frame.columns) == 1 and _counts_words(estimator):
        return frame.iloc[:, 0]
    texts = [str(name) for name, kind in frame.dtypes.items() if kind.kind == "O"]
    known = categories_of(estimator) if texts else []
    if len(known) != len(texts):
        return frame
    found = {
        name: pd.Categorical(
            frame[name].map({str(value): value for value in values}), categories=values
        )
        for name, values in zip(texts, known, strict=True)
    }
    return frame.assign(**found)


def categories_of(estimator: Estimator) -> list[list[Any]]:
    """The categories that LightGBM or XGBoost was fitted on, by columns that have some.

    Each model keeps its own, in the order of its codes.
    """
    if hasattr(estimator, "get_booster"):
        read = getattr(estimator.get_booster(), "get_categories", None)
        found = read(export_to_arrow=True).to_arrow() if read is not None else []
        return [values.to_pylist() for _, values in found if values is not None]
    return getattr(getattr(estimator, "booster_", None), "pandas_categorical", None) or []


def _counts_words(estimator: Estimator) -> bool:
    """Whether what reads the rows is a counter of words, or several side by side."""
    if isinstance(estimator, Pipeline):
        return bool(estimator.steps) and _counts_words(estimator.steps[0][1])
    if isinstance(estimator, FeatureUnion):
        return all(_counts_words(part) for _, part in estimator.transformer_list)
    return isinstance(estimator, CountVectorizer | HashingVectorizer)


def _type_of(series: pd.Series) -> str:
    for matches, name in _DTYPES:
        if matches(series.dtype):
            return "double" if name == "long" and series.isna().any() else name
    present = series.dropna()
    for kinds, name in ((bool, "boolean"), ((date, datetime), "datetime")):
        if len(present) and all(isinstance(value, kinds) for value in present):
            return name
    return "string"


def _converted(column: InputColumn, values: list[Any]) -> object:
    if column.type in NUMBER_TYPES:
        return np.array([_number(column, row, v) for row, v in enumerate(values)], dtype=np.float64)
    if column.type == "boolean":
        return np.array(
            [_boolean(column, row, v) for row, v in enumerate(values)], dtype=np.float64
        )
    each: Callable[[InputColumn, int, object], object] = (
        _instant if column.type == "datetime" else _text
    )
    converted = [each(column, row, value) for row, value in enumerate(values)]
    if column.type == "datetime":
        return pd.Series(converted, dtype="datetime64[us, UTC]")
    return pd.Series(converted, dtype=object)


def _number(column: InputColumn, row: int, value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes, list, dict)):
        raise RecordRefused(row, column.name, f"wants a number ({column.type}), got {value!r}.")
    return float(cast("float", value))


def _boolean(column: InputColumn, row: int, value: object) -> float:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, (bool, np.bool_)) or value in (0, 1):
        return float(value)
    raise RecordRefused(row, column.name, f"wants true or false, got {value!r}.")


def _text(column: InputColumn, row: int, value: object) -> object:
    # NaN, not None: scikit-learn's encoders count the two as different categories, and pandas
    # hands missing text to them as NaN in training.
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, str):
        return value
    raise RecordRefused(row, column.name, f"wants text, got {value!r}.")


def _instant(column: InputColumn, row: int, value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return pd.NaT
    try:
        instant = pd.Timestamp(cast("str", value))
    except (ValueError, TypeError) as error:
        raise RecordRefused(row, column.name, f"wants an ISO 8601 time, got {value!r}.") from error
    return instant.tz_localize("UTC") if instant.tz is None else instant.tz_convert("UTC")
